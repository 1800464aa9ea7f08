"""The broker that integration tests talk to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from streamer.broker import up

if TYPE_CHECKING:
    from collections.abc import Iterator

BOOTSTRAP_SERVERS_VARIABLE = "STREAMER_TEST_BOOTSTRAP_SERVERS"


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
