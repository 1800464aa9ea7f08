"""URIs of artifacts. They come from the log, so they are checked before anything is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from streamer.errors import ModelInvalid

OBJECT_SCHEMES = ("s3", "gs", "az")
SCHEMES = ("file", *OBJECT_SCHEMES, "memory")


@dataclass(frozen=True, slots=True)
class ArtifactUri:
    """A checked URI.

    Attributes:
        scheme: One of `SCHEMES`.
        host: Bucket or container; empty for ``file`` and ``memory``.
        path: The object's key without a leading slash; for ``file`` the absolute path.
    """

    scheme: str
    host: str
    path: str

    @property
    def root(self) -> str:
        """What the object's key is relative to."""
        return f"{self.scheme}://{self.host}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}" if self.scheme == "file" else f"{self.root}/{self.path}"


def parse_uri(text: str) -> ArtifactUri:
    """Checks a URI.

    Refused are other schemes, credentials, query strings, and paths that walk upwards, in any spelling.

    Raises:
        ModelInvalid: It is not the URI of an artifact.
    """
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise _refused(text, str(error)) from error
    if parts.scheme not in SCHEMES:
        raise _refused(text, f"the scheme must be one of {', '.join(SCHEMES)}")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise _refused(text, "credentials, queries and fragments have no place in it")
    path = unquote(parts.path) if parts.scheme == "file" else parts.path
    segments = unquote(path).replace("\\", "/").split("/")
    if ".." in segments or "." in segments or any(ord(letter) < 32 for letter in unquote(path)):
        raise _refused(text, "the path must not walk upwards or hold control characters")
    key = path.removeprefix("/")
    if not key or key.startswith("/") or key.endswith("/") or "//" in key:
        raise _refused(text, "it must name one object")
    if parts.scheme in ("file", "memory"):
        if parts.netloc:
            raise _refused(text, f"write it as {parts.scheme}:///path")
        return ArtifactUri(parts.scheme, "", f"/{key}" if parts.scheme == "file" else key)
    if not parts.netloc:
        raise _refused(text, "the bucket is missing")
    return ArtifactUri(parts.scheme, parts.netloc, key)


def file_uri(path: Path) -> str:
    """The URI of a local file."""
    return path.absolute().as_uri()


def _refused(text: str, why: str) -> ModelInvalid:
    return ModelInvalid(
        f"{text!r:.200} is not the URI of an artifact: {why}",
        advice="Examples: file:///models/m.onnx, s3://bucket/models/m.onnx.",
    )
