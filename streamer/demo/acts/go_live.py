"""Applies the first routing, and starts two workers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from streamer.control.worker_answers import StatusBoard
from streamer.demo.acts.change_routing import apply_file
from streamer.demo.stage import ENDPOINT
from streamer.demo.worker_processes import WorkerProcess
from streamer.kafka.log import LogTail
from streamer.records.worker_status import WorkerState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import ExitStack

    from streamer.demo.stage import Stage

WORKERS = 2


def go_live(stage: Stage, environment: Mapping[str, str], stack: ExitStack) -> None:
    """Returns when both workers serve.

    Args:
        stage: The set-up.
        environment: What tells the workers of it.
        stack: Stops the workers at the end.
    """
    stage.screen.act(f"Go live: start {WORKERS} workers, apply a first routing")
    for slot in range(WORKERS):  # they wait for a routing
        worker = WorkerProcess(ENDPOINT, slot, environment, stage.folder)
        stack.callback(worker.stop)
        stage.workers.append(worker)
    apply_file(stage, "1-champion.yaml")
    board = StatusBoard()
    with LogTail(stage.settings.kafka, stage.settings.kafka.status_topic) as tail:

        def all_serve_with_partitions() -> bool:
            for record in tail.poll(0):
                board.take(record)
            alive = board.alive(ENDPOINT, time.time())
            serving = [each for each in alive if each.state is WorkerState.serving and each.partitions]
            return len(serving) == WORKERS

        stage.wait_until(all_serve_with_partitions, f"{WORKERS} workers to serve")
    stage.screen.say(f"{WORKERS} workers serve")
