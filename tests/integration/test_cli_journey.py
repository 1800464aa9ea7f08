"""The command line from a CSV file to inferences, as a user types it, with a real broker and worker."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamer.cli.app import main
from tests.support.await_condition import await_until
from tests.support.small_models import SmallModel, boosted_trees, constant
from tests.support.worker_subprocess import WorkerSubprocess

pytestmark = pytest.mark.real

Run = Callable[..., Any]


@pytest.fixture
def environment(broker: str, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    variables = {
        "STREAMER_KAFKA__BOOTSTRAP_SERVERS": broker,
        "STREAMER_KAFKA__TOPIC_PREFIX": f"{unique}.",
        "STREAMER_CACHE_DIR": str(tmp_path / "cache"),
        "STREAMER_LOG__FORM": "json",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return variables


@pytest.fixture
def run(environment: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command with ``--output json`` and gives its document; ``code`` is the exit code that it must have."""

    def call(*arguments: str, code: int = 0) -> Any:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--output", "json"])
        printed = capsys.readouterr()
        assert (ended.value.code or 0) == code, printed.err
        return json.loads(printed.out) if printed.out else None

    return call


@pytest.fixture
def say(environment: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command for people and gives what it printed."""

    def call(*arguments: str, code: int = 0) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        printed = capsys.readouterr()
        assert (ended.value.code or 0) == code, printed.err
        return printed.out

    return call


@pytest.fixture
def worker(environment: dict[str, str], tmp_path: Path) -> Iterator[WorkerSubprocess]:
    started = WorkerSubprocess("numbers", 0, environment, tmp_path)
    try:
        yield started
    finally:
        started.close()


CSV = "order_id,user_id,x0,x1,x2,x3\n" + "".join(
    f"o{n},u{n % 7},{n / 10},{n % 3}.5,{n}.25,{-n}.75\n" for n in range(40)
)


def write_model(folder: Path, model: SmallModel) -> tuple[str, str]:
    """The artifact and its mapping as files."""
    artifact, mapping = folder / f"{model.name}-{model.version}.onnx", folder / f"{model.name}.yaml"
    artifact.write_bytes(model.artifact)
    written = {"inputs": {"X": ["x0", "x1", "x2", "x3"]}, "outputs": {"prediction": model.output}}
    mapping.write_text(yaml.safe_dump(written))
    return str(artifact), str(mapping)


def write_routing(folder: Path, reason: str, *arms: tuple[str, str, float]) -> str:
    """A routing of (variant, tag, weight)."""
    serve = [{"variant": name, "model": {"tag": tag}, "weight": weight} for name, tag, weight in arms]
    path = folder / "routing.yaml"
    content = {"kind": "routing", "endpoint": "numbers", "reason": reason, "salt": "s", "serve": serve}
    path.write_text(yaml.safe_dump(content))
    return str(path)


def test_from_a_csv_file_to_inferences(
    run: Run, say: Callable[..., str], worker: WorkerSubprocess, tmp_path: Path
) -> None:
    (tmp_path / "sample.csv").write_text(CSV)

    # An endpoint, drafted and applied.
    drafted = run("init", "numbers", "--from", "sample.csv")
    assert (drafted["id"], drafted["bucket_by"]) == ("order_id", "user_id")
    assert run("init", "numbers", "--from", "sample.csv", code=1)["error"]["class"] == "ConfigurationError"
    planned = run("apply", "numbers.yaml", "--dry-run")
    assert planned["documents"][0]["outcome"] == "published"
    assert len(planned["documents"][0]["create_topics"]) == 4
    applied = run("apply", "numbers.yaml", "--author", "ann")
    assert [document["outcome"] for document in applied["documents"]] == ["published"]
    assert run("apply", "numbers.yaml")["documents"][0]["outcome"] == "unchanged"

    # Two model versions.
    for model, tag in ((boosted_trees(), "production"), (constant(7.0), "candidate")):
        artifact, mapping = write_model(tmp_path, model)
        registered = run("models", "register", artifact, "--name", model.name, "--mapping", mapping, "--tag", tag)
        assert (registered["version"], registered["tags"]) == (1, [tag])
    assert run("models", "validate", "trees:1", "--endpoint", "numbers")["valid"]
    assert run("models", "show", "production")["name"] == "trees"
    assert {version["name"] for version in run("models", "list")} == {"trees", "constant"}

    # A routing, seen by a live worker.
    routing = write_routing(tmp_path, "first", ("champion", "production", 1))
    await_until(lambda: worker.log(), 60, "the worker to start")
    applied = run("apply", routing)
    assert applied["succeeded"]
    await_until(lambda: run_quietly(run, "status")["healthy"], 60, "the worker to serve")
    found = run("status", "numbers")
    assert found["endpoints"][0]["workers"][0]["routing_revision"] == 1

    # Events in, inferences out.
    sent = run("produce", "sample.csv", "--endpoint", "numbers")
    assert sent["sent"] == 40
    await_until(lambda: run("status")["endpoints"][0]["lag"] == 0, 60, "all events to be answered")
    assert len(lines(say, "tail", "--endpoint", "numbers")) == 40
    shown = lines(say, "tail", "--endpoint", "numbers", "--filter", "event_id=o3")
    assert [one["value"]["variant"] for one in shown] == ["champion"]
    assert isinstance(shown[0]["value"]["output"]["prediction"], float)
    events = lines(say, "tail", "--endpoint", "numbers", "--stream", "events", "--max", "5", "--field", "user_id")
    assert all(set(one["value"]) == {"user_id"} for one in events)
    assert len(events) == 5

    # A canary: previewed, applied, explained, taken back.
    canary = write_routing(tmp_path, "canary", ("champion", "production", 1), ("canary", "candidate", 1))
    preview = run("apply", canary, "--dry-run")["documents"][0]
    assert {share["variant"] for share in preview["routing"]["overall"]["shares"]} == {"champion", "canary"}
    assert run("diff", canary)[0]["key"] == "routing/numbers"
    assert run("apply", canary)["succeeded"]
    explained = run("explain", "numbers", "--key", "u3")
    assert explained["variant"] in ("champion", "canary")
    assert explained["revision"] == 2
    assert [entry["text"] for entry in run("history", "numbers")] == ["first", "canary"]
    assert run("rollback", "numbers", code=1)["error"]["what"].startswith("not confirmed")
    assert run("rollback", "numbers", "--yes")["documents"][0]["revision"] == 3
    assert [arm["variant"] for arm in run("get", "numbers")["document"]["serve"]] == ["champion"]
    assert "champion" in say("get", "numbers", "--revision", "2")

    # What cannot work is refused, and serving goes on.
    broken = write_routing(tmp_path, "oops", ("champion", "prodcution", 1))
    refused = run("apply", broken, code=1)
    assert "'production'" in refused["documents"][0]["problems"][0]["advice"]
    assert run("status")["healthy"]

    # What goes onto the log is one line a document, for any Kafka client.
    canary = write_routing(tmp_path, "canary", ("champion", "production", 1), ("canary", "candidate", 1))
    key, document = say("resolve", canary).rstrip("\n").split("\t")
    assert key == "routing/numbers"
    assert json.loads(document)["models"]

    assert run("models", "tag", "trees:1", "candidate")["tag"] == "candidate"
    assert run("models", "untag", "candidate")["untagged"] == "candidate"
    assert run("models", "retire", "constant:1", "--reason", "test", "--yes")["retired"]
    assert run("delete", "endpoint/numbers", "--yes")["deleted"]
    assert run("status")["endpoints"] == []


def run_quietly(run: Run, *arguments: str) -> Any:
    """The document whatever the exit code: a status that is not healthy yet ends with 1."""
    try:
        return run(*arguments)
    except AssertionError:
        return run(*arguments, code=1)


def lines(say: Callable[..., str], *arguments: str) -> list[dict[str, Any]]:
    """The objects that a command prints one a line."""
    return [json.loads(line) for line in say(*arguments, "--output", "json").splitlines()]


def test_the_views_for_people_say_the_same_in_words(say: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "sample.csv").write_text(CSV)
    assert "no endpoints" in say("status")
    assert "wrote numbers.yaml" in say("init", "numbers", "--from", "sample.csv")
    assert "would create topic" in say("apply", "numbers.yaml", "--dry-run")
    assert "endpoint/numbers: published (revision 1)" in say("apply", "numbers.yaml")
    assert "no routing yet" in say("status")
    assert "numbers" in say("get")
    assert "kind: endpoint" in say("get", "endpoint/numbers")
    assert "first version" in say("history", "endpoint/numbers")
    assert "endpoint/numbers: unchanged" in say("diff", "numbers.yaml")
    artifact, mapping = write_model(tmp_path, constant(1.0))
    registered = say("models", "register", artifact, "--name", "one", "--mapping", mapping, "--tag", "production")
    assert "registered one:1" in registered
    assert "production" in say("models", "list")
    assert "sha256" in say("models", "show", "one:1")
    routing = write_routing(tmp_path, "first", ("only", "production", 1))
    assert "100.00%" in say("apply", routing, "--dry-run")
    assert "routing/numbers: published (revision 1)" in say("apply", routing)
    assert "no worker alive" in say("status", code=1)
    assert "'u1' gets only" in say("explain", "numbers", "--key", "u1")
    assert "sent 40 events" in say("produce", "sample.csv", "--endpoint", "numbers")
    assert "user_id=u1" in say("tail", "--endpoint", "numbers", "--stream", "events")
    assert "no dead letters" in say("dead-letters", "list", "--endpoint", "numbers")
