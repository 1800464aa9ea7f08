"""How patiently the Schema Registry is asked, and how much of it is kept in memory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SchemaRegistryPolicy:
    """Bounds on time and memory for work with a Schema Registry.

    Attributes:
        attempt_timeout_seconds: How long one request may take before the next URL is asked.
        first_pause_seconds: The longest pause after the first round of failures; it doubles with each round.
        longest_pause_seconds: Where the doubling ends.
        outage_seconds: How long after a failed request to fail at once, without asking again.
        unknown_seconds: How long an id that the registry does not know is not asked for again.
        cached_schemas: How many schemas are kept, the least recently used going first.
        cached_characters: How many characters all of them may have together.
        cached_unknown: How many unknown ids are kept.
        answer_bytes: A longer answer is refused.
    """

    attempt_timeout_seconds: float = 3.0
    first_pause_seconds: float = 0.1
    longest_pause_seconds: float = 2.0
    outage_seconds: float = 1.0
    unknown_seconds: float = 30.0
    cached_schemas: int = 1_000
    cached_characters: int = 64 * 1024 * 1024
    cached_unknown: int = 10_000
    answer_bytes: int = 2 * 1024 * 1024


DEFAULT_POLICY = SchemaRegistryPolicy()
