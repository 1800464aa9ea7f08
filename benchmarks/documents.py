"""The endpoint and routing documents of the benchmark, resolved, as any Kafka client may publish them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.model import OUTPUT_SCHEMA
from streamer.config import KafkaSettings
from streamer.kafka.log import LogWriter
from streamer.routing.documents import (
    BatchLimits,
    Delivery,
    EndpointDocument,
    Events,
    Output,
    ResolvedModel,
    RoutingDocument,
    ServingVariant,
    ShadowVariant,
    Topics,
    document_key,
    to_json,
)

if TYPE_CHECKING:
    from benchmarks.cluster import Cluster
    from benchmarks.events import EventShape
    from streamer.records.model_version import ModelVersion

ENDPOINT = "bench"
CHAMPION_WEIGHT = 95
CANARY_WEIGHT = 5
BATCH = BatchLimits()


@dataclass(frozen=True)
class ControlPlane:
    """One endpoint of its own: control topics, output topics and group under one prefix.

    Attributes:
        kafka: Settings with that prefix.
        events_topic: The input, which several control planes may share.
    """

    cluster: Cluster
    kafka: KafkaSettings
    events_topic: str

    @classmethod
    def create(cls, cluster: Cluster, prefix: str, events_topic: str) -> ControlPlane:
        """Makes its topics."""
        kafka = KafkaSettings(bootstrap_servers=cluster.bootstrap_servers, topic_prefix=f"{prefix}.")
        plane = cls(cluster, kafka, events_topic)
        cluster.create(kafka.config_topic, kafka.models_topic, kafka.status_topic, partitions=1)
        cluster.create(plane.inferences_topic, plane.shadow_topic, plane.dead_letters_topic, stamped_by_broker=True)
        return plane

    @property
    def inferences_topic(self) -> str:
        return f"{self.kafka.topic_prefix}inferences"

    @property
    def shadow_topic(self) -> str:
        return f"{self.kafka.topic_prefix}shadow"

    @property
    def dead_letters_topic(self) -> str:
        return f"{self.kafka.topic_prefix}dead-letters"

    def delete(self) -> None:
        """Removes its topics."""
        kafka = self.kafka
        control = [kafka.config_topic, kafka.models_topic, kafka.status_topic]
        self.cluster.admin.delete([*control, self.inferences_topic, self.shadow_topic, self.dead_letters_topic])

    def publish_endpoint(self, shape: EventShape, delivery: Delivery, batch: BatchLimits = BATCH) -> None:
        self._publish(
            EndpointDocument(
                name=ENDPOINT,
                events=Events.model_validate(
                    {
                        "topic": self.events_topic,
                        "schema": json.loads(shape.schema.json),
                        "id": "event_id",
                        "time": "occurred_at",
                        "bucket_by": "user_id",
                    }
                ),
                output=Output.model_validate({"topic": self.inferences_topic, "schema": OUTPUT_SCHEMA}),
                delivery=delivery,
                batch=batch,
                topics=Topics(shadow=self.shadow_topic, dead_letters=self.dead_letters_topic),
            )
        )

    def publish_routing(
        self,
        champion: ModelVersion,
        canary: ModelVersion | None = None,
        shadow: ModelVersion | None = None,
        based_on: int = 0,
    ) -> None:
        """Publishes a revision: the champion alone, or with 5 percent for a canary, or with a shadow."""
        serve = [ServingVariant(variant="champion", model=_model(champion), weight=CHAMPION_WEIGHT)]
        if canary is not None:
            serve.append(ServingVariant(variant="canary", model=_model(canary), weight=CANARY_WEIGHT))
        shadows = [] if shadow is None else [ShadowVariant(variant="shadow", model=_model(shadow))]
        self._publish(
            RoutingDocument(
                endpoint=ENDPOINT,
                reason="benchmark",
                based_on=based_on,
                salt="benchmark",
                serve=tuple(serve),
                shadow=tuple(shadows),
                models=_distinct([champion, canary, shadow]),
            )
        )

    def _publish(self, document: EndpointDocument | RoutingDocument) -> None:
        with LogWriter(self.kafka) as writer:
            writer.append(self.kafka.config_topic, document_key(document).encode(), to_json(document))


def _model(version: ModelVersion) -> ResolvedModel:
    return ResolvedModel(uuid=version.uuid, sha256=version.artifact.sha256)


def _distinct(versions: Sequence[ModelVersion | None]) -> tuple[ModelVersion, ...]:
    return tuple({version.uuid: version for version in versions if version is not None}.values())
