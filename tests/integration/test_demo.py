"""The demo as a newcomer runs it, shortened."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.support.await_condition import await_until

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLINE_SECONDS = 400

pytestmark = pytest.mark.timeout(500)


def demo_command(bootstrap_servers: str, *options: str) -> list[str]:
    streamer = str(Path(sys.executable).with_name("streamer"))
    return [streamer, "demo", "--short", "--bootstrap-servers", bootstrap_servers, *options]


def processes_of(mark: int) -> Iterator[str]:
    """Command lines of living processes that inherited the environment of a demo."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                environment = (folder / "environ").read_bytes()
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if f"DEMO_UNDER_TEST={mark}".encode() in environment.split(b"\0") and command:
                yield command.replace(b"\0", b" ").decode(errors="replace")


def marked_environment(mark: int) -> dict[str, str]:
    return {**os.environ, "DEMO_UNDER_TEST": str(mark)}


def topics_of_demos(bootstrap_servers: str) -> set[str]:
    from streamer.config import KafkaSettings
    from streamer.kafka.topics import TopicAdmin

    names = TopicAdmin(KafkaSettings(bootstrap_servers=bootstrap_servers)).names()
    return {name for name in names if re.match(r"demo-[0-9a-f]{8}\.", name)}


def test_every_promise_holds_and_nothing_is_left(broker: str) -> None:
    mark, before = os.getpid(), topics_of_demos(broker)
    done = subprocess.run(
        demo_command(broker, "--output", "json"),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        env=marked_environment(mark),
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:] + done.stdout[-5000:]
    result = json.loads(done.stdout)
    assert result["holds"] is True
    assert len(result["promises"]) == 13
    assert all(promise["holds"] for promise in result["promises"])
    assert result["events"] == result["inferences"] == result["distinct"]
    assert result["departures"] >= 20_000
    assert {share["variant"] for share in result["shares"]} == {"champion", "canary"}
    assert set(result["area_under_curve"]) == {"champion", "canary", "challenger"}
    assert "did you mean 'production'" in done.stderr.lower()
    assert list(processes_of(mark)) == []
    assert topics_of_demos(broker) == before


class DemoUnderWay(NamedTuple):
    """A running demo: its process, the mark of all its processes, and which demos' topics were there before it."""

    process: subprocess.Popen[str]
    mark: int
    topics_before: set[str]


@pytest.fixture
def demo_under_way(broker: str, request: pytest.FixtureRequest) -> Iterator[DemoUnderWay]:
    """A demo whose first routing serves, with the mark of its processes."""
    mark = abs(hash(request.node.name))
    before = topics_of_demos(broker)
    with subprocess.Popen(
        demo_command(broker), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=marked_environment(mark)
    ) as demo:
        assert demo.stderr is not None
        seen = []
        for line in demo.stderr:
            seen.append(line)
            if "A canary" in line:
                break
        assert "A canary" in seen[-1], "".join(seen)
        assert any("streamer.cli.app worker" in command for command in processes_of(mark))
        # What it still says must not fill the pipe and hold it up.
        Thread(target=demo.stderr.read, daemon=True).start()
        yield DemoUnderWay(demo, mark, before)
        demo.kill()


def test_control_c_in_the_middle_leaves_nothing(broker: str, demo_under_way: DemoUnderWay) -> None:
    demo_under_way.process.send_signal(signal.SIGINT)
    assert demo_under_way.process.wait(timeout=60) == 130
    await_until(lambda: not list(processes_of(demo_under_way.mark)), 20, "all processes of the demo to be gone")
    assert topics_of_demos(broker) == demo_under_way.topics_before


def test_a_killed_demo_leaves_nothing_running(demo_under_way: DemoUnderWay) -> None:
    demo_under_way.process.kill()
    await_until(lambda: not list(processes_of(demo_under_way.mark)), 20, "all processes of the demo to be gone")
