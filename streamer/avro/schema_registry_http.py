"""Requests to a Schema Registry: several URLs, retries inside a deadline, bounded answers, no secrets in errors."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import httpx

from streamer.avro.schema_registry_answers import HttpAnswer, json_of
from streamer.errors import (
    ConfigurationError,
    SchemaRegistryError,
    SchemaRegistryRefused,
    SchemaRegistryUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streamer.avro.schema_registry_policy import SchemaRegistryPolicy
    from streamer.config.settings import RegistrySettings

_MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
_MASK = "***"


class SchemaRegistryHttp:
    """Asks one of several equal registries and returns what it says.

    Safe for use from several threads.

    Args:
        settings: Where the registry is, and how to be admitted.
        policy: Time and size limits.
        clock: Monotonic seconds.
        sleep: Waits for that many seconds.
        randomness: A number from 0 to 1, for the jitter of pauses.
        transport: What sends the requests; by default HTTP with the TLS of the settings.

    Raises:
        ConfigurationError: The settings cannot work.
    """

    def __init__(
        self,
        settings: RegistrySettings,
        policy: SchemaRegistryPolicy,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        randomness: Callable[[], float],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._urls = _urls(settings)
        self._policy = policy
        self._deadline_seconds = settings.timeout_seconds
        self._clock = clock
        self._sleep = sleep
        self._randomness = randomness
        self._secrets = _secrets(settings)
        self._preferred = 0
        self._silent_until = float("-inf")
        self._client = httpx.Client(
            auth=_basic_auth(settings),
            headers=_headers(settings),
            # A certificate store is read even for plain HTTP, so only where it will be used.
            verify=_tls(settings) if any(url.startswith("https:") for url in self._urls) else False,
            transport=transport,
            follow_redirects=False,
            trust_env=False,  # a ~/.netrc must not add credentials
        )

    def __repr__(self) -> str:
        return f"SchemaRegistryHttp({', '.join(self._urls)})"

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        parameters: Mapping[str, str] | None = None,
        may_be_unsupported: bool = False,
    ) -> Any:
        """Send a request until a registry answers, at most until the deadline, and return the answer's JSON.

        The first failing URL is followed by the next one; after all have failed, a pause that doubles from
        round to round and is shortened at random, so that many workers do not come back at once.

        Args:
            method: The HTTP method.
            path: What to ask for, after the base URL.
            body: The JSON to send.
            parameters: The query.
            may_be_unsupported: Whether older registries do not know the path, so that a 404 of any kind only
                means that the thing asked for is not there.

        Raises:
            SchemaRegistryUnavailable: No usable answer within the deadline; for a moment after that, at once.
            SchemaRegistryError: The registry answered with a refusal.
        """
        started = self._clock()
        if started < self._silent_until:
            raise SchemaRegistryUnavailable(
                "the registry did not answer a moment ago and is not asked yet again",
                where=f"{method} {self._urls[self._preferred]}{path}",
                advice="Schemas that are known already are still used",
            )
        deadline = started + self._deadline_seconds
        pause_seconds = self._policy.first_pause_seconds
        while True:
            wished_pause_seconds = 0.0
            for _ in self._urls:
                where = f"{method} {self._urls[self._preferred]}{path}"
                try:
                    answer = self._send(method, path, body, parameters, deadline, where)
                    if not answer.asks_to_try_again():
                        return self._meaning_of(answer, where, may_be_unsupported)
                    failure: SchemaRegistryError = self._failure_in(answer, where)
                    wished_pause_seconds = max(wished_pause_seconds, answer.retry_after_seconds())
                except SchemaRegistryUnavailable as error:
                    failure = error
                self._preferred = (self._preferred + 1) % len(self._urls)
                if self._clock() >= deadline:
                    raise self._given_up(failure)
            jittered = pause_seconds * self._randomness()
            remaining = deadline - self._clock()
            pause = max(jittered, wished_pause_seconds)
            if pause >= remaining:
                raise self._given_up(failure)
            self._sleep(pause)
            pause_seconds = min(pause_seconds * 2, self._policy.longest_pause_seconds)

    def _given_up(self, failure: SchemaRegistryError) -> SchemaRegistryError:
        self._silent_until = self._clock() + self._policy.outage_seconds
        return failure

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        parameters: Mapping[str, str] | None,
        deadline: float,
        where: str,
    ) -> HttpAnswer:
        """Send one request to the preferred URL and read its answer to the end."""
        started = self._clock()
        patience_seconds = min(self._policy.attempt_timeout_seconds, max(deadline - started, 0.001))
        try:
            with self._client.stream(
                method,
                self._urls[self._preferred] + path,
                json=body,
                params=parameters,
                timeout=patience_seconds,
            ) as response:
                content = self._read(response, started + patience_seconds, where)
                return HttpAnswer(response.status_code, content, dict(response.headers))
        except httpx.HTTPError as error:
            raise self._from_httpx(error, where) from error

    def _read(self, response: httpx.Response, deadline: float, where: str) -> bytes:
        """Read the bytes as they were sent: decompressing could make a small answer a huge one."""
        content = bytearray()
        for piece in response.iter_raw():
            content += piece
            if len(content) > self._policy.answer_bytes:
                raise SchemaRegistryRefused(f"the answer is longer than {self._policy.answer_bytes} bytes", where=where)
            if self._clock() > deadline:  # httpx's own timeout starts anew with every piece
                raise SchemaRegistryUnavailable(
                    "the answer was not complete in time", where=where, advice="Try again later"
                )
        return bytes(content)

    def _meaning_of(self, answer: HttpAnswer, where: str, may_be_unsupported: bool) -> Any:
        try:
            return json_of(answer, where, may_be_unsupported=may_be_unsupported)
        except SchemaRegistryError as error:
            raise self._masked(error) from None

    def _failure_in(self, answer: HttpAnswer, where: str) -> SchemaRegistryError:
        try:
            json_of(answer, where)
        except SchemaRegistryError as error:
            return self._masked(error)
        raise AssertionError("only failures ask to try again")

    def _from_httpx(self, error: httpx.HTTPError, where: str) -> SchemaRegistryError:
        if _is_about_certificates(error):
            return SchemaRegistryRefused(
                f"the registry's certificate is not trusted: {error}",
                where=where,
                advice="Set ca_file to the certificate of the authority that signed it",
            )
        if isinstance(error, httpx.TimeoutException):
            what = "the registry did not answer in time"
        else:
            what = f"the registry cannot be reached: {error}"
        return SchemaRegistryUnavailable(
            what, where=where, advice="Check that it runs and that its URL is right; then try again"
        )

    def _masked(self, error: SchemaRegistryError) -> SchemaRegistryError:
        """Return the error without our secrets, should the registry have quoted them back to us."""
        what = error.what
        for secret in self._secrets:
            what = what.replace(secret, _MASK)
        return type(error)(what, where=error.where, advice=error.advice)


def _urls(settings: RegistrySettings) -> tuple[str, ...]:
    urls = tuple(url.strip().rstrip("/") for url in (settings.url or "").split(",") if url.strip())
    if not urls:
        raise ConfigurationError(
            "no Schema Registry is configured, but a topic's framing needs one",
            where="schema_registry.url",
            advice="Set STREAMER_SCHEMA_REGISTRY__URL; several URLs are separated by commas",
        )
    for url in urls:
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise ConfigurationError("this is not a URL", where="schema_registry.url") from error
        if parsed.userinfo:
            raise ConfigurationError(
                "the URL holds a user name or password, which would appear in logs and errors",
                where="schema_registry.url",
                advice="Set schema_registry.username and schema_registry.password instead",
            )
        if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query or parsed.fragment:
            raise ConfigurationError(
                f"{url!r} is not the base URL of a registry",
                where="schema_registry.url",
                advice="Write it as https://host:port, with a path if there is one",
            )
    return urls


def _headers(settings: RegistrySettings) -> dict[str, str]:
    headers = {"Accept": f"{_MEDIA_TYPE}, application/json", "Accept-Encoding": "identity"}
    headers["Content-Type"] = _MEDIA_TYPE
    if settings.bearer_token is not None:
        token = settings.bearer_token.get_secret_value()
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise ConfigurationError(
                "the token has characters that a header cannot carry",
                where="schema_registry.bearer_token",
                advice="Look for a line break or a space at its end",
            )
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _basic_auth(settings: RegistrySettings) -> httpx.BasicAuth | None:
    if settings.username is None and settings.password is None:
        return None
    if settings.bearer_token is not None:
        raise ConfigurationError(
            "a user name and password and a bearer token are set, but only one kind can be sent",
            where="schema_registry",
            advice="Set schema_registry.username and .password, or .bearer_token",
        )
    password = "" if settings.password is None else settings.password.get_secret_value()
    return httpx.BasicAuth(settings.username or "", password)


def _secrets(settings: RegistrySettings) -> tuple[str, ...]:
    values = (settings.password, settings.bearer_token)
    return tuple(value.get_secret_value() for value in values if value is not None and value.get_secret_value())


def _tls(settings: RegistrySettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.certificate_file is not None:
            context.load_cert_chain(settings.certificate_file, settings.key_file)
    except (OSError, ssl.SSLError) as error:
        files = [settings.ca_file, settings.certificate_file, settings.key_file]
        raise ConfigurationError(
            f"a TLS file of the Schema Registry cannot be used: {error}",
            where=", ".join(str(file) for file in files if file is not None),
            advice="The files must be in PEM format, the key without a pass phrase and fitting the certificate",
        ) from error
    return context


def _is_about_certificates(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
