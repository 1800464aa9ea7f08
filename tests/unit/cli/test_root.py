from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from streamer.cli.app import app, main
from streamer.cli.session import Session, command
from streamer.errors import ConfigurationError


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return 0 if ended.value.code is None else int(str(ended.value.code))


def paths_of_commands(group: typer.Typer = app, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [(*path, str(info.name)) for info in group.registered_commands]
    for sub in group.registered_groups:
        assert sub.typer_instance is not None
        found += paths_of_commands(sub.typer_instance, (*path, str(sub.name)))
    return found


@pytest.mark.parametrize("path", paths_of_commands(), ids=" ".join)
def test_every_command_has_help_with_an_example_and_the_common_options(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*path, "--help") == 0
    text = capsys.readouterr().out
    assert "Example:" in text
    assert f"streamer {' '.join(path)}" in text
    for option in ("--bootstrap-servers", "--output", "--log-level", "--debug"):
        assert option in text
    assert "\x08" not in text


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from streamer.cli.app import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'confluent_kafka', 'fastavro', 'pydantic', 'rich', 'onnxruntime', 'structlog', 'httpx'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("streamer 0.")


def test_an_unknown_command_is_a_usage_error_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("aply") == 2
    assert "apply" in capsys.readouterr().err


def test_no_broker_is_an_error_with_advice_and_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMER_KAFKA__REQUEST_TIMEOUT_SECONDS", "0.3")
    assert run("history", "flights", "--bootstrap-servers", "127.0.0.1:1") == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert "what to do: " in printed.err
    assert "Traceback" not in printed.err


def test_an_error_is_a_document_for_machines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMER_KAFKA__REQUEST_TIMEOUT_SECONDS", "0.3")
    assert run("-o", "json", "history", "flights", "--bootstrap-servers", "127.0.0.1:1") == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["class"] == "KafkaUnavailable"
    assert error["advice"]


def test_debug_lets_the_traceback_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMER_KAFKA__REQUEST_TIMEOUT_SECONDS", "0.3")
    with pytest.raises(Exception, match=r"failed|answer"):
        main(["history", "flights", "--bootstrap-servers", "127.0.0.1:1", "--debug"])


def test_a_setting_that_cannot_be_names_its_variable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMER_HTTP__PORT", "many")
    assert run("history", "flights") == 1
    assert "STREAMER_HTTP__PORT" in capsys.readouterr().err


def test_completion_prints_a_script(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("completion", "bash") == 0
    assert "complete -o default -F _streamer_completion streamer" in capsys.readouterr().out


def test_completion_works() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streamer.cli.app"],
        env={"COMP_WORDS": "streamer brok", "COMP_CWORD": "1", "_STREAMER_COMPLETE": "complete_bash", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "broker" in done.stdout


class Recorder:
    """An application with one command that keeps what it was called with."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.app = typer.Typer()

        def callback(context: typer.Context, output: str | None = None) -> None:
            context.obj = Session(bootstrap_servers="outer:1", debug=False)

        self.app.callback()(callback)

        def act(session: Session, number: int = 1) -> None:
            """Act."""
            self.sessions.append(session)
            if number == 13:
                raise ConfigurationError("unlucky", where="here", advice="another number")

        command(self.app, "act")(act)

    def __call__(self, *arguments: str) -> int:
        with pytest.raises(SystemExit) as ended:
            self.app(args=list(arguments), prog_name="test")
        return int(str(ended.value.code or 0))


def test_an_option_behind_the_command_wins_over_one_before_it() -> None:
    recorder = Recorder()
    assert recorder("act") == 0
    assert recorder("act", "--bootstrap-servers", "inner:2") == 0
    assert [session.bootstrap_servers for session in recorder.sessions] == ["outer:1", "inner:2"]


def test_the_settings_are_those_of_the_environment_with_the_options_over_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STREAMER_KAFKA__TOPIC_PREFIX", "mine.")
    monkeypatch.setenv("STREAMER_LOG__FORM", "json")
    settings = Session(bootstrap_servers="broker:9092").settings
    assert (settings.kafka.bootstrap_servers, settings.kafka.topic_prefix) == ("broker:9092", "mine.")
    assert (settings.log.level, settings.log.form) == ("warning", "json")


def test_a_log_level_of_the_environment_wins_over_the_commands_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMER_LOG__LEVEL", "error")
    assert Session().settings.log.level == "error"


def test_an_error_of_a_command_ends_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert Recorder()("act", "--number", "13") == 1
    assert capsys.readouterr().err == "error: unlucky\n  where: here\n  what to do: another number\n"


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    command_line = f"{sys.executable} -m streamer.cli.app completion bash | true"
    for _ in range(3):
        done = subprocess.run(["bash", "-c", command_line], capture_output=True, text=True, check=False)
        assert done.stderr == ""


def test_help_is_quick() -> None:
    def seconds() -> float:
        started = time.monotonic()
        subprocess.run([sys.executable, "-m", "streamer.cli.app", "--help"], capture_output=True, check=True)
        return time.monotonic() - started

    def bare_seconds() -> float:
        started = time.monotonic()
        subprocess.run([sys.executable, "-c", "import typer"], capture_output=True, check=True)
        return time.monotonic() - started

    # A ratio within one machine and moment: Typer itself is the floor.
    assert min(seconds() for _ in range(3)) < 6 * min(bare_seconds() for _ in range(3))
