"""Every error that librdkafka knows becomes one of ours, and a time-out says why."""

from __future__ import annotations

import confluent_kafka as ck
import pytest

from streamer import errors
from streamer.kafka.client_errors import ErrorLatch, classify, from_exception, mapped
from streamer.kafka.clients import new_producer

CODES = sorted(
    value for name, value in vars(ck.KafkaError).items() if name.lstrip("_").isupper() and isinstance(value, int)
)
EXAMPLES = {
    errors.KafkaUnavailable: [ck.KafkaError._ALL_BROKERS_DOWN, ck.KafkaError._TIMED_OUT, ck.KafkaError._TRANSPORT],
    errors.KafkaDenied: [ck.KafkaError._AUTHENTICATION, ck.KafkaError.TOPIC_AUTHORIZATION_FAILED],
    errors.TopicProblem: [ck.KafkaError.UNKNOWN_TOPIC_OR_PART, ck.KafkaError._UNKNOWN_TOPIC],
    errors.ProducerFenced: [ck.KafkaError._FENCED, ck.KafkaError.PRODUCER_FENCED],
    errors.RecordRefused: [ck.KafkaError.MSG_SIZE_TOO_LARGE],
    errors.KafkaError: [ck.KafkaError.ILLEGAL_GENERATION, ck.KafkaError.UNKNOWN],
}


@pytest.mark.parametrize(("kind", "code"), [(kind, code) for kind, codes in EXAMPLES.items() for code in codes])
def test_each_class_is_reached_by_what_it_stands_for(kind: type[errors.KafkaError], code: int) -> None:
    assert classify(ck.KafkaError(code)) is kind


def test_every_code_of_the_library_has_a_class() -> None:
    assert len(CODES) > 150
    for code in CODES:
        error = mapped(ck.KafkaError(code), "doing something", "topic[1]")
        assert isinstance(error, errors.KafkaError)
        assert "doing something failed" in error.what
        assert error.where == "topic[1]"


def test_every_class_but_the_plainest_comes_with_advice() -> None:
    for kind, codes in EXAMPLES.items():
        advice = mapped(ck.KafkaError(codes[0]), "doing something").advice
        assert (advice is None) == (kind is errors.KafkaError)


def test_a_code_that_the_library_does_not_know_is_a_plain_kafka_error() -> None:
    assert classify(ck.KafkaError(31_999)) is errors.KafkaError


def test_a_raised_exception_is_mapped_by_its_error() -> None:
    exception = ck.KafkaException(ck.KafkaError(ck.KafkaError.TOPIC_AUTHORIZATION_FAILED))
    assert isinstance(from_exception(exception, "reading x"), errors.KafkaDenied)


def test_the_latch_keeps_the_reason_that_comes_before_all_brokers_down() -> None:
    latch = ErrorLatch()
    assert latch.denied() is None
    latch.callback(ck.KafkaError(ck.KafkaError._AUTHENTICATION))
    latch.callback(ck.KafkaError(ck.KafkaError._ALL_BROKERS_DOWN))
    denied = latch.denied()
    assert denied is not None
    assert denied.code() == ck.KafkaError._AUTHENTICATION
    assert isinstance(latch.timed_out("reading x", 3.0), errors.KafkaDenied)


def test_a_time_out_without_a_report_says_how_long_was_waited() -> None:
    error = ErrorLatch().timed_out("reading x", 3.0)
    assert isinstance(error, errors.KafkaUnavailable)
    assert "3 s" in error.what
    assert error.advice


def test_a_broker_that_is_only_down_does_not_count_as_refusing() -> None:
    latch = ErrorLatch()
    latch.callback(ck.KafkaError(ck.KafkaError._TRANSPORT))
    assert latch.denied() is None
    assert isinstance(latch.timed_out("reading x", 3.0), errors.KafkaUnavailable)


def test_a_setting_that_librdkafka_does_not_know_is_a_configuration_error() -> None:
    with pytest.raises(errors.ConfigurationError, match=r"no\.such\.setting"):
        new_producer({"bootstrap.servers": "x", "no.such.setting": 1}, ErrorLatch())
