"""Tries a broken routing, through `apply` and behind its back: refused both times, and serving goes on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

from streamer.control.apply import Outcome, apply
from streamer.control.document_files import load_documents
from streamer.control.history import history
from streamer.demo.acts.change_routing import AUTHOR
from streamer.demo.stage import ENDPOINT
from streamer.kafka.log import LogWriter

if TYPE_CHECKING:
    from streamer.demo.stage import Stage

FILE = "broken.yaml"


def break_it(stage: Stage) -> None:
    """Returns when both were refused and the old routing has answered more events meanwhile."""
    stage.screen.act(f"Try a broken routing (streamer apply {FILE})")
    before = stage.answers.received
    result = apply(stage.settings, load_documents(stage.folder / FILE), author=AUTHOR).documents[0]
    if result.outcome is Outcome.refused:
        stage.refusals += [f"{FILE}:{str(problem).partition(f'{FILE}:')[2]}" for problem in result.problems]
    _publish_behind_its_back(stage)
    last = history(stage.settings.kafka, f"routing/{ENDPOINT}")[-1]
    if last.outcome == "refused":
        stage.refusals.append(f"on the log, from another client: {last.text.partition(';')[0]}")
    stage.wait_until(lambda: stage.answers.received > before, "inferences meanwhile")
    stage.answered_meanwhile = stage.answers.received - before
    for refusal in stage.refusals:
        stage.screen.say(f"refused: {refusal}")


def _publish_behind_its_back(stage: Stage) -> None:
    """As somebody with kcat would: the document as it is, onto the config topic."""
    document = yaml.safe_load((stage.folder / FILE).read_text(encoding="utf-8"))
    with LogWriter(stage.settings.kafka) as writer:
        writer.append(stage.settings.kafka.config_topic, f"routing/{ENDPOINT}".encode(), json.dumps(document).encode())
