"""Whether the model versions of a routing work for its endpoint: artifact, mapping and golden records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias
from uuid import UUID

from streamer.errors import ModelError, SchemaError, StreamerError
from streamer.records.model_version import ModelVersion
from streamer.routing.consistency import arms_with_location
from streamer.routing.documents import EndpointDocument, ResolvedModel, RoutingDocument
from streamer.routing.problems import Problem

CheckModel: TypeAlias = Callable[[ModelVersion, dict[str, Any], dict[str, Any]], None]
"""Takes a version, the event schema and the output schema; raises a ModelError if the version cannot answer."""


def model_problems(
    routing: RoutingDocument,
    endpoint: EndpointDocument,
    check: CheckModel,
    on_version: Callable[[ModelVersion], None] = lambda version: None,
) -> Iterator[Problem]:
    """Checks each version once; a problem is told at every variant that names the version.

    Args:
        routing: Resolved.
        endpoint: Resolved.
        check: Tries one version.
        on_version: Called before each version is tried, for it may take seconds.
    """
    events, output = endpoint.events.schema_, endpoint.output.schema_
    if not isinstance(events, dict) or not isinstance(output, dict):
        return
    failures: dict[UUID, StreamerError] = {}
    for version in routing.models:
        on_version(version)
        try:
            check(version, events, output)
        except (ModelError, SchemaError) as error:
            failures[version.uuid] = error
    for location, _, arm in arms_with_location(routing):
        failure = failures.get(arm.model.uuid) if isinstance(arm.model, ResolvedModel) else None
        if failure is not None:
            at = f"{failure.where}: " if failure.where else ""
            yield Problem((*location, "model"), f"{at}{failure.what}", (failure.advice or "").removesuffix("."))
