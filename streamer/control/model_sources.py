"""Where control finds model versions, and how it tries them."""

from __future__ import annotations

from typing import Any

from streamer.config import KafkaSettings, Settings
from streamer.control.model_checks import CheckModel
from streamer.errors import TopicProblem
from streamer.kafka.log import read_log
from streamer.records.model_version import ModelVersion
from streamer.registry.artifacts import ArtifactCache
from streamer.registry.catalogue import Catalogue
from streamer.runtimes.validation import validate_in_process


def read_catalogue(kafka: KafkaSettings) -> Catalogue:
    """Every registered model version and tag; none where there is no models topic yet.

    Raises:
        KafkaError: The broker does not answer or refuses.
    """
    try:
        records = read_log(kafka, kafka.models_topic, deadline_seconds=kafka.request_timeout_seconds)
    except TopicProblem:
        return Catalogue()
    return Catalogue().fold(records)


def isolated_check(settings: Settings) -> CheckModel:
    """Fetches the artifact, verifies its hash, and tries the version in a process of its own, with limits."""
    cache = ArtifactCache(settings)

    def check(version: ModelVersion, events: dict[str, Any], output: dict[str, Any]) -> None:
        validate_in_process(version, cache.fetch(version.artifact), events, output)

    return check
