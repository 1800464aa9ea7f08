"""Everything that one pair of endpoint and routing revision needs to answer, loaded and checked, ready to take over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from streamer.records.model_version import ModelVersion
    from streamer.routing.documents import EndpointDocument
    from streamer.routing.router import Router
    from streamer.runtimes.binding import BoundModel
    from streamer.worker.events import EventReader
    from streamer.worker.inferences import InferenceEncoder


@dataclass(frozen=True, slots=True)
class PreparedRouting:
    """One routing revision of one endpoint revision. Immutable: the loop swaps it whole, between two batches.

    Attributes:
        endpoint: The resolved endpoint document.
        endpoint_revision: Its revision.
        revision: The routing's revision.
        reader: Decodes events.
        router: Decides who answers.
        models: Loaded, bound, warm, by UUID.
        versions: What they are.
        encoder: Writes the envelope.
    """

    endpoint: EndpointDocument
    endpoint_revision: int
    revision: int
    reader: EventReader
    router: Router
    models: Mapping[UUID, BoundModel]
    versions: Mapping[UUID, ModelVersion]
    encoder: InferenceEncoder

    def same_wiring(self, other: PreparedRouting) -> bool:
        """Whether both read and write the same topics with the same guarantee, so that one can follow in flight."""
        a, b = self.endpoint, other.endpoint
        return (a.events.topic, a.output.topic, a.topics, a.delivery) == (
            b.events.topic,
            b.output.topic,
            b.topics,
            b.delivery,
        )
