"""Requests to a Schema Registry: several URLs, retries inside a deadline, bounded answers, no secrets in errors."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import httpx

from streamer.avro.schema_registry_answers import HttpAnswer, json_of
from streamer.avro.schema_registry_connection import (
    registry_connection,
    registry_secrets,
    registry_urls,
)
from streamer.errors import SchemaRegistryError, SchemaRegistryRefused, SchemaRegistryUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streamer.avro.schema_registry_policy import SchemaRegistryPolicy
    from streamer.config.settings import RegistrySettings

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
        self._urls = registry_urls(settings)
        self._policy = policy
        self._deadline_seconds = settings.timeout_seconds
        self._clock = clock
        self._sleep = sleep
        self._randomness = randomness
        self._secrets = registry_secrets(settings)
        self._preferred = 0
        self._silent_until = float("-inf")
        self._client = registry_connection(settings, transport)

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
        tls = _tls_error_in(error)
        if isinstance(tls, ssl.SSLCertVerificationError):
            return SchemaRegistryRefused(
                f"the registry's certificate is not trusted: {tls.verify_message}",
                where=where,
                advice="Set ca_file to the certificate of the authority that signed it",
            )
        if tls is not None and "ALERT" in (tls.reason or ""):
            return SchemaRegistryRefused(
                f"the registry ends the TLS handshake; most likely it demands a client certificate: {tls.reason}",
                where=where,
                advice="Set certificate_file and key_file to one that it accepts",
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


def _tls_error_in(error: BaseException) -> ssl.SSLError | None:
    """Return the TLS library's own error among the causes of another, if there is one."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    return cause
