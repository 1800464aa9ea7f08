"""The reference of the command line, from the Typer application."""

from __future__ import annotations

import inspect
import re
import textwrap
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer
from typer.models import OptionInfo

from streamer.cli.app import app
from streamer.cli.attribute_docs import cell
from streamer.cli.session import COMMON_OPTIONS

_HEAD = """# Command line

`streamer COMMAND --help` says the same. Results go to standard output, everything else to standard error; with
`--output json` the result is one JSON document (for `tail` and `status --watch` one a line). The exit code is 0 when
the command did what was asked, 1 when it could not, 2 when it was called wrongly.

## Common options

Every command takes them; they can stand before the command's name, too.

"""


def commands_reference() -> str:
    """All commands, as Markdown."""
    common = [_Parameter.of(name, inspect.signature(_any_callback()).parameters[name]) for name in COMMON_OPTIONS]
    parts = [_HEAD + _options_table(common)]
    parts += [_section(path, about, callback) for path, about, callback in _commands(app, "streamer")]
    return "\n".join(parts).rstrip() + "\n"


@dataclass(frozen=True)
class _Parameter:
    """An argument or option, as the command's signature declares it."""

    is_option: bool
    names: tuple[str, ...]
    value: str
    default: str
    meaning: str

    @classmethod
    def of(cls, name: str, parameter: inspect.Parameter) -> _Parameter:
        kind, about = typing.get_args(parameter.annotation)
        is_option = isinstance(about, OptionInfo)
        # In Annotated the first name lands in `default`: Typer moves it when it reads the signature.
        declared = [about.default, *(about.param_decls or ())]
        names = tuple(one for one in declared if isinstance(one, str)) or (f"--{name.replace('_', '-')}",)
        return cls(
            is_option=is_option,
            names=names if is_option else (about.metavar or name.upper(),),
            value="" if kind is bool else about.metavar or _value(kind),
            default=_default(parameter.default, kind),
            meaning=about.help or "",
        )


def _commands(group: typer.Typer, path: str) -> Iterator[tuple[str, str, Callable[..., Any] | None]]:
    """(what is typed, its help, its function or None for a group) of every command, groups before their commands."""
    for info in group.registered_commands:
        assert info.callback is not None
        yield f"{path} {info.name}", info.callback.__doc__ or "", info.callback
    for sub in group.registered_groups:
        assert sub.typer_instance is not None
        yield f"{path} {sub.name}", str(sub.typer_instance.info.help), None
        yield from _commands(sub.typer_instance, f"{path} {sub.name}")


def _any_callback() -> Callable[..., Any]:
    callback = app.registered_commands[0].callback
    assert callback is not None
    return callback


def _section(path: str, about: str, callback: Callable[..., Any] | None) -> str:
    level = "##" if path.count(" ") == 1 else "###"
    lines = [f"\n{level} {path}\n", _help_text(about)]
    if callback is None:
        return "\n".join(lines)
    parameters = [
        _Parameter.of(name, parameter)
        for name, parameter in inspect.signature(callback).parameters.items()
        if name != "context" and name not in COMMON_OPTIONS
    ]
    arguments = [one for one in parameters if not one.is_option]
    if arguments:
        lines.append("\n| argument | meaning |\n|---|---|")
        lines += [f"| `{cell(one.names[0])}` | {cell(one.meaning)} |" for one in arguments]
    options = [one for one in parameters if one.is_option]
    if options:
        lines += ["", _options_table(options)]
    return "\n".join(lines)


def _help_text(text: str) -> str:
    """Paragraphs as they are; what is to be left as it is (after a backspace) becomes a code block."""
    parts = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        for block in re.split(r"\n(?=\x08)", paragraph):
            if not block.startswith("\x08"):
                parts.append(" ".join(block.split()))
                continue
            title, *rest = block.lstrip("\x08\n").split("\n")
            code = textwrap.dedent("\n".join(rest))
            parts.append(f"{title}\n\n```\n{code}\n```")
    return "\n\n".join(parts)


def _options_table(options: list[_Parameter]) -> str:
    lines = ["| option | value | default | meaning |", "|---|---|---|---|"]
    for option in options:
        names = ", ".join(f"`{name}`" for name in option.names)
        value = f"`{cell(option.value)}`" if option.value else ""
        lines.append(f"| {names} | {value} | {option.default} | {cell(option.meaning)} |")
    return "\n".join(lines)


def _default(default: Any, kind: Any) -> str:
    if default is inspect.Parameter.empty:
        return "required"
    if default in (None, "") or kind is bool:
        return ""
    return f"`{getattr(default, 'value', default)}`"


def _value(kind: Any) -> str:
    arguments = [one for one in typing.get_args(kind) if one is not type(None)]
    if typing.get_origin(kind) is list:
        return _value(arguments[0])
    if arguments:
        return _value(arguments[0])
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return "|".join(member.value for member in kind)
    return str({int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH"}.get(kind, kind.__name__.upper()))
