"""The Dockerfile, read line by line: there is no Docker engine where the tests run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

ROOT = Path(__file__).parents[3]


def instructions() -> list[tuple[str, str]]:
    """Name and argument of each, with continued lines joined and comments dropped."""
    lines = [line for line in (ROOT / "deploy/Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line.strip())]


def all_of(name: str) -> list[str]:
    return [rest for found, rest in instructions() if found == name]


def final_stage() -> list[tuple[str, str]]:
    everything = instructions()
    last = max(index for index, (name, _) in enumerate(everything) if name == "FROM")
    return everything[last:]


def image_environment() -> dict[str, str]:
    pairs = [pair for name, rest in final_stage() if name == "ENV" for pair in rest.split()]
    return dict(pair.split("=", 1) for pair in pairs)


def test_base_images_are_pinned_to_a_version() -> None:
    bases = [rest.split()[0] for rest in all_of("FROM")]
    assert len(bases) == 2
    assert all(re.search(r":\d", base) for base in bases)


def test_every_package_comes_by_its_hash_or_from_no_index() -> None:
    installs = [part for rest in all_of("RUN") for part in rest.split("&&") if " install " in part and "pip" in part]
    assert len(installs) == 3
    assert all("--require-hashes" in install or "--no-index" in install for install in installs)


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for rest in all_of("COPY"):
        if rest.startswith("--from="):
            continue
        for source in rest.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert source in kept, f"{source} is left out by .dockerignore"


def test_the_container_does_not_run_as_root() -> None:
    users = [rest for name, rest in final_stage() if name == "USER"]
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", users[-1])


def test_the_environment_of_the_image_makes_good_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    from streamer.config import Settings

    for name, value in image_environment().items():
        if name.startswith("STREAMER_"):
            monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.http.host == "0.0.0.0"
    assert f"{settings.http.port}" in all_of("EXPOSE")
    assert str(settings.cache_dir) in all_of("VOLUME")


@pytest.mark.parametrize(("status", "exit_code"), [(200, 0), (503, 1)])
def test_the_health_check_says_what_healthz_says(status: int, exit_code: int) -> None:
    class Healthz(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    (check,) = all_of("HEALTHCHECK")
    command = json.loads(check[check.index("CMD ") + 4 :])
    with HTTPServer(("127.0.0.1", 0), Healthz) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        environment = {"STREAMER_HTTP__PORT": str(server.server_address[1])}
        done = subprocess.run(
            [sys.executable, *command[1:]], env=environment, capture_output=True, timeout=30, check=False
        )
        server.shutdown()
    assert command[0] == "python"
    assert done.returncode == exit_code, done.stderr
