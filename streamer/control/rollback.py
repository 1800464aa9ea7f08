"""Publishes an earlier revision's content as a new one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from streamer.config import Settings
from streamer.control.apply import ApplyResult, Progress, apply
from streamer.control.config_log import read_admission
from streamer.control.diff import same_content
from streamer.control.document_files import AuthoredDocument
from streamer.control.history import revision_of
from streamer.control.model_checks import CheckModel
from streamer.errors import DocumentInvalid
from streamer.routing.admission import Admission, Admitted, AnyDocument


def rollback(
    settings: Settings,
    key: str,
    *,
    to: int | None = None,
    reason: str = "",
    author: str,
    progress: Callable[[Progress], None] = lambda progress: None,
    wait_seconds: float = 60.0,
    check_model: CheckModel | None = None,
) -> ApplyResult:
    """Goes back; the history keeps everything in between.

    Args:
        settings: As for `streamer.control.apply.apply`.
        key: ``routing/<endpoint>`` or ``endpoint/<name>``.
        to: The revision; None: the newest one whose content differs from what counts now.
        reason: Why; empty: "roll back to revision N".
        author: Who.
        progress: Hears what is happening.
        wait_seconds: How long to wait for the workers' answers.
        check_model: Tries one model version; None: in a process of its own.

    Raises:
        DocumentInvalid: There is no such revision.
        KafkaError: The broker does not answer or refuses.
    """
    earlier = target_of(read_admission(settings.kafka), key, to)
    changes: dict[str, Any] = {
        "based_on": None,
        "author": author,
        "reason": reason or f"roll back to revision {earlier.revision}",
    }
    document = AuthoredDocument.without_file(earlier.document.model_copy(update=changes))
    return apply(
        settings, [document], author=author, progress=progress, wait_seconds=wait_seconds, check_model=check_model
    )


def target_of(admission: Admission, key: str, to: int | None) -> Admitted[AnyDocument]:
    """The revision that a rollback goes to.

    Raises:
        DocumentInvalid: There is none of that number, or none before what counts now.
    """
    if to is not None:
        return revision_of(admission, key, to)
    now = admission.current(key)
    for verdict in reversed(admission.history(key)):
        if not isinstance(verdict, Admitted):
            continue
        if now is None or (verdict.revision < now.revision and not same_content(verdict.document, now.document)):
            return verdict
    raise DocumentInvalid("there is no earlier revision to go back to", where=key, advice="See `streamer history`")
