"""What ``streamer apply --dry-run`` prints: the diff, the topics, and the share each variant would get."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from streamer.cli.apply import problem_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.cli.session import Session
    from streamer.control.document_files import AuthoredDocument
    from streamer.control.dry_run import DryRun
    from streamer.control.routing_preview import PartPreview, RoutingPreview


def show_dry_run(session: Session, documents: Sequence[AuthoredDocument], author: str) -> bool:
    """Checks and compares the documents and prints what applying them would do.

    Returns:
        Whether all of them could be applied.
    """
    from rich.text import Text

    from streamer.control.dry_run import dry_run

    printer = session.printer
    with printer.live() as view:
        runs = dry_run(
            session.settings,
            documents,
            author=author,
            told=lambda key, what: view.show(Text(f"{key}: {what}"), f"{key}: {what}"),
        )
    sound = not any(run.problems for run in runs)
    if printer.as_json:
        printer.document({"would_succeed": sound, "documents": [_json(run) for run in runs]})
        return sound
    for run in runs:
        _print(session, run)
    printer.note("nothing was changed (--dry-run)")
    return sound


def _print(session: Session, run: DryRun) -> None:
    printer = session.printer
    would = {"published": "would be published", "unchanged": "unchanged", "refused": "would be refused"}
    since = (
        f", replacing revision {run.current_revision}" if run.current_revision and run.outcome != "unchanged" else ""
    )
    printer.text(f"{run.key}: {would.get(run.outcome, run.outcome)}{since}")
    for problem in run.problems:
        printer.text(f"  {problem}")
    if run.outcome == "refused":
        return
    for change in run.changes:
        printer.text(f"  {change}")
    if run.topics is not None:
        for spec in run.topics.create:
            printer.text(f"  would create topic {spec.name} with {spec.partitions} partitions")
        for name, partitions in run.topics.grow.items():
            printer.text(f"  would grow topic {name} to {partitions} partitions")
    if run.routing is not None:
        _print_routing(session, run.routing)


def _print_routing(session: Session, preview: RoutingPreview) -> None:
    printer = session.printer
    parts = ([preview.overall] if preview.overall is not None else []) + list(preview.parts)
    rows = [
        (_part_name(part), part.events, share.variant, _percent(share.before), _percent(share.after))
        for part in parts
        for share in part.shares
    ]
    printer.text(f"  tried on {preview.events:,} {preview.sample} of {preview.users:,} users:")
    printer.table(("events of", "events", "variant", "share now", "share then"), rows)
    if preview.moved_users is not None:
        moved = _percent(preview.moved_users / max(preview.users, 1))
        printer.text(f"  {preview.moved_users:,} of {preview.users:,} users ({moved}) would get another variant")


def _part_name(part: PartPreview) -> str:
    if part.match is None:
        return "all"
    return ", ".join(f"{field}={value}" for field, value in part.match.items()) or "no segment"


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.2f}%"


def _json(run: DryRun) -> dict[str, Any]:
    return {
        "key": run.key,
        "outcome": str(run.outcome),
        "current_revision": run.current_revision,
        "changes": [change._asdict() for change in run.changes],
        "problems": [problem_json(problem) for problem in run.problems],
        "create_topics": [spec._asdict() for spec in run.topics.create] if run.topics is not None else [],
        "grow_topics": run.topics.grow if run.topics is not None else {},
        "routing": dataclasses.asdict(run.routing) if run.routing is not None else None,
    }
