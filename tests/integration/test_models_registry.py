"""The registry on a real log: numbers without races, tags, retirement."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from streamer.config import KafkaSettings, Settings
from streamer.control.bootstrap import ensure_control_topics
from streamer.errors import ModelInvalid, ModelNotFound, TopicProblem
from streamer.kafka.log import LogWriter
from streamer.registry.registry import ModelRegistry, NewVersion
from tests.unit.registry.versions_for_tests import Pick, model_version

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real


@pytest.fixture
def settings(broker: str, unique: str, tmp_path: Path) -> Settings:
    made = Settings(kafka=KafkaSettings(bootstrap_servers=broker, topic_prefix=f"{unique}."), cache_dir=tmp_path)
    ensure_control_topics(made.kafka)
    return made


def new(name: str = "lateness") -> NewVersion:
    version = model_version(1, name)
    kept = ("name", "format", "artifact", "signature", "mapping")
    return NewVersion.model_validate({field: getattr(version, field) for field in kept})


def test_versions_are_numbered_per_name(settings: Settings) -> None:
    registry = ModelRegistry(settings)
    assert [registry.register(new(name)).version for name in ("a", "a", "b", "a")] == [1, 2, 1, 3]
    assert [(v.name, v.version) for v in registry.catalogue().versions()] == [("a", 1), ("a", 2), ("a", 3), ("b", 1)]


def test_registrations_at_the_same_time_get_numbers_of_their_own(settings: Settings) -> None:
    with ThreadPoolExecutor(6) as threads:
        versions = list(threads.map(lambda _: ModelRegistry(settings).register(new()), range(12)))
    assert sorted(version.version for version in versions) == list(range(1, 13))
    catalogue = ModelRegistry(settings).catalogue()
    assert {version.uuid for version in catalogue.versions()} == {version.uuid for version in versions}
    assert {catalogue.find(Pick(name="lateness", version=v.version)).uuid == v.uuid for v in versions} == {True}


def test_a_tag_means_the_version_tagged_last_until_it_is_taken_off(settings: Settings) -> None:
    registry = ModelRegistry(settings)
    first = registry.register(new(), tags=["production"], by="ada")
    second = registry.register(new(), tags=["production"])
    assert registry.catalogue().resolve(Pick(tag="production")) == second
    assert registry.tag("production", Pick(uuid=first.uuid)) == first
    assert registry.catalogue().resolve(Pick(tag="production")) == first
    registry.untag("production")
    assert registry.catalogue().tags() == {}
    assert [move.uuid for move in registry.catalogue().history("production")] == [
        first.uuid,
        second.uuid,
        first.uuid,
        None,
    ]
    with pytest.raises(ModelNotFound):
        registry.untag("production")


def test_a_retired_version_cannot_be_tagged_or_retired_again(settings: Settings) -> None:
    registry = ModelRegistry(settings)
    version = registry.register(new())
    registry.retire(Pick(uuid=version.uuid), reason="leaks", by="ada")
    for attempt in (registry.retire, lambda pick: registry.tag("a", pick)):
        with pytest.raises(ModelNotFound, match="was retired"):
            attempt(Pick(uuid=version.uuid))
    assert registry.register(new()).version == 2


def test_a_name_that_cannot_be_a_tag_is_refused_before_anything_is_written(settings: Settings) -> None:
    registry = ModelRegistry(settings)
    with pytest.raises(ModelInvalid, match="cannot be a tag"):
        registry.register(new(), tags=["good", "not good"])
    assert registry.catalogue().versions() == []


def test_what_others_wrote_wrongly_does_not_stop_anything(settings: Settings) -> None:
    registry = ModelRegistry(settings)
    with LogWriter(settings.kafka) as writer:
        for key, value in ((b"junk", b"{"), (None, None), (b"tag/a", b"1")):
            writer.append(settings.kafka.models_topic, key, value)
    version = registry.register(new())
    assert registry.catalogue().versions() == [version]
    assert [problem.offset for problem in registry.catalogue().problems] == [0, 1, 2]


def test_without_the_topic_nothing_is_registered_and_registering_says_so(broker: str, unique: str) -> None:
    registry = ModelRegistry(Settings(kafka=KafkaSettings(bootstrap_servers=broker, topic_prefix=f"{unique}.")))
    assert registry.catalogue().versions() == []
    with pytest.raises((TopicProblem, ModelNotFound)):
        registry.tag("a", Pick(name="lateness", version=1))
