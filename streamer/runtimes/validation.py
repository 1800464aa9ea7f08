"""Tries a model version in a process of its own, with limits on its time and memory.

An artifact is a program that somebody else wrote. It can loop for ever, allocate everything, or crash its process;
here that process is not ours.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from streamer.errors import ModelInvalid, ValidationLimitExceeded

if TYPE_CHECKING:
    from streamer.records.model_version import ModelVersion

_MEBIBYTE = 1024**2
_MAX_ANSWER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class ValidationLimits:
    """What a model may use while it is tried.

    Attributes:
        seconds: Wall-clock time, start of the process included.
        memory_bytes: Address space; the artifact's own size comes on top, three times.
    """

    seconds: float = 60.0
    memory_bytes: int = 4 * 1024**3


DEFAULT_LIMITS = ValidationLimits()


def validate_in_process(
    version: ModelVersion,
    artifact: bytes,
    event_schema: Mapping[str, Any],
    output_schema: Mapping[str, Any],
    limits: ValidationLimits = DEFAULT_LIMITS,
) -> None:
    """Loads, binds, warms and asks the golden records, as `streamer.runtimes.preparation.prepare`, elsewhere.

    Args:
        version: What the registry says of it.
        artifact: Its bytes.
        event_schema: The endpoint's events.
        output_schema: The endpoint's output.
        limits: What it may use.

    Raises:
        ModelInvalid: It does not work; says why.
        ValidationLimitExceeded: It ran out of time or memory.
    """
    where = f"{version.name} version {version.version}"
    memory_bytes = limits.memory_bytes + 3 * len(artifact)
    request = orjson.dumps(
        {"version": version.model_dump(mode="json"), "event_schema": event_schema, "output_schema": output_schema}
    )
    child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "streamer.runtimes.validation_process", str(memory_bytes), str(len(request))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        answer, complaints = child.communicate(request + artifact, timeout=limits.seconds)
    except subprocess.TimeoutExpired as expired:
        raise ValidationLimitExceeded(
            f"trying the model took longer than {limits.seconds:g} s",
            where=where,
            advice="It may loop for ever; if it is only slow, raise the limit",
        ) from expired
    finally:
        _kill(child)
    _judge(child.returncode, answer[:_MAX_ANSWER_BYTES], complaints[-_MAX_ANSWER_BYTES:], where, memory_bytes)


def _kill(child: subprocess.Popen[bytes]) -> None:
    """Ends the child and whatever it started."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()


def _judge(status: int, answer: bytes, complaints: bytes, where: str, memory_bytes: int) -> None:
    try:
        verdict = orjson.loads(answer)
    except orjson.JSONDecodeError:
        verdict = None
    if status == 0 and verdict == {"valid": True}:
        return
    if (isinstance(verdict, dict) and verdict.get("limit") == "memory") or b"bad_alloc" in complaints:
        raise ValidationLimitExceeded(
            f"trying the model needs more than {memory_bytes // _MEBIBYTE} MiB",
            where=where,
            advice="If the model is sound and this large, raise the limit",
        )
    if isinstance(verdict, dict) and isinstance(verdict.get("what"), str):
        raise ModelInvalid(verdict["what"], where=verdict.get("where") or where, advice=verdict.get("advice"))
    ended = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    last = complaints.decode(errors="replace").strip().splitlines()[-1:]
    raise ModelInvalid(
        f"the process that tried the model {ended}{': ' + last[0][:300] if last else ''}",
        where=where,
        advice="The artifact crashes its runtime; export it again",
    )
