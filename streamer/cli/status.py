"""``streamer status``: workers, partitions, revisions and lag, at a glance."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamer.cli.session import Session, command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.config import KafkaSettings
    from streamer.control.status import EndpointStatus, WorkerView

_WORKER_COLUMNS = ("worker", "state", "revision", "partitions", "models", "seen", "metrics", "trouble")


def add_to(app: typer.Typer) -> None:
    """Adds the command to the root."""
    command(app, "status")(status)


def status(
    session: Session,
    endpoint: Annotated[str | None, typer.Argument(metavar="[ENDPOINT]", help="Only this endpoint.")] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Draw it again and again until control-C.")] = False,
    every: Annotated[float, typer.Option("--every", help="With --watch: seconds between drawings.", min=0.1)] = 1.0,
    ended: Annotated[bool, typer.Option("--all", help="Show workers that have ended, too.")] = False,
) -> None:
    """Show endpoints and their workers: who is alive, what each serves, and how far behind they are.

    Exit code 1 if an endpoint with a routing has no live worker, or a live worker does not serve the newest routing.

    \b
    Example:
      streamer status --watch
      streamer status flights --output json | jq .endpoints[0].lag
    """
    from streamer.kafka.log import LogTail

    kafka, printer = session.settings.kafka, session.printer
    if not watch:
        found = read_status(kafka, endpoint)
        if printer.as_json:
            printer.document(_json(found, ended))
        else:
            for one in found:
                printer.text(_heading(one))
                if rows := _rows(one, ended):
                    printer.table(_WORKER_COLUMNS, rows)
            if not found:
                printer.text("no endpoints; make one with `streamer init` and `streamer apply`")
        if not all(map(is_healthy, found)):
            raise typer.Exit(1)
        return
    with printer.live() as view, LogTail(kafka, kafka.status_topic, start="end") as news:
        while True:
            found = read_status(kafka, endpoint)
            if printer.as_json:
                printer.line(_json(found, ended))
            else:
                view.show(_drawing(found, ended), "\n".join(map(_heading, found)))
            deadline = time.monotonic() + every
            while (left_seconds := deadline - time.monotonic()) > 0:
                news.poll(left_seconds)


def read_status(kafka: KafkaSettings, endpoint: str | None) -> list[EndpointStatus]:
    """The status of one endpoint, or of all; of none where nothing was ever applied.

    Raises:
        DocumentInvalid: There is no such endpoint.
        KafkaError: Kafka does not answer, or refuses us.
    """
    from streamer.control.status import status as status_of
    from streamer.errors import TopicProblem

    try:
        return status_of(kafka, endpoint)
    except TopicProblem:
        if endpoint is not None:
            raise
        return []


def is_healthy(one: EndpointStatus) -> bool:
    """Whether what was applied is what is served."""
    return one.routing_revision is None or one.up_to_date


def _heading(one: EndpointStatus) -> str:
    routing = "no routing yet"
    if one.routing_revision is not None:
        routing = f"routing revision {one.routing_revision} ({one.routing_reason})"
    alive = sum(worker.alive for worker in one.workers)
    workers = f"{alive} worker{'' if alive == 1 else 's'}" if alive else "no worker alive"
    return f"{one.endpoint}: {routing}; {workers}; {len(one.partitions)} partitions, lag {one.lag:,}"


def _rows(one: EndpointStatus, ended: bool) -> list[tuple[Any, ...]]:
    return [_row(worker) for worker in one.workers if worker.alive or ended]


def _row(view: WorkerView) -> tuple[Any, ...]:
    worker = view.status
    trouble = worker.degraded
    if worker.refused is not None:
        trouble = f"refuses revision {worker.refused.revision}: {worker.refused.reason}"
    elif trouble is None and worker.preparing is not None:
        trouble = f"preparing revision {worker.preparing}"
    return (
        worker.worker,
        str(worker.state) if view.alive or worker.state == "stopped" else "gone",
        worker.routing_revision,
        ",".join(str(partition.partition) for partition in worker.partitions) or None,
        ", ".join(f"{model.variant}={model.name}:{model.version}" for model in worker.models) or None,
        f"{view.seconds_since:.0f} s ago",
        f"http://{worker.http}/metrics" if worker.http else None,
        trouble,
    )


def _json(found: Sequence[EndpointStatus], ended: bool) -> dict[str, Any]:
    return {
        "at": time.time(),
        "healthy": all(map(is_healthy, found)),
        "endpoints": [
            {
                "endpoint": one.endpoint,
                "revision": one.endpoint_revision,
                "routing_revision": one.routing_revision,
                "routing_reason": one.routing_reason,
                "routing_author": one.routing_author,
                "healthy": is_healthy(one),
                "up_to_date": one.up_to_date,
                "lag": one.lag,
                "partitions": [
                    {
                        "partition": partition.partition,
                        "committed": partition.committed,
                        "end": partition.end,
                        "lag": partition.lag,
                    }
                    for partition in one.partitions
                ],
                "workers": [
                    {
                        **view.status.model_dump(mode="json"),
                        "alive": view.alive,
                        "seconds_since": round(view.seconds_since, 3),
                    }
                    for view in one.workers
                    if view.alive or ended
                ],
            }
            for one in found
        ],
    }


def _drawing(found: Sequence[EndpointStatus], ended: bool) -> Any:
    from rich.console import Group
    from rich.text import Text

    from streamer.cli.printer import make_table

    parts: list[Any] = []
    for one in found:
        parts.append(Text(_heading(one)))
        if rows := _rows(one, ended):
            parts.append(make_table(_WORKER_COLUMNS, rows))
    return Group(*parts) if parts else Text("no endpoints")
