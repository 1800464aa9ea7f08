"""`streamer worker` with one step changed, run as a script: `altered_worker.py ALTERATION --endpoint E --slot K`.

The mutants skip a step that exactly-once needs, so that a test can show that its check would notice.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def skip_send_offsets() -> None:
    """Commits the messages without the positions that they answer."""
    import confluent_kafka as ck

    _replace_in_producers(ck, send_offsets_to_transaction=lambda *_: None)


def skip_rewind() -> None:
    """After an abort goes on behind what was aborted."""
    from streamer.kafka.consumer import GroupConsumer

    GroupConsumer.rewind = lambda self: None  # type: ignore[method-assign]
    failing_commits()


def failing_commits() -> None:
    """Every third commit fails, so that it must be aborted."""
    from streamer import errors
    from streamer.kafka.exactly_once import ExactlyOncePublisher

    commit = ExactlyOncePublisher.commit
    commits = iter(range(1_000_000))

    def failing(self: ExactlyOncePublisher, positions: Any) -> None:
        if next(commits) % 3 == 2:
            raise errors.TransactionAborted("this one was made to fail")
        commit(self, positions)

    ExactlyOncePublisher.commit = failing  # type: ignore[method-assign]


def fresh_group_metadata() -> None:
    """Freezes in its third commit; thawed, it commits that batch as the member of the group that it is by then."""
    _commit_third_batch_after_rejoining(lambda positions, now: replace(positions, group_metadata=now))


def captured_group_metadata() -> None:
    """Freezes in its third commit; thawed, it tries to commit that batch as the member that it was."""
    _commit_third_batch_after_rejoining(lambda positions, _: positions)


def _commit_third_batch_after_rejoining(thawed: Callable[[Any, Any], Any]) -> None:
    """A worker that goes on polling while a commit hangs, so that it can come after the worker has joined again."""
    from streamer.kafka.consumer import GroupConsumer
    from streamer.kafka.exactly_once import ExactlyOncePublisher
    from streamer.worker.commits import Commits

    members: list[Any] = []
    consumers: list[GroupConsumer] = []
    frozen_once, rejoined = threading.Event(), threading.Event()
    on_assign = GroupConsumer._on_assign
    commit = ExactlyOncePublisher.commit
    wait = Commits.wait
    commits = iter(range(1_000_000))

    def assigned(self: GroupConsumer, consumer: Any, partitions: list[Any]) -> None:
        on_assign(self, consumer, partitions)
        members.append(self._group_metadata)
        consumers.append(self)
        if len(members) > 1:
            rejoined.set()

    def frozen(self: ExactlyOncePublisher, positions: Any) -> None:
        if next(commits) == 2:
            frozen_once.set()
            os.kill(os.getpid(), signal.SIGSTOP)
            assert rejoined.wait(20)
            positions = thawed(positions, members[-1])
        commit(self, positions)

    def polling(self: Commits) -> None:
        while self._under_way is not None and not self._under_way[0].done():
            if frozen_once.is_set():
                consumers[-1].poll_batch(1, 0.01, 0.0)
            else:
                time.sleep(0.001)
        wait(self)

    GroupConsumer._on_assign = assigned  # type: ignore[method-assign]
    ExactlyOncePublisher.commit = frozen  # type: ignore[method-assign]
    Commits.wait = polling  # type: ignore[method-assign]
    Commits.settle = lambda self: None  # type: ignore[method-assign]


def read_uncommitted() -> None:
    """Reads events of transactions that were aborted or are still open."""
    from streamer.kafka import consumer as consumers

    new_consumer = consumers.new_consumer
    consumers.new_consumer = lambda config, latch: new_consumer(  # type: ignore[assignment]
        {**config, "isolation.level": "read_uncommitted"}, latch
    )


def slow_shadow() -> None:
    """A shadow sleeps a second for each batch."""
    from streamer.routing.documents import Role
    from streamer.worker.scoring import Scorer

    ask = Scorer._ask

    def slow(self: Any, routing: Any, arm: Any, events: Any, rows: Any) -> Any:
        if arm.role is Role.shadow and arm.variant.startswith("slow"):
            time.sleep(1.0)
        return ask(self, routing, arm, events, rows)

    Scorer._ask = slow  # type: ignore[method-assign]


def no_slot_check() -> None:
    """Does not look whether somebody else has the slot."""
    from streamer.worker import process

    process.refuse_slot_in_use = lambda *_: None  # type: ignore[assignment]


def unchanged() -> None:
    """Everything as it is."""


ALTERATIONS: dict[str, Callable[[], None]] = {
    alteration.__name__: alteration
    for alteration in (
        skip_send_offsets,
        skip_rewind,
        failing_commits,
        fresh_group_metadata,
        captured_group_metadata,
        read_uncommitted,
        slow_shadow,
        no_slot_check,
        unchanged,
    )
}


def _replace_in_producers(ck: Any, **methods: Callable[..., Any]) -> None:
    """confluent_kafka's classes are written in C: their methods are replaced in a subclass."""
    ck.Producer = type("Producer", (ck.Producer,), {name: staticmethod(method) for name, method in methods.items()})


def main() -> None:
    faulthandler.register(signal.SIGUSR1, all_threads=True)  # so that one that hangs can be asked where
    ALTERATIONS[sys.argv[1]]()
    sys.argv = ["streamer", "worker", *sys.argv[2:]]
    from streamer.cli.app import main as command_line

    command_line()


if __name__ == "__main__":
    main()
