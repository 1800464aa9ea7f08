"""A resolved routing, compiled: which arm answers each event of a batch, and which shadows answer beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from streamer.errors import DocumentUnresolved
from streamer.records.columns import FeatureBatch
from streamer.routing.bucketing import buckets, choose, hash64, unit_interval
from streamer.routing.documents import ResolvedModel, Role, RoutingDocument, ServingVariant, Variant
from streamer.routing.segments import NO_SEGMENT, SegmentMatcher

SHADOW_SALT = "streamer/shadow/"
"""Stands before the shadow's variant name in the salt of its sampling: see `ShadowArm`."""

# With more arms than this, one sort finds all their rows sooner than one pass per arm.
_SCAN_AT_MOST = 8


@dataclass(frozen=True, slots=True)
class Arm:
    """One variant in one role.

    Attributes:
        weight: Its weight in the routing's own ``serve`` list; 0.0 for an arm that only segments name, for the
            fallback and for shadows.
        sample: The share of all events that a shadow answers; 1.0 for the others.
    """

    variant: str
    role: Role
    model_uuid: UUID
    weight: float = 0.0
    sample: float = 1.0


@dataclass(frozen=True, slots=True)
class Routed:
    """Who answers the n events of a batch.

    Attributes:
        arm: Shape (n,), dtype int16: the serving arm of each event, an index into the router's ``arms``.
        bucket: Shape (n,), dtype int32: 0 to 9999.
        serving: Each serving arm that has events in this batch, with their row indices, ascending, dtype int64.
        shadows: The same for the shadow arms.
    """

    arm: NDArray[np.int16]
    bucket: NDArray[np.int32]
    serving: list[tuple[int, NDArray[np.int64]]]
    shadows: list[tuple[int, NDArray[np.int64]]]


@dataclass(frozen=True, slots=True)
class _ServeList:
    """The arms of one ``serve`` list: what `choose` takes, and the router's index of each."""

    names: list[str]
    weights: list[float]
    arms: NDArray[np.int16]

    def choose(self, hashes: NDArray[np.uint64]) -> NDArray[np.int16]:
        return self.arms[choose(hashes, self.names, self.weights)]


class Router:
    """Routes batches by one resolved routing document. Immutable, so that any thread may use it.

    A variant that several ``serve`` lists name is one arm, so that its model is called once per batch. A shadow
    answers an event if ``unit_interval(hash64("streamer/shadow/" + variant, event id)) < sample``: whether it did
    can be recomputed, and raising the sample keeps the events that it had.

    Args:
        routing: A resolved document that passed `streamer.routing.consistency`.

    Raises:
        DocumentUnresolved: An arm has a selector instead of a UUID with sha256.

    Attributes:
        arms: All arms; `Routed` refers to them by index.
        fallback: Index of the fallback arm, or None.
        match_fields: The event fields that segments look at.
    """

    def __init__(self, routing: RoutingDocument) -> None:
        self.routing = routing
        self.arms: list[Arm] = []
        self._index: dict[tuple[str, Role], int] = {}
        self._base = self._serve_list(routing.serve, is_base=True)
        self._segments = [self._serve_list(segment.serve, is_base=False) for segment in routing.segments]
        self._matcher = SegmentMatcher([segment.match for segment in routing.segments])
        self.fallback = self._arm(routing.fallback, Role.fallback) if routing.fallback is not None else None
        self._shadows = [self._arm(shadow, Role.shadow, sample=shadow.sample) for shadow in routing.shadow]
        self.match_fields = self._matcher.paths

    def route(self, batch: FeatureBatch, bucketing: Sequence[bytes], event_ids: Sequence[bytes]) -> Routed:
        """Decides for each event.

        Args:
            batch: n events; it must have the columns `match_fields`.
            bucketing: n values to hash, nulls replaced (`streamer.routing.bucketing.bucketing_values`).
            event_ids: The n events' ids as bytes; only shadows that sample look at them.
        """
        hashes = hash64(self.routing.salt, bucketing)
        arm = self._base.choose(hashes)
        if self._segments:
            segment = self.segments_of(batch)
            for index in np.unique(segment[segment != NO_SEGMENT]).tolist():
                rows = np.flatnonzero(segment == index)
                arm[rows] = self._segments[index].choose(hashes[rows])
        shadows = [(shadow, self._sampled(self.arms[shadow], event_ids)) for shadow in self._shadows]
        return Routed(
            arm=arm,
            bucket=buckets(hashes),
            serving=rows_by_arm(arm, len(self.arms)),
            shadows=[(shadow, rows) for shadow, rows in shadows if len(rows)],
        )

    def segments_of(self, batch: FeatureBatch) -> NDArray[np.int16]:
        """The index of each event's segment in the document, -1 where none matches. Shape (n,)."""
        return self._matcher.match(batch)

    def _sampled(self, shadow: Arm, event_ids: Sequence[bytes]) -> NDArray[np.int64]:
        if shadow.sample >= 1.0:
            return np.arange(len(event_ids), dtype=np.int64)
        drawn = unit_interval(hash64(SHADOW_SALT + shadow.variant, event_ids))
        return np.flatnonzero(drawn < shadow.sample)

    def _serve_list(self, serve: Sequence[ServingVariant], *, is_base: bool) -> _ServeList:
        arms = [self._arm(variant, Role.serving, weight=variant.weight if is_base else 0.0) for variant in serve]
        return _ServeList(
            names=[variant.variant for variant in serve],
            weights=[variant.weight for variant in serve],
            arms=np.array(arms, np.int16),
        )

    def _arm(self, variant: Variant, role: Role, *, weight: float = 0.0, sample: float = 1.0) -> int:
        known = self._index.get((variant.variant, role))
        if known is not None:
            return known
        if not isinstance(variant.model, ResolvedModel):
            raise DocumentUnresolved(
                f"variant {variant.variant} names its model by a selector",
                where=f"routing/{self.routing.endpoint}",
                advice="Run `streamer resolve FILE`",
            )
        self.arms.append(Arm(variant.variant, role, variant.model.uuid, weight, sample))
        self._index[(variant.variant, role)] = len(self.arms) - 1
        return len(self.arms) - 1


def rows_by_arm(arm: NDArray[np.int16], arms: int) -> list[tuple[int, NDArray[np.int64]]]:
    """The row indices, ascending, of each of ``arms`` arms that has any."""
    if not len(arm):
        return []
    if arms == 1:
        return [(0, np.arange(len(arm), dtype=np.int64))]
    if arms <= _SCAN_AT_MOST:
        scanned = [(index, np.flatnonzero(arm == index)) for index in range(arms)]
        return [(index, rows) for index, rows in scanned if len(rows)]
    order = np.argsort(arm, kind="stable")
    present, firsts = np.unique(arm[order], return_index=True)
    return list(zip(present.tolist(), np.split(order, firsts[1:]), strict=True))
