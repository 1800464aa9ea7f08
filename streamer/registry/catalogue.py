"""What the models topic says: a pure fold over its records.

    <uuid>            a model version as JSON; the first record of a UUID counts, and the first of a name and number
    <uuid>/retired    {"at": ..., "by": ..., "reason": ...}
    tag/<tag>         {"uuid": ..., "at": ..., "by": ...}: the tag moved there; {"uuid": null} takes it off

Anybody may write to the topic, so nothing on it can break the fold: what is malformed or against the rules is listed
as a problem and otherwise ignored.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from streamer.errors import ModelNotFound
from streamer.records.model_version import ModelVersion, Name

if TYPE_CHECKING:
    from collections.abc import Iterable

TAG_PREFIX = "tag/"
RETIRED_SUFFIX = "/retired"

_NAME = TypeAdapter(Name)


class Record(Protocol):
    """A record of the topic, as `streamer.kafka.log.LogRecord` is one."""

    @property
    def offset(self) -> int:
        """Its place on the topic's only partition."""

    @property
    def key(self) -> bytes | None:
        """Which thing it is about."""

    @property
    def value(self) -> bytes | None:
        """What it says."""


class Selector(Protocol):
    """Names a version: exactly one of ``uuid``, ``tag``, or ``name`` with ``version``."""

    @property
    def uuid(self) -> UUID | None:
        """Its identity."""

    @property
    def tag(self) -> str | None:
        """A tag; the version that was given it last is meant."""

    @property
    def name(self) -> str | None:
        """The model's name."""

    @property
    def version(self) -> int | None:
        """The version number."""


class TagMove(BaseModel):
    """A tag was put on a version, or, with ``uuid`` None, taken off all."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    uuid: UUID | None
    at: datetime
    by: str = ""


class Retirement(BaseModel):
    """A version was retired: it goes on answering where it serves, and can no longer be chosen."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: datetime
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """A record that was ignored, and why."""

    offset: int
    key: str
    what: str


