"""What the models topic says."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import ModelNotFound
from streamer.registry.catalogue import Catalogue
from tests.unit.registry.versions_for_tests import LogEntry, Pick, log, model_version, registered, retired, tagged

FIRST, SECOND = model_version(1), model_version(2, version=2)


def folded(*entries: tuple[bytes | None, bytes | None]) -> Catalogue:
    return Catalogue().fold(log(*entries))


def test_a_version_is_found_by_uuid_by_tag_and_by_name_and_number() -> None:
    catalogue = folded(registered(FIRST), registered(SECOND), tagged("production", 2))
    assert catalogue.resolve(Pick(uuid=FIRST.uuid)) == FIRST
    assert catalogue.resolve(Pick(tag="production")) == SECOND
    assert catalogue.resolve(Pick(name="lateness", version=1)) == FIRST
    assert catalogue.versions() == [FIRST, SECOND]
    assert catalogue.versions("other") == []
    assert not catalogue.problems


def test_a_tag_may_sit_on_several_versions_and_means_the_one_tagged_last() -> None:
    catalogue = folded(registered(FIRST), registered(SECOND), tagged("a", 2), tagged("a", 1))
    assert catalogue.tags() == {"a": FIRST.uuid}
    assert catalogue.tags_of(FIRST.uuid) == ["a"]
    assert catalogue.tags_of(SECOND.uuid) == ["a"]
    assert [move.uuid for move in catalogue.history("a")] == [SECOND.uuid, FIRST.uuid]


def test_untagging_takes_a_tag_off_all_and_keeps_its_history() -> None:
    catalogue = folded(registered(FIRST), tagged("a", 1), tagged("a", None))
    assert catalogue.tags() == {}
    assert catalogue.tags_of(FIRST.uuid) == []
    assert len(catalogue.history("a")) == 2
    with pytest.raises(ModelNotFound):
        catalogue.resolve(Pick(tag="a"))


def test_the_first_of_a_name_and_number_wins_and_the_other_is_told() -> None:
    rival = model_version(9, version=1)
    catalogue = folded(registered(FIRST), registered(rival))
    assert catalogue.get(rival.uuid) is None
    assert catalogue.next_number("lateness") == 2
    assert catalogue.problems[0].offset == 1
    assert catalogue.problems[0].what == f"lateness version 1 is taken by {FIRST.uuid}"


def test_a_version_never_changes() -> None:
    changed = model_version(1, description="changed")
    catalogue = folded(registered(FIRST), registered(changed), registered(FIRST), (registered(FIRST)[0], None))
    assert catalogue.get(FIRST.uuid) == FIRST
    assert [problem.offset for problem in catalogue.problems] == [1, 3]


def test_a_retired_version_is_shown_but_not_chosen() -> None:
    catalogue = folded(registered(FIRST), tagged("a", 1), retired(1, "leaks"))
    for selector in (Pick(uuid=FIRST.uuid), Pick(tag="a"), Pick(name="lateness", version=1)):
        assert catalogue.find(selector) == FIRST
        with pytest.raises(ModelNotFound, match="was retired on 2026-01-03: leaks"):
            catalogue.resolve(selector)
    retirement = catalogue.retirement(FIRST.uuid)
    assert retirement is not None
    assert retirement.by == "ada"


@pytest.mark.parametrize(
    ("selector", "advice"),
    [
        (Pick(name="latenes", version=1), "Did you mean 'lateness'?"),
        (Pick(name="lateness", version=7), "Versions: 1, 2."),
        (Pick(tag="prodcution"), "Did you mean 'production'?"),
        (Pick(tag="zzz"), "Tags: production."),
        (Pick(uuid=UUID(int=99)), "List them: streamer models list."),
    ],
)
def test_what_is_not_there_is_answered_with_what_comes_near(selector: Pick, advice: str) -> None:
    catalogue = folded(registered(FIRST), registered(SECOND), tagged("production", 1))
    with pytest.raises(ModelNotFound) as caught:
        catalogue.resolve(selector)
    assert caught.value.advice == advice


MALFORMED: list[tuple[bytes | None, bytes | None]] = [
    (None, None),
    (b"", b""),
    (b"\xff\xfe", b"{}"),
    (b"not-a-uuid", registered(FIRST)[1]),
    (registered(SECOND)[0], registered(FIRST)[1]),
    (registered(FIRST)[0], b"{"),
    (registered(FIRST)[0], b"[" * 100_000),
    (registered(FIRST)[0], b'{"kind": "model"}'),
    tagged("no such version", 1),
    tagged("early", 5),
    (b"tag/", tagged("x", 1)[1]),
    (b"tag/../x", tagged("x", 1)[1]),
    (b"tag/x", b'"text"'),
    (b"tag/x", None),
    retired(5),
    (b"x/retired", b"{}"),
]


@pytest.mark.parametrize("entry", MALFORMED)
def test_a_malformed_record_is_told_and_otherwise_ignored(entry: tuple[bytes | None, bytes | None]) -> None:
    catalogue = folded(entry, registered(FIRST))
    assert [problem.offset for problem in catalogue.problems] == [0]
    assert catalogue.problems[0].what
    assert catalogue.versions() == [FIRST]


@given(st.lists(st.tuples(st.none() | st.binary(max_size=60), st.none() | st.binary(max_size=60))))
def test_no_bytes_break_the_fold(entries: list[tuple[bytes | None, bytes | None]]) -> None:
    catalogue = folded(*entries, registered(FIRST))
    assert catalogue.get(FIRST.uuid) == FIRST
    assert len(catalogue.problems) == len(entries)


@given(st.permutations([registered(FIRST), registered(model_version(9)), tagged("a", 1), tagged("a", 9), retired(1)]))
def test_folding_in_parts_is_folding_at_once(entries: list[tuple[bytes, bytes]]) -> None:
    whole, parts = folded(*entries), Catalogue()
    for entry in log(*entries):
        parts.fold([LogEntry(*entry)])
    assert parts == whole
