"""What an HTTP answer of a Schema Registry means, in our terms."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamer.errors import (
    SchemaIncompatible,
    SchemaNotFound,
    SchemaRegistryError,
    SchemaRegistryRefused,
    SchemaRegistryUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_OK = 200
_UNAUTHORISED = 401
_FORBIDDEN = 403
_NOT_FOUND = 404
_REQUEST_TIMEOUT = 408
_CONFLICT = 409
_UNPROCESSABLE = 422
_TOO_MANY_REQUESTS = 429
_SERVER_ERRORS = 500
_REDIRECTS = range(300, 400)

# Error codes of the Schema Registry's API: subject, version, schema not found.
_NOT_FOUND_CODES = frozenset({40401, 40402, 40403})
_QUOTED_CHARACTERS = 600


@dataclass(frozen=True)
class HttpAnswer:
    """One answer, read to its end.

    Attributes:
        status: The HTTP status.
        body: The bytes of its body.
        headers: Its headers, by lower-case name.
    """

    status: int
    body: bytes
    headers: Mapping[str, str]

    def asks_to_try_again(self) -> bool:
        """Whether the same request may succeed later, or elsewhere."""
        return self.status >= _SERVER_ERRORS or self.status in (_REQUEST_TIMEOUT, _TOO_MANY_REQUESTS)

    def retry_after_seconds(self) -> float:
        """How long the registry asks to be left alone: 0 if it does not say so in seconds."""
        text = self.headers.get("retry-after", "")
        return float(text) if text.isascii() and text.isdigit() else 0.0


def json_of(answer: HttpAnswer, where: str, *, may_be_unsupported: bool = False) -> Any:
    """Return the JSON of a successful answer.

    Args:
        answer: The answer.
        where: The request, for errors.
        may_be_unsupported: Whether a registry that does not know the path at all is to be expected.

    Raises:
        SchemaRegistryError: It is not a successful answer; the class says which kind of failure.
    """
    content = _parsed(answer.body)
    if answer.status != _OK:
        raise _failure(answer, content, where, may_be_unsupported)
    if content is None:
        raise SchemaRegistryRefused(
            "the answer is not JSON: this is no Schema Registry, or a proxy answers in its place",
            where=where,
            advice="Check the registry's URL",
        )
    return content


def nonsense(where: str) -> SchemaRegistryRefused:
    """Return the error for an answer that is JSON but not what the API promises."""
    return SchemaRegistryRefused(
        "the answer does not have the form of the Schema Registry API",
        where=where,
        advice="Check the registry's URL (Apicurio needs the path /apis/ccompat/v7)",
    )


def _failure(answer: HttpAnswer, content: Any, where: str, may_be_unsupported: bool) -> SchemaRegistryError:
    code = content.get("error_code") if isinstance(content, dict) else None
    said = _quoted(content.get("message")) if isinstance(content, dict) else ""
    status = answer.status
    if answer.asks_to_try_again():
        return SchemaRegistryUnavailable(
            f"the registry answered with status {status}{said}",
            where=where,
            advice="Try again later; the registry's own log says more",
        )
    if status == _NOT_FOUND and code in _NOT_FOUND_CODES:
        return SchemaNotFound(f"the registry does not have it{said}", where=where)
    if status == _NOT_FOUND and may_be_unsupported:
        return SchemaNotFound(f"the registry does not have it, or is too old to be asked for it{said}", where=where)
    if status == _NOT_FOUND:
        return SchemaRegistryRefused(
            f"there is nothing at this URL{said}",
            where=where,
            advice="Check the registry's URL (Apicurio needs the path /apis/ccompat/v7)",
        )
    if status == _CONFLICT:
        return SchemaIncompatible(
            f"the schema is not compatible with the subject's earlier versions{said}",
            where=where,
            advice="Add fields with defaults, and remove only fields that have one; or change the subject's "
            "compatibility level",
        )
    if status in (_UNAUTHORISED, _FORBIDDEN):
        return SchemaRegistryRefused(
            f"the registry does not admit us (status {status}){said}",
            where=where,
            advice="Check the user name and password, the token or the client certificate, and what they may do",
        )
    if status == _UNPROCESSABLE:
        return SchemaRegistryRefused(f"the registry finds the request invalid{said}", where=where)
    if status in _REDIRECTS:
        return SchemaRegistryRefused(
            f"the registry redirects (status {status}), which is not followed: credentials could go elsewhere",
            where=where,
            advice="Use the final URL",
        )
    return SchemaRegistryRefused(f"the registry answered with status {status}{said}", where=where)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _quoted(message: object) -> str:
    """Return the registry's own words, on one line and cut to a bearable length."""
    if not isinstance(message, str) or not message:
        return ""
    line = " ".join("".join(character if character.isprintable() else " " for character in message).split())
    if len(line) > _QUOTED_CHARACTERS:
        line = line[:_QUOTED_CHARACTERS] + "..."
    return f": {line}"
