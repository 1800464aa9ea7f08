"""Problems of documents together with where they stand in a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from streamer.errors import DocumentInvalid
from streamer.routing.problems import Problem


class PlacedProblem(NamedTuple):
    """A problem and its place.

    Attributes:
        place: ``file:line``, or the document's key when there is no file.
        problem: What is wrong, with its location inside the document.
    """

    place: str
    problem: Problem

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}"


class DocumentHasProblems(DocumentInvalid):
    """Everything that is wrong with some documents, one problem per line of the message.

    Attributes:
        problems: At least one.
    """

    def __init__(self, problems: Sequence[PlacedProblem]) -> None:
        self.problems = list(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        count = len(self.problems)
        super().__init__(f"{count} problem{'s' if count > 1 else ''} found\n{lines}")

    def __reduce__(self) -> tuple[type[DocumentHasProblems], tuple[list[PlacedProblem]]]:
        return (type(self), (self.problems,))
