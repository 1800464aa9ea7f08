"""What happened, computed from what was sent, what came back and the published history of the routing."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.demo.estimators import late_probability
from streamer.demo.expected_variant import expected_variant

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from streamer.control.history import HistoryEntry

STANDARD_DEVIATIONS = 4.0
"""A share may be so far from its weight: by chance it is further once in 16,000 times."""


@dataclass(frozen=True)
class Share:
    """One variant at one revision. Shares are of users, for a user is what is routed.

    Attributes:
        expected: Its weight over the sum of the weights.
        tolerance: Four standard deviations of a binomial share of so many users.
    """

    revision: int
    variant: str
    events: int
    users: int
    share: float
    expected: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether the share is what the weight says."""
        return abs(self.share - self.expected) <= self.tolerance


@dataclass(frozen=True)
class Routings:
    """The admitted routings: revision to variant to weight, and the salt of each."""

    weights: dict[int, dict[str, float]]
    salts: dict[int, str]

    @classmethod
    def of(cls, entries: list[HistoryEntry]) -> Routings:
        """From the endpoint's history."""
        weights, salts = {}, {}
        for entry in entries:
            if entry.outcome == "admitted" and entry.revision is not None:
                document: Any = entry.document
                weights[entry.revision] = {arm.variant: arm.weight for arm in document.serve}
                salts[entry.revision] = document.salt
        return cls(weights, salts)


def with_users(inferences: pd.DataFrame, flights: pd.DataFrame) -> pd.DataFrame:
    """Inferences joined with their flights by id; ``user`` is the aircraft, or the flight where that is unknown."""
    joined = inferences.merge(flights, left_on="event_id", right_on="flight_id", how="left", validate="many_to_one")
    joined["user"] = joined["tail_number"].where(joined["tail_number"].notna(), joined["event_id"])
    return joined


def shares(joined: pd.DataFrame, routings: Routings) -> list[Share]:
    """Every variant at every revision, also one that answered nobody."""
    found = []
    for revision, weights in sorted(routings.weights.items()):
        rows = joined[joined["revision"] == revision]
        users = rows["user"].nunique()
        for variant, weight in weights.items():
            its = rows[rows["variant"] == variant]
            expected = weight / sum(weights.values())
            deviation = sqrt(expected * (1 - expected) / users) if users else 0.0
            count = its["user"].nunique()
            found.append(
                Share(
                    revision=revision,
                    variant=variant,
                    events=len(its),
                    users=count,
                    share=count / users if users else 0.0,
                    expected=expected,
                    tolerance=STANDARD_DEVIATIONS * deviation,
                )
            )
    return found


@dataclass(frozen=True)
class Moves:
    """Users between revisions.

    Attributes:
        moved: How many were answered by more than one variant, because weights changed.
        wrong: How many were at some revision answered by another variant than the published definition says, or by
            two at one revision.
    """

    moved: int
    wrong: int


def moves(joined: pd.DataFrame, routings: Routings) -> Moves:
    """Compares every user's variant at every revision with the one that is computed here again."""
    seen = joined[["revision", "user", "variant"]].drop_duplicates()
    wrong = {
        user
        for revision, user, variant in seen.itertuples(index=False)
        if variant != expected_variant(routings.salts[revision], routings.weights[revision], user)
    }
    variants = seen.groupby("user")["variant"].nunique()
    return Moves(moved=int((variants > 1).sum()), wrong=len(wrong))


def area_under_curve(joined: pd.DataFrame) -> dict[str, tuple[float, int]]:
    """Variant to the AUC of its probabilities against the arrivals, and from how many arrivals."""
    from sklearn.metrics import roc_auc_score

    arrived = joined[joined["is_late"].notna()]
    return {
        str(variant): (float(roc_auc_score(rows["is_late"], rows["late_probability"])), len(rows))
        for variant, rows in arrived.groupby("variant")
    }


def largest_difference(joined: pd.DataFrame, estimators: Mapping[str, Any]) -> float:
    """Between what a variant answered and what its scikit-learn estimator says to the same flights."""
    differences = [0.0]
    for variant, rows in joined.groupby("variant"):
        said = late_probability(estimators[str(variant)], rows)
        differences.append(float(np.max(np.abs(said - rows["late_probability"].to_numpy(np.float64)))))
    return max(differences)


def is_in_order(inferences: pd.DataFrame) -> bool:
    """Whether each stands in its event's partition, and each partition is in the order of the events."""
    same = (inferences["partition"] == inferences["source_partition"]).all()
    steps = inferences.groupby("partition")["source_offset"].diff().dropna()
    return bool(same and (steps > 0).all())


def latency_ms(joined: pd.DataFrame, sent_at: Mapping[str, float]) -> dict[str, float]:
    """From handing an event to the producer to reading its committed inference."""
    seconds = joined["arrived_at"] - joined["event_id"].map(sent_at)
    p50, p95, p99 = np.percentile(seconds.to_numpy(np.float64) * 1000, [50, 95, 99]).tolist()
    return {"p50": p50, "p95": p95, "p99": p99}


def longest_silence_seconds(inferences: pd.DataFrame) -> float:
    """The longest time in which no inference came while events flowed."""
    gaps = np.diff(np.unique(inferences["arrived_at"].to_numpy(np.float64)))
    return float(gaps.max()) if len(gaps) else 0.0
