"""Writing feature events to an endpoint's topic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from streamer.avro.encoder import RecordEncoder
from streamer.avro.leaves import leaves_of, root_record
from streamer.avro.schema import parse_schema
from streamer.client.avro_topic import AvroTopic, SchemaSource, load_schema, parse_framing, settings_for
from streamer.client.column_input import is_columns, to_columns
from streamer.client.endpoint_lookup import find_endpoint
from streamer.client.row_encoder import RowEncoder, as_mapping, value_at
from streamer.errors import ConfigurationError, EncodeError
from streamer.kafka.event_sender import EventSender
from streamer.records.columns import Column, ConstantColumn, ObjectColumn, column_of
from streamer.routing.bucketing import column_bytes

if TYPE_CHECKING:
    from streamer.avro.schema import Schema
    from streamer.config import Settings
    from streamer.kafka.headers import Headers
    from streamer.routing.documents import EndpointDocument

HeadersInput = Mapping[str, bytes | str | None] | Sequence[tuple[str, bytes | str | None]]


class EventProducer:
    """Writes events where an endpoint reads them, with the right schema, framing, key and partition.

    Records are sent in the background, in order, each exactly once whatever the network does (idempotent, acks=all).
    A delivery that fails for good is raised by the next call.

        with EventProducer("flights", bootstrap_servers="localhost:9092") as events:
            events.send({"flight_id": "UA-1", "distance": 1400.0, ...})
            events.send_batch(frame)

    A record's key is its ``bucket_by`` field, or where there is none its id, so that everything about one user
    stands in one partition, in order. Not safe for use from several threads at once.

    Args:
        endpoint: The endpoint's name; its document on the config topic says everything else.
        bootstrap_servers: Kafka; by default that of ``settings``.
        settings: By default those of the environment (``STREAMER_*``).
        topic: Without an endpoint: the topic.
        schema: Without an endpoint: the records' schema. With one: an older or newer schema that the endpoint
            accepts, by default its own.
        framing: Without an endpoint: ``single_object``, ``confluent`` or ``bare``.
        key: The field whose value becomes the key. By default the endpoint's ``bucket_by``, else its id; without an
            endpoint records have no key.
        transactional_id: Send in transactions (:meth:`transaction`), under this id, which no other living producer
            has. The same after a restart, so that what the last run left open is ended.
        delivery_timeout_seconds: A record that is not acknowledged within this time has failed.

    Raises:
        ConfigurationError: There is no such endpoint, or neither endpoint nor topic and schema are given.
        SchemaError: The schema is malformed.
        KafkaError: Kafka does not answer, refuses us, or the topic does not exist.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        bootstrap_servers: str | None = None,
        settings: Settings | None = None,
        topic: str | None = None,
        schema: SchemaSource | None = None,
        framing: str = "single_object",
        key: str | None = None,
        transactional_id: str | None = None,
        delivery_timeout_seconds: float = 60.0,
    ) -> None:
        settings = settings_for(bootstrap_servers, settings)
        fallback_key = None
        if endpoint is not None:
            if topic is not None:
                raise ConfigurationError("give an endpoint or a topic, not both")
            document = find_endpoint(settings.kafka, endpoint)
            events, key, fallback_key = _topic_of(document, schema, key)
        elif topic is None or schema is None:
            raise ConfigurationError(
                "neither an endpoint nor a topic with its schema was given",
                advice='Write EventProducer("my-endpoint"), or EventProducer(topic=..., schema="event.avsc")',
            )
        else:
            events = AvroTopic(topic, load_schema(schema), parse_framing(framing))
        self._topic = events
        self._key, self._fallback_key = key, fallback_key
        self._check_keys()
        self._prefix = events.prefix(settings)
        self._rows = RowEncoder(events.schema, self._prefix)
        self._columns = RecordEncoder(events.schema)
        self._sender = EventSender(
            settings.kafka,
            events.name,
            transactional_id=transactional_id,
            delivery_timeout_seconds=delivery_timeout_seconds,
        )

    @property
    def topic(self) -> str:
        """Where the events go."""
        return self._topic.name

    @property
    def schema(self) -> Schema:
        """What the events are written with."""
        return self._topic.schema

    @property
    def fields(self) -> list[str]:
        """The schema's fields; those of nested records have dotted names."""
        return list(self._columns.leaves)

    def send(self, event: Any, *, headers: HeadersInput | None = None, timestamp_ms: int | None = None) -> None:
        """Adds one event. Returns before Kafka has it; see :meth:`flush`.

        Args:
            event: A dict, a dataclass or a pydantic model. Fields with a default may be left out.
            headers: Kafka record headers, such as ``traceparent``.
            timestamp_ms: The record's timestamp, milliseconds since 1970; by default now.

        Raises:
            EncodeError: The event does not fit the schema; ``where`` names the field. Nothing was sent.
            KafkaError: An earlier event was not delivered.
        """
        record = as_mapping(event)
        payload = self._rows.encode(record)
        self._sender.send(payload, self._key_of(record), headers=_header_list(headers), timestamp_ms=timestamp_ms)

    def send_batch(self, events: Any) -> int:
        """Adds many events, several times as quickly as one by one.

        Args:
            events: A pandas or polars frame; a dict of columns (arrays, lists, or one value for all rows; fields
                of nested records under dotted names); or a sequence of what :meth:`send` takes.

        Returns:
            How many.

        Raises:
            EncodeError: An event does not fit the schema; ``where`` names field and row. Nothing of the batch was
                sent.
            KafkaError: An earlier event was not delivered.
        """
        if is_columns(events):
            columns, n = to_columns(events, self._topic.schema)
            payloads = self._columns.encode(columns, n, self._prefix)
            self._sender.send_batch(payloads, self._keys_of(columns, n))
            return n
        records = [as_mapping(event) for event in events]
        payloads = [_at_row(self._rows.encode, record, row) for row, record in enumerate(records)]
        self._sender.send_batch(payloads, [self._key_of(record) for record in records] if self._key else None)
        return len(records)

    def flush(self, timeout_seconds: float | None = None) -> None:
        """Returns when Kafka has every event.

        Args:
            timeout_seconds: How long to wait; by default the delivery time-out.

        Raises:
            KafkaError: One was not delivered, or not within the time.
        """
        self._sender.flush(timeout_seconds)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything sent inside becomes visible at its end, all or nothing; an exception throws it away.

        Raises:
            ConfigurationError: The producer was made without ``transactional_id``.
            KafkaError: It could not be committed.
        """
        if not self._sender.transactional:
            raise ConfigurationError("this producer has no transactions", advice="Pass transactional_id=...")
        self._sender.begin()
        try:
            yield
            self._sender.commit()
        except BaseException:
            self._sender.abort()
            raise

    def close(self) -> None:
        """Flushes. The producer is of no use after it."""
        self._sender.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            # What was sent before the exception counts as sent; a failure to send it would hide the exception.
            self._sender.finish_quietly()

    def _check_keys(self) -> None:
        fields = {leaf.path for leaf in leaves_of(root_record(self._topic.schema))}
        if self._key is not None and self._key not in fields:
            raise ConfigurationError(
                f"the key field {self._key!r} is not in the schema {self._topic.schema.name}",
                where=f"topic {self._topic.name}",
                advice=f"Its fields are {', '.join(sorted(fields)):.500}",
            )

    def _key_of(self, record: Mapping[str, Any]) -> bytes | None:
        if self._key is None:
            return None
        value = value_at(record, self._key)
        if value is None and self._fallback_key is not None:
            value = value_at(record, self._fallback_key)
        return self._key_bytes(ConstantColumn(_key_value(value), 1))[0]

    def _keys_of(self, columns: Mapping[str, Column], n: int) -> list[bytes | None] | None:
        if self._key is None:
            return None
        nothing = ConstantColumn(None, n)
        keys = self._key_bytes(columns.get(self._key, nothing))
        if self._fallback_key is not None and None in keys:
            others = self._key_bytes(columns.get(self._fallback_key, nothing))
            keys = [other if key is None else key for key, other in zip(keys, others, strict=True)]
        return keys

    def _key_bytes(self, column: Column) -> list[bytes | None]:
        if isinstance(column, ObjectColumn):
            column = column_of([_key_value(value) for value in column.to_pylist()])
        try:
            return column_bytes(column)
        except TypeError as error:
            raise EncodeError(
                f"it cannot be a record's key: {error}", where=f"field {self._key}", advice="Use text or an integer"
            ) from error


def _topic_of(
    document: EndpointDocument, schema: SchemaSource | None, key: str | None
) -> tuple[AvroTopic, str, str | None]:
    """The endpoint's events topic, the field of the key, and the field that stands in where that is null."""
    events = document.events
    assert events.topic is not None  # a resolved document names every topic
    written_with = parse_schema(events.schema_) if schema is None else load_schema(schema)
    topic = AvroTopic(events.topic, written_with, parse_framing(events.framing))
    if schema is not None and events.framing == "bare":
        accepted = [parse_schema(other) for other in events.writer_schemas] or [parse_schema(events.schema_)]
    elif events.framing == "single_object":
        accepted = [parse_schema(events.schema_), *(parse_schema(other) for other in events.writer_schemas)]
    else:
        accepted = [written_with]
    if written_with.fingerprint not in {other.fingerprint for other in accepted}:
        raise ConfigurationError(
            f"endpoint {document.name} does not accept events of this schema",
            where=f"schema {written_with.name}",
            advice="Add it to events.writer_schemas of the endpoint document and apply that first",
        )
    if key is not None:
        return topic, key, None
    return topic, events.bucket_by or events.id, events.id if events.bucket_by else None


def _key_value(value: Any) -> Any:
    """Text, bytes and integers as they are; a UUID as its text, as its logical type stores it."""
    if value is None or isinstance(value, str | bytes | int | float):
        return value
    return value.item() if hasattr(value, "item") else str(value)


def _at_row(encode: Any, record: Mapping[str, Any], row: int) -> bytes:
    try:
        payload: bytes = encode(record)
        return payload
    except EncodeError as error:
        where = f"{error.where}, row {row}" if error.where else f"row {row}"
        raise EncodeError(error.what, where=where, advice=error.advice) from error


def _header_list(headers: HeadersInput | None) -> Headers | None:
    if not headers:
        return None
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [(name, value.encode() if isinstance(value, str) else value) for name, value in pairs]
