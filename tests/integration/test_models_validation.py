"""Hostile and broken artifacts, tried in a process of their own: the caller lives and says what was wrong."""

from __future__ import annotations

import os
import resource
import subprocess
from typing import TYPE_CHECKING

import pytest

from streamer.errors import ModelInvalid, ValidationLimitExceeded
from streamer.records.model_version import GoldenRecord, Mapping
from streamer.runtimes.onnx import OnnxRuntime
from streamer.runtimes.validation import ValidationLimits, signature_in_process, validate_in_process
from tests.support.hostile_onnx import endless, gluttonous, honest, reading_a_file
from tests.unit.runtimes.test_preparation import EVENT, OUTPUT, version

if TYPE_CHECKING:
    from pathlib import Path

    from streamer.records.model_version import ModelVersion

LIMITS = ValidationLimits(seconds=60, memory_bytes=3 * 1024**3)


def version_of(artifact: bytes) -> ModelVersion:
    """A version whose signature is the artifact's own: loading these does them no harm, asking them does."""
    return version(signature=OnnxRuntime().load(artifact).signature)


def children() -> set[str]:
    """The processes that this one started and that still run."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=True
    ).stdout
    return {line for line in listed.splitlines() if "validation_process" in line}


def test_a_sound_version_passes_and_its_signature_is_told() -> None:
    golden = (GoldenRecord(event={"f": 2.0}, output={"y": 4.0}),)
    validate_in_process(version(golden=golden), honest(), EVENT, OUTPUT, LIMITS)
    assert signature_in_process(honest(), "onnx", LIMITS) == OnnxRuntime().load(honest()).signature


def test_what_prepare_refuses_is_told_with_place_and_advice() -> None:
    golden = (GoldenRecord(event={"f": 2.0}, output={"y": 5.0}),)
    with pytest.raises(ModelInvalid) as caught:
        validate_in_process(version(golden=golden), honest(), EVENT, OUTPUT, LIMITS)
    assert caught.value.where == "double version 3, golden[0].output.y"
    assert "expected 5.0, got 4.0" in caught.value.what
    assert caught.value.advice is not None


def test_an_endless_loop_is_ended_at_the_time_limit() -> None:
    looping = version_of(endless()).model_copy(update={"mapping": Mapping(inputs={"X": "f"}, outputs={"y": "y[0]"})})
    with pytest.raises(ValidationLimitExceeded, match="longer than 5 s"):
        validate_in_process(looping, endless(), EVENT, OUTPUT, ValidationLimits(5, 3 * 1024**3))
    assert not children()


def test_an_allocation_of_tens_of_gigabytes_is_refused_at_the_memory_limit() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValidationLimitExceeded, match="needs more than 3072 MiB"):
        validate_in_process(version_of(gluttonous()), gluttonous(), EVENT, OUTPUT, LIMITS)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


@pytest.mark.parametrize("damaged", [honest()[:-10], honest()[: len(honest()) // 2], b"", b"\x00" * 1000])
def test_a_broken_artifact_is_invalid(damaged: bytes) -> None:
    with pytest.raises(ModelInvalid):
        validate_in_process(version(), damaged, EVENT, OUTPUT, LIMITS)
    with pytest.raises(ModelInvalid):
        signature_in_process(damaged, "onnx", LIMITS)


def test_external_data_are_not_read_not_even_through_a_hard_link(tmp_path: Path) -> None:
    artifact = reading_a_file(tmp_path / "model.onnx", tmp_path / "weights.bin")
    with pytest.raises(ModelInvalid, match="external data"):
        signature_in_process(artifact, "onnx", LIMITS)


def test_a_process_that_crashes_is_told_by_its_signal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A package that crashes on import stands for a runtime that does."""
    package = tmp_path / "onnxruntime"
    package.mkdir()
    (package / "__init__.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ModelInvalid, match="was killed by SIGSEGV"):
        validate_in_process(version(), honest(), EVENT, OUTPUT, LIMITS)


def test_a_process_that_talks_without_end_does_not_fill_our_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "onnxruntime"
    package.mkdir()
    (package / "__init__.py").write_text("import os\nwhile True:\n    os.write(2, b'x' * 65536)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ModelInvalid):
        validate_in_process(version(), honest(), EVENT, OUTPUT, LIMITS)


def test_the_process_gets_none_of_our_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "onnxruntime"
    package.mkdir()
    (package / "__init__.py").write_text("import os\nraise RuntimeError(sorted(os.environ))\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("STREAMER_KAFKA__SASL_PASSWORD", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with pytest.raises(ModelInvalid) as caught:
        validate_in_process(version(), honest(), EVENT, OUTPUT, LIMITS)
    assert "PYTHONPATH" in caught.value.what
    assert "STREAMER" not in caught.value.what
    assert "AWS" not in caught.value.what
