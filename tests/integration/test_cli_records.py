"""``produce``, ``tail`` and ``dead-letters`` on a real broker."""

from __future__ import annotations

import contextlib
import io
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamer.cli.app import main
from streamer.client.dead_letters import read_dead_letters, redrive
from streamer.config import KafkaSettings
from streamer.errors import KafkaError, TopicProblem
from streamer.kafka.event_sender import EventSender
from streamer.kafka.log import Headers, LogWriter, read_log
from streamer.kafka.topics import TopicAdmin, TopicSpec

pytestmark = pytest.mark.real

SCHEMA = {
    "type": "record",
    "name": "Click",
    "fields": [
        {"name": "user", "type": "string"},
        {"name": "count", "type": ["null", "int"], "default": None},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}, "default": 0},
    ],
}


@pytest.fixture
def kafka(broker: str, monkeypatch: pytest.MonkeyPatch) -> KafkaSettings:
    monkeypatch.setenv("STREAMER_KAFKA__BOOTSTRAP_SERVERS", broker)
    return KafkaSettings(bootstrap_servers=broker)


@pytest.fixture
def topic(kafka: KafkaSettings, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A topic of three partitions, and ``click.avsc`` in the working folder."""
    name = f"{unique}.clicks"
    TopicAdmin(kafka).create([TopicSpec(name, 3)])
    monkeypatch.chdir(tmp_path)
    Path("click.avsc").write_text(json.dumps(SCHEMA))
    return name


@pytest.fixture
def streamer(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command; gives its exit code, standard output and standard error."""

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


Streamer = Callable[..., tuple[int, str, str]]


def records(streamer: Streamer, topic: str, *options: str) -> list[dict[str, Any]]:
    code, out, err = streamer("tail", "--topic", topic, "--schema", "click.avsc", "--output", "json", *options)
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]


def test_json_lines_from_standard_input_arrive(streamer: Streamer, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '{"user": "ann", "count": 3, "at": "1970-01-01T00:00:01Z"}\n\n{"user": "bob"}\n'
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    code, out, _ = streamer("produce", "--topic", topic, "--schema", "click.avsc", "--key", "user", "-o", "json")
    assert code == 0
    assert json.loads(out)["sent"] == 2
    arrived = {record["key"]: record["value"] for record in records(streamer, topic)}
    assert arrived == {
        "ann": {"user": "ann", "count": 3, "at": 1000},
        "bob": {"user": "bob", "count": None, "at": 0},
    }


def test_a_bad_line_stops_with_its_place_and_can_be_left_out(streamer: Streamer, topic: str) -> None:
    Path("clicks.jsonl").write_text(
        '{"user": "ann"}\n{"user": 5}\nnonsense\n{"user": "bob", "more": 1}\n{"user": "eve"}\n'
    )
    code, _, err = streamer("produce", "clicks.jsonl", "--topic", topic, "--schema", "click.avsc")
    assert code == 1
    assert "clicks.jsonl:2, field user" in err
    options = ("produce", "clicks.jsonl", "--topic", topic, "--schema", "click.avsc", "-o", "json")
    code, out, _ = streamer(*options, "--skip-invalid")
    assert (json.loads(out)["sent"], json.loads(out)["invalid"]) == (2, 3)
    code, out, _ = streamer(*options, "--skip-invalid", "--ignore-extra")
    assert (json.loads(out)["sent"], json.loads(out)["invalid"]) == (3, 2)


def test_the_rate_is_kept(streamer: Streamer, topic: str) -> None:
    Path("clicks.csv").write_text("user\n" + "ann\n" * 60)
    started = time.monotonic()
    code, _, _ = streamer("produce", "clicks.csv", "--topic", topic, "--schema", "click.avsc", "--rate", "100")
    assert code == 0
    assert time.monotonic() - started >= 0.58


def test_max_stops_early(streamer: Streamer, topic: str) -> None:
    Path("clicks.csv").write_text("user\n" + "ann\n" * 60)
    streamer("produce", "clicks.csv", "--topic", topic, "--schema", "click.avsc", "--max", "7")
    assert len(records(streamer, topic)) == 7
    assert len(records(streamer, topic, "--max", "3")) == 3


def test_a_missing_file_is_said(streamer: Streamer, topic: str) -> None:
    code, _, err = streamer("produce", "nowhere.csv", "--topic", topic, "--schema", "click.avsc")
    assert code == 1
    assert "where: nowhere.csv" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("produce",),
        ("produce", "--endpoint", "a", "--topic", "b"),
        ("tail",),
        ("tail", "--endpoint", "a", "--topic", "b"),
        ("tail", "--topic", "b", "--filter", "nonsense"),
        ("tail", "--topic", "b", "--schema", "click.avsc", "--from", "noon"),
        ("dead-letters", "list"),
        ("dead-letters", "list", "--topic", "t", "--source", "3"),
        ("explain", "flights", "--key", "k", "--event", "[1]"),
    ],
    ids=" ".join,
)
def test_a_wrong_call_is_a_usage_error(streamer: Streamer, topic: str, arguments: tuple[str, ...]) -> None:
    code, _, err = streamer(*arguments)
    assert code == 2
    assert "Usage: " in err


