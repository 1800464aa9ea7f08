"""``streamer apply`` and ``streamer rollback``: change what is served, and watch the workers take it up."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamer.cli.session import Session, command
from streamer.errors import ConfigurationError

if TYPE_CHECKING:
    from streamer.cli.printer import LiveView
    from streamer.control.apply import ApplyResult, DocumentResult, Progress
    from streamer.control.document_files import AuthoredDocument
    from streamer.control.worker_answers import WorkerAnswer

Author = Annotated[str | None, typer.Option(help="Who does this, for the history. Default: your login name.")]
Wait = Annotated[
    float, typer.Option("--wait", help="Seconds to wait for the workers' answers; 0 does not wait.", min=0)
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the root."""
    command(app, "apply")(apply)
    command(app, "rollback")(rollback)


def apply(
    session: Session,
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="YAML or JSON documents; - is standard input.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and show what would change; change nothing.")
    ] = False,
    author: Author = None,
    wait: Wait = 60.0,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Roll back without asking if a worker refuses the routing.")
    ] = False,
) -> None:
    """Make documents count: check them, publish what changed, and wait until every worker serves it.

    A file may hold an endpoint and its routing. Models are named by tag, or by name and version, and are fetched and
    tried before anything is published; none of the documents is published unless all are sound. Applying the same
    again changes nothing. Exit code 0 if every live worker serves what was applied.

    \b
    Example:
      streamer apply flights.yaml --dry-run
      streamer apply flights.yaml
    """
    from streamer.control.apply import apply as apply_documents

    author = author_name(author)
    documents = load(files)
    if dry_run:
        from streamer.cli.dry_run import show_dry_run

        if not show_dry_run(session, documents, author):
            raise typer.Exit(1)
        return
    settings, printer = session.settings, session.printer
    with printer.live() as view:
        result = apply_documents(
            settings, documents, author=author, wait_seconds=wait, progress=lambda told: show_progress(view, told)
        )
    show_result(session, result)
    if result.succeeded:
        return
    for refused in _rollback_candidates(result):
        _offer_rollback(session, refused, author, wait, yes)
    raise typer.Exit(1)


