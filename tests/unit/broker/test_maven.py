"""Fetching with a `mvn` command of our own making; the real one is used by every integration test."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from streamer.broker.maven import MavenArtifact, class_path, fetch_artifacts
from streamer.errors import BrokerFailed

if TYPE_CHECKING:
    from pathlib import Path

WIDGET = MavenArtifact("org.example", "widget", "1.0")
# Finds the folder in -DoutputDirectory=..., counts its runs, and delivers one jar.
DELIVERS = """#!/bin/sh
echo run >> "$(dirname "$0")/runs"
echo "$@" > "$(dirname "$0")/arguments"
for argument; do case $argument in -DoutputDirectory=*) out=${argument#*=};; esac; done
mkdir -p "$out" && echo jar > "$out/widget-1.0.jar"
cp "$(dirname "$out")/pom.xml" "$(dirname "$0")/last-pom.xml" 2> /dev/null || true
"""
FAILS = "#!/bin/sh\necho '[ERROR] Could not transfer artifact'\nexit 1\n"
DELIVERS_NOTHING = "#!/bin/sh\nexit 0\n"


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "commands"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return folder


def install_maven(commands: Path, script: str) -> None:
    (commands / "mvn").write_text(script)
    (commands / "mvn").chmod(0o755)


def run_count(commands: Path) -> int:
    return len((commands / "runs").read_text().splitlines())


def test_what_was_fetched_once_is_not_fetched_again(commands: Path, tmp_path: Path) -> None:
    install_maven(commands, DELIVERS)
    first = fetch_artifacts("widget", [WIDGET], tmp_path / "cache")
    assert (first / "widget-1.0.jar").read_text() == "jar\n"
    (commands / "mvn").unlink()
    assert fetch_artifacts("widget", [WIDGET], tmp_path / "cache") == first
    assert run_count(commands) == 1


def test_several_starts_at_once_fetch_once(commands: Path, tmp_path: Path) -> None:
    install_maven(commands, DELIVERS)
    folders: list[Path] = []

    def fetch() -> None:
        folders.append(fetch_artifacts("widget", [WIDGET], tmp_path / "cache"))

    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(folders) == 4
    assert len(set(folders)) == 1
    assert run_count(commands) == 1


def test_another_version_is_kept_in_another_folder(commands: Path, tmp_path: Path) -> None:
    install_maven(commands, DELIVERS)
    newer = MavenArtifact("org.example", "widget", "2.0")
    cache = tmp_path / "cache"
    assert fetch_artifacts("widget", [WIDGET], cache) != fetch_artifacts("widget", [newer], cache)


def test_a_failed_fetch_quotes_maven_and_leaves_nothing(commands: Path, tmp_path: Path) -> None:
    install_maven(commands, FAILS)
    with pytest.raises(BrokerFailed, match=r"org\.example:widget:1\.0[^$]*Could not transfer[^$]*settings\.xml"):
        fetch_artifacts("widget", [WIDGET], tmp_path / "cache")
    assert [path for path in (tmp_path / "cache" / "maven").iterdir() if path.is_dir()] == []


def test_a_fetch_that_delivers_nothing_has_failed(commands: Path, tmp_path: Path) -> None:
    install_maven(commands, DELIVERS_NOTHING)
    with pytest.raises(BrokerFailed, match="did not fetch"):
        fetch_artifacts("widget", [WIDGET], tmp_path / "cache")


def test_no_maven_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerFailed, match=r"Maven is missing.*apt-get install maven"):
        fetch_artifacts("widget", [WIDGET], tmp_path / "cache")


def test_a_cache_that_cannot_be_written_says_how_to_choose_another(commands: Path, tmp_path: Path) -> None:
    install_maven(commands, DELIVERS)
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(BrokerFailed, match="STREAMER_CACHE_DIR"):
        fetch_artifacts("widget", [WIDGET], tmp_path / "cache")


def test_the_pom_names_type_and_classifier(commands: Path, tmp_path: Path) -> None:
    install_maven(commands, DELIVERS)
    fetch_artifacts("widget", [MavenArtifact("org.example", "widget", "1.0", "tar.gz", "all")], tmp_path / "cache")
    assert "<type>tar.gz</type><classifier>all</classifier>" in (commands / "last-pom.xml").read_text()


def test_an_artifact_can_be_fetched_alone(commands: Path, tmp_path: Path) -> None:
    install_maven(commands, DELIVERS)
    alone = MavenArtifact("org.example", "widget", "1.0", "tar.gz", "all", with_dependencies=False)
    fetch_artifacts("widget", [alone], tmp_path / "cache")
    assert "-Dartifact=org.example:widget:1.0:tar.gz:all" in (commands / "arguments").read_text()


def test_the_class_path_is_every_jar_of_the_folder(tmp_path: Path) -> None:
    assert class_path(tmp_path) == f"{tmp_path}/*"
