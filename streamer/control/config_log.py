"""The config topic as control sees it: read whole, judged by admission, appended to."""

from __future__ import annotations

from streamer.config import KafkaSettings
from streamer.errors import DocumentInvalid, KafkaUnavailable, TopicProblem
from streamer.kafka.log import LogTail, LogWriter, read_log
from streamer.routing.admission import Admission, Verdict
from streamer.routing.document_bytes import MAX_DOCUMENT_BYTES
from streamer.routing.documents import EndpointDocument, RoutingDocument, document_key, to_json

ADVICE_NO_TOPIC = "Create the control topics with `streamer apply FILE`, or check --bootstrap-servers and the prefix"


def read_admission(kafka: KafkaSettings) -> Admission:
    """The state and history of the config topic as it is now.

    Raises:
        TopicProblem: There is no config topic.
        KafkaError: The broker does not answer or refuses.
    """
    try:
        records = read_log(kafka, kafka.config_topic, deadline_seconds=kafka.request_timeout_seconds)
    except TopicProblem as error:
        raise TopicProblem(error.what, where=error.where, advice=ADVICE_NO_TOPIC) from error
    admission = Admission()
    for record in records:
        admission.fold(record.offset, record.key, record.value, record.timestamp_ms)
    return admission


def read_admission_or_empty(kafka: KafkaSettings) -> Admission:
    """The same, empty where there is no config topic yet."""
    try:
        return read_admission(kafka)
    except TopicProblem:
        return Admission()


def publish(kafka: KafkaSettings, document: EndpointDocument | RoutingDocument) -> Verdict:
    """Appends a resolved document and says what admission made of it.

    Others may publish at the same time: only the log's order decides, so the log is read up to the record.

    Raises:
        DocumentInvalid: It is larger than a document may be.
        KafkaError: It could not be written or read back.
    """
    value = to_json(document)
    if len(value) > MAX_DOCUMENT_BYTES:
        raise DocumentInvalid(
            f"resolved, it has {len(value):,} bytes, more than {MAX_DOCUMENT_BYTES:,}",
            where=document_key(document),
            advice="Name fewer model versions in one routing, or register them with fewer golden records",
        )
    return _append(kafka, document_key(document), value)


def publish_tombstone(kafka: KafkaSettings, key: str) -> Verdict:
    """Appends a deletion and says what admission made of it.

    Raises:
        KafkaError: It could not be written or read back.
    """
    return _append(kafka, key, None)


def _append(kafka: KafkaSettings, key: str, value: bytes | None) -> Verdict:
    with LogWriter(kafka) as writer:
        _, offset = writer.append(kafka.config_topic, key.encode(), value, partition=0)
    admission = Admission(keep_history=False)
    with LogTail(kafka, kafka.config_topic) as tail:
        while True:
            records = tail.poll(kafka.request_timeout_seconds)
            if not records:
                raise KafkaUnavailable(
                    f"the record at offset {offset} was written but could not be read back",
                    where=kafka.config_topic,
                    advice="Look at `streamer history`: it says whether the document was admitted",
                )
            for record in records:
                verdict = admission.fold(record.offset, record.key, record.value, record.timestamp_ms)
                if record.offset == offset:
                    return verdict
