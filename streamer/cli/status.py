"""``streamer status``: workers, partitions, revisions and lag, at a glance."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamer.cli.session import Session, command

if TYPE_CHECKING:
    from streamer.config import KafkaSettings
    from streamer.records.worker_status import WorkerStatus
    from streamer.routing.admission import Admission

_COLUMNS = ("worker", "state", "revision", "partitions", "lag", "models", "seen", "metrics", "trouble")


def add_to(app: typer.Typer) -> None:
    """Adds the command to the root."""
    command(app, "status")(status)


def status(
    session: Session,
    endpoint: Annotated[str | None, typer.Argument(metavar="[ENDPOINT]", help="Only this endpoint.")] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Draw it again and again until control-C.")] = False,
    every: Annotated[float, typer.Option("--every", help="With --watch: seconds between drawings.", min=0.1)] = 1.0,
    everything: Annotated[bool, typer.Option("--all", help="Show workers that have ended, too.")] = False,
) -> None:
    """Show endpoints and their workers: who is alive, what each serves, and how far behind it is.

    Exit code 1 if an endpoint that has a routing has no live worker, or a worker is degraded.

    \b
    Example:
      streamer status --watch
      streamer status flights --output json | jq .endpoints[0].lag
    """
    from streamer.kafka.log import LogTail

    kafka = session.settings.kafka
    printer = session.printer
    if not watch:
        snapshot = take_snapshot(kafka, endpoint, everything)
        if printer.as_json:
            printer.document(snapshot)
        else:
            for line, rows in _views(snapshot):
                printer.text(line)
                if rows:
                    printer.table(_COLUMNS, rows)
            if not snapshot["endpoints"]:
                printer.text("no endpoints; make one with `streamer init` and `streamer apply`")
        if not snapshot["healthy"]:
            raise typer.Exit(1)
        return
    with printer.live() as view, LogTail(kafka, kafka.status_topic, start="end") as news:
        while True:
            snapshot = take_snapshot(kafka, endpoint, everything)
            if printer.as_json:
                printer.line(snapshot)
            else:
                view.show(_drawing(snapshot), _summary(snapshot))
            deadline = time.monotonic() + every
            while time.monotonic() < deadline:
                news.poll(max(deadline - time.monotonic(), 0))


def take_snapshot(kafka: KafkaSettings, endpoint: str | None, everything: bool) -> dict[str, Any]:
    """The state of all endpoints, or of one, as it is now.

    Raises:
        KafkaError: Kafka does not answer, or refuses us.
    """
    from streamer.control.config_log import read_admission_or_empty
    from streamer.control.worker_answers import StatusBoard
    from streamer.errors import ConfigurationError, TopicProblem
    from streamer.kafka.log import read_log

    admission = read_admission_or_empty(kafka)
    board = StatusBoard()
    try:
        for record in read_log(kafka, kafka.status_topic, deadline_seconds=kafka.request_timeout_seconds):
            board.take(record)
    except TopicProblem:
        pass  # nothing was ever applied, so nobody works
    names = sorted({*admission.endpoints(), *(one.endpoint for one in board.workers())})
    if endpoint is not None:
        if endpoint not in names:
            listed = ", ".join(names) or "none"
            raise ConfigurationError(f"there is no endpoint {endpoint!r}", advice=f"The endpoints are: {listed}")
        names = [endpoint]
    now = time.time()
    endpoints = [_endpoint(name, admission, board.workers(name), now, everything) for name in names]
    return {"at": now, "healthy": all(one["healthy"] for one in endpoints), "endpoints": endpoints}


def _endpoint(
    name: str, admission: Admission, workers: list[WorkerStatus], now: float, everything: bool
) -> dict[str, Any]:
    routing = admission.routing(name)
    document = admission.endpoint(name)
    alive = [worker for worker in workers if worker.is_alive(now)]
    shown = workers if everything else alive
    degraded = [worker for worker in alive if worker.degraded is not None or worker.refused is not None]
    return {
        "endpoint": name,
        "revision": document.revision if document is not None else None,
        "routing_revision": routing.revision if routing is not None else None,
        "routing_reason": routing.reason if routing is not None else None,
        "healthy": not degraded and (bool(alive) or routing is None),
        "lag": sum(partition.lag for worker in alive for partition in worker.partitions),
        "workers": [
            {**worker.model_dump(mode="json"), "alive": worker.is_alive(now), "seen_seconds_ago": now - worker.at}
            for worker in shown
        ],
    }


def _views(snapshot: dict[str, Any]) -> list[tuple[str, list[tuple[Any, ...]]]]:
    """For each endpoint: a line about it, and a row for each worker."""
    return [(_heading(one), [_row(worker) for worker in one["workers"]]) for one in snapshot["endpoints"]]


def _heading(one: dict[str, Any]) -> str:
    if one["routing_revision"] is None:
        about = "no routing yet"
    else:
        about = f"routing revision {one['routing_revision']}: {one['routing_reason']}"
    alive = sum(worker["alive"] for worker in one["workers"])
    count = f"{alive} worker{'' if alive == 1 else 's'}" if alive else "no worker alive"
    return f"{one['endpoint']}: {about}; {count}, lag {one['lag']:,}"


def _row(worker: dict[str, Any]) -> tuple[Any, ...]:
    partitions = worker["partitions"]
    trouble = worker["degraded"]
    if worker["refused"] is not None:
        trouble = f"refuses revision {worker['refused']['revision']}: {worker['refused']['reason']}"
    elif worker["preparing"] is not None:
        trouble = trouble or f"preparing revision {worker['preparing']}"
    return (
        worker["worker"],
        worker["state"] if worker["alive"] else "gone",
        worker["routing_revision"],
        ",".join(str(partition["partition"]) for partition in partitions) or None,
        sum(partition["lag"] for partition in partitions),
        ", ".join(f"{model['variant']}={model['name']}:{model['version']}" for model in worker["models"]) or None,
        f"{max(worker['seen_seconds_ago'], 0):.0f} s ago",
        f"http://{worker['http']}/metrics" if worker["http"] else None,
        trouble,
    )


def _drawing(snapshot: dict[str, Any]) -> Any:
    from rich.console import Group
    from rich.text import Text

    from streamer.cli.printer import make_table

    parts: list[Any] = []
    for line, rows in _views(snapshot):
        parts.append(Text(line))
        if rows:
            parts.append(make_table(_COLUMNS, rows))
    return Group(*parts) if parts else Text("no endpoints")


def _summary(snapshot: dict[str, Any]) -> str:
    """One line for each endpoint, where there is no terminal to draw on."""
    return "\n".join(line for line, _ in _views(snapshot)) or "no endpoints"
