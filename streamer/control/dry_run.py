"""Says what applying would do, and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamer.config import Settings
from streamer.control.apply import Outcome
from streamer.control.config_log import read_admission_or_empty
from streamer.control.diff import Change, diff
from streamer.control.document_files import AuthoredDocument
from streamer.control.event_sample import recent_sample, synthetic_sample
from streamer.control.model_checks import CheckModel
from streamer.control.model_sources import isolated_check, read_catalogue
from streamer.control.placed_problems import PlacedProblem
from streamer.control.plan import PlannedDocument, Told, plan
from streamer.control.routing_preview import RoutingPreview, preview_routing
from streamer.control.topic_plan import TopicPlan
from streamer.errors import ConfigurationError, SchemaRegistryError
from streamer.routing.admission import Admission
from streamer.routing.documents import EndpointDocument, RoutingDocument


@dataclass(frozen=True, slots=True)
class DryRun:
    """What applying one document would do.

    Attributes:
        key: The document.
        outcome: ``published`` (it would be), ``unchanged``, or ``refused``.
        current_revision: The one that counts now; None if none does.
        changes: What differs from it.
        problems: Why it would be refused.
        topics: What would happen to an endpoint's topics.
        routing: The shares that the variants of a routing would get.
    """

    key: str
    outcome: Outcome
    current_revision: int | None
    changes: tuple[Change, ...]
    problems: tuple[PlacedProblem, ...] = ()
    topics: TopicPlan | None = None
    routing: RoutingPreview | None = None


def dry_run(
    settings: Settings,
    documents: Sequence[AuthoredDocument],
    *,
    author: str,
    check_model: CheckModel | None = None,
    told: Told = lambda key, what: None,
) -> list[DryRun]:
    """Resolves, checks and compares documents as `streamer.control.apply.apply` would.

    A routing is tried on the endpoint's newest events, or on made-up keys if there are none.

    Raises:
        KafkaError: The broker does not answer or refuses.
    """
    admission = read_admission_or_empty(settings.kafka)
    planned = plan(
        settings,
        documents,
        admission=admission,
        catalogue=read_catalogue(settings.kafka),
        author=author,
        check_model=check_model or isolated_check(settings),
        told=told,
    )
    endpoints = {each.resolved.name: each.resolved for each in planned if isinstance(each.resolved, EndpointDocument)}
    return [_said(settings, each, admission, endpoints) for each in planned]


def _said(
    settings: Settings, each: PlannedDocument, admission: Admission, endpoints: dict[str, EndpointDocument]
) -> DryRun:
    before = each.current.document if each.current is not None else None
    outcome = Outcome.refused if each.problems else Outcome.unchanged if each.is_unchanged else Outcome.published
    preview = None
    if isinstance(each.resolved, RoutingDocument) and not each.problems:
        present = admission.endpoint(each.resolved.endpoint)
        endpoint = endpoints.get(each.resolved.endpoint) or (present.document if present is not None else None)
        current = before if isinstance(before, RoutingDocument) else None
        preview = _preview(settings, endpoint, current, each.resolved)
    return DryRun(
        key=each.key,
        outcome=outcome,
        current_revision=each.current.revision if each.current is not None else None,
        changes=tuple(diff(before, each.resolved)) if each.resolved is not None else (),
        problems=tuple(each.problems),
        topics=each.topics,
        routing=preview,
    )


def _preview(
    settings: Settings, endpoint: EndpointDocument | None, before: RoutingDocument | None, after: RoutingDocument
) -> RoutingPreview:
    try:
        sample = recent_sample(settings, endpoint) if endpoint is not None else None
    except (ConfigurationError, SchemaRegistryError):  # the events cannot be read from here: keys serve as well
        sample = None
    return preview_routing(before, after, sample or synthetic_sample())
