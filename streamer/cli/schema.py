"""``streamer schema``: the Avro schemas that an application in another language needs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from streamer.cli.session import Session, command


class Of(StrEnum):
    """What the schema describes."""

    inferences = "inferences"
    events = "events"


def add_to(app: typer.Typer) -> None:
    """Adds the command to the root."""
    command(app, "schema")(schema)


def schema(
    session: Session,
    endpoint: Annotated[str, typer.Argument(metavar="ENDPOINT", help="The endpoint.")],
    of: Annotated[Of, typer.Option("--of", help="The records of which topic.")] = Of.inferences,
) -> None:
    """Print the Avro schema of an endpoint's inferences, or of its events.

    Inferences are the fixed envelope around the endpoint's own output record; save the schema as an .avsc file and
    generate Java, Go or other classes from it.

    \b
    Example:
      streamer schema flights > inference.avsc
      streamer schema flights --of events > event.avsc
    """
    import json

    from streamer.avro.envelope import inference_schema
    from streamer.control.get import get
    from streamer.routing.documents import EndpointDocument

    document = get(session.settings.kafka, f"endpoint/{endpoint}").document
    assert isinstance(document, EndpointDocument)
    output = document.output.schema_
    assert isinstance(output, dict)
    shown = inference_schema(endpoint, output) if of is Of.inferences else document.events.schema_
    session.printer.text(json.dumps(shown, indent=2, ensure_ascii=False))
