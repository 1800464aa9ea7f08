"""The control topics: created when they are missing, checked when they exist."""

from __future__ import annotations

from streamer.config import KafkaSettings
from streamer.errors import TopicProblem
from streamer.kafka.topics import TopicAdmin, TopicDescription, TopicSpec
from streamer.routing.document_bytes import MAX_DOCUMENT_BYTES

_FOR_EVER = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
_RECORD_OVERHEAD_BYTES = 64 * 1024


def control_topics(kafka: KafkaSettings) -> list[TopicSpec]:
    """What the control topics must be.

    Documents and model versions are the history, so nothing of them is ever deleted or compacted; one partition puts
    them into one order.
    """
    history = {**_FOR_EVER, "max.message.bytes": str(MAX_DOCUMENT_BYTES + _RECORD_OVERHEAD_BYTES)}
    statuses = {"cleanup.policy": "compact,delete", "retention.ms": "604800000", "segment.ms": "3600000"}
    return [
        TopicSpec(kafka.config_topic, 1, config=history),
        TopicSpec(kafka.models_topic, 1, config=history),
        TopicSpec(kafka.status_topic, 1, config=statuses),
    ]


def ensure_control_topics(kafka: KafkaSettings) -> list[str]:
    """Creates those that are missing.

    Returns:
        The names that were created.

    Raises:
        TopicProblem: One exists and could lose history or order.
        KafkaError: The broker does not answer or refuses.
    """
    admin = TopicAdmin(kafka)
    wanted = control_topics(kafka)
    existing = admin.describe([spec.name for spec in wanted])
    for name in (kafka.config_topic, kafka.models_topic):
        if name in existing:
            _check_history(existing[name])
    return admin.create([spec for spec in wanted if spec.name not in existing])


def _check_history(topic: TopicDescription) -> None:
    if topic.partitions != 1:
        raise TopicProblem(
            f"the topic has {topic.partitions} partitions, and its records need one order",
            where=topic.name,
            advice="Delete it if it is not in use, or set another --topic-prefix",
        )
    wrong = {key: value for key, value in _FOR_EVER.items() if topic.config.get(key) != value}
    if wrong:
        settings = ", ".join(f"{key}={topic.config.get(key)}" for key in wrong)
        advice = f"Set {', '.join(f'{key}={value}' for key, value in wrong.items())} on it"
        raise TopicProblem(f"the topic would lose its history: {settings}", where=topic.name, advice=advice)
