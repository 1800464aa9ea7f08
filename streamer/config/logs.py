"""Structured logs on standard error: one line per event, for people or as JSON, with secrets masked.

Every module logs with ``structlog.get_logger(__name__)``; libraries that log with the standard ``logging`` module
(librdkafka through our callback, httpx) come out of the same handler in the same form.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from streamer.config.settings import LogSettings

MASK = "********"

_SECRET_KEY = re.compile(
    r"passw(or)?d|passphrase|secret|credential|token|authorization|api[._-]?key|access[._-]?key|private[._-]?key"
    r"|^sasl[._]|[._]sasl[._]|ssl\.key",
    re.IGNORECASE,
)
# What betrays a secret inside a text: credentials in a URL, an Authorization header, key=value, a private key.
_SECRET_TEXT = (
    (re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"), MASK),
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9+/=._~-]{8,}"), rf"\1 {MASK}"),
    (
        re.compile(
            r"""(?ix) (["']? [\w.]* (?: passw(?:or)?d | secret | token ) [\w.]* ["']? \s* [=:] \s*)
                (?: "[^"]*" | '[^']*' | [^\s,;&)}\]]+ )"""
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), MASK),
)
_CHATTY_LIBRARIES = ("httpx", "httpcore")


class _Handler(logging.StreamHandler[IO[str]]):
    """Our own handler, so that configuring again replaces it instead of doubling every line."""


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Masks values whose key names a secret, at any depth, and secrets inside texts (URLs, tracebacks)."""
    return {key: _redacted(key, value) for key, value in event.items()}


def _redacted(key: object, value: Any) -> Any:
    if isinstance(key, str) and value is not None and _SECRET_KEY.search(key):
        return MASK
    if isinstance(value, str):
        for pattern, replacement in _SECRET_TEXT:
            value = pattern.sub(replacement, value)
        return value
    if isinstance(value, Mapping):
        return {inner: _redacted(inner, item) for inner, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_redacted(None, item) for item in value]
    return value


def configure_logs(settings: LogSettings, *, stream: IO[str] | None = None) -> None:
    """Sends every log of this process to ``stream`` in the form that the settings name.

    Args:
        settings: Level and form; ``auto`` is the console form on a terminal and JSON elsewhere.
        stream: Standard error if None. Standard output is for results, never for logs.
    """
    stream = sys.stderr if stream is None else stream
    as_json = settings.form == "json" or (settings.form == "auto" and not stream.isatty())
    level = logging.getLevelNamesMapping()[settings.level.upper()]

    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
    ]
    # Tracebacks become text before the masking, so that it sees them too.
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if as_json:
        last += [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer(sort_keys=True)]
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), timestamp_key="at", exception_formatter=structlog.dev.plain_traceback
        )
        last += [structlog.processors.format_exc_info, redact, renderer]

    handler = _Handler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=before, processors=last))
    root = logging.getLogger()
    for old in list(root.handlers):
        if isinstance(old, _Handler):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _CHATTY_LIBRARIES:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))

    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
