"""From an admitted pair of documents to a :class:`PreparedRouting`: fetch, verify, validate, load, warm."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from streamer.avro.avro_types import Primitive
from streamer.avro.decoder import EventDecoder
from streamer.avro.encoder import RecordEncoder
from streamer.avro.envelope import inference_schema
from streamer.avro.framing import Framing, prefix_of
from streamer.avro.leaves import leaves_of, root_record
from streamer.avro.registry_schemas import RegistrySchemas
from streamer.avro.schema import parse_schema
from streamer.errors import ConfigurationError
from streamer.routing.router import Router
from streamer.routing.validation import refuse_unfit
from streamer.runtimes.preparation import prepare as prepare_model
from streamer.worker.events import EventReader
from streamer.worker.inferences import InferenceEncoder
from streamer.worker.prepared import PreparedRouting

if TYPE_CHECKING:
    from streamer.avro.framing import WriterSchemas
    from streamer.avro.schema import Schema
    from streamer.avro.schema_registry import SchemaRegistry
    from streamer.records.model_version import Artifact, ModelVersion
    from streamer.routing.admission import Admitted
    from streamer.routing.documents import EndpointDocument, RoutingDocument
    from streamer.runtimes.binding import BoundModel


class RoutingPreparer:
    """Prepares revisions, keeping the models that two revisions share.

    Args:
        fetch: The verified bytes of an artifact.
        validate: Tries a model version in a process of its own, with limits; raises a ModelError.
        registry: The Schema Registry, if there is one.
    """

    def __init__(
        self,
        fetch: Callable[[Artifact], bytes],
        validate: Callable[[ModelVersion, bytes, dict[str, Any], dict[str, Any]], None],
        registry: SchemaRegistry | None,
    ) -> None:
        self._fetch = fetch
        self._validate = validate
        self._registry = registry
        self._loaded: dict[tuple[UUID, str, int], BoundModel] = {}

    def __call__(self, endpoint: Admitted[EndpointDocument], routing: Admitted[RoutingDocument]) -> PreparedRouting:
        """Prepares one pair.

        Raises:
            StreamerError: Whatever stands in the way.
        """
        document = endpoint.document
        refuse_unfit(document, routing.document)
        versions = {version.uuid: version for version in routing.document.models}
        router = Router(routing.document)
        wanted = {arm.model_uuid for arm in router.arms}
        loaded = {uuid: self._model(versions[uuid], endpoint) for uuid in wanted}
        self._loaded = {self._key(versions[uuid], endpoint): model for uuid, model in loaded.items()}
        return PreparedRouting(
            endpoint=document,
            endpoint_revision=endpoint.revision,
            revision=routing.revision,
            reader=self._reader(document),
            router=router,
            models=loaded,
            versions=versions,
            encoder=self._encoder(document, routing.revision),
        )

    def _key(self, version: ModelVersion, endpoint: Admitted[EndpointDocument]) -> tuple[UUID, str, int]:
        return version.uuid, version.artifact.sha256, endpoint.revision

    def _model(self, version: ModelVersion, endpoint: Admitted[EndpointDocument]) -> BoundModel:
        known = self._loaded.get(self._key(version, endpoint))
        if known is not None:
            return known
        artifact = self._fetch(version.artifact)
        event_schema, output_schema = endpoint.document.events.schema_, endpoint.document.output.schema_
        assert isinstance(event_schema, dict)
        assert isinstance(output_schema, dict)
        self._validate(version, artifact, event_schema, output_schema)
        return prepare_model(version, artifact, event_schema, output_schema)

    def _reader(self, endpoint: EndpointDocument) -> EventReader:
        events = endpoint.events
        schema = parse_schema(events.schema_)
        decoder = EventDecoder(schema, Framing(events.framing), self._writer_schemas(endpoint, schema))
        return EventReader(endpoint, decoder, _logical_type(schema, events.time))

    def _writer_schemas(self, endpoint: EndpointDocument, reader: Schema) -> list[Schema] | WriterSchemas:
        others = [parse_schema(schema) for schema in endpoint.events.writer_schemas]
        framing = Framing(endpoint.events.framing)
        if framing is Framing.BARE:  # the topic has one schema: another writer's, or the reader's own
            return others or [reader]
        if framing is Framing.SINGLE_OBJECT:
            return [reader, *others]
        return RegistrySchemas(self._need_registry(f"events.framing of endpoint {endpoint.name}"))

    def _encoder(self, endpoint: EndpointDocument, revision: int) -> InferenceEncoder:
        assert isinstance(endpoint.output.schema_, dict)
        schema = parse_schema(inference_schema(endpoint.name, endpoint.output.schema_))
        framing = Framing(endpoint.output.framing)
        schema_id = None
        if framing is Framing.CONFLUENT:
            registry = self._need_registry(f"output.framing of endpoint {endpoint.name}")
            schema_id = registry.register(f"{endpoint.output.topic}-value", schema.json)
        return InferenceEncoder(RecordEncoder(schema), prefix_of(framing, schema, schema_id), revision)

    def _need_registry(self, where: str) -> SchemaRegistry:
        if self._registry is None:
            raise ConfigurationError(
                "framing confluent needs a Schema Registry, and none is configured",
                where=where,
                advice="Set STREAMER_SCHEMA_REGISTRY__URL",
            )
        return self._registry


def _logical_type(schema: Schema, path: str | None) -> str | None:
    for leaf in leaves_of(root_record(schema)):
        if leaf.path == path and isinstance(leaf.type, Primitive):
            return leaf.type.logical
    return None
