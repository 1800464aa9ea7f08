"""What a document must fulfil in itself, with no knowledge of schemas, models or other documents.

Admission applies these rules, so every worker must come to the same verdict: they may be loosened in a later version,
never tightened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from streamer.routing.documents import (
    MAX_ARMS,
    EndpointDocument,
    MatchValue,
    ResolvedModel,
    Role,
    RoutingDocument,
    Schema,
    Variant,
)
from streamer.routing.problems import Location, Problem

_RESOLVE = "Run `streamer resolve FILE` and publish what it prints, or use `streamer apply FILE`"


def consistency_problems(document: EndpointDocument | RoutingDocument) -> list[Problem]:
    """Contradictions inside one document, authored or resolved."""
    if isinstance(document, EndpointDocument):
        return list(_shared_topics(document))
    return [*_names(document), *_too_many(document), *_ties(document)]


def unresolved_problems(document: EndpointDocument | RoutingDocument) -> list[Problem]:
    """Every place where the document still needs something besides itself; empty for a resolved one."""
    if isinstance(document, EndpointDocument):
        return list(_unresolved_endpoint(document))
    return list(_unresolved_routing(document))


def arms_with_location(routing: RoutingDocument) -> Iterator[tuple[Location, Role, Variant]]:
    """Every arm of every list with its place in the document."""
    for index, variant in enumerate(routing.serve):
        yield ("serve", index), Role.serving, variant
    for number, segment in enumerate(routing.segments):
        for index, variant in enumerate(segment.serve):
            yield ("segments", number, "serve", index), Role.serving, variant
    if routing.fallback is not None:
        yield ("fallback",), Role.fallback, routing.fallback
    for index, shadow in enumerate(routing.shadow):
        yield ("shadow", index), Role.shadow, shadow


def topics_with_location(endpoint: EndpointDocument) -> list[tuple[Location, str | None]]:
    """The endpoint's four topics: events, inferences, shadow, dead letters."""
    return [
        (("events", "topic"), endpoint.events.topic),
        (("output", "topic"), endpoint.output.topic),
        (("topics", "shadow"), endpoint.topics.shadow),
        (("topics", "dead_letters"), endpoint.topics.dead_letters),
    ]


def _shared_topics(endpoint: EndpointDocument) -> Iterator[Problem]:
    used: dict[str, Location] = {}
    for location, topic in topics_with_location(endpoint):
        if topic is None:
            continue
        if topic in used:
            other = ".".join(map(str, used[topic]))
            yield Problem(location, f"topic {topic} is {other} already", "Each needs a topic of its own")
        used.setdefault(topic, location)


def _names(routing: RoutingDocument) -> Iterator[Problem]:
    lists: dict[Location, Counter[str]] = {}
    first: dict[str, tuple[Role, Variant]] = {}
    for location, role, arm in arms_with_location(routing):
        names = lists.setdefault(location[:-1], Counter())
        names[arm.variant] += 1
        if names[arm.variant] > 1:
            yield Problem((*location, "variant"), f"variant {arm.variant} is in this list twice", "Rename one of them")
            continue
        other_role, other = first.setdefault(arm.variant, (role, arm))
        if Role.shadow in (role, other_role) and role is not other_role:
            what = f"{arm.variant} is a {other_role.value} variant already, and would be a shadow too"
            yield Problem((*location, "variant"), what, "Give the shadow a name of its own")
        elif _certainly_differ(arm, other):
            what = f"variant {arm.variant} names another model here than before"
            yield Problem((*location, "model"), what, "Give it another name: a variant means one model")


def _certainly_differ(one: Variant, other: Variant) -> bool:
    """Two different selectors may yet mean the same version."""
    return isinstance(one.model, ResolvedModel) and isinstance(other.model, ResolvedModel) and one.model != other.model


def _too_many(routing: RoutingDocument) -> Iterator[Problem]:
    arms = len({(role, arm.variant) for _, role, arm in arms_with_location(routing)})
    if arms > MAX_ARMS:
        yield Problem((), f"{arms} variants are more than {MAX_ARMS}")


def _ties(routing: RoutingDocument) -> Iterator[Problem]:
    """Pairs of segments with equally many fields that one event could match both.

    Segments on the same fields tie if they are equal. Of two sets of fields, segments tie if they agree on the fields
    that both have: a join on these.
    """
    by_fields: dict[tuple[str, ...], list[int]] = {}
    for index, segment in enumerate(routing.segments):
        by_fields.setdefault(tuple(sorted(segment.match)), []).append(index)
    matches = [segment.match for segment in routing.segments]
    for fields, members in by_fields.items():
        yield from _equal_on(fields, members, members, matches)
    for one, other in combinations(by_fields, 2):
        if len(one) == len(other):
            shared = tuple(field for field in one if field in other)
            yield from _equal_on(shared, by_fields[one], by_fields[other], matches)


def _equal_on(
    fields: Sequence[str], members: Sequence[int], others: Sequence[int], matches: Sequence[Mapping[str, MatchValue]]
) -> Iterator[Problem]:
    def values(index: int) -> tuple[object, ...]:
        # With their types, because True == 1 in Python.
        return tuple((type(matches[index][field]), matches[index][field]) for field in fields)

    first = {values(index): index for index in reversed(members)}
    for index in others:
        tied = first.get(values(index))
        if tied is not None and tied != index:
            low, high = sorted((tied, index))
            what = f"an event can match this and segments[{low}], and both look at {len(matches[low])} field(s)"
            yield Problem(("segments", high, "match"), what, "Add a field to one of them, so that it wins")


def _unresolved_endpoint(endpoint: EndpointDocument) -> Iterator[Problem]:
    schemas: list[tuple[Location, Schema]] = [
        (("events", "schema"), endpoint.events.schema_),
        (("output", "schema"), endpoint.output.schema_),
    ]
    schemas += [(("events", "writer_schemas", i), schema) for i, schema in enumerate(endpoint.events.writer_schemas)]
    for location, schema in schemas:
        if isinstance(schema, str):
            yield Problem(location, f"names the file {schema[:100]!r} instead of holding the schema", _RESOLVE)
    for location, topic in topics_with_location(endpoint):
        if topic is None:
            yield Problem(location, "is not named", _RESOLVE)


def _unresolved_routing(routing: RoutingDocument) -> Iterator[Problem]:
    sha256 = {version.uuid: version.artifact.sha256 for version in routing.models}
    named = set()
    for location, _, arm in arms_with_location(routing):
        if not isinstance(arm.model, ResolvedModel):
            yield Problem((*location, "model"), "is a selector instead of a UUID with sha256", _RESOLVE)
            continue
        named.add(arm.model.uuid)
        if arm.model.uuid not in sha256:
            yield Problem((*location, "model"), f"model version {arm.model.uuid} is not in `models`", _RESOLVE)
        elif sha256[arm.model.uuid] != arm.model.sha256:
            yield Problem((*location, "model", "sha256"), "differs from the one in `models`", _RESOLVE)
    seen = set()
    for index, version in enumerate(routing.models):
        if version.uuid in seen:
            yield Problem(("models", index), f"model version {version.uuid} is listed twice", _RESOLVE)
        elif version.uuid not in named:
            yield Problem(("models", index), f"no variant names model version {version.uuid}", _RESOLVE)
        seen.add(version.uuid)