@dataclass(slots=True)
class Catalogue:
    """Every version, tag and retirement that the records folded so far establish.

    Attributes:
        problems: The records that were ignored.
    """

    problems: list[Problem] = field(default_factory=list)
    _versions: dict[UUID, ModelVersion] = field(default_factory=dict)
    _numbers: dict[tuple[str, int], UUID] = field(default_factory=dict)
    _moves: dict[str, list[TagMove]] = field(default_factory=dict)
    _retired: dict[UUID, Retirement] = field(default_factory=dict)

    def fold(self, records: Iterable[Record]) -> Self:
        """Takes in further records, in the order of their offsets; returns itself."""
        for record in records:
            key = (record.key or b"").decode(errors="replace")
            what = self._take_in(key, record.value)
            if what is not None:
                self.problems.append(Problem(record.offset, key, what))
        return self

    def versions(self, name: str | None = None) -> list[ModelVersion]:
        """All versions, or those of one model, by name and number. Retired ones are among them."""
        chosen = (version for version in self._versions.values() if name in (None, version.name))
        return sorted(chosen, key=lambda version: (version.name, version.version))

    def tags(self) -> dict[str, UUID]:
        """Each tag and the version that it means."""
        last = {tag: moves[-1].uuid for tag, moves in self._moves.items()}
        return {tag: uuid for tag, uuid in sorted(last.items()) if uuid is not None}

    def tags_of(self, uuid: UUID) -> list[str]:
        """The tags that were put on a version and not taken off since, whether they mean it or a later one."""
        return sorted(tag for tag, moves in self._moves.items() if uuid in _holders(moves))

    def history(self, tag: str) -> list[TagMove]:
        """Every move of a tag, oldest first."""
        return list(self._moves.get(tag, []))

    def retirement(self, uuid: UUID) -> Retirement | None:
        """When and why a version was retired; None when it was not."""
        return self._retired.get(uuid)

    def next_number(self, name: str) -> int:
        """The version number that follows the highest of a model."""
        return 1 + max((number for taken, number in self._numbers if taken == name), default=0)

    def get(self, uuid: UUID) -> ModelVersion | None:
        """A version by its identity, retired or not."""
        return self._versions.get(uuid)

    def find(self, selector: Selector) -> ModelVersion:
        """The version that a selector means, retired or not.

        Raises:
            ModelNotFound: There is none; the message names what comes near.
        """
        if selector.uuid is not None:
            found = self._versions.get(selector.uuid)
            if found is None:
                raise ModelNotFound(
                    f"no model version has the UUID {selector.uuid}", advice="List them: streamer models list."
                )
            return found
        if selector.tag is not None:
            return self._by_tag(selector.tag)
        return self._by_number(selector.name or "", selector.version or 0)

    def resolve(self, selector: Selector) -> ModelVersion:
        """The version that a selector means, fit to be chosen.

        Raises:
            ModelNotFound: There is none, or it is retired.
        """
        found = self.find(selector)
        retirement = self._retired.get(found.uuid)
        if retirement is not None:
            because = f": {retirement.reason}" if retirement.reason else ""
            raise ModelNotFound(
                f"{found.name} version {found.version} was retired on {retirement.at:%Y-%m-%d}{because}",
                advice="Choose another version, or move the tag to one.",
            )
        return found

    def _by_tag(self, tag: str) -> ModelVersion:
        uuid = self.tags().get(tag)
        if uuid is None:
            raise ModelNotFound(f"no model version has the tag {tag!r}", advice=_near(tag, self.tags(), "Tags"))
        return self._versions[uuid]

    def _by_number(self, name: str, number: int) -> ModelVersion:
        uuid = self._numbers.get((name, number))
        if uuid is not None:
            return self._versions[uuid]
        numbers = sorted(taken for model, taken in self._numbers if model == name)
        if numbers:
            raise ModelNotFound(
                f"model {name!r} has no version {number}", advice=f"Versions: {', '.join(map(str, numbers))}."
            )
        names = {version.name for version in self._versions.values()}
        raise ModelNotFound(f"there is no model {name!r}", advice=_near(name, names, "Models"))

    def _take_in(self, key: str, value: bytes | None) -> str | None:
        """Takes one record in; otherwise what is wrong with it."""
        try:
            if key.startswith(TAG_PREFIX):
                return self._take_move(key.removeprefix(TAG_PREFIX), value)
            if key.endswith(RETIRED_SUFFIX):
                return self._take_retirement(UUID(key.removesuffix(RETIRED_SUFFIX)), value)
            return self._take_version(UUID(key), value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            return f"{'.'.join(map(str, first['loc'])) or 'value'}: {first['msg']}"
        except (ValueError, RecursionError) as error:
            return f"neither a version, a tag nor a retirement: {error}"

    def _take_version(self, uuid: UUID, value: bytes | None) -> str | None:
        if value is None:
            return "a version cannot be deleted: retire it"
        version = ModelVersion.model_validate_json(value)
        if version.uuid != uuid:
            return f"the key is not the version's UUID {version.uuid}"
        if uuid in self._versions:
            return None if self._versions[uuid] == version else "this UUID is taken: a version never changes"
        holder = self._numbers.setdefault((version.name, version.version), uuid)
        if holder != uuid:
            return f"{version.name} version {version.version} is taken by {holder}"
        self._versions[uuid] = version
        return None

    def _take_move(self, tag: str, value: bytes | None) -> str | None:
        _NAME.validate_python(tag)
        if value is None:
            return 'a tag is taken off by {"uuid": null}, so that its history stays'
        move = TagMove.model_validate_json(value)
        if move.uuid is not None and move.uuid not in self._versions:
            return f"no version {move.uuid} stands before it on the log"
        self._moves.setdefault(tag, []).append(move)
        return None

    def _take_retirement(self, uuid: UUID, value: bytes | None) -> str | None:
        if uuid not in self._versions:
            return f"no version {uuid} stands before it on the log"
        if value is None:
            return "a retirement cannot be deleted: register the artifact again"
        self._retired.setdefault(uuid, Retirement.model_validate_json(value))
        return None


def _holders(moves: list[TagMove]) -> set[UUID]:
    holders: set[UUID] = set()
    for move in moves:
        if move.uuid is None:
            holders.clear()
        else:
            holders.add(move.uuid)
    return holders


def _near(wanted: str, known: Iterable[str], kind: str) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.6)
    if near:
        return f"Did you mean {' or '.join(repr(name) for name in near)}?"
    shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    return f"{kind}: {shown}." if names else "None is registered yet: streamer models register."
