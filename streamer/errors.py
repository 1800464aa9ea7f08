"""Every error that Streamer raises on purpose, as one tree.

    StreamerError
    ├── ConfigurationError            a setting or command line that cannot work
    ├── DocumentError                 an endpoint or routing document
    │   ├── DocumentInvalid           malformed, or it cannot work
    │   ├── DocumentUnresolved        selectors or schema files instead of UUIDs and schemas
    │   └── DocumentStale             based on a revision that is no longer the newest
    ├── SchemaError                   an Avro schema that is malformed or outside our limits
    ├── DecodeError                   one payload that is not what its schema says
    ├── EncodeError                   values that the output schema does not admit
    ├── SchemaRegistryError           the Schema Registry
    │   ├── SchemaRegistryUnavailable no answer, or a 5xx: try again
    │   ├── SchemaNotFound            it answered: no such id, subject or version
    │   ├── SchemaIncompatible        it answered: refused by the compatibility level
    │   └── SchemaRegistryRefused     it answered: not authorised, or not a valid schema
    ├── ModelError                    model versions
    │   ├── ModelNotFound             no such UUID, tag or name and version
    │   ├── ModelExists               that name and version number is taken
    │   ├── ModelInvalid              artifact, signature or mapping do not fit together
    │   ├── ArtifactUnavailable       the store did not deliver the bytes: try again
    │   ├── ArtifactCorrupt           the bytes do not have the sha256 that was registered
    │   ├── PredictionFailed          the model raised, or answered nonsense
    │   └── ValidationLimitExceeded   validation ran out of its time or memory limit
    ├── KafkaError                    the broker
    │   ├── KafkaUnavailable          no answer within the deadline: try again
    │   ├── KafkaDenied               authentication or authorisation refused
    │   ├── TopicProblem              a topic is missing or has the wrong shape
    │   ├── TransactionAborted        the transaction must be aborted and its input read again
    │   ├── RecordRefused             a record that no retry helps: larger than the topic takes
    │   ├── ProducerLost              the producer's fate is unknown: make a new one
    │   └── ProducerFenced            somebody else uses this transactional id
    ├── SlotInUse                     another live worker holds the slot
    └── BrokerFailed                  the local development broker did not start or stop

A message says what was wrong, where, and what to do. Foreign exceptions are mapped to this tree in the one
package that may import the library they come from, with the original kept as ``__cause__``.
"""

from __future__ import annotations


class StreamerError(Exception):
    """Base of every error that Streamer raises on purpose.

    Args:
        what: What was wrong, one sentence without a full stop.
        where: The place: a file and key, or a topic, partition and offset.
        advice: What the reader can do about it.
    """

    def __init__(self, what: str, *, where: str | None = None, advice: str | None = None) -> None:
        self.what = what
        self.where = where
        self.advice = advice
        super().__init__(what, where, advice)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}. {self.advice}" if self.advice else text


class ConfigurationError(StreamerError):
    """A setting or a command line that cannot work."""


class DocumentError(StreamerError):
    """An endpoint or routing document cannot be used."""


class DocumentInvalid(DocumentError):
    """The document is malformed or describes something that cannot work."""


class DocumentUnresolved(DocumentError):
    """The document still has selectors or file names where the log needs UUIDs, hashes and schemas."""


class DocumentStale(DocumentError):
    """The document was written against a revision that is no longer the newest."""


class SchemaError(StreamerError):
    """An Avro schema is malformed or outside the limits."""


class DecodeError(StreamerError):
    """One payload is not what its schema says."""


class EncodeError(StreamerError):
    """Values do not fit the schema that they are to be written with."""


class SchemaRegistryError(StreamerError):
    """The Schema Registry did not do what was asked."""


class SchemaRegistryUnavailable(SchemaRegistryError):
    """No answer, or a server error: trying again later may help."""


class SchemaNotFound(SchemaRegistryError):
    """The registry answered that the id, subject or version does not exist."""


class SchemaIncompatible(SchemaRegistryError):
    """The registry refused the schema because of the subject's compatibility level."""


class SchemaRegistryRefused(SchemaRegistryError):
    """The registry refused the request: not authorised, or not a valid schema."""


class ModelError(StreamerError):
    """A model version cannot be used."""


class ModelNotFound(ModelError):
    """No model version has that UUID, tag, or name and version."""


class ModelExists(ModelError):
    """The name and version number are taken by another model version."""


class ModelInvalid(ModelError):
    """Artifact, signature and mapping do not fit together."""


class ArtifactUnavailable(ModelError):
    """The artifact store did not deliver the bytes: trying again later may help."""


class ArtifactCorrupt(ModelError):
    """The bytes of an artifact do not have the sha256 that was registered."""


class PredictionFailed(ModelError):
    """The model raised, or answered with the wrong shape, type or values."""


class ValidationLimitExceeded(ModelError):
    """Validating the artifact ran out of its time or memory limit."""


class KafkaError(StreamerError):
    """The broker did not do what was asked."""


class KafkaUnavailable(KafkaError):
    """No answer within the deadline: trying again later may help."""


class KafkaDenied(KafkaError):
    """The broker refused the credentials, or they lack a right."""


class TopicProblem(KafkaError):
    """A topic is missing or has the wrong shape."""


class TransactionAborted(KafkaError):
    """The open transaction must be aborted and its input read again."""


class RecordRefused(KafkaError):
    """The broker does not take one of the records, however often it is sent."""


class ProducerLost(KafkaError):
    """The producer is dead or the fate of its transaction unknown: a new one must be made."""


class ProducerFenced(ProducerLost):
    """Another producer has taken over this transactional id."""


class SlotInUse(StreamerError):
    """Another live worker holds the slot."""


class BrokerFailed(StreamerError):
    """The local development broker did not start or stop."""
