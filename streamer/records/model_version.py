"""A model version as it stands in the registry and, inlined, in every resolved routing.

A version is immutable: a new artifact, mapping or signature is a new version with a new UUID. Tags are not part of
it; they move.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
"""Names of endpoints, models, variants and tags: usable in topic names and metric labels as they are."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

NullPolicy = float | int | bool | str
"""What stands in for null: a value of the input's type, ``"nan"``, or ``"reject"``."""


class Frozen(BaseModel):
    """Base of all documents: immutable, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Artifact(Frozen):
    """Where the bytes of a model are, and what they must be.

    Attributes:
        uri: ``file:///...``, ``s3://...`` or another object store's.
        sha256: Of the bytes; anything else is refused.
        size_bytes: How many they are.
    """

    uri: Annotated[str, StringConstraints(min_length=1, max_length=2048)]
    sha256: Sha256
    size_bytes: Annotated[int, Field(ge=0)]


class TensorSpec(Frozen):
    """One input or output of a model.

    Attributes:
        name: The name that the artifact gives it.
        dtype: A numpy name (``float32``, ``int64``, ``bool``), ``string``, or ``map`` (class label to probability).
            ``object`` for what only Python names (the labels of a river classifier).
        shape: Sizes of the axes; None where any size fits. The first axis is the batch.
        labels: What the columns of an output (n, k), or the keys of a ``map``, stand for, where the artifact says.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    labels: tuple[StrictBool | StrictInt | StrictStr, ...] | None = None


class Signature(Frozen):
    """What an artifact takes and gives, as its runtime read it from the artifact.

    Attributes:
        inputs: Empty when the artifact takes columns of any name and type.
        outputs: In the artifact's order.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


class GoldenRecord(Frozen):
    """An event and the output that the model must give for it, checked before a version may serve.

    Attributes:
        event: Field values by name, as JSON; bytes as latin-1 text.
        output: Values of the endpoint's output fields.
        tolerance: Largest allowed absolute or relative difference of a number.
    """

    event: dict[str, Any]
    output: dict[str, Any]
    tolerance: Annotated[float, Field(ge=0)] = 1e-5


class Mapping(Frozen):
    """How events become a model's inputs, and its outputs the endpoint's output record.

    Attributes:
        inputs: Model input name to one event field (one tensor per column) or an ordered list of fields (one tensor
            of shape (n, len)). A field is a path: ``distance``, ``address.city``, ``readings[0]``,
            ``embedding[0:128]``, ``attributes["colour"]``.
        nulls: Event field path to what stands in for null. A field that is not named here rejects null.
        outputs: Field of the output record to an output of the model: ``label``, ``probabilities[1]``, or
            ``probabilities["late"]`` for a map or for a class label that the artifact names.
    """

    inputs: dict[str, str | tuple[str, ...]]
    nulls: dict[str, NullPolicy] = {}
    outputs: dict[str, str]


class ModelVersion(Frozen):
    """One immutable version of a model.

    Attributes:
        uuid: Its identity.
        name: The model's name, shared by its versions.
        version: Counts 1, 2, 3 per name.
        format: Which runtime executes it: ``onnx`` or ``river``.
        kind: What the record is.
        artifact: Its bytes.
        signature: What the artifact takes and gives.
        mapping: How events become its inputs, and its outputs the endpoint's output.
        golden: Events with the answers that it must give.
        created_at: When it was registered.
        created_by: Who registered it.
        description: What it is, for people.
    """

    kind: Literal["model"] = "model"
    uuid: UUID
    name: Name
    version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    format: Name
    artifact: Artifact
    signature: Signature
    mapping: Mapping
    golden: Annotated[tuple[GoldenRecord, ...], Field(max_length=100)] = ()
    created_at: datetime
    created_by: str = ""
    description: str = ""
