"""The root of ``streamer``: global options, groups, and the one place where errors are shown.

Only Typer is imported here and by the command modules; what a command needs is imported when it runs, so that
``streamer --help`` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from streamer.cli.printer import Printer
from streamer.cli.session import BootstrapServers, Debug, Level, Output, Session
from streamer.errors import StreamerError

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="streamer",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Deploy models onto Kafka streams: write feature events here, read inferences there, exactly once.

    \b
    Start:
      streamer broker up                      a Kafka broker on this machine
      streamer init flights --from day.csv    an endpoint document and its schemas
      streamer apply flights.yaml             make it live
      streamer worker --endpoint flights      answer its events
    """,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"streamer {version('streamer')}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    bootstrap_servers: BootstrapServers = None,
    output: Output = None,
    log_level: Level = None,
    debug: Debug = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    context.obj = Session(bootstrap_servers, output, log_level, debug)


def _add_commands() -> None:
    from streamer.cli import (
        apply,
        broker,
        completion,
        dead_letters,
        demo,
        documents,
        explain,
        init,
        model_versions,
        produce,
        status,
        tail,
        worker,
    )

    in_order_of_use = (
        broker,
        init,
        apply,
        documents,
        explain,
        model_versions,
        worker,
        status,
        produce,
        tail,
        dead_letters,
        demo,
        completion,
    )
    for module in in_order_of_use:
        module.add_to(app)


_add_commands()


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs one command and ends the process.

    The exit code is 0 when the command did what was asked, 1 when it could not, 2 when it was called wrongly.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        app(args=list(arguments), prog_name="streamer")
    except StreamerError as error:
        if "--debug" in arguments:
            raise
        Printer(as_json=False).error(error)
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`). Python would complain again while it ends.
        sys.stdout = None
        sys.exit(EXIT_FAILED)
    sys.exit(0)


if __name__ == "__main__":
    main()
