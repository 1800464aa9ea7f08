"""The registry client against answers of our own making; a real registry answers in the integration tests."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr

from streamer.avro.schema_registry import Compatibility, SchemaRegistry, SubjectVersion
from streamer.avro.schema_registry_policy import DEFAULT_POLICY
from streamer.config.settings import RegistrySettings
from streamer.errors import (
    ConfigurationError,
    SchemaError,
    SchemaIncompatible,
    SchemaNotFound,
    SchemaRegistryError,
    SchemaRegistryRefused,
    SchemaRegistryUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streamer.avro.schema_registry_policy import SchemaRegistryPolicy

SCHEMA = '{"type": "record", "name": "Flight", "fields": []}'
FOUND = httpx.Response(200, json={"schema": SCHEMA})
GUID = UUID("086daf48-d9ed-453d-adec-a75861b16ed2")
PASSWORD = "correct-horse-battery"


def not_found(code: int = 40403) -> httpx.Response:
    return httpx.Response(404, json={"error_code": code, "message": "Schema not found"})


def unread(answer: httpx.Response) -> httpx.Response:
    """The answer as it comes from the network, its body still to be read."""
    return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content))


class FakeTime:
    """A clock that only moves when somebody sleeps, or when a request takes time."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class FakeRegistry:
    """Answers each request with the next of the given answers, and the last one for ever after."""

    def __init__(self, *answers: httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]) -> None:
        self.requests: list[httpx.Request] = []
        self._answers = list(answers)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return unread(answer)
        return answer(request)

    @property
    def urls(self) -> list[str]:
        return [str(request.url) for request in self.requests]


def client(
    fake: FakeRegistry,
    time: FakeTime | None = None,
    *,
    policy: SchemaRegistryPolicy = DEFAULT_POLICY,
    randomness: Callable[[], float] = lambda: 1.0,
    **settings: Any,
) -> SchemaRegistry:
    time = time or FakeTime()
    return SchemaRegistry(
        RegistrySettings(**({"url": "http://registry:8081"} | settings)),
        policy=policy,
        clock=time.clock,
        sleep=time.sleep,
        randomness=randomness,
        transport=httpx.MockTransport(fake),
    )


# ------------------------------------------------------------------ looking up and remembering


def test_a_schema_is_asked_for_once_and_then_known_for_ever() -> None:
    fake, time = FakeRegistry(FOUND), FakeTime()
    registry = client(fake, time)
    assert registry.schema_by_id(7) == SCHEMA
    time.now += 10 * 365 * 86_400
    assert registry.schema_by_id(7) == SCHEMA
    assert fake.urls == ["http://registry:8081/schemas/ids/7"]


def test_a_schema_is_found_by_guid() -> None:
    fake = FakeRegistry(FOUND)
    registry = client(fake)
    assert [registry.schema_by_guid(GUID), registry.schema_by_guid(GUID)] == [SCHEMA, SCHEMA]
    assert fake.urls == [f"http://registry:8081/schemas/guids/{GUID}"]


def test_a_registry_that_knows_no_guids_does_not_have_the_schema() -> None:
    with pytest.raises(SchemaNotFound, match="too old to be asked"):
        client(FakeRegistry(httpx.Response(404, content=b""))).schema_by_guid(GUID)


def test_an_outage_does_not_stop_work_on_known_ids() -> None:
    fake = FakeRegistry(FOUND, httpx.ConnectError("refused"))
    registry = client(fake)
    registry.schema_by_id(7)
    with pytest.raises(SchemaRegistryUnavailable):
        registry.schema_by_id(8)
    assert registry.schema_by_id(7) == SCHEMA


def test_an_unknown_id_is_not_asked_for_again_for_a_while() -> None:
    fake, time = FakeRegistry(not_found(), FOUND), FakeTime()
    registry = client(fake, time)
    for _ in range(2):
        with pytest.raises(SchemaNotFound, match="Schema not found"):
            registry.schema_by_id(7)
    assert len(fake.requests) == 1
    time.now += DEFAULT_POLICY.unknown_seconds
    assert registry.schema_by_id(7) == SCHEMA


