"""Deletes a document: a tombstone on the log. Its history stays."""

from __future__ import annotations

from streamer.config import KafkaSettings
from streamer.control.config_log import publish_tombstone, read_admission
from streamer.control.get import current
from streamer.errors import DocumentStale
from streamer.routing.admission import Deleted


def delete(kafka: KafkaSettings, key: str) -> Deleted:
    """Deletes ``endpoint/<name>``, with its routing, or ``routing/<endpoint>``. Workers stop serving it.

    Topics and their records stay.

    Raises:
        DocumentInvalid: There is no such document.
        DocumentStale: Somebody else deleted it at the same time.
        KafkaError: The broker does not answer or refuses.
    """
    current(read_admission(kafka), key)
    verdict = publish_tombstone(kafka, key)
    if not isinstance(verdict, Deleted):
        raise DocumentStale("somebody else has deleted it meanwhile", where=key)
    return verdict
