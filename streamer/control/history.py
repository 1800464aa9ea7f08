"""Who changed what, when and why: the verdicts on one document, oldest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from streamer.config import KafkaSettings
from streamer.control.config_log import read_admission
from streamer.errors import DocumentInvalid
from streamer.routing.admission import Admission, Admitted, AnyDocument, Deleted, Verdict


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One record of a document's history.

    Attributes:
        outcome: What admission made of it.
        revision: The revision that it became; None if it was refused.
        based_on: The revision that it was written against.
        at: When the log took it in, UTC.
        author: Who, as the document says.
        text: The document's reason, or why it was refused.
        document: The whole of it, if it was admitted.
    """

    outcome: Literal["admitted", "deleted", "refused"]
    revision: int | None
    based_on: int | None
    offset: int
    at: datetime
    author: str
    text: str
    document: AnyDocument | None


def history(kafka: KafkaSettings, key: str) -> list[HistoryEntry]:
    """Every record of ``endpoint/<name>`` or ``routing/<endpoint>``, oldest first; empty if there never was one.

    Raises:
        TopicProblem: There is no config topic.
        KafkaError: The broker does not answer or refuses.
    """
    return history_of(read_admission(kafka), key)


def history_of(admission: Admission, key: str) -> list[HistoryEntry]:
    """The same for a log that has been read."""
    return [_entry(verdict) for verdict in admission.history(key)]


def revision_of(admission: Admission, key: str, revision: int) -> Admitted[AnyDocument]:
    """An earlier revision.

    Raises:
        DocumentInvalid: There is none of that number, or it was a deletion.
    """
    for verdict in admission.history(key):
        if isinstance(verdict, Admitted) and verdict.revision == revision:
            return verdict
    known = [str(verdict.revision) for verdict in admission.history(key) if isinstance(verdict, Admitted)]
    what = f"there is no revision {revision}"
    raise DocumentInvalid(what, where=key, advice=f"Revisions: {', '.join(known) or 'none'}")


def _entry(verdict: Verdict) -> HistoryEntry:
    at = datetime.fromtimestamp(max(verdict.timestamp_ms, 0) / 1000, UTC)
    if isinstance(verdict, Admitted):
        document = verdict.document
        return HistoryEntry(
            "admitted",
            verdict.revision,
            document.based_on,
            verdict.offset,
            at,
            verdict.author,
            verdict.reason,
            document,
        )
    if isinstance(verdict, Deleted):
        return HistoryEntry("deleted", verdict.revision, None, verdict.offset, at, "", "deleted", None)
    return HistoryEntry("refused", None, verdict.based_on, verdict.offset, at, verdict.author, verdict.reason, None)
