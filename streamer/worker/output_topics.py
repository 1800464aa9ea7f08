"""What the topics that a worker writes to can take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.errors import TopicProblem
from streamer.kafka.exactly_once import MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from streamer.kafka.topics import TopicAdmin
    from streamer.routing.documents import EndpointDocument

_DEFAULT_MAX_MESSAGE_BYTES = 1_048_588


@dataclass(frozen=True, slots=True)
class OutputTopics:
    """The topics of one endpoint, by name, and their limits.

    Attributes:
        events: Where events come from.
        inferences: Where serving and fallback inferences go.
        shadow: Where those of shadows go.
        dead_letters: Where records without an answer go.
        partitions: The fewest that the inferences' topics have.
        inference_bytes: The largest record that these take.
        dead_letter_bytes: The largest dead letter.
    """

    events: str
    inferences: str
    shadow: str
    dead_letters: str
    partitions: int
    inference_bytes: int
    dead_letter_bytes: int


def look_at_topics(admin: TopicAdmin, endpoint: EndpointDocument) -> OutputTopics:
    """Asks the broker about the topics of a resolved endpoint.

    Raises:
        TopicProblem: One of them is missing.
        KafkaError: The broker does not answer or refuses.
    """
    named = (endpoint.events.topic, endpoint.output.topic, endpoint.topics.shadow, endpoint.topics.dead_letters)
    events, inferences, shadow, dead_letters = [name for name in named if name is not None]
    found = admin.describe({events, inferences, shadow, dead_letters})
    missing = sorted({events, inferences, shadow, dead_letters} - found.keys())
    if missing:
        raise TopicProblem(
            f"missing: {', '.join(missing)}",
            where=f"endpoint {endpoint.name}",
            advice="`streamer apply` creates the topics of an endpoint",
        )
    limits = {
        name: min(int(topic.config.get("max.message.bytes") or _DEFAULT_MAX_MESSAGE_BYTES), MAX_MESSAGE_BYTES)
        for name, topic in found.items()
    }
    return OutputTopics(
        events=events,
        inferences=inferences,
        shadow=shadow,
        dead_letters=dead_letters,
        partitions=min(found[inferences].partitions, found[shadow].partitions),
        inference_bytes=min(limits[inferences], limits[shadow]),
        dead_letter_bytes=limits[dead_letters],
    )