def test_an_unknown_id_that_we_register_ourselves_is_known_at_once() -> None:
    fake = FakeRegistry(not_found(), httpx.Response(200, json={"id": 7}), FOUND)
    registry = client(fake)
    with pytest.raises(SchemaNotFound):
        registry.schema_by_id(7)
    assert registry.register("flights-value", SCHEMA) == 7
    assert registry.schema_by_id(7) == SCHEMA


def test_what_is_remembered_is_bounded_and_the_least_recently_used_goes_first() -> None:
    fake = FakeRegistry(FOUND)
    registry = client(fake, policy=replace(DEFAULT_POLICY, cached_schemas=2))
    for schema_id in (1, 2, 1, 3, 1, 2):
        registry.schema_by_id(schema_id)
    assert [url.rpartition("/")[2] for url in fake.urls] == ["1", "2", "3", "2"]


def test_what_is_remembered_is_bounded_in_characters_too() -> None:
    fake = FakeRegistry(FOUND)
    registry = client(fake, policy=replace(DEFAULT_POLICY, cached_characters=2 * len(SCHEMA)))
    for schema_id in (1, 2, 3, 1):
        registry.schema_by_id(schema_id)
    assert len(fake.requests) == 4


def test_unknown_ids_are_remembered_in_bounded_number() -> None:
    fake = FakeRegistry(not_found())
    registry = client(fake, policy=replace(DEFAULT_POLICY, cached_unknown=2))
    for schema_id in (1, 2, 3, 1):
        with pytest.raises(SchemaNotFound):
            registry.schema_by_id(schema_id)
    assert len(fake.requests) == 4


@pytest.mark.parametrize("schema_id", [-1, 2**31, 2**32 - 1])
def test_an_id_that_no_registry_gives_is_not_asked_for(schema_id: int) -> None:
    fake = FakeRegistry(FOUND)
    with pytest.raises(SchemaNotFound, match="is not an id"):
        client(fake).schema_by_id(schema_id)
    assert fake.requests == []


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"schema": "{}", "schemaType": "PROTOBUF"}, "type 'PROTOBUF'"),
        ({"schema": SCHEMA, "references": [{"name": "A", "subject": "a", "version": 1}]}, "refers to other"),
    ],
)
def test_a_schema_that_cannot_be_used_says_why_and_is_remembered(answer: dict[str, Any], says: str) -> None:
    fake = FakeRegistry(httpx.Response(200, json=answer))
    registry = client(fake)
    for _ in range(2):
        with pytest.raises(SchemaError, match=says):
            registry.schema_by_id(7)
    assert len(fake.requests) == 1


# ------------------------------------------------------------------ subjects


def test_registering_sends_the_schema_and_returns_its_id() -> None:
    fake = FakeRegistry(httpx.Response(200, json={"id": 3}))
    assert client(fake).register("flights/late value", SCHEMA) == 3
    assert fake.urls == ["http://registry:8081/subjects/flights%2Flate%20value/versions"]
    assert json.loads(fake.requests[0].content) == {"schema": SCHEMA}
    assert fake.requests[0].headers["content-type"] == "application/vnd.schemaregistry.v1+json"


@pytest.mark.parametrize(("version", "path"), [(None, "latest"), (4, "4")])
def test_a_version_of_a_subject_is_found(version: int | None, path: str) -> None:
    fake = FakeRegistry(httpx.Response(200, json={"subject": "s", "version": 4, "id": 9, "schema": SCHEMA}))
    assert client(fake).version("s", version) == SubjectVersion("s", 4, 9, SCHEMA)
    assert fake.urls == [f"http://registry:8081/subjects/s/versions/{path}"]


def test_the_version_of_a_schema_is_found() -> None:
    fake = FakeRegistry(httpx.Response(200, json={"subject": "s", "version": 4, "id": 9, "schema": SCHEMA}))
    assert client(fake).find("s", SCHEMA) == SubjectVersion("s", 4, 9, SCHEMA)
    assert (fake.requests[0].method, fake.requests[0].url.path) == ("POST", "/subjects/s")


