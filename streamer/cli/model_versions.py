"""``streamer models``: register, look at, tag, validate and retire model versions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamer.cli.apply import Author, author_name
from streamer.cli.session import Session, command
from streamer.errors import ConfigurationError, ModelInvalid

if TYPE_CHECKING:
    from streamer.records.model_version import ModelVersion
    from streamer.registry.catalogue import Catalogue
    from streamer.routing.documents import ModelSelector

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

Which = Annotated[
    str, typer.Argument(metavar="MODEL", help="NAME:VERSION, a tag, or a UUID (tag:NAME where it is ambiguous).")
]

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def add_to(app: typer.Typer) -> None:
    """Adds the group to the root."""
    app.add_typer(group, name="models")


def selector_of(text: str) -> ModelSelector:
    """The version that somebody means: ``lateness:3``, ``production``, ``tag:production`` or a UUID.

    Raises:
        typer.BadParameter: It is none of them.
    """
    from pydantic import ValidationError

    from streamer.routing.documents import ModelSelector

    name, colon, version = text.rpartition(":")
    fields: dict[str, Any]
    if _UUID.fullmatch(text):
        fields = {"uuid": text}
    elif name == "tag":
        fields = {"tag": version}
    elif colon and version.isdecimal():
        fields = {"name": name, "version": int(version)}
    else:
        fields = {"tag": text}
    try:
        return ModelSelector.model_validate(fields)
    except ValidationError as error:
        raise typer.BadParameter(f"{text!r} is not NAME:VERSION, a tag or a UUID") from error


@command(group, "register")
def register(
    session: Session,
    artifact: Annotated[Path, typer.Argument(help="The model's file.", exists=True, dir_okay=False)],
    name: Annotated[str, typer.Option(help="The model's name, shared by its versions.")],
    mapping: Annotated[
        Path,
        typer.Option(
            help="YAML with `inputs`, `nulls` and `outputs`, and `golden` records if there are any.",
            exists=True,
            dir_okay=False,
        ),
    ],
    form: Annotated[str | None, typer.Option("--format", help="Default: by the file's ending.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag to put on it; again for more.")] = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    author: Author = None,
) -> None:
    """Store an artifact and register it as the next version of its name.

    From Python `streamer.register(estimator, X, y, name=...)` does all of it, the mapping too.

    \b
    Example:
      streamer models register late.onnx --name lateness --mapping lateness.yaml --tag production

    \b
    lateness.yaml:
      inputs:  {X: [distance, dep_delay, hour]}
      nulls:   {dep_delay: nan}
      outputs: {late_probability: "probabilities[1]", late: label}
    """
    from streamer.control.bootstrap import ensure_control_topics
    from streamer.registry.artifacts import ArtifactStore
    from streamer.registry.registry import ModelRegistry, NewVersion
    from streamer.runtimes.protocol import formats, runtime_for

    form = form or artifact.suffix.removeprefix(".")
    if form not in formats():
        raise typer.BadParameter(f"say which of {', '.join(formats())}", param_hint="--format")
    settings = session.settings
    written = _read_mapping(mapping)
    data = artifact.read_bytes()
    model = runtime_for(form).load(data)
    signature = model.signature
    model.close()
    new = NewVersion.model_validate(
        {
            "name": name,
            "format": form,
            "artifact": ArtifactStore(settings).put(data, suffix=f".{form}"),
            "signature": signature,
            "description": description,
            **written,
        }
    )
    ensure_control_topics(settings.kafka)
    version = ModelRegistry(settings).register(new, tags=tag or (), by=author_name(author))
    _print_version(session, version, tags=tag or [])


@command(group, "list")
def list_(
    session: Session,
    name: Annotated[str | None, typer.Argument(help="Only versions of this model.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show retired ones, too.")] = False,
) -> None:
    """List model versions with their tags.

    \b
    Example:
      streamer models list
      streamer models list lateness --output json
    """
    from streamer.registry.registry import ModelRegistry

    catalogue = ModelRegistry(session.settings).catalogue()
    versions = [one for one in catalogue.versions(name) if everything or catalogue.retirement(one.uuid) is None]
    if session.as_json:
        session.printer.document([_version_json(catalogue, version) for version in versions])
        return
    rows = [
        (
            version.name,
            version.version,
            ", ".join(_tags(catalogue, version)) or None,
            version.format,
            version.artifact.size_bytes,
            version.created_at.strftime("%Y-%m-%d %H:%M"),
            version.created_by or None,
            str(version.uuid) if catalogue.retirement(version.uuid) is None else f"{version.uuid} (retired)",
        )
        for version in versions
    ]
    columns = ("model", "version", "tags", "format", "bytes", "registered", "by", "uuid")
    session.printer.table(columns, rows, empty="no model versions; see `streamer models register --help`")
    for problem in catalogue.problems:
        session.printer.note(f"ignored record at offset {problem.offset}: {problem.what}")


@command(group, "show")
def show(session: Session, which: Which) -> None:
    """Show one version: signature, mapping, where its artifact is.

    \b
    Example:
      streamer models show lateness:3
      streamer models show production
    """
    from streamer.registry.registry import ModelRegistry

    catalogue = ModelRegistry(session.settings).catalogue()
    version = catalogue.find(selector_of(which))
    if session.as_json:
        session.printer.document(_version_json(catalogue, version))
        return
    import yaml

    content = version.model_dump(mode="json", exclude={"kind", "golden"}, exclude_defaults=True)
    content["golden"] = f"{len(version.golden)} records"
    content["tags"] = _tags(catalogue, version)
    retirement = catalogue.retirement(version.uuid)
    if retirement is not None:
        content["retired"] = retirement.model_dump(mode="json")
    session.printer.text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


@command(group, "tag")
def tag(
    session: Session,
    which: Which,
    name: Annotated[str, typer.Argument(metavar="TAG", help="The tag.")],
    author: Author = None,
) -> None:
    """Put a tag on a version; it then means this one. What is live changes only with the next `apply`.

    \b
    Example:
      streamer models tag lateness:4 production
    """
    from streamer.registry.registry import ModelRegistry

    version = ModelRegistry(session.settings).tag(name, selector_of(which), by=author_name(author))
    _said(session, version, {"tag": name}, f"{name} now means {version.name}:{version.version}")


@command(group, "untag")
def untag(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="TAG", help="The tag.")],
    author: Author = None,
) -> None:
    """Take a tag off every version.

    \b
    Example:
      streamer models untag candidate
    """
    from streamer.registry.registry import ModelRegistry

    ModelRegistry(session.settings).untag(name, by=author_name(author))
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
    from streamer.client.endpoint_lookup import find_endpoint
    from streamer.control.model_sources import isolated_check
    from streamer.registry.registry import ModelRegistry

    settings = session.settings
    version = ModelRegistry(settings).catalogue().resolve(selector_of(which))
    document = find_endpoint(settings.kafka, endpoint)
    assert isinstance(document.events.schema_, dict)  # a resolved document has its schemas inlined
    assert isinstance(document.output.schema_, dict)
    isolated_check(settings)(version, document.events.schema_, document.output.schema_)
    text = f"{version.name}:{version.version} works for {endpoint}; {len(version.golden)} golden records agree"
    _said(session, version, {"endpoint": endpoint, "valid": True}, text)


@command(group, "retire")
def retire(
    session: Session,
    which: Which,
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    author: Author = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """End the choosing of a version, for good. Where it serves, it goes on serving; its history stays.

    \b
    Example:
      streamer models retire lateness:2 --reason "trained on wrong labels" --yes
    """
    from streamer.registry.registry import ModelRegistry

    registry, selector = ModelRegistry(session.settings), selector_of(which)
    found = registry.catalogue().resolve(selector)
    session.printer.confirm(f"Retire {found.name}:{found.version}? It cannot be taken back.", yes=yes)
    version = registry.retire(selector, reason=reason, by=author_name(author))
    _said(session, version, {"retired": True}, f"{version.name}:{version.version} is retired")


def _read_mapping(path: Path) -> dict[str, Any]:
    """``mapping`` and ``golden`` as the registry takes them, from one YAML file."""
    from pydantic import ValidationError

    from streamer.control.yaml_reader import UnreadableYaml, read_yaml
    from streamer.records.model_version import GoldenRecord, Mapping

    try:
        documents = read_yaml(path.read_bytes())
    except UnreadableYaml as error:
        raise ConfigurationError(str(error.problem), where=f"{path}:{error.line}") from error
    if len(documents) != 1 or not isinstance(documents[0].value, dict):
        raise ConfigurationError(
            "it holds no mapping", where=str(path), advice="Write the keys inputs and outputs, and nulls if need be"
        )
    content = dict(documents[0].value)
    golden = content.pop("golden", [])
    try:
        return {
            "mapping": Mapping.model_validate(content),
            "golden": tuple(GoldenRecord.model_validate(record) for record in golden),
        }
    except (ValidationError, TypeError) as error:
        what = str(error)
        if isinstance(error, ValidationError):
            first = error.errors(include_url=False, include_input=False)[0]
            what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise ModelInvalid(what, where=str(path), advice="See `streamer models register --help`") from error


def _tags(catalogue: Catalogue, version: ModelVersion) -> list[str]:
    """The tags that mean this version now."""
    return [name for name, uuid in catalogue.tags().items() if uuid == version.uuid]


def _version_json(catalogue: Catalogue, version: ModelVersion) -> dict[str, Any]:
    retirement = catalogue.retirement(version.uuid)
    return {
        **version.model_dump(mode="json"),
        "tags": _tags(catalogue, version),
        "retired": retirement.model_dump(mode="json") if retirement is not None else None,
    }


def _print_version(session: Session, version: ModelVersion, tags: list[str]) -> None:
    if session.as_json:
        session.printer.document({**version.model_dump(mode="json"), "tags": tags})
        return
    inputs = ", ".join(f"{spec.name} {spec.dtype}{list(spec.shape)}" for spec in version.signature.inputs)
    outputs = ", ".join(f"{spec.name} {spec.dtype}{list(spec.shape)}" for spec in version.signature.outputs)
    session.printer.text(f"registered {version.name}:{version.version}  {version.uuid}")
    session.printer.text(f"  takes {inputs}; gives {outputs}")
    if tags:
        session.printer.text(f"  tags: {', '.join(tags)}")


def _said(session: Session, version: ModelVersion, more: dict[str, Any], text: str) -> None:
    if session.as_json:
        document = {"uuid": version.uuid, "name": version.name, "version": version.version, **more}
        session.printer.document(document)
    else:
        session.printer.text(text)
