"""A deployment for each test, on the broker that the integration tests share."""

from __future__ import annotations

from tests.integration.worker.conftest import deployment

__all__ = ["deployment"]
