"""A deployment for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.deployment import Deployment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def deployment(broker: str, unique: str, tmp_path: Path) -> Iterator[Deployment]:
    """An endpoint of two partitions, without documents or workers yet."""
    with Deployment(broker, unique, tmp_path) as made:
        yield made
