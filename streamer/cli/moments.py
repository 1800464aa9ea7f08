"""Moments as people type them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import typer

_AGO = re.compile(r"(\d{1,6})(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_moment(text: str, *, now: datetime | None = None) -> datetime:
    """A moment: ISO 8601 (UTC unless it says otherwise), epoch seconds, or ``15m`` for so long ago.

    Raises:
        typer.BadParameter: It is none of them.
    """
    ago = _AGO.fullmatch(text)
    if ago:
        return (now or datetime.now(UTC)) - timedelta(seconds=int(ago[1]) * _SECONDS[ago[2]])
    try:
        if text.replace(".", "", 1).isdecimal():
            return datetime.fromtimestamp(float(text), UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError) as error:
        raise typer.BadParameter(f"{text!r} is no moment; write 2026-01-31T12:00:00, epoch seconds, or 15m") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
