"""What the pages name is there: tests, pages, commands, settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from streamer.cli.app import app
from streamer.config import Settings

ROOT = Path(__file__).parents[3]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs/guarantees.md").read_text(encoding="utf-8"))


def test_every_promise_names_tests() -> None:
    page = (ROOT / "docs/guarantees.md").read_text(encoding="utf-8")
    promises = [section for section in page.split("\n## ")[1:] if section[0].isdigit()]
    assert len(promises) == 8
    assert all("`tests/" in promise for promise in promises)


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED)))
def test_a_named_test_exists(path: str, name: str) -> None:
    assert re.search(rf"^def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert "://" in link or (page.parent / link).exists(), link


HAND_WRITTEN = [
    ROOT / "README.md",
    *(ROOT / "docs" / f"{n}.md" for n in ("architecture", "guarantees", "operations", "facts")),
]


def commands() -> set[str]:
    """Every command as it is typed: `apply`, `models list`."""
    root = typer.main.get_command(app)
    names: set[str] = set()
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        names.add(name)
        names |= {f"{name} {inner}" for inner in getattr(command, "commands", {})}
    return names


@pytest.mark.parametrize("page", HAND_WRITTEN, ids=lambda page: page.name)
def test_commands_that_pages_name_exist(page: Path) -> None:
    known = commands()
    groups = {name.partition(" ")[0] for name in known if " " in name}
    text = page.read_text(encoding="utf-8")
    for first, second in re.findall(r"(?:^\$ |`|^|\$\()streamer ([a-z-]+)(?: ([a-z-]+))?", text, re.MULTILINE):
        assert first in known, f"streamer {first}"
        if first in groups and second:
            assert f"{first} {second}" in known, f"streamer {first} {second}"


@pytest.mark.parametrize("page", HAND_WRITTEN, ids=lambda page: page.name)
def test_settings_that_pages_name_exist(page: Path) -> None:
    for variable in re.findall(r"STREAMER_[A-Z_]*[A-Z]", page.read_text(encoding="utf-8")):
        group, _, name = variable.removeprefix("STREAMER_").lower().partition("__")
        field = Settings.model_fields[group]
        assert not name or name in field.annotation.model_fields, variable  # type: ignore[union-attr]
