"""The HTTP client for a Schema Registry: its URLs, credentials and TLS, from the settings."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx

from streamer.errors import ConfigurationError

if TYPE_CHECKING:
    from streamer.config.settings import RegistrySettings

_MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"


def registry_urls(settings: RegistrySettings) -> tuple[str, ...]:
    """Return the base URLs of the settings, without slashes at their ends.

    Raises:
        ConfigurationError: There is none, or one that cannot work or would show a secret in logs.
    """
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


def registry_secrets(settings: RegistrySettings) -> tuple[str, ...]:
    """Return the texts that must never be shown."""
    values = (settings.password, settings.bearer_token)
    return tuple(value.get_secret_value() for value in values if value is not None and value.get_secret_value())


def registry_connection(settings: RegistrySettings, transport: httpx.BaseTransport | None) -> httpx.Client:
    """Return an HTTP client with the credentials and TLS files of the settings.

    Args:
        settings: How to be admitted.
        transport: What sends the requests; None for HTTP with TLS.

    Raises:
        ConfigurationError: A secret or a file cannot be used.
    """
    uses_tls = any(url.startswith("https:") for url in registry_urls(settings))
    return httpx.Client(
        auth=_basic_auth(settings),
        headers=_headers(settings),
        # A certificate store is read even for plain HTTP, so only where it will be used.
        verify=_tls(settings) if uses_tls else False,
        transport=transport,
        follow_redirects=False,
        trust_env=False,  # a ~/.netrc must not add credentials
    )


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
