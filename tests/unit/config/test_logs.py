from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from streamer.config.logs import MASK, configure_logs, redact
from streamer.config.settings import LogSettings


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def logged(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_each_event_is_one_json_line_with_level_time_and_fields() -> None:
    stream = io.StringIO()
    configure_logs(LogSettings(form="json"), stream=stream)
    structlog.get_logger("streamer.worker").info("routing activated", endpoint="flights", revision=3)
    [line] = logged(stream)
    assert line["event"] == "routing activated"
    assert (line["level"], line["logger"]) == ("info", "streamer.worker")
    assert (line["endpoint"], line["revision"]) == ("flights", 3)
    assert line["at"].endswith("Z")


def test_standard_library_logs_come_out_in_the_same_form() -> None:
    stream = io.StringIO()
    configure_logs(LogSettings(form="json"), stream=stream)
    logging.getLogger("some.library").warning("lost %d of %d", 2, 5)
    [line] = logged(stream)
    assert (line["event"], line["level"], line["logger"]) == ("lost 2 of 5", "warning", "some.library")


def test_events_below_the_level_are_dropped() -> None:
    stream = io.StringIO()
    configure_logs(LogSettings(form="json", level="warning"), stream=stream)
    structlog.get_logger("a").info("quiet")
    logging.getLogger("b").info("quiet")
    structlog.get_logger("a").error("loud")
    assert [line["event"] for line in logged(stream)] == ["loud"]


def test_configuring_twice_does_not_double_the_lines() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure_logs(LogSettings(form="json"), stream=first)
    configure_logs(LogSettings(form="json"), stream=second)
    structlog.get_logger("a").info("once")
    assert first.getvalue() == ""
    assert len(logged(second)) == 1


def test_the_console_form_is_plain_text_off_a_terminal() -> None:
    stream = io.StringIO()
    configure_logs(LogSettings(form="console"), stream=stream)
    structlog.get_logger("a").info("hello", password="hunter2")
    assert "hello" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()
    assert "\x1b[" not in stream.getvalue()


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "sasl_password",
        "sasl.username",
        "sasl.jaas.config",
        "ssl.key.password",
        "ssl.key.pem",
        "bearer_token",
        "Authorization",
        "client_secret",
        "aws_secret_access_key",
        "aws_access_key_id",
        "api-key",
        "credentials",
    ],
)
def test_values_of_secret_keys_are_masked_at_any_depth(key: str) -> None:
    event = {"event": "x", key: "hunter2", "config": {"deep": [{key: "hunter2"}]}}
    assert "hunter2" not in json.dumps(redact(None, "info", event))
    assert redact(None, "info", event)[key] == MASK


@pytest.mark.parametrize("key", ["key", "keys", "partition", "pass_through", "ssl.ca.location", "event_id"])
def test_values_of_other_keys_are_kept(key: str) -> None:
    assert redact(None, "info", {"event": "x", key: "value"})[key] == "value"


@pytest.mark.parametrize(
    "text",
    [
        "connecting to https://alice:hunter2@registry.example:8081/subjects",
        "header was Authorization: Bearer hunter2hunter2",
        "config sasl.password=hunter2, retries=3",
        "{'password': 'hunter2 with spaces'}",
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_secrets_inside_texts_are_masked(text: str) -> None:
    masked = redact(None, "info", {"event": text})["event"]
    assert "hunter2" not in masked
    assert MASK in masked


def test_tracebacks_are_masked() -> None:
    stream = io.StringIO()
    configure_logs(LogSettings(form="json"), stream=stream)
    try:
        raise RuntimeError("cannot reach https://alice:hunter2@store/")
    except RuntimeError:
        structlog.get_logger("a").exception("failed")
    [line] = logged(stream)
    assert "RuntimeError" in line["exception"]
    assert "hunter2" not in stream.getvalue()


def test_bound_context_is_part_of_every_line() -> None:
    stream = io.StringIO()
    configure_logs(LogSettings(form="json"), stream=stream)
    with structlog.contextvars.bound_contextvars(worker="flights/0"):
        structlog.get_logger("a").info("inside")
    structlog.get_logger("a").info("outside")
    inside, outside = logged(stream)
    assert inside["worker"] == "flights/0"
    assert "worker" not in outside