def test_compatibility_is_answered_with_reasons() -> None:
    answer = {"is_compatible": False, "messages": ["READER_FIELD_MISSING_DEFAULT_VALUE"]}
    fake = FakeRegistry(httpx.Response(200, json=answer))
    expected = Compatibility(False, ("READER_FIELD_MISSING_DEFAULT_VALUE",))
    assert client(fake).compatibility("s", SCHEMA) == expected
    assert fake.urls == ["http://registry:8081/compatibility/subjects/s/versions/latest?verbose=true"]


def test_a_new_subject_admits_any_schema() -> None:
    assert client(FakeRegistry(not_found(40401))).compatibility("new", SCHEMA) == Compatibility(True, ())


def test_subjects_are_listed_sorted() -> None:
    assert client(FakeRegistry(httpx.Response(200, json=["b", "a"]))).subjects() == ["a", "b"]


@pytest.mark.parametrize("subject", ["", ".", ".."])
def test_a_subject_that_would_change_the_path_is_refused(subject: str) -> None:
    with pytest.raises(SchemaRegistryRefused, match="cannot be the name"):
        client(FakeRegistry(FOUND)).register(subject, SCHEMA)


# ------------------------------------------------------------------ what answers mean


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (not_found(40401), SchemaNotFound),
        (not_found(40402), SchemaNotFound),
        (not_found(40403), SchemaNotFound),
        (httpx.Response(404, text="<html>nginx</html>"), SchemaRegistryRefused),
        (httpx.Response(404, json={"error_code": 404, "message": "HTTP 404 Not Found"}), SchemaRegistryRefused),
        (httpx.Response(409, json={"error_code": 409, "message": "incompatible"}), SchemaIncompatible),
        (httpx.Response(422, json={"error_code": 42201, "message": "Invalid schema"}), SchemaRegistryRefused),
        (httpx.Response(401, json={"error_code": 401, "message": "Unauthorized"}), SchemaRegistryRefused),
        (httpx.Response(403), SchemaRegistryRefused),
        (httpx.Response(400, json=["not", "an", "object"]), SchemaRegistryRefused),
        (httpx.Response(302, headers={"location": "http://elsewhere/"}), SchemaRegistryRefused),
        (httpx.Response(200, text="<html>Please log in</html>"), SchemaRegistryRefused),
        (httpx.Response(200, content=b"[" * 100_000), SchemaRegistryRefused),
        (httpx.Response(200, json=[]), SchemaRegistryRefused),
        (httpx.Response(200, json={"id": "7"}), SchemaRegistryRefused),
        (httpx.Response(200, json={"id": True}), SchemaRegistryRefused),
        (httpx.Response(408), SchemaRegistryUnavailable),
        (httpx.Response(429), SchemaRegistryUnavailable),
        (httpx.Response(500, json={"error_code": 50001, "message": "store"}), SchemaRegistryUnavailable),
        (httpx.Response(503, text="<html>"), SchemaRegistryUnavailable),
        (httpx.ConnectError("refused"), SchemaRegistryUnavailable),
        (httpx.ConnectTimeout("slow"), SchemaRegistryUnavailable),
        (httpx.ReadTimeout("slow"), SchemaRegistryUnavailable),
        (httpx.RemoteProtocolError("cut off"), SchemaRegistryUnavailable),
    ],
)
def test_every_answer_has_its_error(answer: httpx.Response | Exception, error: type[SchemaRegistryError]) -> None:
    with pytest.raises(SchemaRegistryError) as caught:
        client(FakeRegistry(answer)).register("s", SCHEMA)
    assert type(caught.value) is error
    assert caught.value.where is not None
    assert caught.value.where.endswith("/subjects/s/versions")


