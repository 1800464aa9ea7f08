"""Where results and progress go: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from streamer.errors import ConfigurationError, StreamerError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


def json_text(document: Any, *, indented: bool) -> str:
    """A document as JSON; what JSON has no form for is written as text."""
    return json.dumps(document, indent=2 if indented else None, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", by_alias=True)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)


class Printer:
    """Prints for a person or, ``as_json``, for a machine: then exactly one document on standard output."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def document(self, document: Any) -> None:
        """The result as JSON."""
        sys.stdout.write(json_text(document, indented=True) + "\n")
        sys.stdout.flush()

    def line(self, document: Any) -> None:
        """One of a stream of results, as JSON on a line of its own."""
        sys.stdout.write(json_text(document, indented=False) + "\n")
        sys.stdout.flush()

    def text(self, text: str) -> None:
        """A result as it is."""
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None, empty: str = "none"
    ) -> None:
        """A table for people; ``empty`` is said when it has no rows."""
        rows = list(rows)
        if not rows:
            self.text(empty)
            return
        self._console(sys.stdout).print(make_table(columns, rows, title=title))

    def note(self, text: str) -> None:
        """Something worth saying that is not the result."""
        typer.echo(text, err=True)

    def error(self, error: StreamerError) -> None:
        """What was wrong, where, and what to do; for a machine as a document, for there is no other result."""
        if self.as_json:
            kind = type(error).__name__
            self.document({"error": {"class": kind, "what": error.what, "where": error.where, "advice": error.advice}})
        typer.secho("error: ", fg=typer.colors.RED, bold=True, err=True, nl=False)
        typer.echo(error.what, err=True)
        if error.where:
            typer.echo(f"  where: {error.where}", err=True)
        if error.advice:
            typer.echo(f"  what to do: {error.advice}", err=True)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Asks before something that is hard to undo.

        Raises:
            ConfigurationError: Nobody is there to ask.
            typer.Abort: The answer was no.
        """
        if yes:
            return
        if not sys.stdin.isatty():
            raise ConfigurationError(f"not confirmed: {question}", advice="Pass --yes where nobody can be asked")
        typer.confirm(question, abort=True, err=True)

    @contextmanager
    def live(self) -> Iterator[LiveView]:
        """A view on standard error that is drawn again and again; off a terminal, lines where something changed."""
        console = self._console(sys.stderr)
        if not console.is_terminal:
            yield LiveView(None, console)
            return
        from rich.live import Live

        with Live(console=console, refresh_per_second=8, transient=False) as live:
            yield LiveView(live, console)

    @staticmethod
    def _console(stream: Any) -> Console:
        from rich.console import Console

        # Off a terminal tables are as wide as they need to be: somebody greps them.
        return Console(file=stream, highlight=False, width=None if stream.isatty() else 240, soft_wrap=False)


class LiveView:
    """What :meth:`Printer.live` yields."""

    def __init__(self, live: Any, console: Console) -> None:
        self._live = live
        self._console = console
        self._last = ""

    def show(self, drawing: RenderableType, summary: str) -> None:
        """Draws; off a terminal prints ``summary`` if it is another than before."""
        if self._live is not None:
            self._live.update(drawing)
        elif summary != self._last:
            self._console.print(summary, markup=False)
        self._last = summary


def make_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> Any:
    """A rich table of plain texts; numbers stand right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, show_edge=False)
    for index, name in enumerate(columns):
        cells = [row[index] for row in rows if row[index] is not None]
        numbers = bool(cells) and all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in cells)
        table.add_column(name, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.6g}"
    # Other people's text may hold escape sequences, which a terminal would obey.
    return "".join(character if character.isprintable() or character == "\n" else "\ufffd" for character in str(value))
