"""``streamer worker``: one process that answers the events of one endpoint."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from streamer.cli.session import LogLevel, Session, command

_ORDINAL = re.compile(r"-(\d{1,6})$")


def add_to(app: typer.Typer) -> None:
    """Adds the command to the root."""
    command(app, "worker", log_level=LogLevel.info)(worker)


def default_slot(host_name: str) -> int:
    """The ordinal at the end of a StatefulSet's host name (``flights-worker-3``), else 0."""
    ordinal = _ORDINAL.search(host_name)
    return int(ordinal[1]) if ordinal else 0


def worker(
    session: Session,
    endpoint: Annotated[str, typer.Option(help="The endpoint whose events it answers.")],
    slot: Annotated[
        int | None,
        typer.Option(
            help="Its number among the endpoint's workers, each another one. Default: the ordinal of a Kubernetes "
            "StatefulSet's host name, else 0.",
            min=0,
        ),
    ] = None,
) -> None:
    """Answer the events of an endpoint until SIGTERM or control-C.

    Start as many as the events topic has partitions, each with its own slot; they share the partitions. One that
    was killed is started again with the same slot, and goes on where it was: no event is lost or answered twice.

    \b
    Example:
      streamer worker --endpoint flights --slot 0 &
      streamer worker --endpoint flights --slot 1 &
      streamer status --watch
    """
    import socket

    from streamer.worker.run import run_worker

    run_worker(session.settings, endpoint=endpoint, slot=default_slot(socket.gethostname()) if slot is None else slot)
