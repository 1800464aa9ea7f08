"""The topics of an endpoint: which exist, which are created, which are grown, and which cannot work."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.config import KafkaSettings
from streamer.kafka.topics import TopicAdmin, TopicDescription, TopicSpec
from streamer.routing.consistency import topics_with_location
from streamer.routing.documents import EndpointDocument
from streamer.routing.problems import Location, Problem

DEFAULT_PARTITIONS = 4
_MS_PER_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """What applying an endpoint does to topics.

    Attributes:
        create: Topics that do not exist.
        grow: Output topics with fewer partitions than the events, and the number that they get.
        keep: Topics that are as they should be.
        problems: What cannot work.
    """

    create: tuple[TopicSpec, ...]
    grow: dict[str, int]
    keep: tuple[str, ...]
    problems: tuple[Problem, ...]


def plan_topics(kafka: KafkaSettings, endpoint: EndpointDocument) -> TopicPlan:
    """Looks at the topics of a resolved endpoint; changes nothing.

    Outputs name the event's partition, so they need at least as many as the events.

    Raises:
        KafkaError: The broker does not answer or refuses.
    """
    places = [(location, name) for location, name in topics_with_location(endpoint) if name is not None]
    existing = TopicAdmin(kafka).describe([name for _, name in places])
    problems = [
        Problem(location, f"{name} is a topic of Streamer itself", "Choose another name")
        for location, name in places
        if name in (kafka.config_topic, kafka.models_topic, kafka.status_topic)
    ]
    (_, events_name), *outputs = places
    events = existing.get(events_name)
    wanted = endpoint.events.partitions
    if events is not None and wanted is not None and events.partitions != wanted:
        what = f"topic {events_name} has {events.partitions} partitions, not {wanted}"
        advice = "Remove the key: the number of an existing topic is changed with Kafka's tools, and then keys move"
        problems.append(Problem(("events", "partitions"), what, advice))
    partitions = events.partitions if events is not None else wanted or DEFAULT_PARTITIONS
    create = [] if events is not None else [_spec(events_name, partitions, endpoint)]
    grow = {}
    keep = [events_name] if events is not None else []
    for location, name in outputs:
        found = existing.get(name)
        if found is None:
            create.append(_spec(name, partitions, endpoint))
            continue
        problems += _unfit(found, location)
        if found.partitions < partitions:
            grow[name] = partitions
        else:
            keep.append(name)
    return TopicPlan(tuple(create), grow, tuple(keep), tuple(problems))


def carry_out(kafka: KafkaSettings, plan: TopicPlan) -> None:
    """Creates and grows what the plan says.

    Raises:
        KafkaError: The broker does not answer or refuses.
    """
    admin = TopicAdmin(kafka)
    for name, partitions in plan.grow.items():
        admin.grow(name, partitions)
    admin.create(plan.create)


def _unfit(topic: TopicDescription, location: Location) -> list[Problem]:
    if "compact" not in topic.config.get("cleanup.policy", ""):
        return []
    what = f"topic {topic.name} is compacted, so that only the last record of each key would stay"
    return [Problem(location, what, "Set cleanup.policy=delete on it, or name another topic")]


def _spec(name: str, partitions: int, endpoint: EndpointDocument) -> TopicSpec:
    config = {"cleanup.policy": "delete"}
    if endpoint.topics.retention_hours is not None:
        config["retention.ms"] = str(int(endpoint.topics.retention_hours * _MS_PER_HOUR))
    return TopicSpec(name, partitions, endpoint.topics.replication, config)
