from __future__ import annotations

import pandas as pd
import pytest

from streamer.demo.flights import from_march, read_flights, winter


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    return read_flights()


def test_every_flight_of_the_year_is_an_event_with_an_id_of_its_own(flights: pd.DataFrame) -> None:
    assert len(flights) == 336_776
    assert flights["flight_id"].is_unique


def test_events_come_in_the_order_in_which_they_happened(flights: pd.DataFrame) -> None:
    assert flights["departed_at"].is_monotonic_increasing
    first = flights.iloc[0]
    assert pd.Timestamp(first["departed_at"], unit="ms", tz="UTC").tz_convert("America/New_York").isoformat() == (
        "2013-01-01T05:17:00-05:00"
    )


def test_cancelled_flights_have_no_delay_and_no_truth(flights: pd.DataFrame) -> None:
    cancelled = flights[~flights["has_left"]]
    assert len(cancelled) == 8_255
    assert cancelled["dep_delay"].isna().all()
    assert cancelled["is_late"].isna().all()


def test_models_learn_from_winter_only_and_answer_only_what_came_later(flights: pd.DataFrame) -> None:
    assert winter(flights)["month"].max() == 2
    assert winter(flights)["is_late"].notna().all()
    assert from_march(flights)["month"].min() == 3
    assert from_march(flights)["has_left"].sum() > 100_000
