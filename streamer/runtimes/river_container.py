"""The stored form of a river model.

    streamer-river/1\\n        what follows is of version 1 of this form
    <64 hex digits>\\n         the SHA-256 of everything behind this line
    {...}\\n                   a header, one line of JSON
    ...                       the state: a pickle of protocol 5

The header says which river wrote it (`river`), the Python class (`class`), and, where known, the features that the
model takes (`inputs`: name to dtype). Checksum and header are checked before a byte of the state is looked at.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streamer.errors import ModelInvalid

MAGIC = b"streamer-river/1\n"
_CHECKSUM_BYTES = 64

FeatureDtype = Literal["float64", "int64", "bool", "string"]


class RiverHeader(BaseModel):
    """What stands before the state."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    river: str
    class_: Annotated[str, Field(alias="class")]
    inputs: dict[str, FeatureDtype] | None = None


def pack(state: bytes, river_version: str, python_class: str, inputs: dict[str, FeatureDtype] | None) -> bytes:
    """A container."""
    header = RiverHeader(river=river_version, class_=python_class, inputs=inputs)
    body = header.model_dump_json(by_alias=True).encode() + b"\n" + state
    return MAGIC + _checksum(body) + b"\n" + body


def unpack(artifact: bytes) -> tuple[RiverHeader, bytes]:
    """Header and state, whole.

    Raises:
        ModelInvalid: It is no container, or damaged.
    """
    if not artifact.startswith(MAGIC):
        raise ModelInvalid(
            "the artifact is not a stored river model",
            advice="Write it with streamer.runtimes.river.dump_river(model); a plain pickle is never read.",
        )
    start = len(MAGIC) + _CHECKSUM_BYTES + 1
    checksum, body = artifact[len(MAGIC) : start], artifact[start:]
    if checksum != _checksum(body) + b"\n":
        raise ModelInvalid("the stored river model is damaged: its checksum differs", advice="Store it again.")
    line, _, state = body.partition(b"\n")
    try:
        return RiverHeader.model_validate_json(line), state
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ModelInvalid(
            f"the header of the stored river model is malformed: {'.'.join(map(str, first['loc']))}: {first['msg']}",
            advice="Store it again.",
        ) from error


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()
