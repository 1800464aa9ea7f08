"""The stored form of a river model.

    streamer-river/1\\n        what follows is of version 1 of this form
    {...}\\n                   a header, one line of JSON
    ...                       the state: a pickle of protocol 5

The header says which river wrote it (`river`), the Python class (`class`), the SHA-256 and size of the state
(`sha256`, `size_bytes`), and, where known, the features that the model takes (`inputs`: name to dtype). It is checked
before a byte of the state is looked at.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streamer.errors import ModelInvalid
from streamer.records.model_version import Sha256

MAGIC = b"streamer-river/1\n"
MAX_HEADER_BYTES = 1 << 20

FeatureDtype = Literal["float64", "int64", "bool", "string"]


class RiverHeader(BaseModel):
    """What stands before the state."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    river: str
    class_: Annotated[str, Field(alias="class")]
    sha256: Sha256
    size_bytes: Annotated[int, Field(ge=0)]
    inputs: dict[str, FeatureDtype] | None = None


def pack(state: bytes, river_version: str, python_class: str, inputs: dict[str, FeatureDtype] | None) -> bytes:
    """A container."""
    header = RiverHeader(
        river=river_version,
        class_=python_class,
        sha256=hashlib.sha256(state).hexdigest(),
        size_bytes=len(state),
        inputs=inputs,
    )
    return MAGIC + header.model_dump_json(by_alias=True).encode() + b"\n" + state


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
    end = artifact.find(b"\n", len(MAGIC), len(MAGIC) + MAX_HEADER_BYTES)
    if end < 0:
        raise ModelInvalid("the stored river model ends inside its header", advice="Store it again.")
    try:
        header = RiverHeader.model_validate_json(artifact[len(MAGIC) : end])
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ModelInvalid(
            f"the header of the stored river model is malformed: {'.'.join(map(str, first['loc']))}: {first['msg']}",
            advice="Store it again.",
        ) from error
    state = artifact[end + 1 :]
    if len(state) != header.size_bytes or hashlib.sha256(state).hexdigest() != header.sha256:
        raise ModelInvalid("the stored river model is damaged: its checksum differs", advice="Store it again.")
    return header, state
