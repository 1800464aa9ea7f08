from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

import streamer.control.apply as control_apply
import streamer.control.document_files as document_files
import streamer.control.rollback as control_rollback
from streamer.cli.app import main
from streamer.control.apply import ApplyResult, DocumentResult, Outcome, Progress
from streamer.control.worker_answers import AnswerState, WorkerAnswer

REFUSED = DocumentResult(
    key="routing/flights",
    outcome=Outcome.published,
    revision=5,
    workers=(
        WorkerAnswer("flights/0", AnswerState.active, 5),
        WorkerAnswer("flights/1", AnswerState.refused, 4, "out of memory"),
    ),
    rollback_to=4,
)
ROLLED_BACK = DocumentResult(key="routing/flights", outcome=Outcome.published, revision=6)


@pytest.fixture
def rollbacks(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What was rolled back, after an ``apply`` that one of two workers refused."""
    asked: list[dict[str, Any]] = []

    def apply(settings: Any, documents: Sequence[Any], **options: Any) -> ApplyResult:
        options["progress"](Progress("routing/flights", "waiting for the workers", REFUSED.workers))
        return ApplyResult((REFUSED,))

    def rollback(settings: Any, key: str, **options: Any) -> ApplyResult:
        asked.append({"key": key, "to": options["to"], "reason": options["reason"]})
        return ApplyResult((ROLLED_BACK,))

    monkeypatch.setattr(control_apply, "apply", apply)
    monkeypatch.setattr(control_rollback, "rollback", rollback)
    monkeypatch.setattr(document_files, "load_documents", lambda path: [])
    return asked


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(str(ended.value.code))


def test_where_nobody_can_be_asked_the_way_back_is_said(
    rollbacks: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("apply", "flights.yaml") == 1
    printed = capsys.readouterr()
    assert "out of memory" in printed.out
    assert "flights/1 refused" in printed.err  # the progress, a line where something changed
    assert "streamer rollback flights --to 4" in printed.err
    assert rollbacks == []


def test_yes_rolls_back_what_a_worker_refused(rollbacks: list[dict[str, Any]]) -> None:
    assert run("apply", "flights.yaml", "--yes") == 1
    reason = "revision 5 was refused by a worker"
    assert rollbacks == [{"key": "routing/flights", "to": 4, "reason": reason}]


@pytest.mark.parametrize(("answer", "times"), [(True, 1), (False, 0)])
def test_on_a_terminal_it_is_asked(
    rollbacks: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, answer: bool, times: int
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda question, **options: answer)
    assert run("apply", "flights.yaml") == 1
    assert len(rollbacks) == times
