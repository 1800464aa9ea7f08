from __future__ import annotations

from pathlib import Path

import pytest

from streamer.cli.attribute_docs import attribute_docs, summary
from streamer.cli.reference import main, references

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize(("name", "text"), list(references()), ids=[name for name, _ in references()])
def test_a_generated_reference_is_in_step_with_the_code(name: str, text: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == text, "run: python -m streamer.cli.reference"


@pytest.mark.parametrize("name", ["configuration.md", "documents.md"])
def test_every_setting_and_every_key_is_explained(name: str) -> None:
    rows = [line for line in dict(references())[name].splitlines() if line.startswith("| `")]
    assert len(rows) > 20
    assert [row for row in rows if row.endswith("|  |")] == []


def test_every_option_and_argument_is_explained_and_every_command_has_an_example() -> None:
    text = dict(references())["cli.md"]
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert [row for row in rows if row.endswith("|  |")] == []
    sections = text.split("\n## streamer ")[1:]
    assert len(sections) > 12
    for section in sections:
        for command in section.split("\n### streamer "):
            assert "Example:\n\n```\n" in command, command.splitlines()[0]


def test_the_references_are_written_to_a_folder(tmp_path: Path) -> None:
    main(tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["cli.md", "configuration.md", "documents.md"]


def test_attribute_docs_reads_the_section_with_its_continuation_lines() -> None:
    class Base:
        """Something.

        Attributes:
            one: First.
        """

    class Described(Base):
        """A thing.

        It has two paragraphs.

        Attributes:
            two: Second ``value``,
                which goes on.
        """

    assert attribute_docs(Described) == {"one": "First.", "two": "Second `value`, which goes on."}
    assert summary(Described) == "A thing.\n\nIt has two paragraphs."
