"""``streamer broker``: a real Kafka broker on this machine, for development and demonstrations."""

from __future__ import annotations

from typing import Annotated

import typer

from streamer.cli.session import Session, command

VARIABLE = "STREAMER_KAFKA__BOOTSTRAP_SERVERS"

group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""A real Kafka broker on this machine: Apache Kafka itself, from Maven Central. Needs Java 17 or newer.

    \b
    Example:
      streamer broker up
      export STREAMER_KAFKA__BOOTSTRAP_SERVERS=127.0.0.1:...    as `up` prints it
      streamer broker down
    """,
)


def add_to(app: typer.Typer) -> None:
    """Adds the group to the root."""
    app.add_typer(group, name="broker")


def export_line(bootstrap_servers: str) -> str:
    """What to type so that every later command finds the broker."""
    return f"export {VARIABLE}={bootstrap_servers}"


@command(group, "up")
def up(
    session: Session,
    ephemeral: Annotated[
        bool, typer.Option("--ephemeral", help="Keep nothing; run until control-C, in the foreground.")
    ] = False,
    port: Annotated[int | None, typer.Option(help="Port of the first node. Default: a free one.", min=1)] = None,
    nodes: Annotated[int, typer.Option(help="1, or 3 or 5 that replicate.")] = 1,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Start empty: delete the topics of the last time.")
    ] = False,
) -> None:
    """Start the broker, or find the one that runs, and say how to reach it.

    It answers when this returns. It goes on running until `streamer broker down`, and keeps its topics.

    \b
    Example:
      streamer broker up
      eval "$(streamer broker up --output json | jq -r .export)"
    """
    from streamer import broker

    session.settings  # noqa: B018 - turns logging on
    if delete_data:
        broker.down(delete_data=True)
    printer = session.printer
    if not ephemeral and not broker.status().running:
        printer.note("starting Kafka (the first time it is downloaded, about 45 MB) ...")
    handle = broker.up(ephemeral=ephemeral, port=port, nodes=nodes)
    servers = handle.bootstrap_servers
    if printer.as_json:
        printer.document(
            {
                "bootstrap_servers": servers,
                "started": handle.started,
                "ephemeral": ephemeral,
                "folder": str(handle.folder),
                "export": export_line(servers),
            }
        )
    else:
        printer.note(f"Kafka {broker.KAFKA_VERSION} answers at {servers}. In every shell that is to use it:")
        printer.text(export_line(servers))
    if ephemeral:
        with handle:
            printer.note("press control-C to stop it")
            _wait_for_the_end()


@command(group, "status")
def status(session: Session) -> None:
    """Say whether the broker runs, and where. Exit code 1 if it does not.

    \b
    Example:
      streamer broker status
    """
    from streamer import broker

    found = broker.status()
    if session.as_json:
        session.printer.document(
            {
                "running": found.running,
                "ready": found.ready,
                "bootstrap_servers": found.bootstrap_servers,
                "pids": found.pids,
                "kafka_version": found.kafka_version,
                "folder": found.folder,
                "logs": found.logs,
            }
        )
    elif found.running:
        state = "answers" if found.ready else "runs, but does not answer yet"
        session.printer.text(f"Kafka {found.kafka_version} {state} at {found.bootstrap_servers}")
        session.printer.text(export_line(found.bootstrap_servers))
        for log in found.logs:
            session.printer.note(f"log: {log}")
    else:
        session.printer.text("not running; start it with `streamer broker up`")
    if not found.ready:
        raise typer.Exit(1)


@command(group, "down")
def down(
    session: Session,
    delete_data: Annotated[bool, typer.Option("--delete-data", help="Delete its topics too.")] = False,
) -> None:
    """Stop the broker that `streamer broker up` started. Its topics are kept for the next time.

    \b
    Example:
      streamer broker down --delete-data
    """
    from streamer import broker

    ran = broker.down(delete_data=delete_data)
    if session.as_json:
        session.printer.document({"stopped": ran, "data_deleted": delete_data})
    else:
        session.printer.text("stopped" if ran else "it was not running")


def _wait_for_the_end() -> None:
    """Until control-C or SIGTERM; the broker is stopped by whoever holds its handle."""
    import signal

    def end(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        return
