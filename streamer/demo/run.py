"""The demo from its first act to its last: start here."""

from __future__ import annotations

import json
import logging
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import streamer.broker
from streamer.client.endpoint_lookup import find_endpoint
from streamer.demo.acts.break_it import break_it
from streamer.demo.acts.change_routing import apply_file, change_routing, let_serve
from streamer.demo.acts.feed_malformed import feed_malformed
from streamer.demo.acts.go_live import go_live
from streamer.demo.acts.roll_back import roll_back
from streamer.demo.acts.train_and_register import train_and_register
from streamer.demo.feed import Feed
from streamer.demo.findings import find, wait_for_the_last_answer
from streamer.demo.flights import from_march, read_flights
from streamer.demo.promises import Findings, Promise, promises
from streamer.demo.readers import Answers, DeadLetters
from streamer.demo.stage import ENDPOINT, Pace, Stage
from streamer.demo.telemetry import Telemetry
from streamer.kafka.topics import TopicAdmin

if TYPE_CHECKING:
    from streamer.config import Settings
    from streamer.demo.screen import Screen


@dataclass(frozen=True)
class DemoResult:
    """What came of it.

    Attributes:
        findings: The numbers.
        promises: Each with whether it held.
        seconds: How long it took.
    """

    findings: Findings
    promises: list[Promise]
    seconds: float

    @property
    def broken(self) -> list[Promise]:
        """Those that did not hold."""
        return [promise for promise in self.promises if not promise.holds]


def run_demo(settings: Settings, *, use_given_kafka: bool, pace: Pace, screen: Screen) -> DemoResult:
    """Runs every act. Whatever happens, nothing that it started is left running.

    Args:
        settings: The user's.
        use_given_kafka: Use the Kafka of the settings, with topics that are deleted at the end; otherwise one that
            lives as long as the demo.
        pace: How much and how fast.
        screen: Tells people.

    Raises:
        StreamerError: An act failed.
    """
    started = time.monotonic()
    # A new Kafka has librdkafka try again now and then, which it tells; what fails for good is raised anyway.
    logging.getLogger("streamer.librdkafka").setLevel(logging.ERROR)
    with ExitStack() as stack:
        stack.enter_context(ended_by_signals())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamer-demo-")))
        settings = _own_settings(settings, folder, _kafka(settings, use_given_kafka, screen, stack))
        if use_given_kafka:
            stack.callback(_delete_topics, settings)
        _copy_documents(folder)
        screen.act("Read the flights that left New York in 2013")
        stage = Stage(settings, folder, pace, screen, read_flights())
        screen.act("Declare what comes in and what goes out (streamer apply endpoint.yaml)")
        apply_file(stage, "endpoint.yaml")
        train_and_register(stage)
        go_live(stage, _worker_environment(settings), stack)
        findings = _stream(stage)
    result = DemoResult(findings, promises(findings), time.monotonic() - started)
    left = [worker.slot for worker in stage.workers if worker.is_running()]
    result.promises.append(Promise("nothing is left running", not left, f"{len(left)} workers"))
    return result


def _stream(stage: Stage) -> Findings:
    """Everything that happens while events flow."""
    settings, pace = stage.settings, stage.pace
    endpoint = find_endpoint(settings.kafka, ENDPOINT)
    assert endpoint.events.topic is not None
    assert endpoint.topics.dead_letters is not None
    with ExitStack() as stack:
        flights = from_march(stage.flights)
        feed = Feed(settings, ENDPOINT, flights, pace.events_per_second, pace.departures)
        answers = stack.enter_context(Answers(settings, ENDPOINT))
        shadows = stack.enter_context(Answers(settings, ENDPOINT, shadows=True))
        dead_letters = stack.enter_context(DeadLetters(settings, endpoint.topics.dead_letters))
        stage.stream(feed, answers, shadows, dead_letters)
        telemetry = Telemetry(settings, ENDPOINT, feed, answers, shadows, dead_letters)
        stack.callback(telemetry.close)
        stage.screen.act(f"Stream flights from March on, {pace.events_per_second:,.0f} per second")
        with stage.screen.live(telemetry), feed:
            let_serve(stage, 1)
            change_routing(stage, "A canary: one aircraft in twenty", "2-canary.yaml")
            feed_malformed(stage, endpoint.events.topic)
            change_routing(stage, "Widen the canary: one in five", "3-wider.yaml")
            change_routing(stage, "A shadow beside every answer", "4-shadow.yaml")
            break_it(stage)
            roll_back(stage)
            feed.finish()
            stage.wait_until(feed.is_over, f"{pace.departures:,} departures")
            wait_for_the_last_answer(stage)
        stage.screen.act("Hold what happened against what was promised")
        return find(stage)


def _kafka(settings: Settings, use_given: bool, screen: Screen, stack: ExitStack) -> str:
    """The bootstrap servers."""
    if use_given:
        screen.act(f"Use the Kafka at {settings.kafka.bootstrap_servers}")
        return settings.kafka.bootstrap_servers
    screen.act("Start a Kafka that lives as long as this demo (the first time it is downloaded, about 45 MB)")
    return stack.enter_context(streamer.broker.up(ephemeral=True)).bootstrap_servers


def _own_settings(settings: Settings, folder: Path, bootstrap_servers: str) -> Settings:
    """The user's, with topics, artifacts and cache of this run."""
    prefix = f"{settings.kafka.topic_prefix}demo-{uuid4().hex[:8]}."
    changes: dict[str, Any] = {
        "kafka": settings.kafka.model_copy(update={"bootstrap_servers": bootstrap_servers, "topic_prefix": prefix}),
        "artifacts": settings.artifacts.model_copy(update={"store": (folder / "artifacts").as_uri()}),
        "cache_dir": folder / "cache",
    }
    return settings.model_copy(update=changes)


def _worker_environment(settings: Settings) -> dict[str, str]:
    return {
        "STREAMER_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "STREAMER_KAFKA__TOPIC_PREFIX": settings.kafka.topic_prefix,
        "STREAMER_KAFKA__LIBRDKAFKA": json.dumps(settings.kafka.librdkafka),
        "STREAMER_ARTIFACTS__STORE": str(settings.artifacts.store),
        "STREAMER_CACHE_DIR": str(settings.cache_dir),
        "STREAMER_HTTP__PORT": "0",
        "PYTHONUNBUFFERED": "1",
    }


def _copy_documents(folder: Path) -> None:
    """The demo's documents, for the user to look at and for `apply` to read."""
    for source in resources.files("streamer.demo").joinpath("documents").iterdir():
        with resources.as_file(source) as path:
            copyfile(path, folder / path.name)


def _delete_topics(settings: Settings) -> None:
    admin = TopicAdmin(settings.kafka)
    endpoint = [f"{ENDPOINT}.{what}" for what in ("events", "inferences", "shadow", "dead-letters")]
    control = [settings.kafka.config_topic, settings.kafka.models_topic, settings.kafka.status_topic]
    names = [f"{settings.kafka.topic_prefix}{name}" for name in endpoint] + control
    admin.delete(list(admin.describe(names)))


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the demo as control-C does, so that it cleans up."""

    def end(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
