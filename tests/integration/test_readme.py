"""Runs the README's own commands and snippets, literally and in their order, as a newcomer would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import streamer.broker

README = Path(__file__).parents[2] / "README.md"
SECTION = "## Your own model live in ten minutes"
DEADLINE_SECONDS = 400
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE_NAME = re.compile(r"# (\S+\.\w+)\n")


def blocks() -> list[tuple[str, str]]:
    """Language and text of every block of the section, in their order."""
    section = README.read_text(encoding="utf-8").split(SECTION)[1].split("\n## ")[0]
    return _BLOCK.findall(section)


def write_files(folder: Path) -> list[str]:
    """Python and YAML blocks become the files that their first lines name."""
    names = []
    for language, text in blocks():
        if language in ("python", "yaml"):
            name = _FILE_NAME.match(text)
            assert name is not None, f"a block does not say which file it is:\n{text}"
            (folder / name[1]).write_text(text, encoding="utf-8")
            names.append(name[1])
    return names


def script() -> str:
    """The bash blocks as one script, which stops what it started however it ends."""
    commands = "".join(text for language, text in blocks() if language == "bash")
    return f"set -euo pipefail\ntrap 'jobs -p | xargs -r kill; streamer broker down' EXIT\n{commands}"


def environment(cache: Path) -> dict[str, str]:
    """A cache of its own, so that the broker is the test's own; what was downloaded before is shared."""
    downloads = streamer.broker.cache_directory() / "maven"
    downloads.mkdir(parents=True, exist_ok=True)
    cache.mkdir()
    (cache / "maven").symlink_to(downloads)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("STREAMER_")}
    commands = Path(sys.executable).parent
    return {**inherited, "PATH": f"{commands}:{os.environ['PATH']}", "STREAMER_CACHE_DIR": str(cache)}


@pytest.mark.timeout(500)
def test_an_own_model_goes_live_as_the_readme_says(tmp_path: Path) -> None:
    folder = tmp_path / "walk"
    folder.mkdir()
    files = write_files(folder)
    assert files == ["train.py", "register.py", "routing.yaml", "application.py"]
    done = subprocess.run(
        ["bash", "-c", script()],
        cwd=folder,
        env=environment(tmp_path / "cache"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    told = done.stdout + done.stderr
    assert done.returncode == 0, told[-8000:]
    assert "registered tumour version 1" in told
    answered = re.search(r"(\d+) inferences; they and the estimator differ by (\S+) at most", told)
    assert answered is not None, told[-8000:]
    events = len((folder / "events.csv").read_text().splitlines()) - 1
    assert int(answered[1]) == events
    assert float(answered[2]) < 1e-5
    shown = [line for line in done.stdout.splitlines() if "variant=forest" in line]
    assert len(shown) == 10


def test_every_file_that_the_readme_names_exists() -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", README.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (README.parent / link).exists()]
    assert links
    assert missing == []


def test_every_make_target_that_the_readme_names_exists() -> None:
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"`?make (\w+)`?", README.read_text(encoding="utf-8")))
    assert targets >= {"demo", "test", "bench"}
    assert {target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)} == set()
