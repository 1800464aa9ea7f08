"""``streamer completion``: what a shell needs to complete commands and options."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from streamer.cli.session import Session, command


class Shell(StrEnum):
    """Shells that can complete."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


def add_to(app: typer.Typer) -> None:
    """Adds the command to the root."""
    command(app, "completion")(completion)


def completion(
    session: Session,
    shell: Annotated[Shell, typer.Argument(help="Your shell.")],
) -> None:
    """Print the completion script of a shell.

    \b
    Example:
      streamer completion bash > ~/.local/share/bash-completion/completions/streamer
      source <(streamer completion bash)
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]  # Typer has no public way to it

    script = get_completion_script(prog_name="streamer", complete_var="_STREAMER_COMPLETE", shell=shell.value)
    if session.as_json:
        session.printer.document({"shell": shell.value, "script": script})
    else:
        session.printer.text(script)
