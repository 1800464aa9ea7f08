"""Applies documents: checks them, publishes what changed, and waits for the workers' answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from streamer.config import Settings
from streamer.control.bootstrap import ensure_control_topics
from streamer.control.config_log import publish, read_admission
from streamer.control.document_files import AuthoredDocument
from streamer.control.model_checks import CheckModel
from streamer.control.model_sources import isolated_check, read_catalogue
from streamer.control.placed_problems import PlacedProblem
from streamer.control.plan import PlannedDocument, plan
from streamer.control.topic_plan import carry_out
from streamer.control.worker_answers import AnswerState, Awaited, WorkerAnswer, await_answers
from streamer.routing.admission import Admission, Admitted, Refused
from streamer.routing.problems import Problem


class Outcome(StrEnum):
    """What became of one document. ``withheld``: it was sound, but another one of the same call was not."""

    unchanged = "unchanged"
    published = "published"
    refused = "refused"
    withheld = "withheld"


@dataclass(frozen=True, slots=True)
class Progress:
    """Something that people who wait want to see.

    Attributes:
        key: The document.
        what: What is happening with it.
        workers: The answers so far, while workers are waited for.
    """

    key: str
    what: str
    workers: tuple[WorkerAnswer, ...] = ()


@dataclass(frozen=True, slots=True)
class DocumentResult:
    """What became of one document.

    Attributes:
        revision: The revision that it is now; None if it was not published.
        problems: Why it was refused.
        created_topics: The endpoint's topics that were missing.
        grown_topics: Its output topics that got as many partitions as the events have.
        workers: Every live worker's answer; empty if none is alive, or nothing was waited for.
        rollback_to: The revision that counted before, for `streamer.control.rollback`; None if there was none.
    """

    key: str
    outcome: Outcome
    revision: int | None = None
    problems: tuple[PlacedProblem, ...] = ()
    created_topics: tuple[str, ...] = ()
    grown_topics: tuple[str, ...] = ()
    workers: tuple[WorkerAnswer, ...] = ()
    rollback_to: int | None = None

    @property
    def succeeded(self) -> bool:
        """Whether it counts, and every live worker serves it."""
        counts = self.outcome in (Outcome.unchanged, Outcome.published)
        return counts and all(answer.state is AnswerState.active for answer in self.workers)


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """What became of all documents of one call, endpoints before routings."""

    documents: tuple[DocumentResult, ...]

    @property
    def succeeded(self) -> bool:
        """Whether all of them count, and every live worker serves them."""
        return all(document.succeeded for document in self.documents)


def apply(
    settings: Settings,
    documents: Sequence[AuthoredDocument],
    *,
    author: str,
    progress: Callable[[Progress], None] = lambda progress: None,
    wait_seconds: float = 60.0,
    check_model: CheckModel | None = None,
) -> ApplyResult:
    """Applies documents together: none is published unless all are sound.

    Args:
        settings: How to reach Kafka, the Schema Registry and the artifacts.
        documents: From `streamer.control.document_files.load_documents`.
        author: Who applies them, unless a document says.
        progress: Hears what is happening.
        wait_seconds: How long to wait for the workers' answers; 0 not at all.
        check_model: Tries one model version; None: in a process of its own, with limits.

    Raises:
        TopicProblem: A control topic exists and is unfit.
        KafkaError: The broker does not answer or refuses.
    """
    ensure_control_topics(settings.kafka)
    admission = read_admission(settings.kafka)
    planned = plan(
        settings,
        documents,
        admission=admission,
        catalogue=read_catalogue(settings.kafka),
        author=author,
        check_model=check_model or isolated_check(settings),
        told=lambda key, what: progress(Progress(key, what)),
    )
    if any(each.problems for each in planned):
        return ApplyResult(tuple(_not_published(each) for each in planned))
    results: list[DocumentResult] = []
    for each in planned:
        if any(result.outcome is Outcome.refused for result in results):
            results.append(DocumentResult(each.key, Outcome.withheld))
        else:
            results.append(_publish(settings, each, progress))
    if wait_seconds > 0:
        results = _with_answers(settings, results, admission, wait_seconds, progress)
    return ApplyResult(tuple(results))


def _not_published(each: PlannedDocument) -> DocumentResult:
    if each.problems:
        return DocumentResult(each.key, Outcome.refused, problems=tuple(each.problems))
    if each.is_unchanged and each.current is not None:
        return DocumentResult(each.key, Outcome.unchanged, each.current.revision)
    return DocumentResult(each.key, Outcome.withheld)


def _publish(settings: Settings, each: PlannedDocument, progress: Callable[[Progress], None]) -> DocumentResult:
    assert each.resolved is not None
    created, grown = _make_topics(settings, each, progress)
    if each.is_unchanged and each.current is not None:
        return DocumentResult(
            each.key, Outcome.unchanged, each.current.revision, created_topics=created, grown_topics=grown
        )
    progress(Progress(each.key, "publishing"))
    verdict = publish(settings.kafka, each.resolved)
    if isinstance(verdict, Admitted):
        rollback_to = each.current.revision if each.current is not None else None
        return DocumentResult(
            each.key,
            Outcome.published,
            verdict.revision,
            created_topics=created,
            grown_topics=grown,
            rollback_to=rollback_to,
        )
    reason = verdict.reason if isinstance(verdict, Refused) else "it was deleted meanwhile"
    if isinstance(verdict, Refused) and verdict.because == "stale":
        reason = f"somebody else changed it at the same moment: {reason}"
    return DocumentResult(each.key, Outcome.refused, problems=(each.authored.placed(Problem((), reason)),))


def _make_topics(
    settings: Settings, each: PlannedDocument, progress: Callable[[Progress], None]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Also for an unchanged endpoint: somebody may have deleted a topic, or grown the events."""
    if each.topics is None or not (each.topics.create or each.topics.grow):
        return (), ()
    created = tuple(spec.name for spec in each.topics.create)
    grown = tuple(each.topics.grow)
    progress(Progress(each.key, f"making topics {', '.join((*created, *grown))}"))
    carry_out(settings.kafka, each.topics)
    return created, grown


def _with_answers(
    settings: Settings,
    results: Sequence[DocumentResult],
    admission: Admission,
    wait_seconds: float,
    progress: Callable[[Progress], None],
) -> list[DocumentResult]:
    """Waits for the workers of what was published; an endpoint is served only once it has a routing."""
    published = {result.key: result.revision for result in results if result.outcome is Outcome.published}
    answers: dict[str, tuple[WorkerAnswer, ...]] = {}
    for name in sorted({key.split("/")[1] for key in published}):
        routing_revision = published.get(f"routing/{name}")
        if routing_revision is None and admission.routing(name) is None:
            continue
        key = f"routing/{name}" if routing_revision is not None else f"endpoint/{name}"
        awaited = Awaited(name, published.get(f"endpoint/{name}"), routing_revision)
        for told in await_answers(settings.kafka, awaited, deadline_seconds=wait_seconds):
            answers[name] = tuple(told)
            progress(Progress(key, "waiting for the workers", answers[name]))
    return [
        replace(result, workers=answers.get(result.key.split("/")[1], ())) if result.key in published else result
        for result in results
    ]