def test_tail_shows_what_cannot_be_decoded_too(streamer: Streamer, topic: str, kafka: KafkaSettings) -> None:
    with LogWriter(kafka) as writer:
        writer.append(topic, b"k", b"garbage")
    [record] = records(streamer, topic)
    assert "bad_magic" in record["error"]
    assert records(streamer, topic, "--filter", "user=ann") == []


def test_tail_can_begin_at_the_end_and_follow(streamer: Streamer, topic: str, kafka: KafkaSettings) -> None:
    Path("clicks.csv").write_text("user\nold\n")
    streamer("produce", "clicks.csv", "--topic", topic, "--schema", "click.avsc")
    assert records(streamer, topic, "--from", "end") == []
    assert len(records(streamer, topic, "--from", "1h")) == 1
    Path("new.csv").write_text("user\nnew\n")
    stop = threading.Event()

    def produce_until_seen() -> None:
        from streamer.client import EventProducer
        from streamer.config import Settings

        with EventProducer(topic=topic, schema=SCHEMA, settings=Settings(kafka=kafka)) as events:
            while not stop.wait(0.1):
                events.send({"user": "new"})
                events.flush()

    producing = threading.Thread(target=produce_until_seen)
    producing.start()
    try:
        followed = records(streamer, topic, "--from", "end", "--follow", "--max", "1")
    finally:
        stop.set()
        producing.join()
    assert [record["value"]["user"] for record in followed] == ["new"]


def write_letters(kafka: KafkaSettings, topic: str, letters: str, count: int, reason: str = "bad_magic") -> None:
    """What a worker would write of ``count`` records of the topic's partition 1."""
    with LogWriter(kafka) as writer:
        for number in range(count):
            about = {
                "stage": "decode",
                "class": reason,
                "message": f"record {number} is broken",
                "topic": topic,
                "partition": "1",
                "offset": str(number),
                "worker": "clicks/0",
                "at": str(1_700_000_000_000 + number),
            }
            headers: Headers = [("traceparent", b"00-1")]
            headers += [(f"__streamer.errors.{name}", text.encode()) for name, text in about.items()]
            writer.append(letters, f"k{number}".encode(), f"raw {number}".encode(), headers=headers)


@pytest.fixture
def letters(kafka: KafkaSettings, topic: str) -> str:
    name = f"{topic}.dead-letters"
    TopicAdmin(kafka).create([TopicSpec(name, 2)])
    return name


