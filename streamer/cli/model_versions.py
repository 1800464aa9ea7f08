"""``streamer models``: register, look at, tag, validate and retire model versions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamer.cli.session import Session, command

if TYPE_CHECKING:
    from streamer.control.model_versions import ListedVersion
    from streamer.records.model_version import ModelVersion, TensorSpec

group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Model versions: immutable artifacts with a name, a number, tags, and how events become their inputs.

    \b
    Example:
      streamer models register late.onnx --name lateness --mapping lateness.yaml --tag production
      streamer models list
    """,
)

Which = Annotated[str, typer.Argument(metavar="MODEL", help="NAME:VERSION, a tag, or a UUID.")]
Tag = Annotated[str, typer.Argument(metavar="TAG", help="The tag.")]


def add_to(app: typer.Typer) -> None:
    """Adds the group to the root."""
    app.add_typer(group, name="models")


@command(group, "register")
def register(
    session: Session,
    artifact: Annotated[Path, typer.Argument(help="An ONNX file, or what streamer's dump_river wrote.")],
    name: Annotated[str, typer.Option(help="The model's name; the version gets its next number.")],
    mapping: Annotated[
        Path, typer.Option(help="YAML with `inputs` and `outputs`, and `nulls` and `golden` records if need be.")
    ],
    tag: Annotated[list[str] | None, typer.Option(help="A tag to put on it; again for more.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="Refuse it if it cannot answer this endpoint's events.")] = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
) -> None:
    """Store an artifact and register it as the next version of its name.

    It is loaded in a process of its own first. From Python `streamer.register(estimator, X, y, name=...)` does all
    of it, the mapping too.

    \b
    Example:
      streamer models register late.onnx --name lateness --mapping lateness.yaml --tag production

    \b
    lateness.yaml:
      inputs:  {X: [distance, dep_delay, hour]}
      nulls:   {dep_delay: nan}
      outputs: {late_probability: "probabilities[1]", late: label}
    """
    from streamer.control.model_versions import register_file

    version = register_file(
        artifact,
        mapping,
        name=name,
        settings=session.settings,
        tags=tag or (),
        endpoint=endpoint,
        description=description,
    )
    printer = session.printer
    if printer.as_json:
        printer.document({**version.model_dump(mode="json"), "tags": tag or []})
        return
    printer.text(f"registered {version.name}:{version.version}  {version.uuid}")
    signature = version.signature
    printer.text(f"  takes {_tensors(signature.inputs)}; gives {_tensors(signature.outputs)}")
    if tag:
        printer.text(f"  tags: {', '.join(tag)}")


@command(group, "list")
def list_(
    session: Session,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only versions of this model.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show retired ones, too.")] = False,
) -> None:
    """List model versions with their tags.

    \b
    Example:
      streamer models list
      streamer models list lateness --output json
    """
    from streamer.control.model_versions import list_versions

    listed = [one for one in list_versions(session.settings, name) if everything or one.retirement is None]
    if session.as_json:
        session.printer.document([_json(one) for one in listed])
        return
    rows = [
        (
            one.version.name,
            one.version.version,
            ", ".join(one.tags) or None,
            one.version.format,
            one.version.artifact.size_bytes,
            one.version.created_at.strftime("%Y-%m-%d %H:%M"),
            one.version.created_by or None,
            str(one.version.uuid) if one.retirement is None else f"{one.version.uuid} (retired)",
        )
        for one in listed
    ]
    columns = ("model", "version", "tags", "format", "bytes", "registered", "by", "uuid")
    session.printer.table(columns, rows, empty="no model versions; see `streamer models register --help`")


@command(group, "show")
def show(session: Session, which: Which) -> None:
    """Show one version: signature, mapping, where its artifact is, its tags.

    \b
    Example:
      streamer models show lateness:3
      streamer models show production
    """
    from streamer.control.model_versions import show as show_version

    shown = show_version(session.settings, which)
    if session.as_json:
        session.printer.document(_json(shown))
        return
    import yaml

    content = shown.version.model_dump(mode="json", exclude={"kind", "golden"}, exclude_defaults=True)
    content["golden"] = f"{len(shown.version.golden)} records"
    content |= {key: value for key, value in _around(shown).items() if value}
    session.printer.text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


@command(group, "tag")
def tag(session: Session, which: Which, name: Tag) -> None:
    """Put a tag on a version; it then means this one. What is live changes only with the next `apply`.

    \b
    Example:
      streamer models tag lateness:4 production
    """
    from streamer.control.model_versions import tag as put_tag

    version = put_tag(session.settings, which, name)
    _said(session, version, {"tag": name}, f"{name} now means {version.name}:{version.version}")


@command(group, "untag")
def untag(session: Session, name: Tag) -> None:
    """Take a tag off every version.

    \b
    Example:
      streamer models untag candidate
    """
    from streamer.control.model_versions import untag as take_tag_off

    take_tag_off(session.settings, name)
    if session.as_json:
        session.printer.document({"untagged": name})
    else:
        session.printer.text(f"no version has the tag {name} now")


@command(group, "validate")
def validate(
    session: Session,
    which: Which,
    endpoint: Annotated[str, typer.Option(help="The endpoint whose events and output it has to fit.")],
) -> None:
    """Try a version as `apply` would: fetch it, load it in a process of its own, and check its golden records.

    \b
    Example:
      streamer models validate lateness:4 --endpoint flights
    """
    from streamer.control.model_versions import validate as try_version

    version = try_version(session.settings, which, endpoint)
    text = f"{version.name}:{version.version} works for {endpoint}; {len(version.golden)} golden records agree"
    _said(session, version, {"endpoint": endpoint, "valid": True}, text)


@command(group, "retire")
def retire(
    session: Session,
    which: Which,
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """End the choosing of a version, for good. Where it serves, it goes on serving; its history stays.

    \b
    Example:
      streamer models retire lateness:2 --reason "trained on wrong labels" --yes
    """
    from streamer.control.model_versions import retire as retire_version
    from streamer.control.model_versions import show as show_version

    # By its UUID from here on: a tag could move between the question and the answer.
    found = show_version(session.settings, which).version
    session.printer.confirm(f"Retire {found.name}:{found.version}? It cannot be taken back.", yes=yes)
    version = retire_version(session.settings, str(found.uuid), reason=reason)
    _said(session, version, {"retired": True}, f"{version.name}:{version.version} is retired")


def _tensors(specs: tuple[TensorSpec, ...]) -> str:
    texts = []
    for spec in specs:
        sizes = ", ".join("n" if size is None else str(size) for size in spec.shape)
        texts.append(f"{spec.name} {spec.dtype}[{sizes}]")
    return ", ".join(texts) or "columns of any name and type"


def _around(listed: ListedVersion) -> dict[str, Any]:
    retired = listed.retirement
    return {
        "tags": list(listed.tags),
        "former_tags": list(listed.former_tags),
        "retired": retired.model_dump(mode="json") if retired is not None else None,
    }


def _json(listed: ListedVersion) -> dict[str, Any]:
    return {**listed.version.model_dump(mode="json"), **_around(listed)}


def _said(session: Session, version: ModelVersion, more: dict[str, Any], text: str) -> None:
    if session.as_json:
        session.printer.document({"uuid": version.uuid, "name": version.name, "version": version.version, **more})
    else:
        session.printer.text(text)
