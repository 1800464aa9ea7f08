"""Applies a routing while events flow: the canary, its widening, the shadow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.control.apply import apply
from streamer.control.document_files import load_documents
from streamer.errors import StreamerError

if TYPE_CHECKING:
    from streamer.control.apply import DocumentResult
    from streamer.demo.stage import Stage

AUTHOR = "streamer demo"


def change_routing(stage: Stage, title: str, file: str) -> None:
    """Returns when every worker serves the new revision and it has answered its share of the demo's events."""
    stage.screen.act(f"{title} (streamer apply {file})")
    revision = apply_file(stage, file)
    let_serve(stage, revision)


def apply_file(stage: Stage, file: str) -> int:
    """What ``streamer apply`` does; returns the revision.

    Raises:
        StreamerError: It was refused, or a worker cannot serve it.
    """
    result = apply(stage.settings, load_documents(stage.folder / file), author=AUTHOR).documents[0]
    if not result.succeeded or result.revision is None:
        raise StreamerError(f"applying {file} failed", where=file, advice=_complaints(result))
    serving = [answer.worker for answer in result.workers if answer.serving_revision == result.revision]
    told = f"{result.key} is revision {result.revision}"
    stage.screen.say(f"{told}, served by {' and '.join(serving)}" if serving else told)
    return result.revision


def let_serve(stage: Stage, revision: int) -> None:
    """Lets a revision answer its share of the demo's events before the next act.

    Where the machine is so slow that all events are sent before all acts were played, a quarter of it will do.
    """
    share = stage.pace.per_revision

    def has_served() -> bool:
        return stage.answers.by_revision[revision] >= (share // 4 if stage.feed.has_sent_enough() else share)

    stage.wait_until(has_served, f"{share:,} inferences of revision {revision}")


def _complaints(result: DocumentResult) -> str:
    problems = [str(problem) for problem in result.problems]
    return "; ".join(problems + [f"{answer.worker}: {answer.reason}" for answer in result.workers if answer.reason])
