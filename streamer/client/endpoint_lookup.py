"""Finding an endpoint's newest admitted document on the config topic."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from streamer.errors import ConfigurationError, TopicProblem
from streamer.kafka.log import read_log
from streamer.routing.admission import Admission

if TYPE_CHECKING:
    from streamer.config import KafkaSettings
    from streamer.routing.documents import EndpointDocument


def find_endpoint(kafka: KafkaSettings, name: str) -> EndpointDocument:
    """The document of an endpoint, resolved: schemas inlined, every topic named.

    Raises:
        ConfigurationError: There is no such endpoint on this cluster.
        KafkaError: The cluster does not answer, or refuses us.
    """
    admission = Admission(keep_history=False)
    try:
        for record in read_log(kafka, kafka.config_topic, deadline_seconds=kafka.request_timeout_seconds):
            admission.fold(record.offset, record.key, record.value, record.timestamp_ms)
    except TopicProblem as problem:
        raise ConfigurationError(
            f"there is no endpoint {name!r}: nothing was ever applied to this cluster",
            where=f"topic {kafka.config_topic} at {kafka.bootstrap_servers}",
            advice="Run `streamer apply` first, or check --bootstrap-servers and the topic prefix",
        ) from problem
    admitted = admission.endpoint(name)
    if admitted is None:
        existing = admission.endpoints()
        near = get_close_matches(name, existing, n=1)
        listed = ", ".join(existing[:10]) or "none"
        raise ConfigurationError(
            f"there is no endpoint {name!r}",
            where=f"topic {kafka.config_topic} at {kafka.bootstrap_servers}",
            advice=f"Did you mean {near[0]!r}?" if near else f"The endpoints are: {listed}",
        )
    return admitted.document