@pytest.mark.parametrize("call", ["subjects", "version", "find", "compatibility", "schema_by_id"])
def test_json_of_another_form_is_refused(call: str) -> None:
    registry = client(FakeRegistry(httpx.Response(200, json={"is_compatible": "maybe", "schema": 3})))
    arguments: dict[str, tuple[object, ...]] = {
        "subjects": (), "version": ("s",), "find": ("s", SCHEMA), "compatibility": ("s", SCHEMA),
        "schema_by_id": (7,),
    }  # fmt: skip
    with pytest.raises(SchemaRegistryRefused, match="does not have the form"):
        getattr(registry, call)(*arguments[call])


def test_a_version_of_a_subject_without_an_id_is_refused() -> None:
    with pytest.raises(SchemaRegistryRefused, match="does not have the form"):
        client(FakeRegistry(httpx.Response(200, json={"schema": SCHEMA, "version": 1}))).find("s", SCHEMA)


def test_an_endless_answer_is_cut_off() -> None:
    policy = replace(DEFAULT_POLICY, answer_bytes=1_000)
    with pytest.raises(SchemaRegistryRefused, match="longer than 1000 bytes"):
        client(FakeRegistry(httpx.Response(200, content=b" " * 1_001)), policy=policy).schema_by_id(7)


def test_a_compressed_answer_is_not_unpacked() -> None:
    answer = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"\x1f\x8b bomb"))
    with pytest.raises(SchemaRegistryRefused, match="not JSON"):
        client(FakeRegistry(lambda request: answer)).schema_by_id(7)


def test_an_answer_that_drips_is_given_up() -> None:
    time = FakeTime()

    class Drip(httpx.SyncByteStream):
        def __iter__(self) -> Any:
            while True:
                time.now += 1.0
                yield b" "

    fake = FakeRegistry(lambda request: httpx.Response(200, stream=Drip()))
    with pytest.raises(SchemaRegistryUnavailable, match="not complete in time"):
        client(fake, time).schema_by_id(7)
    assert time.now - 1_000 < 15


def test_what_the_registry_says_is_quoted_on_one_line_and_cut() -> None:
    answer = httpx.Response(422, json={"error_code": 42201, "message": "bad\n\x1b[31m" + "x" * 5_000})
    with pytest.raises(SchemaRegistryRefused) as caught:
        client(FakeRegistry(answer)).register("s", SCHEMA)
    assert "bad [31mxxx" in str(caught.value)
    assert len(str(caught.value)) < 800


# ------------------------------------------------------------------ trying again


def test_failures_are_tried_again_with_doubling_shortened_pauses() -> None:
    fake, time = FakeRegistry(*[httpx.Response(503)] * 3, FOUND), FakeTime()
    shares = iter([1.0, 0.5, 0.25])
    assert client(fake, time, randomness=lambda: next(shares)).schema_by_id(7) == SCHEMA
    assert time.slept == pytest.approx([0.1, 0.1, 0.1])


def test_pauses_stop_growing_and_end_at_the_deadline() -> None:
    fake, time = FakeRegistry(httpx.Response(503)), FakeTime()
    with pytest.raises(SchemaRegistryUnavailable, match="status 503"):
        client(fake, time, timeout_seconds=10).schema_by_id(7)
    assert time.slept == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0])
    assert time.now - 1_000 <= 10


def test_the_registry_may_ask_for_a_longer_pause() -> None:
    fake, time = FakeRegistry(httpx.Response(429, headers={"retry-after": "4"}), FOUND), FakeTime()
    assert client(fake, time).schema_by_id(7) == SCHEMA
    assert time.slept == [4.0]


@pytest.mark.parametrize("retry_after", ["3600", "Wed, 21 Oct 2026 07:28:00 GMT", "-1", "²"])
def test_the_registry_cannot_make_us_wait_past_the_deadline(retry_after: str) -> None:
    time = FakeTime()
    fake = FakeRegistry(httpx.Response(429, headers={"retry-after": retry_after.encode()}))
    with pytest.raises(SchemaRegistryUnavailable):
        client(fake, time).schema_by_id(7)
    assert time.now - 1_000 <= 10


def test_refusals_are_not_tried_again() -> None:
    fake = FakeRegistry(httpx.Response(403))
    with pytest.raises(SchemaRegistryRefused):
        client(fake).schema_by_id(7)
    assert len(fake.requests) == 1


