"""``streamer explain``: which variant a user gets, and why."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamer.cli.session import Session, command

if TYPE_CHECKING:
    from streamer.control.explain import PartExplanation


def add_to(app: typer.Typer) -> None:
    """Adds the command to the root."""
    command(app, "explain")(explain)


def explain(
    session: Session,
    endpoint: Annotated[str, typer.Argument(help="The endpoint.")],
    key: Annotated[
        str, typer.Option(help="The bucketing value (the endpoint's bucket_by field, else the event's id).")
    ],
    event: Annotated[
        str | None, typer.Option(help='The event as JSON, where segments decide: {"origin": "JFK"}.')
    ] = None,
    revision: Annotated[int | None, typer.Option(help="An earlier revision of the routing.", min=1)] = None,
) -> None:
    """Say which variant answers for a bucketing value, its bucket, and why.

    \b
    Example:
      streamer explain flights --key N14228
      streamer explain flights --key N14228 --event '{"origin": "JFK"}' --revision 3
    """
    from streamer.control.explain import explain as explain_value

    explained = explain_value(session.settings.kafka, endpoint, key, event=_event(event), revision=revision)
    printer = session.printer
    if printer.as_json:
        printer.document({**dataclasses.asdict(explained), "variant": explained.variant})
        return
    printer.text(
        f"{explained.value!r} gets {explained.variant} (bucket {explained.bucket}, revision {explained.revision})"
    )
    for sentence in explained.why:
        printer.text(f"  {sentence}")
    printer.table(("variant", "share", "score", "model"), _ranking(explained.decided))


def _ranking(part: PartExplanation) -> list[tuple[Any, ...]]:
    return [
        (arm.variant, f"{100 * arm.share:.2f}%", arm.score, f"{arm.model_name}:{arm.model_version}")
        for arm in part.ranking
    ]


def _event(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        event = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"not JSON: {error}", param_hint="--event") from error
    if not isinstance(event, dict):
        raise typer.BadParameter("not a JSON object", param_hint="--event")
    return event
