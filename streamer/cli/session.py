"""What every command shares: the common options, the settings they make, and where results go.

A command takes a :class:`Session` first and is registered with :func:`command`; the decorator hides that parameter
from the command line and puts ``--bootstrap-servers``, ``--output``, ``--log-level`` and ``--debug`` in its place.
They can stand before the command's name too; what stands after it wins.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from streamer.cli.printer import Printer
from streamer.errors import ConfigurationError, StreamerError

if TYPE_CHECKING:
    from streamer.config import Settings


class OutputForm(StrEnum):
    """How results are printed on standard output."""

    table = "table"
    json = "json"


class LogLevel(StrEnum):
    """The least important log line that is printed on standard error."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


_PANEL = "Common options"
BootstrapServers = Annotated[
    str | None,
    typer.Option(
        "--bootstrap-servers",
        metavar="HOST:PORT[,...]",
        help="Kafka. Default: STREAMER_KAFKA__BOOTSTRAP_SERVERS, else 127.0.0.1:9092.",
        rich_help_panel=_PANEL,
    ),
]
Output = Annotated[
    OutputForm | None,
    typer.Option("--output", "-o", help="Form of the results. Default: table.", rich_help_panel=_PANEL),
]
Level = Annotated[
    LogLevel | None,
    typer.Option("--log-level", help="Default: warning; for a worker, info.", rich_help_panel=_PANEL),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=_PANEL)]

COMMON_OPTIONS: dict[str, tuple[Any, Any]] = {
    "bootstrap_servers": (BootstrapServers, None),
    "output": (Output, None),
    "log_level": (Level, None),
    "debug": (Debug, False),
}


@dataclass(frozen=True)
class Session:
    """One invocation of the command line.

    Attributes:
        bootstrap_servers: From the command line; None leaves it to the environment.
        output: From the command line.
        log_level: From the command line.
        debug: Whether errors show their traceback.
        default_log_level: What the command logs at if nobody says otherwise.
    """

    bootstrap_servers: str | None = None
    output: OutputForm | None = None
    log_level: LogLevel | None = None
    debug: bool = False
    default_log_level: LogLevel = field(default=LogLevel.warning)

    @property
    def as_json(self) -> bool:
        """Whether results are for a machine."""
        return self.output is OutputForm.json

    @property
    def printer(self) -> Printer:
        """Where results and progress go."""
        return Printer(as_json=self.as_json)

    def over(self, outer: Session) -> Session:
        """These options, and those of ``outer`` where this has none."""
        return replace(
            self,
            bootstrap_servers=self.bootstrap_servers or outer.bootstrap_servers,
            output=self.output or outer.output,
            log_level=self.log_level or outer.log_level,
            debug=self.debug or outer.debug,
        )

    @functools.cached_property
    def settings(self) -> Settings:
        """The environment's settings with the command line's over them; turns logging on.

        Raises:
            ConfigurationError: A variable is misspelt or has a value that cannot be.
        """
        from pydantic import ValidationError

        from streamer.config import Settings
        from streamer.config.logs import configure_logs
        from streamer.config.settings import LogSettings

        try:
            settings = Settings()
            kafka, log = settings.kafka, settings.log
            if self.bootstrap_servers is not None:
                kafka = kafka.model_copy(update={"bootstrap_servers": self.bootstrap_servers})
            level = self.log_level
            if level is None and "level" not in log.model_fields_set:
                level = self.default_log_level
            if level is not None:
                log = LogSettings(level=level.value, form=log.form)
            settings = settings.model_copy(update={"kafka": kafka, "log": log})
        except (ValidationError, ValueError) as error:
            raise _settings_error(error) from error
        configure_logs(settings.log)
        _warn_of_unknown_variables()
        return settings


def _warn_of_unknown_variables() -> None:
    """A misspelt variable would be ignored without a word. Not an error: Kubernetes makes STREAMER_SERVICE_HOST."""
    import os

    import structlog

    from streamer.config.settings import unknown_variables

    for name, near in unknown_variables(os.environ).items():
        advice = f"did you mean {near}?" if near else "see docs/configuration.md"
        structlog.get_logger(__name__).warning("no such setting", variable=name, advice=advice)


def _settings_error(error: Exception) -> ConfigurationError:
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return ConfigurationError(
            str(error), where="environment", advice="See docs/configuration.md for every variable"
        )
    first = error.errors(include_url=False, include_input=False)[0]
    variable = "STREAMER_" + "__".join(str(part) for part in first["loc"]).upper()
    return ConfigurationError(
        first["msg"], where=variable, advice="See docs/configuration.md for every variable, its type and its default"
    )


def command(
    group: typer.Typer, name: str, *, log_level: LogLevel = LogLevel.warning, **settings: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Registers a function whose first parameter is the :class:`Session` as a command of a group.

    Args:
        group: The Typer application to add it to.
        name: What is typed.
        log_level: What it logs at unless told otherwise.
        settings: Passed on to ``Typer.command``.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(function, eval_str=True)
        own = list(signature.parameters.values())[1:]
        # Typer reads the signature; the context is how it hands over what stood before the command's name.
        shown = [
            inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
            *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own),
            *(
                inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
                for option, (annotation, default) in COMMON_OPTIONS.items()
            ),
        ]

        @functools.wraps(function)
        def run(**arguments: Any) -> None:
            context = arguments.pop("context")
            common = {option: arguments.pop(option) for option in COMMON_OPTIONS}
            outer = context.find_root().obj
            session = Session(**common, default_log_level=log_level)
            if isinstance(outer, Session):
                session = session.over(outer)
            context.find_root().obj = session
            try:
                function(session, **arguments)
            except StreamerError as error:
                if session.debug:
                    raise
                session.printer.error(error)
                raise typer.Exit(1) from error

        run.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
        del run.__wrapped__  # or the inner signature would be found through it
        group.command(name, **settings)(run)
        return function

    return cast("Callable[[Callable[..., None]], Callable[..., None]]", register)
