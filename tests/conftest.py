"""Fixtures for every kind of test."""

from __future__ import annotations

import os
import re
import uuid
from typing import TYPE_CHECKING

import pytest

from streamer.broker import up

if TYPE_CHECKING:
    from collections.abc import Iterator

BOOTSTRAP_SERVERS_VARIABLE = "STREAMER_TEST_BOOTSTRAP_SERVERS"


@pytest.fixture
def unique(request: pytest.FixtureRequest) -> str:
    """A name that no other test uses, to begin the names of topics, groups and slots with."""
    readable = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40].rstrip("-")
    return f"{readable}-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """Bootstrap servers of a real broker: one per session, or the one that the environment names.

    A broker that does not start fails every test that needs it; it never skips them.
    """
    given = os.environ.get(BOOTSTRAP_SERVERS_VARIABLE)
    if given:
        yield given
        return
    with up(ephemeral=True) as started:
        yield started.bootstrap_servers
