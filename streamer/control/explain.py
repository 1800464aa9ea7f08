"""Why a bucketing value gets its variant, step by step, so that anyone can follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np

from streamer.config import KafkaSettings
from streamer.control.config_log import read_admission
from streamer.control.get import current
from streamer.control.history import revision_of
from streamer.errors import DocumentInvalid
from streamer.records.columns import FeatureBatch
from streamer.routing.admission import Admitted, AnyDocument
from streamer.routing.bucketing import buckets, hash64, scores
from streamer.routing.documents import MatchValue, ResolvedModel, RoutingDocument, ServingVariant
from streamer.routing.router import Router
from streamer.routing.segments import NO_SEGMENT


@dataclass(frozen=True, slots=True)
class RankedArm:
    """One arm in the order of its score; the first answers.

    Attributes:
        share: Its weight over the sum of the weights, 0 to 1.
        score: As `streamer.routing.bucketing` defines it; the smallest wins.
    """

    variant: str
    weight: float
    share: float
    score: float
    model_uuid: UUID
    model_name: str
    model_version: int


@dataclass(frozen=True, slots=True)
class PartExplanation:
    """The decision within one list of arms.

    Attributes:
        match: The segment's fields; None for the routing's own list.
        ranking: Its arms, the one that answers first.
    """

    match: dict[str, MatchValue] | None
    ranking: tuple[RankedArm, ...]

    @property
    def variant(self) -> str:
        """The variant that answers."""
        return self.ranking[0].variant


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a value gets its variant.

    Attributes:
        hash_hex: The 64-bit hash of the value with the salt.
        decided: The list of arms that decides.
        others: What would be decided in each other segment; empty if the event's fields were given.
        why: The same in sentences.
    """

    endpoint: str
    revision: int
    value: str
    salt: str
    hash_hex: str
    bucket: int
    decided: PartExplanation
    others: tuple[PartExplanation, ...]
    why: tuple[str, ...]

    @property
    def variant(self) -> str:
        """The variant that answers."""
        return self.decided.variant


def explain(
    kafka: KafkaSettings,
    endpoint: str,
    value: str,
    *,
    event: Mapping[str, Any] | None = None,
    revision: int | None = None,
) -> Explanation:
    """Explains the variant of one bucketing value.

    Args:
        kafka: How to reach the broker.
        endpoint: Its name.
        value: The value of `bucket_by` as text; a number as its digits.
        event: The event's fields by dotted name, if segments are to be looked at; a field that is missing is null.
        revision: Of the routing; None: the newest.

    Raises:
        DocumentInvalid: There is no such routing.
        TopicProblem: There is no config topic.
        KafkaError: The broker does not answer or refuses.
    """
    admission = read_admission(kafka)
    key = f"routing/{endpoint}"
    found = current(admission, key) if revision is None else revision_of(admission, key, revision)
    return explain_with(found, value, event)


def explain_with(found: Admitted[AnyDocument], value: str, event: Mapping[str, Any] | None = None) -> Explanation:
    """The same for a routing that is at hand.

    Raises:
        DocumentInvalid: It is no routing.
    """
    routing = found.document
    if not isinstance(routing, RoutingDocument):
        raise DocumentInvalid("only a routing decides on variants", where=found.key)
    hashes = hash64(routing.salt, [value.encode()])
    base = PartExplanation(None, _ranked(routing, routing.serve, hashes))
    segments = [
        PartExplanation(dict(segment.match), _ranked(routing, segment.serve, hashes)) for segment in routing.segments
    ]
    decided, others = base, tuple(segments)
    if event is not None:
        index = _segment_of(routing, event)
        decided, others = (base if index == NO_SEGMENT else segments[index]), ()
    bucket = int(buckets(hashes)[0])
    hash_hex = f"{int(hashes[0]):016x}"
    return Explanation(
        endpoint=found.name,
        revision=found.revision,
        value=value,
        salt=routing.salt,
        hash_hex=hash_hex,
        bucket=bucket,
        decided=decided,
        others=others,
        why=tuple(_sentences(found.revision, routing, value, hash_hex, bucket, decided, others, event is not None)),
    )


def _ranked(
    routing: RoutingDocument, serve: Sequence[ServingVariant], hashes: np.ndarray[Any, np.dtype[np.uint64]]
) -> tuple[RankedArm, ...]:
    versions = {version.uuid: version for version in routing.models}
    total = sum(arm.weight for arm in serve)
    ranked = []
    for arm in serve:
        assert isinstance(arm.model, ResolvedModel)
        version = versions[arm.model.uuid]
        score = float(scores(hashes, arm.variant, arm.weight)[0])
        ranked.append(
            RankedArm(arm.variant, arm.weight, arm.weight / total, score, version.uuid, version.name, version.version)
        )
    return tuple(sorted(ranked, key=lambda arm: (arm.score, arm.variant.encode())))


def _segment_of(routing: RoutingDocument, event: Mapping[str, Any]) -> int:
    router = Router(routing)
    row = {**dict.fromkeys(router.match_fields), **FeatureBatch.from_rows([event]).row(0)}
    return int(router.segments_of(FeatureBatch.from_rows([row]))[0])


def _sentences(
    revision: int,
    routing: RoutingDocument,
    value: str,
    hash_hex: str,
    bucket: int,
    decided: PartExplanation,
    others: Sequence[PartExplanation],
    event_given: bool,
) -> list[str]:
    salt = f"with the salt {routing.salt!r}" if routing.salt else "without a salt"
    sentences = [f"Revision {revision} hashes {value!r} {salt} to {hash_hex}, which is bucket {bucket} of 10000."]
    if decided.match is not None:
        sentences.append(f"The event falls into the segment {_match_text(decided.match)}.")
    elif routing.segments and event_given:
        sentences.append("The event falls into none of the segments.")
    winner, *rest = decided.ranking
    model = f"{winner.model_name} version {winner.model_version}"
    if not rest:
        sentences.append(f"{winner.variant} is the only variant there, so {model} answers.")
    else:
        listed = ", ".join(f"{arm.variant} {arm.score:.6g} (weight {arm.weight:g})" for arm in decided.ranking)
        sentences.append(f"Each variant's score is -ln(u) / weight, u drawn from the hash and its name: {listed}.")
        sentences.append(f"{winner.variant} has the smallest, so {model} answers.")
    for other in others:
        assert other.match is not None
        if other.variant != decided.variant:
            sentences.append(f"An event with {_match_text(other.match)} would get {other.variant}.")
    return sentences


def _match_text(match: Mapping[str, MatchValue]) -> str:
    return ", ".join(f"{path} = {value!r}" for path, value in match.items())
