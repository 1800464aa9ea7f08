"""Which documents count: a pure fold over the config topic, the same for every worker at any time.

A record is admitted if it is well-formed, resolved, `based_on` the newest admitted revision of its key (0 or null if
there is no document now), and, for a routing, if its endpoint exists. Everything else is refused with a reason, and
changes nothing. A record without a value (tombstone) deletes the document; deleting counts as a revision, so that
nothing written against the deleted document is admitted by mistake. Deleting an endpoint removes its routing too.

Each admitted record of a key has the revision after the one before: 1, 2, 3, ...
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar, cast

from streamer.routing.consistency import consistency_problems, unresolved_problems
from streamer.routing.document_bytes import DocumentUnreadable, parse_document
from streamer.routing.documents import EndpointDocument, RoutingDocument, document_key
from streamer.routing.problems import in_one_line

Kind = Literal["endpoint", "routing"]
DocumentT = TypeVar("DocumentT", bound=EndpointDocument | RoutingDocument, covariant=True)

_KEY = re.compile(rb"(endpoint|routing)/([A-Za-z0-9][A-Za-z0-9._-]{0,127})")


@dataclass(frozen=True, slots=True)
class Admitted(Generic[DocumentT]):
    """A document that counts from its offset on."""

    offset: int
    timestamp_ms: int
    key: str
    kind: Kind
    name: str
    revision: int
    document: DocumentT

    @property
    def author(self) -> str:
        """Who applied it, as the document says."""
        return self.document.author

    @property
    def reason(self) -> str:
        """Why, as the document says."""
        return self.document.reason


@dataclass(frozen=True, slots=True)
class Deleted:
    """A tombstone: from its offset on there is no such document."""

    offset: int
    timestamp_ms: int
    key: str
    kind: Kind
    name: str
    revision: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that changes nothing.

    Attributes:
        key: The record's key as far as it can be shown.
        kind: None, like ``name``, when the key is not one of ours.
        reason: What is wrong with it, and what to do.
        because: The rule that it broke.
        author: Who published it, when the document could be read.
        based_on: The revision that it was written against, when it could be read.
    """

    offset: int
    timestamp_ms: int
    key: str
    kind: Kind | None
    name: str | None
    reason: str
    because: Literal["key", "malformed", "contradictory", "unresolved", "stale", "no_endpoint", "nothing_to_delete"]
    author: str = ""
    based_on: int | None = None


AnyDocument: TypeAlias = EndpointDocument | RoutingDocument
Verdict: TypeAlias = Admitted[AnyDocument] | Deleted | Refused


