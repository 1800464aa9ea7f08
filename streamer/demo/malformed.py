"""Records that are no departures, as a careless or hostile producer writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.kafka.log import LogWriter

if TYPE_CHECKING:
    from streamer.config import Settings

_PREFIX = b"\xc3\x01"
_UNKNOWN_FINGERPRINT = bytes(range(8))

MALFORMED: dict[str, tuple[bytes | None, str]] = {
    "JSON instead of Avro": (b'{"flight_id": "UA1545-EWR-0101", "dep_delay": 2}', "bad_magic"),
    "an empty value": (b"", "bad_magic"),
    "a tombstone": (None, "tombstone"),
    "a schema that nobody declared": (_PREFIX + _UNKNOWN_FINGERPRINT + b"\x02a", "unknown_schema"),
}
"""What each stands for, to its value and the reason that its dead letter must give."""


def damaged(payload: bytes) -> dict[str, tuple[bytes | None, str]]:
    """A good payload, damaged in two ways."""
    return {
        "an event cut off": (payload[:-3], "truncated"),
        "an event with bytes behind it": (payload + b"\x00\x00", "trailing_bytes"),
    }


def send_malformed(settings: Settings, topic: str, payload: bytes, times: int) -> dict[str, int]:
    """Writes every kind of malformed record so many times.

    Args:
        settings: How to reach Kafka.
        topic: The events topic.
        payload: A good one, to be damaged.
        times: How often each kind.

    Returns:
        The reasons that dead letters must give, with how many of each.
    """
    expected: dict[str, int] = {}
    with LogWriter(settings.kafka) as writer:
        for number in range(times):
            for value, reason in (MALFORMED | damaged(payload)).values():
                writer.append(topic, b"malformed-%d" % number, value)
                expected[reason] = expected.get(reason, 0) + 1
    return expected
