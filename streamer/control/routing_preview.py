"""What a routing would do to a sample of events, compared with the routing that counts now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.control.event_sample import EventSample
from streamer.records.columns import FeatureBatch
from streamer.routing.documents import MatchValue, RoutingDocument, ServingVariant
from streamer.routing.router import Router
from streamer.routing.segments import NO_SEGMENT


@dataclass(frozen=True, slots=True)
class VariantShare:
    """One variant's share of the sample's events, 0 to 1; ``before`` is None if there was no routing."""

    variant: str
    before: float | None
    after: float


@dataclass(frozen=True, slots=True)
class PartPreview:
    """The events of one segment, or all of them.

    Attributes:
        match: The segment's fields; None for all events together, empty for those in no segment.
        events: How many of the sample's events fall into it. With made-up keys every part is tried with all of them.
        shares: Each variant that answers before or after.
        moved: The share of its distinct bucketing values whose variant changes; None if there was no routing.
    """

    match: dict[str, MatchValue] | None
    events: int
    shares: tuple[VariantShare, ...]
    moved: float | None


@dataclass(frozen=True, slots=True)
class RoutingPreview:
    """What a routing would do.

    Attributes:
        sample: What it was tried on: ``recent events`` or ``made-up keys``.
        events: How many of them.
        users: How many distinct bucketing values they have.
        moved_users: How many of these would get another variant in at least one event; None if there was no routing.
        overall: All events together; None for made-up keys if there are segments, whose sizes nobody knows.
        parts: Those in no segment, then each segment; empty if there are no segments.
    """

    sample: str
    events: int
    users: int
    moved_users: int | None
    overall: PartPreview | None
    parts: tuple[PartPreview, ...]


def preview_routing(before: RoutingDocument | None, after: RoutingDocument, sample: EventSample) -> RoutingPreview:
    """Routes the sample with both documents, which are resolved."""
    n, users = len(sample.bucketing), _user_numbers(sample)
    counted = int(users.max(initial=-1)) + 1
    if _has_fields(sample, before, after):
        old = _variants(before, sample) if before is not None else None
        new = _variants(after, sample)
        overall = _part(None, old, new, users)
        parts = _parts_of_events(after, old, new, users, sample) if after.segments else ()
        moved = None if old is None else _moved_users(old, new, users)
        return RoutingPreview(sample.kind, n, counted, moved, overall, parts)
    base = _part_of_keys({} if after.segments else None, before, after, sample, users)
    segments = [_part_of_keys(segment.match, before, after, sample, users) for segment in after.segments]
    moved = None if base.moved is None else round(base.moved * counted)
    if not segments:
        return RoutingPreview(sample.kind, n, counted, moved, base, ())
    return RoutingPreview(sample.kind, n, counted, moved, None, (base, *segments))


def _has_fields(sample: EventSample, *documents: RoutingDocument | None) -> bool:
    paths = {path for document in documents if document for segment in document.segments for path in segment.match}
    return paths <= set(sample.features.columns)


def _variants(document: RoutingDocument, sample: EventSample) -> NDArray[np.object_]:
    """The serving variant of each event. Shape (n,)."""
    router = Router(document)
    routed = router.route(sample.features, sample.bucketing, sample.event_ids)
    return np.array([arm.variant for arm in router.arms], object)[routed.arm]


def _parts_of_events(
    after: RoutingDocument,
    old: NDArray[np.object_] | None,
    new: NDArray[np.object_],
    users: NDArray[np.int64],
    sample: EventSample,
) -> tuple[PartPreview, ...]:
    segment = Router(after).segments_of(sample.features)
    parts = []
    for index, match in [(NO_SEGMENT, {}), *((i, each.match) for i, each in enumerate(after.segments))]:
        rows = np.flatnonzero(segment == index)
        parts.append(_part(match, None if old is None else old[rows], new[rows], users[rows]))
    return tuple(parts)


def _part_of_keys(
    match: Mapping[str, MatchValue] | None,
    before: RoutingDocument | None,
    after: RoutingDocument,
    sample: EventSample,
    users: NDArray[np.int64],
) -> PartPreview:
    """One list of arms tried with every key, as if all events fell into its segment."""
    keys = EventSample(sample.kind, FeatureBatch(len(sample.bucketing), {}), sample.bucketing, sample.event_ids)
    old = None if before is None else _variants(_only(before, _arms_for(before, match)), keys)
    new = _variants(_only(after, _arms_for(after, match)), keys)
    return _part(None if match is None else dict(match), old, new, users)


def _arms_for(document: RoutingDocument, match: Mapping[str, MatchValue] | None) -> Sequence[ServingVariant]:
    return next((segment.serve for segment in document.segments if segment.match == match), document.serve)


def _only(document: RoutingDocument, serve: Sequence[ServingVariant]) -> RoutingDocument:
    return document.model_copy(update={"serve": tuple(serve), "segments": (), "shadow": (), "fallback": None})


def _part(
    match: dict[str, MatchValue] | None,
    old: NDArray[np.object_] | None,
    new: NDArray[np.object_],
    users: NDArray[np.int64],
) -> PartPreview:
    n = len(new)
    after, before = Counter(new.tolist()), Counter(old.tolist()) if old is not None else None
    names = list(dict.fromkeys([*(before or ()), *after]))
    shares = tuple(
        VariantShare(name, before[name] / max(n, 1) if before is not None else None, after[name] / max(n, 1))
        for name in sorted(names)
    )
    distinct = len(np.unique(users))
    moved = None if old is None else _moved_users(old, new, users) / max(distinct, 1)
    return PartPreview(match, n, shares, moved)


def _moved_users(old: NDArray[np.object_], new: NDArray[np.object_], users: NDArray[np.int64]) -> int:
    return len(np.unique(users[old != new]))


def _user_numbers(sample: EventSample) -> NDArray[np.int64]:
    """A number for each distinct bucketing value. Shape (n,)."""
    numbers: dict[bytes, int] = {}
    known = (numbers.setdefault(value, len(numbers)) for value in sample.bucketing)
    return np.fromiter(known, np.int64, len(sample.bucketing))
