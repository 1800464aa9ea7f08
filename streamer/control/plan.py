"""What applying some documents would do: each resolved, checked and compared with what counts now. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from streamer.config import Settings
from streamer.control.diff import same_content
from streamer.control.document_files import AuthoredDocument
from streamer.control.model_checks import CheckModel, model_problems
from streamer.control.placed_problems import DocumentHasProblems, PlacedProblem
from streamer.control.resolve import ModelCatalogue, resolve
from streamer.control.topic_plan import TopicPlan, plan_topics
from streamer.routing.admission import Admission, Admitted, AnyDocument
from streamer.routing.documents import EndpointDocument, FramingName, RoutingDocument
from streamer.routing.problems import Problem, in_one_line
from streamer.routing.validation import endpoint_problems, routing_problems

Told = Callable[[str, str], None]
"""Called with a document's key and what is being done with it."""


@dataclass(slots=True)
class PlannedDocument:
    """One document on its way.

    Attributes:
        authored: As written.
        current: What counts now under its key; None if nothing does.
        resolved: What would be published; None if it could not be resolved.
        topics: What would happen to an endpoint's topics.
        problems: Why it cannot be applied.
    """

    authored: AuthoredDocument
    current: Admitted[AnyDocument] | None
    resolved: AnyDocument | None = None
    topics: TopicPlan | None = None
    problems: list[PlacedProblem] = field(default_factory=list)

    @property
    def key(self) -> str:
        """``endpoint/<name>`` or ``routing/<endpoint>``."""
        return self.authored.key

    @property
    def is_unchanged(self) -> bool:
        """Whether it says what counts already."""
        return (
            self.current is not None
            and self.resolved is not None
            and same_content(self.current.document, self.resolved)
        )

    def note(self, problem: Problem) -> None:
        """Takes down a problem, with its place in the file."""
        self.problems.append(self.authored.placed(problem))


def plan(
    settings: Settings,
    documents: Sequence[AuthoredDocument],
    *,
    admission: Admission,
    catalogue: ModelCatalogue,
    author: str,
    check_model: CheckModel,
    told: Told = lambda key, what: None,
) -> list[PlannedDocument]:
    """Resolves and checks documents together: a routing may stand in the same file as its new endpoint.

    Args:
        settings: How to reach Kafka; whether there is a Schema Registry.
        documents: As written.
        admission: What counts now.
        catalogue: The registered model versions.
        author: Who applies them, unless a document says.
        check_model: Tries one model version.
        told: Hears what is being done.

    Returns:
        The documents, endpoints before routings; those that cannot be applied have problems.

    Raises:
        KafkaError: The broker does not answer or refuses.
    """
    planned = [PlannedDocument(each, admission.current(each.key)) for each in documents]
    planned.sort(key=lambda each: each.key.split("/")[0])
    endpoints: dict[str, EndpointDocument] = {}
    for each in planned:
        told(each.key, "resolving and checking")
        try:
            each.resolved = resolve(
                each.authored,
                catalogue=catalogue,
                admission=admission,
                topic_prefix=settings.kafka.topic_prefix,
                author=author,
            )
        except DocumentHasProblems as error:
            each.problems += error.problems
            continue
        _check_based_on(each, admission)
        if isinstance(each.resolved, EndpointDocument):
            endpoints[each.resolved.name] = each.resolved
            _check_endpoint(each, each.resolved, settings)
    for each in planned:
        if isinstance(each.resolved, RoutingDocument):
            _check_routing(each, each.resolved, endpoints, admission, check_model, told)
        elif isinstance(each.resolved, EndpointDocument) and not each.problems and not each.is_unchanged:
            routed_anew = any(other.key == f"routing/{each.resolved.name}" for other in planned)
            if not routed_anew:
                _check_present_routing(each, each.resolved, admission, check_model, told)
    return planned


def _check_based_on(each: PlannedDocument, admission: Admission) -> None:
    written, newest = each.authored.document.based_on, admission.revision(each.key)
    if written is None or written == newest or each.is_unchanged or (each.current is None and written == 0):
        return
    what = f"is {written}, but the newest revision is {newest}"
    each.note(Problem(("based_on",), what, f"Look at it with `streamer diff`, then write {newest} or remove the key"))


def _check_endpoint(each: PlannedDocument, endpoint: EndpointDocument, settings: Settings) -> None:
    for problem in endpoint_problems(endpoint):
        each.note(problem)
    if settings.schema_registry.url is None:
        for key, framing in (("events", endpoint.events.framing), ("output", endpoint.output.framing)):
            if framing is FramingName.confluent:
                advice = "Set STREAMER_SCHEMA_REGISTRY__URL, here and for the workers, or choose single_object"
                each.note(Problem((key, "framing"), "confluent needs a Schema Registry, and none is set", advice))
    each.topics = plan_topics(settings.kafka, endpoint)
    for problem in each.topics.problems:
        each.note(problem)


def _check_routing(
    each: PlannedDocument,
    routing: RoutingDocument,
    endpoints: dict[str, EndpointDocument],
    admission: Admission,
    check_model: CheckModel,
    told: Told,
) -> None:
    present = admission.endpoint(routing.endpoint)
    endpoint = endpoints.get(routing.endpoint) or (present.document if present is not None else None)
    if endpoint is None:
        known = ", ".join(admission.endpoints()) or "none yet"
        advice = f"Apply its endpoint document first, or in the same file. There are: {known}"
        each.note(Problem(("endpoint",), f"there is no endpoint {routing.endpoint}", advice))
        return
    for problem in routing_problems(routing, endpoint):
        each.note(problem)
    if not each.is_unchanged:
        for problem in _model_problems(each.key, routing, endpoint, check_model, told):
            each.note(problem)


def _check_present_routing(
    each: PlannedDocument, endpoint: EndpointDocument, admission: Admission, check_model: CheckModel, told: Told
) -> None:
    """A changed endpoint must not break the routing that is being served."""
    present = admission.routing(endpoint.name)
    if present is None:
        return
    problems = routing_problems(present.document, endpoint)
    problems += _model_problems(each.key, present.document, endpoint, check_model, told)
    if problems:
        what = f"routing revision {present.revision} would no longer work: {in_one_line(problems, at_most=3)}"
        each.note(Problem((), what, "Put a routing that fits into the same file"))


def _model_problems(
    key: str, routing: RoutingDocument, endpoint: EndpointDocument, check_model: CheckModel, told: Told
) -> list[Problem]:
    return list(
        model_problems(
            routing,
            endpoint,
            check_model,
            lambda version: told(key, f"validating {version.name} version {version.version}"),
        )
    )
