"""``streamer init``: a first endpoint document and its schemas, drafted from a sample."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamer.cli.session import Session, command


def add_to(app: typer.Typer) -> None:
    """Adds the command to the root."""
    command(app, "init")(init)


def init(
    session: Session,
    name: Annotated[str, typer.Argument(help="The new endpoint's name.")],
    sample: Annotated[Path, typer.Option("--from", help="A CSV file with a header and some events.")],
    folder: Annotated[Path, typer.Option(help="Where the files are written.")] = Path(),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
) -> None:
    """Write a first endpoint document and two .avsc files, guessed from a sample of events.

    What was guessed is said, and stands in the document as comments: look at it before you apply it.

    \b
    Example:
      streamer init flights --from sample.csv
      streamer apply flights.yaml
    """
    from streamer.control.first_endpoint import first_endpoint, write

    drafted = first_endpoint(name, sample)
    written = write(drafted, folder, overwrite=overwrite)
    printer = session.printer
    if printer.as_json:
        printer.document(
            {
                "files": written,
                "id": drafted.id,
                "time": drafted.time,
                "bucket_by": drafted.bucket_by,
                "fields": {column.name: str(column.type) for column in drafted.columns},
                "to_check": drafted.to_check,
            }
        )
        return
    for path in written:
        printer.text(f"wrote {path}")
    printer.text("Look at what was guessed:")
    for sentence in drafted.to_check:
        printer.text(f"  {sentence}")
    printer.text(f"Then: streamer apply {folder / f'{name}.yaml'}")
