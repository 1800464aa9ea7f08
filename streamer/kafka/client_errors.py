"""Maps confluent_kafka's errors to ours, in one table.

librdkafka reports some failures (a wrong password, no broker at all) only through ``error_cb``: the calls themselves
just time out. :class:`ErrorLatch` remembers the last such report, so that the time-out can say why.
"""

from __future__ import annotations

import confluent_kafka as ck

from streamer import errors

_UNAVAILABLE = {
    ck.KafkaError._ALL_BROKERS_DOWN,
    ck.KafkaError._TRANSPORT,
    ck.KafkaError._RESOLVE,
    ck.KafkaError._TIMED_OUT,
    ck.KafkaError._TIMED_OUT_QUEUE,
    ck.KafkaError._MSG_TIMED_OUT,
    ck.KafkaError.REQUEST_TIMED_OUT,
    ck.KafkaError.BROKER_NOT_AVAILABLE,
    ck.KafkaError.COORDINATOR_NOT_AVAILABLE,
    ck.KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    ck.KafkaError.NOT_COORDINATOR,
    ck.KafkaError.LEADER_NOT_AVAILABLE,
    ck.KafkaError.NOT_LEADER_FOR_PARTITION,
    ck.KafkaError.NOT_ENOUGH_REPLICAS,
    ck.KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    ck.KafkaError.NETWORK_EXCEPTION,
}
_DENIED = {
    ck.KafkaError._AUTHENTICATION,
    ck.KafkaError._SSL,
    ck.KafkaError.SASL_AUTHENTICATION_FAILED,
    ck.KafkaError.UNSUPPORTED_SASL_MECHANISM,
    ck.KafkaError.TOPIC_AUTHORIZATION_FAILED,
    ck.KafkaError.GROUP_AUTHORIZATION_FAILED,
    ck.KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    ck.KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}
_TOPIC = {
    ck.KafkaError.UNKNOWN_TOPIC_OR_PART,
    ck.KafkaError._UNKNOWN_TOPIC,
    ck.KafkaError._UNKNOWN_PARTITION,
    ck.KafkaError.TOPIC_EXCEPTION,
    ck.KafkaError.INVALID_PARTITIONS,
    ck.KafkaError.INVALID_REPLICATION_FACTOR,
    ck.KafkaError.TOPIC_ALREADY_EXISTS,
    ck.KafkaError.POLICY_VIOLATION,
}
_FENCED = {
    ck.KafkaError._FENCED,
    ck.KafkaError.PRODUCER_FENCED,
    ck.KafkaError.INVALID_PRODUCER_EPOCH,
}
_REFUSED = {
    ck.KafkaError.MSG_SIZE_TOO_LARGE,
    ck.KafkaError.INVALID_MSG_SIZE,
    ck.KafkaError.RECORD_LIST_TOO_LARGE,
    ck.KafkaError.INVALID_TIMESTAMP,
    ck.KafkaError.INVALID_RECORD,
}

_ADVICE: dict[type[errors.KafkaError], str] = {
    errors.KafkaUnavailable: "Check that the broker runs and that --bootstrap-servers names it",
    errors.KafkaDenied: "Check the user, the password, the certificates and the ACLs",
    errors.TopicProblem: "Create the topic, or check its name and the topic prefix",
    errors.RecordRefused: "Make the record smaller, or raise the topic's max.message.bytes",
    errors.ProducerFenced: "Another worker runs with the same endpoint and slot; give each its own --slot",
}


def classify(error: ck.KafkaError) -> type[errors.KafkaError]:
    """The class of our tree for one librdkafka or broker error."""
    code = error.code()
    if code in _FENCED:
        return errors.ProducerFenced
    if code in _DENIED:
        return errors.KafkaDenied
    if code in _UNAVAILABLE:
        return errors.KafkaUnavailable
    if code in _TOPIC:
        return errors.TopicProblem
    if code in _REFUSED:
        return errors.RecordRefused
    return errors.KafkaError


def mapped(error: ck.KafkaError, doing: str, where: str | None = None) -> errors.KafkaError:
    """Our error for a foreign one. ``doing`` says what was being done: ``"reading streamer.config"``."""
    kind = classify(error)
    return kind(f"{doing} failed: {error.str()} ({error.name()})", where=where, advice=_ADVICE.get(kind))


def from_exception(exception: ck.KafkaException, doing: str, where: str | None = None) -> errors.KafkaError:
    """Our error for a raised KafkaException."""
    return mapped(exception.args[0], doing, where)


class ErrorLatch:
    """Remembers what librdkafka reported through ``error_cb``; pass :meth:`callback` as that setting."""

    def __init__(self) -> None:
        self._last: ck.KafkaError | None = None

    def callback(self, error: ck.KafkaError) -> None:
        """Called by librdkafka from within poll and flush."""
        # "All brokers down" follows the real reason; keep the reason.
        if self._last is None or error.code() != ck.KafkaError._ALL_BROKERS_DOWN:
            self._last = error

    def denied(self) -> ck.KafkaError | None:
        """The last report, if it says that the broker refuses us."""
        return self._last if self._last is not None and classify(self._last) is errors.KafkaDenied else None

    def timed_out(self, doing: str, seconds: float) -> errors.KafkaError:
        """What to raise after a time-out: the reported reason, if there is one."""
        if self._last is not None:
            return mapped(self._last, doing)
        return errors.KafkaUnavailable(
            f"{doing}: no answer within {seconds:g} s", advice=_ADVICE[errors.KafkaUnavailable]
        )
