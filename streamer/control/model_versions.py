"""What people do with model versions: register files, list, show, tag, untag, validate, retire."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import Field, ValidationError

from streamer.control.bootstrap import ensure_control_topics
from streamer.control.config_log import read_admission
from streamer.control.get import current
from streamer.control.yaml_reader import UnreadableYaml, read_yaml
from streamer.errors import ModelInvalid, ModelNotFound
from streamer.records.model_version import Frozen, GoldenRecord, Mapping, ModelVersion, NullPolicy
from streamer.registry.artifacts import ArtifactCache, ArtifactStore
from streamer.registry.registry import ModelRegistry, NewVersion
from streamer.routing.documents import EndpointDocument, ModelSelector
from streamer.runtimes.output_expression import resolve_expression
from streamer.runtimes.river_container import MAGIC
from streamer.runtimes.validation import DEFAULT_LIMITS, signature_in_process, validate_in_process

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from streamer.config import Settings
    from streamer.records.model_version import Signature
    from streamer.registry.catalogue import Catalogue, Retirement, TagMove
    from streamer.runtimes.validation import ValidationLimits


class MappingFile(Frozen):
    """What stands beside a ready artifact: the mapping, and golden records if there are any.

    Attributes:
        inputs: See `Mapping`.
        nulls: See `Mapping`.
        outputs: See `Mapping`.
        golden: Events with the answers that the model must give.
    """

    inputs: dict[str, str | tuple[str, ...]]
    nulls: dict[str, NullPolicy] = Field(default_factory=dict)
    outputs: dict[str, str]
    golden: tuple[GoldenRecord, ...] = ()

    def mapping(self) -> Mapping:
        """The part that every version has."""
        return Mapping(inputs=self.inputs, nulls=self.nulls, outputs=self.outputs)


@dataclass(frozen=True, slots=True)
class ListedVersion:
    """A model version with what the registry says around it.

    Attributes:
        version: The version.
        tags: The tags that mean it now.
        former_tags: Tags that sit on it but mean a version that was tagged later.
        retirement: When and why it was retired, if it was.
    """

    version: ModelVersion
    tags: tuple[str, ...]
    former_tags: tuple[str, ...]
    retirement: Retirement | None


def parse_reference(text: str) -> ModelSelector:
    """A version as people write it: a UUID, ``name:version``, or a tag.

    Raises:
        ModelInvalid: It is none of them.
    """
    try:
        return ModelSelector(uuid=UUID(text))
    except ValueError:
        pass
    name, colon, number = text.rpartition(":")
    try:
        if colon and number.isdecimal():
            return ModelSelector(name=name, version=int(number))
        return ModelSelector(tag=text)
    except ValidationError as error:
        raise ModelInvalid(
            f"{text!r:.100} names no model version", advice="Write a UUID, name:version or a tag."
        ) from error


def read_mapping(path: Path) -> MappingFile:
    """A mapping file, YAML or JSON.

    Raises:
        ModelInvalid: It cannot be read, or is no mapping; says where.
    """
    try:
        documents = read_yaml(path.read_bytes())
        if len(documents) != 1:
            raise ModelInvalid(f"the file holds {len(documents)} documents, and must hold one", where=str(path))
        return MappingFile.model_validate(documents[0].value)
    except OSError as error:
        raise ModelInvalid(f"the file cannot be read: {error.strerror}", where=str(path)) from error
    except UnreadableYaml as error:
        raise ModelInvalid(error.problem.what, where=f"{path}:{error.line}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ModelInvalid(
            f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
            where=str(path),
            advice="It needs `inputs` and `outputs`, and may have `nulls` and `golden`.",
        ) from error


def register_file(
    path: Path,
    mapping: MappingFile | Path,
    *,
    name: str,
    settings: Settings,
    tags: Iterable[str] = (),
    endpoint: str | None = None,
    description: str = "",
    limits: ValidationLimits = DEFAULT_LIMITS,
) -> ModelVersion:
    """Registers a ready artifact: an ONNX file, or what `dump_river` wrote.

    The artifact is loaded in a process of its own, with limits.

    Args:
        path: The file.
        mapping: The mapping, or a file that holds it.
        name: The model's name; the version gets its next number.
        settings: How to reach Kafka and the artifact store.
        tags: Put on the version.
        endpoint: Checks that the version can answer this endpoint's events, golden records included.
        description: For people.
        limits: What the artifact may use while it is tried.

    Raises:
        ModelError: The artifact or the mapping does not work, or cannot be stored.
        DocumentInvalid: There is no such endpoint.
        KafkaError: The broker does not answer or refuses.
    """
    written = mapping if isinstance(mapping, MappingFile) else read_mapping(mapping)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelInvalid(f"the artifact cannot be read: {error.strerror}", where=str(path)) from error
    format = "river" if data.startswith(MAGIC) else "onnx"
    signature = signature_in_process(data, format, limits)
    check_names(written.mapping(), signature)
    new = NewVersion(
        name=name,
        format=format,
        artifact=ArtifactStore(settings).put(data, suffix=f".{format}"),
        signature=signature,
        mapping=written.mapping(),
        golden=written.golden,
        description=description,
    )
    if endpoint is not None:
        document = endpoint_document(settings, endpoint)
        draft = ModelVersion.model_validate({**dict(new), "uuid": UUID(int=0), "version": 1, "created_at": 0})
        validate_in_process(draft, data, *schemas_of(document), limits)
    return publish(settings, new, tags)


def publish(settings: Settings, new: NewVersion, tags: Iterable[str]) -> ModelVersion:
    """Registers a version whose artifact is stored.

    Raises:
        ModelError: A tag is not a name, or others took every number.
        KafkaError: The broker does not answer or refuses.
    """
    ensure_control_topics(settings.kafka)
    return ModelRegistry(settings).register(new, tags=tags, by=_user())


def list_versions(settings: Settings, name: str | None = None) -> list[ListedVersion]:
    """All versions, or those of one model, retired ones too.

    Raises:
        KafkaError: The broker does not answer or refuses.
    """
    catalogue = ModelRegistry(settings).catalogue()
    return [_listed(catalogue, version) for version in catalogue.versions(name)]


def show(settings: Settings, reference: str) -> ListedVersion:
    """One version, retired or not.

    Raises:
        ModelNotFound: There is none; the message names what comes near.
        KafkaError: The broker does not answer or refuses.
    """
    catalogue = ModelRegistry(settings).catalogue()
    return _listed(catalogue, catalogue.find(parse_reference(reference)))


def tag_history(settings: Settings, tag: str) -> list[TagMove]:
    """Every move of a tag, oldest first.

    Raises:
        ModelNotFound: There never was such a tag.
        KafkaError: The broker does not answer or refuses.
    """
    moves = ModelRegistry(settings).catalogue().history(tag)
    if not moves:
        raise ModelNotFound(f"there never was a tag {tag!r}")
    return moves


def tag(settings: Settings, reference: str, tag: str) -> ModelVersion:
    """Puts a tag on a version. Routings that were applied before do not change.

    Raises:
        ModelError: There is no such version, it is retired, or the tag is not a name.
        KafkaError: The broker does not answer or refuses.
    """
    return ModelRegistry(settings).tag(tag, parse_reference(reference), by=_user())


def untag(settings: Settings, tag: str) -> None:
    """Takes a tag off every version.

    Raises:
        ModelNotFound: No version has it.
        KafkaError: The broker does not answer or refuses.
    """
    ModelRegistry(settings).untag(tag, by=_user())


def retire(settings: Settings, reference: str, *, reason: str = "") -> ModelVersion:
    """Ends the choosing of a version; where it serves it goes on serving.

    Raises:
        ModelNotFound: There is no such version, or it is retired already.
        KafkaError: The broker does not answer or refuses.
    """
    return ModelRegistry(settings).retire(parse_reference(reference), reason=reason, by=_user())


def validate(
    settings: Settings, reference: str, endpoint: str, limits: ValidationLimits = DEFAULT_LIMITS
) -> ModelVersion:
    """Tries whether a version can answer an endpoint's events: artifact, mapping, golden records.

    Raises:
        ModelError: It cannot; says why.
        DocumentInvalid: There is no such endpoint.
        KafkaError: The broker does not answer or refuses.
    """
    version = show(settings, reference).version
    document = endpoint_document(settings, endpoint)
    artifact = ArtifactCache(settings).fetch(version.artifact)
    validate_in_process(version, artifact, *schemas_of(document), limits)
    return version


def endpoint_document(settings: Settings, name: str) -> EndpointDocument:
    """An endpoint as it is now.

    Raises:
        DocumentInvalid: There is none of this name.
        KafkaError: The broker does not answer or refuses.
    """
    document = current(read_admission(settings.kafka), f"endpoint/{name}").document
    assert isinstance(document, EndpointDocument)
    return document


def schemas_of(document: EndpointDocument) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schemas of the events and of the output of a resolved endpoint."""
    events, output = document.events.schema_, document.output.schema_
    assert isinstance(events, dict)
    assert isinstance(output, dict)
    return events, output


def check_names(mapping: Mapping, signature: Signature) -> None:
    """Checks what of a mapping can be checked without an endpoint: the names of inputs and outputs.

    Raises:
        ModelInvalid: A name is unknown or missing.
    """
    inputs = {spec.name for spec in signature.inputs}
    if inputs and inputs != mapping.inputs.keys():
        raise ModelInvalid(
            f"the mapping has the inputs {', '.join(sorted(mapping.inputs))}",
            where="inputs",
            advice=f"The model takes: {', '.join(sorted(inputs))}.",
        )
    for expression in mapping.outputs.values():
        resolve_expression(expression, signature)


def _listed(catalogue: Catalogue, version: ModelVersion) -> ListedVersion:
    now = catalogue.tags()
    on_it = catalogue.tags_of(version.uuid)
    return ListedVersion(
        version,
        tuple(tag for tag in on_it if now.get(tag) == version.uuid),
        tuple(tag for tag in on_it if now.get(tag) != version.uuid),
        catalogue.retirement(version.uuid),
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
