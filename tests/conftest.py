"""Fixtures for every kind of test."""

from __future__ import annotations

import re
import uuid

import pytest


@pytest.fixture
def unique(request: pytest.FixtureRequest) -> str:
    """A name that no other test uses, to begin the names of topics, groups and slots with."""
    readable = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40].rstrip("-")
    return f"{readable}-{uuid.uuid4().hex[:8]}"