def test_dead_letters_are_listed_with_their_reasons(
    streamer: Streamer, kafka: KafkaSettings, topic: str, letters: str
) -> None:
    write_letters(kafka, topic, letters, 3)
    write_letters(kafka, topic, letters, 2, reason="unknown_schema")
    code, out, _ = streamer("dead-letters", "list", "--topic", letters, "-o", "json")
    assert code == 0
    listed = json.loads(out)
    assert listed["by_class"] == {"decode/bad_magic": 3, "decode/unknown_schema": 2}
    assert listed["letters"][0]["source"] == {"topic": topic, "partition": 1, "offset": 0}
    code, out, _ = streamer("dead-letters", "list", "--topic", letters, "--class", "unknown_schema", "--source", "1:1")
    assert "record 1 is broken" in out
    assert "bad_magic" not in out


def test_redriving_sends_the_original_bytes_back_once(
    streamer: Streamer, kafka: KafkaSettings, topic: str, letters: str
) -> None:
    write_letters(kafka, topic, letters, 4)
    options = ("dead-letters", "redrive", "--topic", letters, "-o", "json")
    code, out, _ = streamer(*options, "--dry-run")
    assert (json.loads(out)["selected"], json.loads(out)["redriven"]) == (4, 0)
    assert read_log(kafka, topic) == []
    code, _, err = streamer(*options)
    assert code == 1
    assert "--yes" in err
    assert json.loads(streamer(*options, "--source", "1:2", "--yes")[1])["redriven"] == 1
    code, out, _ = streamer(*options, "--yes")
    assert (json.loads(out)["redriven"], json.loads(out)["already_redriven"]) == (3, 1)
    assert json.loads(streamer(*options, "--yes")[1])["redriven"] == 0
    back = read_log(kafka, topic)
    assert sorted((record.key, record.value) for record in back) == [
        (f"k{number}".encode(), f"raw {number}".encode()) for number in range(4)
    ]
    assert {record.partition for record in back} == {1}
    names = {name for record in back for name, _ in record.headers}
    assert names == {"traceparent", "__streamer.redriven.from"}
    assert "no dead letters" in streamer("dead-letters", "list", "--topic", letters)[1]
    assert (
        len(json.loads(streamer("dead-letters", "list", "--topic", letters, "--redriven", "-o", "json")[1])["letters"])
        == 4
    )


def test_two_who_redrive_at_once_send_each_letter_once(kafka: KafkaSettings, topic: str, letters: str) -> None:
    write_letters(kafka, topic, letters, 200)
    barrier = threading.Barrier(3)

    def attempt() -> None:
        barrier.wait()
        with contextlib.suppress(KafkaError):  # fenced by another
            redrive(kafka, letters)

    threads = [threading.Thread(target=attempt) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    redrive(kafka, letters)
    offsets = sorted(int(str(record.value, "ascii").split()[1]) for record in read_log(kafka, topic))
    assert offsets == list(range(200))
    assert read_dead_letters(kafka, letters).waiting == []


def test_nothing_is_sent_if_a_topic_is_gone(kafka: KafkaSettings, topic: str, letters: str) -> None:
    write_letters(kafka, topic, letters, 3)
    with LogWriter(kafka) as writer:
        nowhere: Headers = [("__streamer.errors.topic", f"{topic}.gone".encode())]
        writer.append(letters, b"lost", b"lost", headers=nowhere)
    with pytest.raises(TopicProblem) as refused:
        redrive(kafka, letters)
    assert refused.value.where == f"{topic}.gone"
    assert read_log(kafka, topic) == []
    assert len(read_dead_letters(kafka, letters).waiting) == 4


def test_a_redrive_that_dies_half_way_leaves_nothing_half_done(
    kafka: KafkaSettings, topic: str, letters: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_letters(kafka, topic, letters, 5)
    whole = EventSender.send
    sent = []

    def dies(self: EventSender, value: bytes | None, *arguments: Any, **options: Any) -> None:
        if len(sent) == 5:
            raise KeyboardInterrupt
        sent.append(value)
        whole(self, value, *arguments, **options)

    monkeypatch.setattr(EventSender, "send", dies)
    with pytest.raises(KeyboardInterrupt):
        redrive(kafka, letters)
    monkeypatch.undo()
    assert read_log(kafka, topic) == []
    assert len(redrive(kafka, letters)) == 5
    assert len(read_log(kafka, topic)) == 5
