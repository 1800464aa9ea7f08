"""Object stores by URI, through obstore."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from obstore.store import MemoryStore, from_url

from streamer.errors import ArtifactUnavailable, ConfigurationError

if TYPE_CHECKING:
    from streamer.config.settings import ArtifactSettings
    from streamer.registry.artifact_uri import ArtifactUri

_RETRY: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}
_CLIENT = {"connect_timeout": timedelta(seconds=5), "timeout": timedelta(seconds=60)}
_CLIENT_OPTIONS = frozenset(
    {"allow_http", "allow_invalid_certificates", "connect_timeout", "proxy_url", "proxy_ca_certificate", "timeout"}
)
"""Options that are the HTTP client's and not the store's; people write both into one place."""


class ObjectStores:
    """One store per bucket, opened when first used.

    Args:
        settings: The options that every store gets (keys, endpoint, region).
        memory: Holds what ``memory:`` URIs name; for tests.
    """

    def __init__(self, settings: ArtifactSettings, memory: MemoryStore | None = None) -> None:
        options: dict[str, Any] = {key: value.get_secret_value() for key, value in settings.store_options.items()}
        client = {key: value for key, value in options.items() if key in _CLIENT_OPTIONS}
        self._options = {key: value for key, value in options.items() if key not in client}
        self._client: Any = _CLIENT | client
        self._stores: dict[str, Any] = {"memory://": memory or MemoryStore()}

    def read(self, uri: ArtifactUri, max_bytes: int) -> bytes:
        """The first `max_bytes` bytes of an object.

        Raises:
            ArtifactUnavailable: The store does not answer, refuses, or has no such object.
        """
        try:
            answer = obstore.get(self._store(uri), uri.path)
            chunks: list[bytes] = []
            left = max_bytes
            for chunk in answer.stream():
                chunks.append(bytes(memoryview(chunk)[:left]))
                left -= len(chunks[-1])
                if left <= 0:
                    break
            return b"".join(chunks)
        except (BaseError, OSError, ValueError) as error:
            raise _unavailable(error, uri) from error

    def write(self, uri: ArtifactUri, data: bytes) -> None:
        """Stores an object unless it is there: its name is its hash.

        Raises:
            ArtifactUnavailable: The store did not take it.
        """
        try:
            obstore.put(self._store(uri), uri.path, data, mode="create")
        except AlreadyExistsError:
            return
        except (BaseError, OSError, ValueError) as error:
            raise _unavailable(error, uri) from error

    def _store(self, uri: ArtifactUri) -> Any:
        if uri.root not in self._stores:
            try:
                self._stores[uri.root] = from_url(
                    uri.root, retry_config=_RETRY, client_options=self._client, **self._options
                )
            except (BaseError, ValueError, TypeError) as error:
                raise ConfigurationError(
                    f"the object store cannot be opened: {_first_line(error)}",
                    where=uri.root,
                    advice="Check STREAMER_ARTIFACTS__STORE_OPTIONS.",
                ) from error
        return self._stores[uri.root]


def _unavailable(error: Exception, uri: ArtifactUri) -> ArtifactUnavailable:
    # FileNotFoundError and PermissionError are what obstore raises for some stores.
    if isinstance(error, NotFoundError | FileNotFoundError):
        return ArtifactUnavailable(
            "there is no such object", where=str(uri), advice="Restore it, or register the model again."
        )
    if isinstance(error, PermissionDeniedError | UnauthenticatedError | PermissionError):
        return ArtifactUnavailable(
            "the object store refused access",
            where=str(uri),
            advice="Check the keys in STREAMER_ARTIFACTS__STORE_OPTIONS and their rights.",
        )
    return ArtifactUnavailable(
        f"the object store failed: {_first_line(error)}",
        where=str(uri),
        advice="Try again; check the endpoint in STREAMER_ARTIFACTS__STORE_OPTIONS.",
    )


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__
