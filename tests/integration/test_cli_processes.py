"""Commands that run until they are told to stop, as processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamer.config import KafkaSettings
from streamer.control.bootstrap import ensure_control_topics
from streamer.errors import KafkaError
from streamer.kafka.topics import TopicAdmin

pytestmark = pytest.mark.real

STREAMER = str(Path(sys.executable).with_name("streamer"))


@contextmanager
def running(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [STREAMER, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize("asked_by", [signal.SIGINT, signal.SIGTERM])
def test_an_ephemeral_broker_says_how_to_reach_it_and_ends_with_its_command(asked_by: signal.Signals) -> None:
    with running("broker", "up", "--ephemeral") as process:
        line = first_line(process)
        variable, _, servers = line.strip().partition("=")
        assert variable == "export STREAMER_KAFKA__BOOTSTRAP_SERVERS"
        kafka = KafkaSettings(bootstrap_servers=servers, request_timeout_seconds=5)
        assert ensure_control_topics(kafka)
        process.send_signal(asked_by)
        assert process.wait(60) == 0
    with pytest.raises(KafkaError):
        TopicAdmin(kafka.model_copy(update={"request_timeout_seconds": 0.5})).names()


def test_watching_the_status_goes_on_until_control_c(broker: str, unique: str) -> None:
    settings = {"STREAMER_KAFKA__BOOTSTRAP_SERVERS": broker, "STREAMER_KAFKA__TOPIC_PREFIX": f"{unique}."}
    ensure_control_topics(KafkaSettings(bootstrap_servers=broker, topic_prefix=f"{unique}."))
    with running("status", "--watch", "--every", "0.2", "--output", "json", **settings) as process:
        assert [json.loads(first_line(process))["endpoints"] for _ in range(3)] == [[], [], []]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_the_development_brokers_status_and_stop_are_told(tmp_path: Path) -> None:
    # A cache folder of its own: nothing was ever started there.
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "STREAMER_CACHE_DIR": str(tmp_path)}
    status = subprocess.run(
        [STREAMER, "broker", "status", "-o", "json"], env=environment, capture_output=True, text=True, check=False
    )
    assert status.returncode == 1
    assert json.loads(status.stdout)["running"] is False
    down = subprocess.run([STREAMER, "broker", "down"], env=environment, capture_output=True, text=True, check=False)
    assert (down.returncode, down.stdout) == (0, "it was not running\n")
