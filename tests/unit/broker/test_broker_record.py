from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from streamer.broker.broker_record import BrokerRecord, NodeRecord, read_record, write_record
from streamer.broker.process_identity import ProcessIdentity
from streamer.broker.server_properties import NodePorts
from streamer.errors import BrokerFailed

if TYPE_CHECKING:
    from pathlib import Path


def record_of(folder: Path, process: ProcessIdentity | None) -> BrokerRecord:
    return BrokerRecord("4.3.1", "id", folder, (NodeRecord(process, NodePorts(1, 2)),))


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "broker.json"
    for record in (record_of(tmp_path, ProcessIdentity(7, "then")), record_of(tmp_path, None)):
        write_record(path, record)
        assert read_record(path) == record


def test_no_file_is_no_record(tmp_path: Path) -> None:
    assert read_record(tmp_path / "broker.json") is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"kafka_version": 1, "cluster_id": 2, "folder": 3}'])
def test_a_broken_record_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broker.json"
    path.write_text(content)
    with pytest.raises(BrokerFailed, match="remove the file") as caught:
        read_record(path)
    assert caught.value.where == str(path)


def test_only_the_recorded_process_counts_as_living(tmp_path: Path) -> None:
    own = ProcessIdentity.of(os.getpid())
    assert record_of(tmp_path, own).has_living_process()
    assert not record_of(tmp_path, ProcessIdentity(os.getpid(), "another time")).has_living_process()
    assert not record_of(tmp_path, None).has_living_process()