def rollback(
    session: Session,
    name: Annotated[str, typer.Argument(help="The endpoint whose routing goes back; or endpoint/NAME.")],
    to: Annotated[
        int | None, typer.Option("--to", help="The revision. Default: the newest that differs from now.", min=1)
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    author: Author = None,
    wait: Wait = 60.0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Publish an earlier revision's content as a new one. The history keeps everything in between.

    \b
    Example:
      streamer rollback flights
      streamer rollback flights --to 3 --reason "the canary was late" --yes
    """
    from streamer.control.config_log import read_admission
    from streamer.control.diff import diff
    from streamer.control.rollback import rollback as roll_back
    from streamer.control.rollback import target_of

    key = document_key_of(name)
    settings, printer = session.settings, session.printer
    admission = read_admission(settings.kafka)
    target, now = target_of(admission, key, to), admission.current(key)
    for change in diff(now.document if now is not None else None, target.document):
        printer.note(f"  {change}")
    printer.confirm(f"Roll {key} back to revision {target.revision}?", yes=yes)
    with printer.live() as view:
        result = roll_back(
            settings,
            key,
            to=target.revision,
            reason=reason,
            author=author_name(author),
            wait_seconds=wait,
            progress=lambda told: show_progress(view, told),
        )
    show_result(session, result)
    if not result.succeeded:
        raise typer.Exit(1)


def load(files: list[str]) -> list[AuthoredDocument]:
    """The documents of all files.

    Raises:
        DocumentHasProblems: Some are malformed: every problem, with file and line.
    """
    from streamer.control.document_files import load_documents, parse_documents

    documents: list[AuthoredDocument] = []
    for name in files:
        if name == "-":
            documents += parse_documents(sys.stdin.buffer.read(), source="standard input", folder=Path.cwd())
        else:
            documents += load_documents(Path(name))
    return documents


def document_key_of(name: str) -> str:
    """``routing/<name>`` for a bare name; what names its kind already stays."""
    return name if name.startswith(("routing/", "endpoint/")) else f"routing/{name}"


def author_name(given: str | None) -> str:
    """Who is at work.

    Raises:
        ConfigurationError: The system does not know.
    """
    if given:
        return given
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:
        raise ConfigurationError("it is not known who you are", advice="Pass --author NAME") from error


def show_progress(view: LiveView, told: Progress) -> None:
    """Draws what is happening, and how far each worker is."""
    from rich.console import Group
    from rich.text import Text

    from streamer.cli.printer import make_table

    heading = f"{told.key}: {told.what}"
    if not told.workers:
        view.show(Text(heading), heading)
        return
    states = ", ".join(f"{answer.worker} {answer.state}" for answer in told.workers)
    view.show(Group(Text(heading), make_table(_ANSWER_COLUMNS, map(_answer_row, told.workers))), f"{heading}: {states}")


def show_result(session: Session, result: ApplyResult) -> None:
    """Prints what became of each document."""
    printer = session.printer
    if printer.as_json:
        printer.document(
            {"succeeded": result.succeeded, "documents": [_document_json(document) for document in result.documents]}
        )
        return
    for document in result.documents:
        revision = f" (revision {document.revision})" if document.revision is not None else ""
        printer.text(f"{document.key}: {document.outcome}{revision}")
        for topic in document.created_topics:
            printer.text(f"  created topic {topic}")
        for topic in document.grown_topics:
            printer.text(f"  added partitions to topic {topic}")
        for problem in document.problems:
            printer.text(f"  {problem}")
        if document.workers:
            printer.table(_ANSWER_COLUMNS, map(_answer_row, document.workers))
        elif document.outcome == "published" and document.key.startswith("routing/"):
            name = document.key.removeprefix("routing/")
            printer.note(f"  no worker is alive; start one: streamer worker --endpoint {name}")


_ANSWER_COLUMNS = ("worker", "state", "serves revision", "reason")


def _answer_row(answer: WorkerAnswer) -> tuple[Any, ...]:
    return answer.worker, str(answer.state), answer.serving_revision, answer.reason or None


def _document_json(document: DocumentResult) -> dict[str, Any]:
    return {
        "key": document.key,
        "outcome": str(document.outcome),
        "revision": document.revision,
        "problems": [problem_json(problem) for problem in document.problems],
        "created_topics": document.created_topics,
        "grown_topics": document.grown_topics,
        "workers": [
            {
                "worker": answer.worker,
                "state": str(answer.state),
                "serving_revision": answer.serving_revision,
                "reason": answer.reason,
            }
            for answer in document.workers
        ],
        "rollback_to": document.rollback_to,
    }


def problem_json(placed: Any) -> dict[str, Any]:
    """One problem of a document."""
    from streamer.routing.problems import location_text

    return {
        "place": placed.place,
        "key": location_text(placed.problem.location),
        "what": placed.problem.what,
        "advice": placed.problem.advice,
    }


def _rollback_candidates(result: ApplyResult) -> list[DocumentResult]:
    """Routings that count now although a worker refused them, and that replaced an earlier one."""
    return [
        document
        for document in result.documents
        if document.outcome == "published"
        and document.rollback_to is not None
        and any(answer.state == "refused" for answer in document.workers)
    ]


def _offer_rollback(session: Session, refused: DocumentResult, author: str, wait: float, yes: bool) -> None:
    from streamer.control.rollback import rollback as roll_back

    printer = session.printer
    assert refused.rollback_to is not None
    if not yes and not sys.stdin.isatty():
        name = refused.key.removeprefix("routing/")
        printer.note(f"go back with: streamer rollback {name} --to {refused.rollback_to}")
        return
    question = f"A worker refused {refused.key}. Roll back to revision {refused.rollback_to}?"
    if not yes and not typer.confirm(question, err=True):
        return
    result = roll_back(
        session.settings,
        refused.key,
        to=refused.rollback_to,
        reason=f"revision {refused.revision} was refused by a worker",
        author=author,
        wait_seconds=wait,
    )
    for document in result.documents:
        printer.note(f"{document.key}: rolled back to revision {refused.rollback_to}, as revision {document.revision}")
