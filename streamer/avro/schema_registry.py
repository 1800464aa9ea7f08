"""A client of a Confluent Schema Registry, or of any server that speaks its API."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from streamer.avro.schema_registry_answers import nonsense
from streamer.avro.schema_registry_cache import BoundedCache
from streamer.avro.schema_registry_http import SchemaRegistryHttp
from streamer.avro.schema_registry_policy import DEFAULT_POLICY, SchemaRegistryPolicy
from streamer.errors import SchemaError, SchemaNotFound, SchemaRegistryRefused

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from uuid import UUID

    import httpx

    from streamer.config.settings import RegistrySettings

_LARGEST_ID = 2**31 - 1


@dataclass(frozen=True)
class SubjectVersion:
    """One version of a subject.

    Attributes:
        subject: The subject.
        version: Its version, from 1.
        schema_id: The id that payloads name the schema by.
        schema: The schema, as JSON text.
    """

    subject: str
    version: int
    schema_id: int
    schema: str


@dataclass(frozen=True)
class Compatibility:
    """Whether a schema could be registered under a subject.

    Attributes:
        compatible: Whether it could.
        reasons: Why not, in the registry's words.
    """

    compatible: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class _Unusable:
    """Why a schema cannot be had: remembered, and raised anew each time."""

    kind: type[SchemaNotFound] | type[SchemaError]
    what: str
    where: str | None
    advice: str | None

    def error(self) -> SchemaNotFound | SchemaError:
        return self.kind(self.what, where=self.where, advice=self.advice)


class SchemaRegistry:
    """Looks schemas up and registers them.

    A schema, once fetched by its id or GUID, is never asked for again, so an outage stops only work on schemas
    that were not seen yet. An id that the registry does not know is remembered for a while. Both memories are
    bounded. Safe for use from several threads.

    Whoever decodes records must tell two kinds of failure apart: `SchemaNotFound` and `SchemaError` say
    something about the record (a dead letter); `SchemaRegistryUnavailable` and `SchemaRegistryRefused` say
    something about the registry or our access to it (stop and try again).

    Args:
        settings: Where the registry is, and how to be admitted. Its `url` may be several, separated by commas.
        policy: Bounds on time and memory.
        clock: Monotonic seconds.
        sleep: Waits for that many seconds.
        randomness: A number from 0 to 1, for the jitter of pauses.
        transport: What sends the requests; by default HTTP with the TLS of the settings.

    Raises:
        ConfigurationError: The settings cannot work.
    """

    def __init__(
        self,
        settings: RegistrySettings,
        *,
        policy: SchemaRegistryPolicy = DEFAULT_POLICY,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        randomness: Callable[[], float] = random.random,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = SchemaRegistryHttp(
            settings, policy, clock=clock, sleep=sleep, randomness=randomness, transport=transport
        )
        self._known: BoundedCache[str] = BoundedCache(
            policy.cached_schemas, clock, weight=policy.cached_characters, weigh=len
        )
        self._unusable: BoundedCache[_Unusable] = BoundedCache(
            policy.cached_unknown, clock, lifetime_seconds=policy.unknown_seconds
        )

    def __repr__(self) -> str:
        return f"SchemaRegistry({self._http!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def schema_by_id(self, schema_id: int) -> str:
        """Return the schema, as JSON text, that has this id.

        Raises:
            SchemaNotFound: The registry does not know the id.
            SchemaError: It is no Avro schema, or it refers to other schemas.
            SchemaRegistryUnavailable: The id is new to us and the registry does not answer.
            SchemaRegistryRefused: The registry does not admit us.
        """
        if not 0 <= schema_id <= _LARGEST_ID:
            raise SchemaNotFound(f"{schema_id} is not an id that a registry gives")
        return self._schema(schema_id, f"/schemas/ids/{schema_id}")

    def schema_by_guid(self, guid: UUID) -> str:
        """Return the schema, as JSON text, that has this GUID (Confluent Platform 8 and newer).

        Raises:
            SchemaNotFound: The registry does not know the GUID, or does not know about GUIDs at all.
            SchemaError: It is no Avro schema, or it refers to other schemas.
            SchemaRegistryUnavailable: The GUID is new to us and the registry does not answer.
            SchemaRegistryRefused: The registry does not admit us.
        """
        return self._schema(guid, f"/schemas/guids/{guid}", may_be_unsupported=True)

    def register(self, subject: str, schema: str) -> int:
        """Register a schema under a subject, unless it is there already, and return its id.

        Raises:
            SchemaIncompatible: The subject's compatibility level forbids it.
            SchemaRegistryRefused: It is not a valid schema, or we may not register.
            SchemaRegistryUnavailable: The registry does not answer.
        """
        path = f"/subjects/{_quoted(subject)}/versions"
        answer = self._http.ask("POST", path, body={"schema": schema})
        schema_id = _integer(answer, "id", path)
        self._unusable.discard(schema_id)
        return schema_id

    def find(self, subject: str, schema: str) -> SubjectVersion:
        """Return the version under which a subject holds this very schema.

        Raises:
            SchemaNotFound: There is no such subject, or it does not hold the schema.
            SchemaRegistryError: See `register`.
        """
        path = f"/subjects/{_quoted(subject)}"
        return _subject_version(self._http.ask("POST", path, body={"schema": schema}), path)

    def version(self, subject: str, version: int | None = None) -> SubjectVersion:
        """Return one version of a subject, by default the latest.

        Raises:
            SchemaNotFound: There is no such subject or version.
            SchemaError: It is no Avro schema, or it refers to other schemas.
            SchemaRegistryError: See `register`.
        """
        path = f"/subjects/{_quoted(subject)}/versions/{'latest' if version is None else version}"
        answer = self._http.ask("GET", path)
        _avro_schema(answer, path)
        return _subject_version(answer, path)

    def compatibility(self, subject: str, schema: str) -> Compatibility:
        """Ask whether the schema could be registered under the subject now; a new subject admits any.

        Raises:
            SchemaRegistryRefused: It is not a valid schema, or we may not ask.
            SchemaRegistryUnavailable: The registry does not answer.
        """
        path = f"/compatibility/subjects/{_quoted(subject)}/versions/latest"
        try:
            answer = self._http.ask("POST", path, body={"schema": schema}, parameters={"verbose": "true"})
        except SchemaNotFound:
            return Compatibility(True, ())
        if not isinstance(answer, dict) or not isinstance(answer.get("is_compatible"), bool):
            raise nonsense(path)
        reasons = tuple(str(reason) for reason in answer.get("messages") or ())
        return Compatibility(answer["is_compatible"], reasons)

    def subjects(self) -> list[str]:
        """Return the names of all subjects, sorted.

        Raises:
            SchemaRegistryError: See `register`.
        """
        answer = self._http.ask("GET", "/subjects")
        if not isinstance(answer, list):
            raise nonsense("/subjects")
        return sorted(str(subject) for subject in answer)

    def _schema(self, key: int | UUID, path: str, *, may_be_unsupported: bool = False) -> str:
        known = self._known.get(key)
        if known is not None:
            return known
        unusable = self._unusable.get(key)
        if unusable is not None:
            raise unusable.error()
        try:
            answer = self._http.ask("GET", path, may_be_unsupported=may_be_unsupported)
            schema = _avro_schema(answer, path)
        except (SchemaNotFound, SchemaError) as error:
            self._unusable.put(key, _Unusable(type(error), error.what, error.where, error.advice))
            raise
        self._known.put(key, schema)
        return schema


def _avro_schema(answer: Any, path: str) -> str:
    if not isinstance(answer, dict) or not isinstance(answer.get("schema"), str):
        raise nonsense(path)
    kind = answer.get("schemaType") or "AVRO"
    if kind != "AVRO":
        raise SchemaError(
            f"this is a schema of type {str(kind)[:40]!r}, not of Avro",
            where=path,
            advice="Streamer reads and writes Avro",
        )
    if answer.get("references"):
        raise SchemaError(
            "the schema refers to other schemas of the registry, which is not supported",
            where=path,
            advice="Register it with the types that it refers to written out inside it",
        )
    schema: str = answer["schema"]
    return schema


def _subject_version(answer: Any, path: str) -> SubjectVersion:
    if not isinstance(answer, dict) or not isinstance(answer.get("schema"), str):
        raise nonsense(path)
    return SubjectVersion(
        str(answer.get("subject", "")),
        _integer(answer, "version", path),
        _integer(answer, "id", path),
        answer["schema"],
    )


def _integer(answer: Any, key: str, path: str) -> int:
    value = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(value, int) or isinstance(value, bool):
        raise nonsense(path)
    return value


def _quoted(subject: str) -> str:
    if not subject or subject in (".", ".."):
        raise SchemaRegistryRefused(f"{subject!r} cannot be the name of a subject")
    return quote(subject, safe="")
