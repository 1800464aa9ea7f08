"""A thread that runs calls in order and never keeps the process from ending, even when a call hangs."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class DaemonThread:
    """Runs one call at a time, in the order of :meth:`submit`.

    ThreadPoolExecutor's threads are joined when the interpreter exits; one foreign model that hangs would keep a
    worker from ever stopping.
    """

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """The future of ``call()``."""
        future: Future[T] = Future()
        self._calls.put((future, call))
        return future

    def close(self) -> None:
        """Ends the thread after what was submitted; not waited for."""
        self._calls.put(None)

    def _run(self) -> None:
        while (item := self._calls.get()) is not None:
            _answer(*item)
            del item  # or a thread that waits for its next call would keep a batch and its models


def _answer(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(call())
    except BaseException as failure:  # belongs to whoever waits for the future
        future.set_exception(failure)
