"""Streamer deploys models onto Kafka streams.

``streamer.register`` turns a fitted estimator into a model version; `streamer.client` writes events and reads
inferences; everything else is the command line. Importing this package imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamer.control.register import register

__all__ = ["register"]


def __getattr__(name: str) -> Any:
    if name == "register":
        from streamer.control.register import register

        return register
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
