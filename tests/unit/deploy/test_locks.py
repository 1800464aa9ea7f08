"""What the image installs is what was tested."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DEPLOYED = ("deploy/requirements.lock", "deploy/build-requirements.lock")


def pins(lock: str) -> set[str]:
    """Every `name==version ; marker` with its hashes."""
    text = re.sub(r" \\\n\s+", " ", (ROOT / lock).read_text())
    return {line for line in text.splitlines() if line and not line.startswith("#")}


@pytest.mark.parametrize("lock", DEPLOYED)
def test_every_pin_has_hashes_and_is_one_of_the_tested_ones(lock: str) -> None:
    tested = {pin.partition(" ")[0]: set(re.findall(r"sha256:\w+", pin)) for pin in pins("requirements.lock")}
    for pin in pins(lock):
        hashes = set(re.findall(r"sha256:\w+", pin))
        assert hashes
        assert hashes <= tested[pin.partition(" ")[0]]


def test_every_dependency_of_the_package_is_in_the_image() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.match(r"[\w-]+", dependency)[0].lower() for dependency in project["dependencies"]}  # type: ignore[index]
    assert wanted <= {pin.partition("==")[0] for pin in pins("deploy/requirements.lock")}


def test_what_only_tests_and_the_demo_need_is_not_in_the_image() -> None:
    names = {pin.partition("==")[0] for pin in pins("deploy/requirements.lock")}
    assert not names & {"pytest", "mypy", "pandas", "scikit-learn", "matplotlib"}
