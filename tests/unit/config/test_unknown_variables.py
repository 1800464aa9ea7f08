"""A misspelt variable is told, with the name that was probably meant."""

from __future__ import annotations

from streamer.config.settings import unknown_variables


def test_a_misspelt_group_is_told_with_the_likely_name() -> None:
    environment = {"STREAMER_KAFA__BOOTSTRAP_SERVERS": "x:1", "PATH": "/bin"}
    assert unknown_variables(environment) == {"STREAMER_KAFA__BOOTSTRAP_SERVERS": "STREAMER_KAFKA__BOOTSTRAP_SERVERS"}


def test_settings_themselves_are_not_told() -> None:
    environment = {"STREAMER_KAFKA__TOPIC_PREFIX": "", "STREAMER_CACHE_DIR": "/x", "STREAMER_HTTP__PORT": "0"}
    assert unknown_variables(environment) == {}


def test_what_is_near_nothing_is_told_without_a_guess() -> None:
    assert unknown_variables({"STREAMER_XYZZY_PLUGH": "1"}) == {"STREAMER_XYZZY_PLUGH": None}
