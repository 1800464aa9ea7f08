"""``streamer demo``: everything at once on real flights, with every promise checked."""

from __future__ import annotations

from typing import Annotated

import typer

from streamer.cli.session import Session, command


def add_to(app: typer.Typer) -> None:
    """Adds the command to the root."""
    command(app, "demo")(demo)


def demo(
    session: Session,
    short: Annotated[bool, typer.Option("--short", help="20,000 departures instead of 100,000.")] = False,
) -> None:
    """Show it all on real flights: two models, two workers, a canary, a shadow, a broken routing, a rollback.

    Takes about a minute. Starts a Kafka of its own unless one is given, and leaves nothing running. Exit code 1 if
    anything that is promised does not hold.

    \b
    Example:
      streamer demo
      streamer demo --bootstrap-servers localhost:9092 --output json
    """
    from streamer.demo.report import as_document, print_report
    from streamer.demo.run import run_demo
    from streamer.demo.screen import Screen
    from streamer.demo.stage import FULL, SHORT

    settings = session.settings
    result = run_demo(
        settings,
        use_given_kafka="bootstrap_servers" in settings.kafka.model_fields_set,
        pace=SHORT if short else FULL,
        screen=Screen(),
    )
    if session.as_json:
        session.printer.document(as_document(result.findings, result.promises, result.seconds))
    else:
        print_report(result.findings, result.promises)
    for promise in result.broken:
        session.printer.note(f"BROKEN: {promise.what} ({promise.seen})")
    if result.broken:
        raise typer.Exit(1)
    session.printer.note(f"Every promise held. {result.seconds:.0f} seconds, and nothing is left running.")
