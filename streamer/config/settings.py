"""Everything that can be set, from environment variables and, over them, command-line options.

``STREAMER_KAFKA__BOOTSTRAP_SERVERS=host:9092`` sets ``settings.kafka.bootstrap_servers``. A secret can come from a
file: ``STREAMER_KAFKA__SASL_PASSWORD_FILE=/run/secrets/kafka``. Nothing below the edge reads the environment.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from platformdirs import user_cache_path
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_PREFIX = "STREAMER_"
_NOT_SETTINGS = {"STREAMER_TEST_BOOTSTRAP_SERVERS"}


class KafkaSettings(BaseModel):
    """How to reach Kafka.

    Attributes:
        bootstrap_servers: ``host:port[,host:port...]``.
        librdkafka: Raw librdkafka settings (TLS, SASL, timeouts), passed through to every client. As JSON in
            ``STREAMER_KAFKA__LIBRDKAFKA``.
        sasl_password: Passed as ``sasl.password``.
        sasl_password_file: A file that holds it.
        ssl_key_password: Passed as ``ssl.key.password``.
        topic_prefix: Stands before the names of the control topics and of an endpoint's default topics.
        request_timeout_seconds: Deadline of one administrative request.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap_servers: str = "127.0.0.1:9092"
    librdkafka: dict[str, str | int | float | bool] = Field(default_factory=dict, repr=False)
    sasl_password: SecretStr | None = None
    sasl_password_file: Path | None = None
    ssl_key_password: SecretStr | None = None
    topic_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,100}$")] = ""
    request_timeout_seconds: Annotated[float, Field(gt=0)] = 30.0

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.sasl_password is not None and self.sasl_password_file is not None:
            raise ValueError("set sasl_password or sasl_password_file, not both")
        return self

    def client_config(self) -> dict[str, Any]:
        """The librdkafka settings shared by consumers, producers and admin clients. Holds secrets: never log it."""
        config: dict[str, Any] = {"bootstrap.servers": self.bootstrap_servers, **self.librdkafka}
        if self.sasl_password is not None:
            config["sasl.password"] = self.sasl_password.get_secret_value()
        elif self.sasl_password_file is not None:
            config["sasl.password"] = self.sasl_password_file.read_text(encoding="utf-8").strip()
        if self.ssl_key_password is not None:
            config["ssl.key.password"] = self.ssl_key_password.get_secret_value()
        return config

    def consumer_group(self, endpoint: str) -> str:
        """The consumer group of an endpoint's workers."""
        return f"{self.topic_prefix}streamer.{endpoint}"

    @property
    def config_topic(self) -> str:
        """Endpoint and routing documents."""
        return f"{self.topic_prefix}streamer.config"

    @property
    def models_topic(self) -> str:
        """Model versions and tag moves."""
        return f"{self.topic_prefix}streamer.models"

    @property
    def status_topic(self) -> str:
        """What each worker says of itself."""
        return f"{self.topic_prefix}streamer.status"


class RegistrySettings(BaseModel):
    """A Confluent Schema Registry, needed where a topic's framing is ``confluent``.

    Attributes:
        url: Its base URL; several, separated by commas, are tried in turn.
        username: For HTTP basic authentication.
        password: The same.
        bearer_token: Sent as ``Authorization: Bearer``.
        ca_file: PEM file of the authority that signed the registry's certificate.
        certificate_file: PEM file of our certificate, where the registry asks for one.
        key_file: PEM file of its key.
        timeout_seconds: Deadline of one request.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str | None = None
    username: str | None = None
    password: SecretStr | None = None
    bearer_token: SecretStr | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    timeout_seconds: Annotated[float, Field(gt=0)] = 10.0


class HttpSettings(BaseModel):
    """The worker's own HTTP server: /metrics, /healthz, /readyz.

    Attributes:
        host: The address that it listens on; ``0.0.0.0`` for all, as in a container.
        port: 0 picks a free one, which the log and ``streamer status`` tell; ``null`` starts no server.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] | None = 0


class LogSettings(BaseModel):
    """Structured logs on standard error.

    Attributes:
        level: The least important line that is written.
        form: For people or as JSON; ``auto`` is ``console`` on a terminal and ``json`` elsewhere.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Literal["debug", "info", "warning", "error"] = "info"
    form: Literal["console", "json", "auto"] = "auto"


class ArtifactSettings(BaseModel):
    """Where artifacts are kept.

    Attributes:
        store: URI under which ``register`` stores new artifacts, e.g. ``s3://models/prod``. None: the cache folder.
        store_options: Passed to obstore (``aws_access_key_id``, ``endpoint``, ...). As JSON in the environment.
        max_bytes: A larger artifact is refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: str | None = None
    store_options: dict[str, SecretStr] = Field(default_factory=dict)
    max_bytes: Annotated[int, Field(gt=0)] = 2 * 1024**3


class Settings(BaseSettings):
    """All settings of one process."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid", secrets_dir=None
    )

    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    schema_registry: RegistrySettings = Field(default_factory=RegistrySettings)
    artifacts: ArtifactSettings = Field(default_factory=ArtifactSettings)
    http: HttpSettings = Field(default_factory=HttpSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    cache_dir: Path = Field(default_factory=lambda: user_cache_path("streamer"))


def unknown_variables(environment: Mapping[str, str]) -> dict[str, str | None]:
    """Environment variables that look like settings and are none, with the name that was probably meant."""
    groups = {f"{_PREFIX}{name.upper()}" for name in Settings.model_fields}
    unknown: dict[str, str | None] = {}
    for name in environment:
        group, _, rest = name.partition("__")
        if name.startswith(_PREFIX) and group.upper() not in groups and group not in _NOT_SETTINGS:
            near = difflib.get_close_matches(group, groups, n=1, cutoff=0.7)
            unknown[name] = f"{near[0]}__{rest}" if near and rest else next(iter(near), None)
    return unknown
