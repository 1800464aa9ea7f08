from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from streamer.broker.cache_directory import cache_directory


def test_the_environment_names_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMER_CACHE_DIR", str(tmp_path))
    assert cache_directory() == tmp_path


def test_without_it_the_users_cache_folder_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STREAMER_CACHE_DIR", raising=False)
    assert cache_directory() == Path(platformdirs.user_cache_dir("streamer"))
