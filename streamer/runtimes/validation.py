"""Tries a model version in a process of its own, with limits on its time and memory.

An artifact is a program that somebody else wrote. It can loop for ever, allocate everything, or crash its process;
here that process is not ours.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

import orjson

from streamer.errors import ModelInvalid, ValidationLimitExceeded
from streamer.records.model_version import Signature

if TYPE_CHECKING:
    from streamer.records.model_version import ModelVersion

_MEBIBYTE = 1024**2
_MAX_ANSWER_BYTES = 64 * 1024
_KEPT_VARIABLES = frozenset(
    {"HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "PYTHONHOME", "PYTHONPATH", "TMPDIR", "TZ", "VIRTUAL_ENV"}
)


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
    request = {
        "version": version.model_dump(mode="json"),
        "event_schema": event_schema,
        "output_schema": output_schema,
    }
    _ask(request, artifact, f"{version.name} version {version.version}", limits)


def signature_in_process(artifact: bytes, format: str, limits: ValidationLimits = DEFAULT_LIMITS) -> Signature:
    """Loads an artifact elsewhere and says what it takes and gives.

    Args:
        artifact: Its bytes.
        format: Of which runtime it is.
        limits: What it may use.

    Raises:
        ModelInvalid: It does not load; says why.
        ValidationLimitExceeded: It ran out of time or memory.
    """
    verdict = _ask({"format": format}, artifact, None, limits)
    return Signature.model_validate(verdict["signature"])


def _ask(request: dict[str, Any], artifact: bytes, where: str | None, limits: ValidationLimits) -> dict[str, Any]:
    """What the process says of a sound artifact."""
    text = orjson.dumps(request)
    memory_bytes = limits.memory_bytes + 3 * len(artifact)
    numbers = [str(memory_bytes), str(math.ceil(limits.seconds)), str(_MAX_ANSWER_BYTES), str(len(text))]
    # Files, not pipes, take what it says: the limit on file sizes bounds them. The folder is empty, so that a model
    # that asks for a neighbouring file finds none.
    with (
        tempfile.TemporaryDirectory(prefix="streamer-validation-") as folder,
        TemporaryFile() as out,
        TemporaryFile() as err,
    ):
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "streamer.runtimes.validation_process", *numbers],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            cwd=folder,
            env=_environment(),
            start_new_session=True,
        )
        try:
            child.communicate(text + artifact, timeout=limits.seconds)
        except subprocess.TimeoutExpired as expired:
            raise _too_slow(limits.seconds, where) from expired
        finally:
            _kill(child)
        answer, complaints = _beginning(out), _beginning(err)
    if child.returncode == -signal.SIGXCPU:
        raise _too_slow(limits.seconds, where)
    return _judged(child.returncode, answer, complaints, where, memory_bytes)


def _environment() -> dict[str, str]:
    """What the interpreter needs to start; no key or password of ours."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT_VARIABLES or name.startswith(("LC_", "COVERAGE_"))
    }


def _beginning(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read(_MAX_ANSWER_BYTES)


def _too_slow(seconds: float, where: str | None) -> ValidationLimitExceeded:
    return ValidationLimitExceeded(
        f"trying the model took longer than {seconds:g} s",
        where=where,
        advice="It may loop for ever; if it is only slow, raise the limit",
    )


def _kill(child: subprocess.Popen[bytes]) -> None:
    """Ends the child and whatever it started."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()


def _judged(status: int, answer: bytes, complaints: bytes, where: str | None, memory_bytes: int) -> dict[str, Any]:
    try:
        verdict = orjson.loads(answer)
    except orjson.JSONDecodeError:
        verdict = None
    if status == 0 and isinstance(verdict, dict) and verdict.get("valid") is True:
        return verdict
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
