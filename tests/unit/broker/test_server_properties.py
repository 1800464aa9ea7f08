from __future__ import annotations

import random
from pathlib import Path

from streamer.broker.server_properties import (
    NodePorts,
    new_cluster_id,
    properties_text,
    server_properties,
)

PORTS = [NodePorts(19001, 19002), NodePorts(19003, 19004), NodePorts(19005, 19006)]


def test_one_node_needs_one_replica_of_everything() -> None:
    settings = server_properties(0, PORTS[:1], Path("/data"), {})
    assert settings["listeners"] == "PLAINTEXT://127.0.0.1:19001,CONTROLLER://127.0.0.1:19002"
    assert settings["controller.quorum.voters"] == "1@127.0.0.1:19002"
    assert {value for key, value in settings.items() if key.endswith(("replication.factor", "min.isr"))} == {"1"}


def test_three_nodes_keep_three_replicas_and_need_two() -> None:
    settings = server_properties(2, PORTS, Path("/data"), {})
    assert settings["node.id"] == "3"
    assert settings["controller.quorum.voters"] == "1@127.0.0.1:19002,2@127.0.0.1:19004,3@127.0.0.1:19006"
    assert {value for key, value in settings.items() if key.endswith("replication.factor")} == {"3"}
    assert {value for key, value in settings.items() if key.endswith("min.isr")} == {"2"}
    assert settings["min.insync.replicas"] == "2"


def test_given_settings_win() -> None:
    settings = server_properties(0, PORTS[:1], Path("/data"), {"auto.create.topics.enable": "true"})
    assert settings["auto.create.topics.enable"] == "true"


def test_backslashes_and_letters_outside_ascii_are_escaped() -> None:
    assert properties_text({"log.dirs": "C:\\Jürgen"}) == "log.dirs=C:\\\\J\\u00fcrgen\n"


def test_a_cluster_id_has_kafkas_form_and_never_looks_like_an_option() -> None:
    randomness = random.Random(1)
    ids = [new_cluster_id(randomness) for _ in range(500)]
    assert len(set(ids)) == 500
    assert all(len(text) == 22 and not text.startswith("-") for text in ids)