def test_during_an_outage_requests_fail_at_once_and_are_made_again_after_it() -> None:
    time = FakeTime()
    fake = FakeRegistry(httpx.ConnectError("refused"))
    registry = client(fake, time)
    with pytest.raises(SchemaRegistryUnavailable, match="cannot be reached"):
        registry.schema_by_id(7)
    asked = len(fake.requests)
    with pytest.raises(SchemaRegistryUnavailable, match="not asked yet again"):
        registry.schema_by_id(8)
    assert len(fake.requests) == asked
    time.now += DEFAULT_POLICY.outage_seconds
    with pytest.raises(SchemaRegistryUnavailable, match="cannot be reached"):
        registry.schema_by_id(8)
    assert len(fake.requests) > asked


def test_another_url_takes_over_without_a_pause_and_stays_preferred() -> None:
    time = FakeTime()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "first":
            raise httpx.ConnectError("refused")
        return unread(FOUND)

    fake = FakeRegistry(answer)
    registry = client(fake, time, url="http://first:1, http://second:2/")
    assert [registry.schema_by_id(1), registry.schema_by_id(2)] == [SCHEMA, SCHEMA]
    assert [request.url.host for request in fake.requests] == ["first", "second", "second"]
    assert time.slept == []


# ------------------------------------------------------------------ being admitted, and secrets


def test_user_name_and_password_are_sent() -> None:
    fake = FakeRegistry(FOUND)
    client(fake, username="ann", password=SecretStr("pw")).schema_by_id(1)
    assert fake.requests[0].headers["authorization"] == "Basic YW5uOnB3"


def test_a_bearer_token_is_sent() -> None:
    fake = FakeRegistry(FOUND)
    client(fake, bearer_token=SecretStr("abc")).schema_by_id(1)
    assert fake.requests[0].headers["authorization"] == "Bearer abc"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(401, json={"error_code": 401, "message": f"{PASSWORD} is wrong"}),
        httpx.Response(500, json={"error_code": 500, "message": f"{PASSWORD} is wrong"}),
        httpx.ConnectError("refused"),
        httpx.Response(200, text=PASSWORD),
    ],
)
@pytest.mark.parametrize("kind", ["password", "bearer_token"])
def test_secrets_never_appear(answer: httpx.Response | Exception, kind: str) -> None:
    registry = client(FakeRegistry(answer), **{kind: SecretStr(PASSWORD)})
    with pytest.raises(SchemaRegistryError) as caught:
        registry.schema_by_id(1)
    chain: list[BaseException] = [caught.value]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    assert PASSWORD not in " ".join(f"{error!s} {error!r}" for error in chain) + repr(registry)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"url": None}, "no Schema Registry is configured"),
        ({"url": " , "}, "no Schema Registry is configured"),
        ({"url": "registry:8081"}, "not the base URL"),
        ({"url": "http://registry:8081?x=1"}, "not the base URL"),
        ({"url": "http://[::1"}, "not a URL"),
        ({"url": f"http://ann:{PASSWORD}@registry"}, "holds a user name or password"),
        ({"username": "ann", "bearer_token": SecretStr("t")}, "only one kind can be sent"),
        ({"bearer_token": SecretStr(f"{PASSWORD}\n")}, "a header cannot carry"),
        ({"url": "https://registry", "ca_file": "/does/not/exist.pem"}, "TLS file"),
        ({"url": "https://registry", "certificate_file": "/does/not/exist.pem"}, "TLS file"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        client(FakeRegistry(FOUND), **settings)
    assert PASSWORD not in str(caught.value)


def test_a_broken_certificate_file_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("not a certificate")
    with pytest.raises(ConfigurationError) as caught:
        client(FakeRegistry(FOUND), url="https://registry", ca_file=broken)
    assert caught.value.where == str(broken)


def test_a_client_closes_with_its_context() -> None:
    with client(FakeRegistry(FOUND)) as registry:
        registry.schema_by_id(1)
    with pytest.raises(RuntimeError, match="closed"):
        registry.schema_by_id(2)