class Admission:
    """The state of the config topic after some prefix of it.

    Args:
        keep_history: Remember every verdict for `history`, with the documents of all revisions. A worker needs only
            the newest and passes False.
    """

    def __init__(self, *, keep_history: bool = True) -> None:
        self._current: dict[str, Admitted[AnyDocument]] = {}
        self._revisions: dict[str, int] = {}
        self._history: dict[str, list[Verdict]] | None = {} if keep_history else None

    def fold(self, offset: int, key: bytes | None, value: bytes | None, timestamp_ms: int) -> Verdict:
        """Takes the log's next record. Never raises, whatever the bytes are."""
        verdict = self._judge(offset, key, value, timestamp_ms)
        if isinstance(verdict, Admitted):
            self._revisions[verdict.key] = verdict.revision
            self._current[verdict.key] = verdict
        elif isinstance(verdict, Deleted):
            self._revisions[verdict.key] = verdict.revision
            del self._current[verdict.key]
            if verdict.kind == "endpoint":
                routing = f"routing/{verdict.name}"
                if self._current.pop(routing, None) is not None:  # a deletion counts as a revision
                    self._revisions[routing] += 1
        # Keys that are not ours could be any number of texts: not kept.
        if self._history is not None and verdict.kind is not None:
            self._history.setdefault(verdict.key, []).append(verdict)
        return verdict

    def endpoint(self, name: str) -> Admitted[EndpointDocument] | None:
        """The endpoint's newest document, None if there is none now."""
        return cast("Admitted[EndpointDocument] | None", self._current.get(f"endpoint/{name}"))

    def routing(self, endpoint: str) -> Admitted[RoutingDocument] | None:
        """The endpoint's newest routing, None if there is none now."""
        return cast("Admitted[RoutingDocument] | None", self._current.get(f"routing/{endpoint}"))

    def current(self, key: str) -> Admitted[AnyDocument] | None:
        """The newest document of ``endpoint/<name>`` or ``routing/<name>``, None if there is none now."""
        return self._current.get(key)

    def revision(self, key: str) -> int:
        """The newest admitted revision of a key, a deletion counting too; 0 before the first."""
        return self._revisions.get(key, 0)

    def endpoints(self) -> list[str]:
        """The names of the endpoints that exist, sorted."""
        return sorted(admitted.name for admitted in self._current.values() if admitted.kind == "endpoint")

    def keys(self) -> list[str]:
        """The keys of the documents that exist, sorted."""
        return sorted(self._current)

    def history(self, key: str) -> list[Verdict]:
        """Every verdict on this key, oldest first.

        Raises:
            ValueError: The admission was made with ``keep_history=False``.
        """
        if self._history is None:
            raise ValueError("this admission keeps no history")
        return list(self._history.get(key, ()))

    def _judge(self, offset: int, raw_key: bytes | None, value: bytes | None, timestamp_ms: int) -> Verdict:
        parsed = _KEY.fullmatch(raw_key) if raw_key is not None else None
        if parsed is None:
            shown = "" if raw_key is None else raw_key[:200].decode("utf-8", "backslashreplace")
            reason = "the record's key must be endpoint/<name> or routing/<endpoint>"
            return Refused(offset, timestamp_ms, shown, None, None, reason, "key")
        kind = cast("Kind", parsed[1].decode())
        name = parsed[2].decode()
        key = f"{kind}/{name}"
        document: AnyDocument | None = None

        def refused(reason: str, because: str) -> Refused:
            author = document.author if document is not None else ""
            based_on = document.based_on if document is not None else None
            return Refused(offset, timestamp_ms, key, kind, name, reason, because, author, based_on)  # type: ignore[arg-type]

        if value is None:
            if key not in self._current:
                return refused("there is no such document to delete", "nothing_to_delete")
            return Deleted(offset, timestamp_ms, key, kind, name, self.revision(key) + 1)
        try:
            document = parse_document(value, kind)
        except DocumentUnreadable as error:
            return refused(in_one_line(error.problems), "malformed")
        if document_key(document) != key:
            return refused(f"the document is {document_key(document)}, but the record's key is {key}", "malformed")
        for problems, because in (
            (unresolved_problems(document), "unresolved"),
            (consistency_problems(document), "contradictory"),
        ):
            if problems:
                return refused(in_one_line(problems, at_most=3), because)
        if kind == "routing" and f"endpoint/{name}" not in self._current:
            return refused(f"there is no endpoint {name}. Apply its endpoint document first", "no_endpoint")
        newest = self.revision(key)
        if not self._is_based_on_newest(key, document.based_on):
            return refused(_stale(document.based_on, newest), "stale")
        return Admitted(offset, timestamp_ms, key, kind, name, newest + 1, document)

    def _is_based_on_newest(self, key: str, based_on: int | None) -> bool:
        if key not in self._current and not based_on:
            return True
        return based_on == self.revision(key)


def fold_all(records: Iterable[tuple[int, bytes | None, bytes | None, int]]) -> Admission:
    """The state after these (offset, key, value, timestamp in ms), with history."""
    admission = Admission()
    for offset, key, value, timestamp_ms in records:
        admission.fold(offset, key, value, timestamp_ms)
    return admission


def _stale(based_on: int | None, newest: int) -> str:
    written = "does not say which revision it was written against" if based_on is None else f"is based on {based_on}"
    return f"the document {written}, but the newest is {newest}. Look at what changed, then put based_on: {newest}"
