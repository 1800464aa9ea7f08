from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

import pytest

from streamer.broker.ephemeral_folder import EphemeralFolder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def abandoned_folder(parent: Path, age_seconds: float) -> Path:
    folder = parent / "streamer-broker-abandoned"
    folder.mkdir()
    lock = folder / "owner.lock"
    lock.touch()
    then = lock.stat().st_mtime - age_seconds
    os.utime(lock, (then, then))
    return folder


def test_what_a_killed_owner_left_is_removed_by_the_next(temporary_folder: Path) -> None:
    abandoned = abandoned_folder(temporary_folder, age_seconds=3600)
    folder = EphemeralFolder()
    assert not abandoned.exists()
    folder.remove()
    assert list(temporary_folder.iterdir()) == []


def test_a_folder_whose_owner_lives_is_left_alone(temporary_folder: Path) -> None:
    owned = EphemeralFolder()
    then = owned.path.stat().st_mtime - 3600
    os.utime(owned.path / "owner.lock", (then, then))
    other = EphemeralFolder()
    assert owned.path.exists()
    other.remove()
    owned.remove()


def test_a_folder_in_the_making_is_left_alone(temporary_folder: Path) -> None:
    young = abandoned_folder(temporary_folder, age_seconds=0)
    EphemeralFolder().remove()
    assert young.exists()
