"""docker-compose.yml and the Prometheus files, as far as they can be checked without running them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamer.metrics import WorkerMetrics

ROOT = Path(__file__).parents[3]
KAFKA_VERSION = "4.3.1"


def read(name: str) -> dict[str, Any]:
    document = yaml.safe_load((ROOT / name).read_text())
    assert isinstance(document, dict)
    return document


@pytest.fixture
def services() -> dict[str, Any]:
    return read("docker-compose.yml")["services"]


def test_there_are_kafka_a_worker_and_prometheus_with_pinned_images(services: dict[str, Any]) -> None:
    assert set(services) == {"kafka", "worker", "prometheus"}
    assert services["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"
    assert re.search(r":v\d+\.\d+\.\d+$", services["prometheus"]["image"])


def test_kafka_is_the_version_that_everything_is_tested_with() -> None:
    from streamer import broker

    assert broker.KAFKA_VERSION == KAFKA_VERSION


def test_kafka_advertises_a_listener_to_the_host_and_one_to_the_worker(services: dict[str, Any]) -> None:
    environment = services["kafka"]["environment"]
    advertised = dict(each.split("://") for each in environment["KAFKA_ADVERTISED_LISTENERS"].split(","))
    worker = services["worker"]["environment"]["STREAMER_KAFKA__BOOTSTRAP_SERVERS"]
    assert advertised["INTERNAL"] == worker
    assert "127.0.0.1:9092:9092" in services["kafka"]["ports"]
    assert advertised["HOST"] == "127.0.0.1:9092"
    names = {each.partition(":")[0] for each in environment["KAFKA_LISTENERS"].split(",")}
    mapped = {each.partition(":")[0] for each in environment["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")}
    assert names == mapped == {"HOST", "CONTROLLER", "INTERNAL"}


def test_the_worker_waits_for_a_healthy_kafka_and_is_unprivileged(services: dict[str, Any]) -> None:
    worker = services["worker"]
    assert worker["depends_on"]["kafka"]["condition"] == "service_healthy"
    assert "healthcheck" in services["kafka"]
    assert worker["cap_drop"] == ["ALL"]
    assert (ROOT / worker["build"]["dockerfile"]).is_file()


def test_the_workers_command_is_one_that_streamer_has(services: dict[str, Any]) -> None:
    import typer

    from streamer.cli.app import app

    command = typer.main.get_command(app)
    name, *options = services["worker"]["command"]
    worker = command.commands[name]  # type: ignore[attr-defined]
    known = {option for parameter in worker.params for option in parameter.opts}
    assert {option for option in options if option.startswith("--")} <= known


def test_files_that_are_mounted_exist(services: dict[str, Any]) -> None:
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).is_file(), source


def test_named_volumes_are_declared(services: dict[str, Any]) -> None:
    used = {volume.partition(":")[0] for service in services.values() for volume in service.get("volumes", [])}
    named = {source for source in used if re.fullmatch(r"[a-z-]+", source)}
    assert named == set(read("docker-compose.yml")["volumes"])


def test_prometheus_scrapes_the_worker_where_it_listens(services: dict[str, Any]) -> None:
    (job,) = read("deploy/prometheus.yml")["scrape_configs"]
    (target,) = job["static_configs"][0]["targets"]
    host, port = target.split(":")
    assert host in services
    assert any(published.endswith(f":{port}") for published in services[host]["ports"])


def rules() -> list[dict[str, Any]]:
    return [rule for group in read("deploy/alerts.yml")["groups"] for rule in group["rules"]]


def exposed_names() -> set[str]:
    names = {"up"}
    for metric in WorkerMetrics().registry.collect():
        names |= {f"{metric.name}{ending}" for ending in ("", "_total", "_bucket", "_sum", "_count")}
    return names


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_alerts_ask_for_metrics_that_workers_have_and_the_runbook_answers(rule: dict[str, Any]) -> None:
    asked = set(re.findall(r"\b(?:streamer_\w+|up)\b", rule["expr"]))
    assert asked
    assert asked <= exposed_names()
    assert rule["labels"]["severity"] in {"page", "warn"}
    assert f"### {rule['alert']}\n" in (ROOT / "docs/operations.md").read_text()


def test_prometheus_reads_the_alerts_beside_its_configuration() -> None:
    assert read("deploy/prometheus.yml")["rule_files"] == ["alerts.yml"]
    assert (ROOT / "deploy/alerts.yml").is_file()
