"""Ten thousand hostile records among ten thousand good ones: each becomes one dead letter, and nothing else happens."""

from __future__ import annotations

import io
import random
from collections import Counter
from itertools import cycle, islice
from typing import TYPE_CHECKING, NamedTuple

import fastavro

from tests.support.event_feed import EventEncoder, Headers, events, single_object_prefix
from tests.support.small_models import boosted_trees

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.deployment import Deployment

N = 10_000
_MOST_GROWTH_BYTES = 200 * 1024 * 1024
_NEARLY_A_MEGABYTE = 1_048_000


class Hostile(NamedTuple):
    value: bytes | None
    key: bytes | None = b"hostile"
    headers: Headers | None = None
    timestamp_ms: int | None = None


def test_hostile_records_become_dead_letters_and_good_ones_inferences(deployment: Deployment) -> None:
    deployment.publish_endpoint()
    deployment.publish_routing({"champion": boosted_trees()})
    worker = deployment.start_serving()
    deployment.feed.send_all(events(N, 2_000))  # so that the buffers of an ordinary load are in the baseline
    deployment.await_committed()
    before_bytes = worker.resident_bytes()

    placed: dict[tuple[int, int], Hostile] = {}
    for row, (event, hostile) in enumerate(zip(events(0, N), islice(_hostile(), N), strict=True)):
        partition = row % deployment.partitions
        placed[partition, len(deployment.feed.placed[partition])] = hostile
        deployment.feed.send_raw(partition, **hostile._asdict())
        deployment.feed.send(event, partition=partition)
    deployment.feed.flush()
    deployment.await_committed(120)

    assert worker.is_running()
    assert worker.resident_bytes() - before_bytes < _MOST_GROWTH_BYTES
    counted = deployment.await_metric(worker, "streamer_events_total", lambda events: events == 2_000 + 2 * N)
    assert worker.stop() == 0
    assert len(deployment.check_copy()) == 2_000 + N
    letters = deployment.read_all("dead-letters")
    assert len(letters) == N
    reasons: Counter[str] = Counter()
    for letter in letters:
        headers = dict(letter.headers)
        said = {
            name.removeprefix("__streamer.errors."): (content or b"").decode()
            for name, content in letter.headers
            if name.startswith("__streamer.errors.")
        }
        hostile = placed.pop((int(said["partition"]), int(said["offset"])))
        assert letter.key == hostile.key
        assert letter.value == hostile.value
        for name, content in hostile.headers or []:
            assert headers[name] == dict(hostile.headers or [])[name], (name, content)
        assert said["stage"] == "decode"
        assert said["topic"] == deployment.topics["events"]
        assert said["worker"] == "rides/0"
        assert said["class"]
        assert said["message"]
        reasons[said["class"]] += 1
    assert placed == {}
    dead = {name: value for name, value in counted.items() if name.startswith("streamer_dead_letters_total")}
    assert sum(dead.values()) == N
    for reason, count in reasons.items():
        assert dead[f'streamer_dead_letters_total{{reason="{reason}",stage="decode"}}'] == count


def _hostile() -> Iterator[Hostile]:
    """The list of FACTS, over and over, with random damage in between so that no two rounds are the same."""
    chance = random.Random(6)
    encode = EventEncoder()
    cases = _cases(encode)
    huge = [Hostile(b"\xc3\x01" + chance.randbytes(_NEARLY_A_MEGABYTE + step)) for step in (-1, 0, 1)]
    yield from huge
    for event, case in zip(cycle(events(0, 500)), cycle(cases), strict=False):
        yield case
        damaged = bytearray(encode(event.record()))
        damaged[2 + chance.randrange(8)] ^= 1 << chance.randrange(8)  # another fingerprint
        yield Hostile(bytes(damaged))


def _cases(encode: EventEncoder) -> list[Hostile]:
    (event,) = events(7, 1)
    good = encode(event.record())
    prefix = encode.prefix
    body = good[len(prefix) :]
    assert body[0] == 2, "the id's union branch stands first"
    truncated = [good[:length] for length in range(len(good))]
    rest = body[1 + 1 + len(event.id) :]
    values: list[bytes | None] = [
        None,
        b"",
        *(bytes(n) for n in range(1, 5)),
        *truncated,
        good + b"\x00",  # bytes behind the record
        b"\xc3\x02" + good[2:],
        b"\x00\x00\x00\x00\x01" + body,  # the framing of a registry
        b"\x01" + good[2:],
        b"\xc3\x01" + bytes(8) + body,
        single_object_prefix({"type": "record", "name": "Other", "fields": []}),
        good[2:],
        b"Obj\x01" + body,  # a container file
        b"\x1f\x8b" + good,  # gzip
        prefix + b"\x04" + rest,  # a union branch that does not exist
        prefix + b"\x01" + rest,  # branch -1
        prefix + b"\xff" * 10 + rest,  # a varint that is too long
        prefix + b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" + rest,  # INT64_MIN
        prefix + b"\x02" + b"\x01" + rest,  # length -1
        prefix + b"\x02" + _zigzag(2**40) + rest,
        prefix + b"\x02" + _zigzag(2**62) + rest,
        prefix + b"\x02" + _zigzag(-(2**63)) + rest,
        prefix + b"\x02" + _zigzag(2) + b"\xff\xfe" + rest,  # not UTF-8
        prefix + b"\x02" + _zigzag(3) + b"\xed\xa0\x80" + rest,  # a lone surrogate
        prefix + b"\x00" + rest,  # no id
    ]
    cases = [Hostile(value) for value in values]
    cases += [
        Hostile(b"\x00", key=None),
        Hostile(b"\x00", key=b""),
        Hostile(b"\x00", key=b"\xff" * 100),
        Hostile(b"\x00", headers=[("", b"")]),
        Hostile(b"\x00", headers=[("twice", b"1"), ("twice", b"1")]),
        Hostile(b"\x00", headers=[("null", None), ("bytes", b"\xff\xfe")]),
        Hostile(b"\x00", headers=[(f"h{i}", b"x" * (i % 50)) for i in range(1000)]),
        Hostile(None, key=None, headers=[("traceparent", b"not one")]),
        Hostile(b"\x00", timestamp_ms=1),
        Hostile(b"\x00", timestamp_ms=4_102_444_800_000),
        Hostile(b"\x00", timestamp_ms=2**53),
    ]
    return cases


def _zigzag(number: int) -> bytes:
    """A long as Avro writes it."""
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, "long", number)
    return buffer.getvalue()
