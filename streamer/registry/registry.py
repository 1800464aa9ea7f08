"""The registry of model versions: the models topic, read and written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import orjson
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from streamer.errors import ModelExists, ModelInvalid, TopicProblem
from streamer.kafka.log import LogWriter, read_log
from streamer.records.model_version import Artifact, GoldenRecord, Mapping, ModelVersion, Name, Signature
from streamer.registry.catalogue import RETIRED_SUFFIX, TAG_PREFIX, Catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from collections.abc import Mapping as AnyMapping

    from streamer.config import Settings
    from streamer.registry.catalogue import Selector

_ATTEMPTS = 20
_NAME = TypeAdapter(Name)


class NewVersion(BaseModel):
    """Everything of a model version but what the registry gives it: UUID, number and time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    format: Name
    artifact: Artifact
    signature: Signature
    mapping: Mapping
    golden: tuple[GoldenRecord, ...] = ()
    description: str = ""


class ModelRegistry:
    """Registers model versions, moves tags, retires.

    Nobody holds a lock: whoever wants a number writes, reads back what the log decided, and takes the next number if
    another was first. The log's order is the only judge, so every reader agrees.

    Args:
        settings: How to reach Kafka, and the prefix of the topic's name.
        now: The clock.
    """

    def __init__(self, settings: Settings, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._kafka = settings.kafka
        self._topic = settings.kafka.models_topic
        self._now = now

    def catalogue(self) -> Catalogue:
        """What is registered, as of now. Nothing, if the topic does not exist yet.

        Raises:
            KafkaError: The broker does not answer or refuses.
        """
        try:
            return Catalogue().fold(read_log(self._kafka, self._topic))
        except TopicProblem:
            return Catalogue()

    def register(self, new: NewVersion, *, tags: Iterable[str] = (), by: str = "") -> ModelVersion:
        """Gives a version the next number of its name, and puts tags on it.

        Raises:
            ModelInvalid: A tag is not a name.
            ModelExists: Others took every number that was tried.
            TopicProblem: The topic does not exist; `streamer.control.bootstrap` creates it.
            KafkaError: The broker does not answer or refuses.
        """
        tags = [_tag(tag) for tag in tags]
        with LogWriter(self._kafka) as writer:
            for _ in range(_ATTEMPTS):
                number = self.catalogue().next_number(new.name)
                version = ModelVersion(uuid=uuid4(), version=number, created_at=self._now(), created_by=by, **dict(new))
                writer.append(self._topic, str(version.uuid).encode(), version.model_dump_json().encode())
                if self.catalogue().get(version.uuid) is not None:
                    for tag in tags:
                        self._append_move(writer, tag, version.uuid, by)
                    return version
        raise ModelExists(
            f"others registered versions of {new.name} at the same time, {_ATTEMPTS} times in a row",
            advice="Try again.",
        )

    def tag(self, tag: str, selector: Selector, *, by: str = "") -> ModelVersion:
        """Puts a tag on a version: from now on it means that one. Routings that were applied before do not change.

        Raises:
            ModelInvalid: The tag is not a name.
            ModelNotFound: There is no such version, or it is retired.
        """
        version = self.catalogue().resolve(selector)
        with LogWriter(self._kafka) as writer:
            self._append_move(writer, _tag(tag), version.uuid, by)
        return version

    def untag(self, tag: str, *, by: str = "") -> None:
        """Takes a tag off every version.

        Raises:
            ModelNotFound: No version has the tag.
        """
        self.catalogue().find(_TagOnly(tag=tag))
        with LogWriter(self._kafka) as writer:
            self._append_move(writer, tag, None, by)

    def retire(self, selector: Selector, *, reason: str = "", by: str = "") -> ModelVersion:
        """Ends the choosing of a version. Where it serves it goes on serving, and its history stays.

        Raises:
            ModelNotFound: There is no such version, or it is retired already.
        """
        version = self.catalogue().resolve(selector)
        with LogWriter(self._kafka) as writer:
            self._append(writer, f"{version.uuid}{RETIRED_SUFFIX}", {"at": self._now(), "by": by, "reason": reason})
        return version

    def _append_move(self, writer: LogWriter, tag: str, uuid: UUID | None, by: str) -> None:
        self._append(writer, f"{TAG_PREFIX}{tag}", {"uuid": uuid, "at": self._now(), "by": by})

    def _append(self, writer: LogWriter, key: str, value: AnyMapping[str, object]) -> None:
        writer.append(self._topic, key.encode(), orjson.dumps(value))


class _TagOnly(BaseModel):
    """A selector of a tag."""

    tag: str
    uuid: None = None
    name: None = None
    version: None = None


def _tag(tag: str) -> str:
    try:
        return _NAME.validate_python(tag)
    except ValidationError as error:
        raise ModelInvalid(
            f"{tag!r:.100} cannot be a tag", advice="Use letters, digits, '.', '_' and '-', at most 128."
        ) from error
