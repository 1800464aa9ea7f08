"""The documents that count now."""

from __future__ import annotations

import difflib
from typing import Any

import yaml

from streamer.config import KafkaSettings
from streamer.control.config_log import read_admission
from streamer.control.yaml_reader import needs_quotes
from streamer.errors import DocumentInvalid
from streamer.routing.admission import Admission, Admitted, AnyDocument


def get(kafka: KafkaSettings, key: str) -> Admitted[AnyDocument]:
    """The newest document of ``endpoint/<name>`` or ``routing/<endpoint>``.

    Raises:
        DocumentInvalid: There is none now; the message names what comes near.
        TopicProblem: There is no config topic.
        KafkaError: The broker does not answer or refuses.
    """
    return current(read_admission(kafka), key)


def list_documents(kafka: KafkaSettings) -> list[Admitted[AnyDocument]]:
    """Every document that counts now, by key.

    Raises:
        TopicProblem: There is no config topic.
        KafkaError: The broker does not answer or refuses.
    """
    admission = read_admission(kafka)
    return [current(admission, key) for key in admission.keys()]  # noqa: SIM118 - not a dict


def current(admission: Admission, key: str) -> Admitted[AnyDocument]:
    """The same for a log that has been read.

    Raises:
        DocumentInvalid: There is none now.
    """
    found = admission.current(key)
    if found is not None:
        return found
    known = admission.keys()
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    advice = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known) or 'none yet'}"
    raise DocumentInvalid("there is no such document", where=key, advice=advice)


def to_yaml(document: AnyDocument) -> str:
    """A document as people read it: YAML, without what is at its default."""
    content: dict[str, Any] = {"kind": document.kind}
    content |= document.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.SafeDumper):
    """Quotes text that our own reader would take for a number, and writes no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="'" if needs_quotes(text) else None)


_Dumper.add_representer(str, _text)
