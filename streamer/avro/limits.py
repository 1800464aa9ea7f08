"""What a schema and a payload may cost at most."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on schemas and payloads from others; Avro itself has none.

    Attributes:
        payload_bytes: Bytes of one payload, framing included.
        schema_bytes: Bytes of one schema's JSON.
        depth: Levels of types inside types.
        types: Types in one schema, a named type counted at every place that uses it.
        decimal_precision: Digits of a decimal.
        fixed_bytes: Bytes of a fixed type.
        items: Items of all arrays and maps of one payload together.
        plans: Compiled pairs of writer and reader schema that one decoder keeps.
    """

    payload_bytes: int = 4 * 1024 * 1024
    schema_bytes: int = 1024 * 1024
    depth: int = 32
    types: int = 10_000
    decimal_precision: int = 128
    fixed_bytes: int = 4_096
    items: int = 100_000
    plans: int = 256


DEFAULT_LIMITS = Limits()
