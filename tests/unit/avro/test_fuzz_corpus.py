"""The seeds of the fuzz target, and whatever it has found, hold on every run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.decoder_property import check

CORPUS = sorted((Path(__file__).parents[2] / "fuzz" / "decoder_corpus").iterdir())


@pytest.mark.parametrize("path", CORPUS, ids=[path.name for path in CORPUS])
def test_a_corpus_entry_is_decoded_or_refused_consistently(path: Path) -> None:
    check(path.read_bytes())


def test_the_corpus_has_values_that_are_accepted_and_values_that_are_refused() -> None:
    assert {path.name.partition("-")[0] for path in CORPUS} >= {"good", "hostile"}
