"""One field of the endpoint's output record, made from a model's answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.avro.avro_types import Array, Enum, Map, Primitive, describe, nullable
from streamer.errors import ModelInvalid, PredictionFailed
from streamer.records.columns import ConstantColumn, NumericColumn, ObjectColumn, TextColumn
from streamer.runtimes.tensor_check import NUMERIC_DTYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamer.avro.avro_types import AvroType
    from streamer.records.columns import Column
    from streamer.runtimes.output_expression import Pick
    from streamer.runtimes.protocol import OutputValues
    from streamer.runtimes.rejections import Rejections

_NUMPY = {
    "boolean": np.dtype(np.bool_),
    "int": np.dtype(np.int32),
    "long": np.dtype(np.int64),
    "float": np.dtype(np.float32),
    "double": np.dtype(np.float64),
}


class OutputField:
    """Converts one picked output to the type of one field.

    Args:
        name: Dotted name of the field in the output record.
        avro_type: Its type, perhaps with null.
        allow_nan: Whether NaN and infinities may be published.
        pick: Where its values are.

    Raises:
        ModelInvalid: What is picked cannot become the type.
    """

    def __init__(self, name: str, avro_type: AvroType, allow_nan: bool, pick: Pick) -> None:
        optional = nullable(avro_type)
        self.name = name
        self.pick = pick
        self._type = avro_type if optional is None else optional[1]
        self._nullable = optional is not None
        self._allow_nan = allow_nan
        _check_fit(name, self._type, pick)

    def column(self, values: OutputValues, n: int, rejections: Rejections) -> Column:
        """The field for n records.

        Args:
            values: The output that the pick names, as the model gave it.
            n: How many rows it must have.
            rejections: Gets the rows whose value does not fit the field.

        Raises:
            PredictionFailed: The output as a whole is nonsense: another length, shape or dtype.
        """
        picked = self._picked(values, n)
        if isinstance(picked, np.ndarray) and picked.dtype == object and None in (listed := picked.tolist()):
            return self._without_missing(listed, rejections)
        return self._converted(picked, rejections)

    def _converted(self, picked: Any, rejections: Rejections) -> Column:
        if isinstance(self._type, Map):
            return ObjectColumn.of([self._map(row, index, rejections) for index, row in enumerate(picked)])
        if isinstance(self._type, Array):
            return self._arrays(np.asarray(picked), rejections)
        if isinstance(self._type, Primitive) and self._type.name in _NUMPY:
            return self._numbers(self._as_numbers(picked), _NUMPY[self._type.name], rejections)
        return self._texts(picked, rejections)

    def _picked(self, values: OutputValues, n: int) -> Any:
        """The rows that the pick means: shape (n,), or (n, k) for an array field, or n dicts for a map field."""
        name, pick = self.pick.spec.name, self.pick
        if len(values) != n:
            raise PredictionFailed(f"the model answered {len(values)} rows of {name} to {n} records")
        if isinstance(values, list):
            if pick.spec.dtype != "map":
                raise PredictionFailed(f"the model answered maps for {name}, and its signature says {pick.spec.dtype}")
            return values if pick.keys is None else self._by_key(values)
        if pick.spec.dtype in NUMERIC_DTYPES and values.dtype.name != pick.spec.dtype:
            raise PredictionFailed(f"the model answered {values.dtype} for {name}, and not {pick.spec.dtype}")
        if pick.column is not None:
            if values.ndim != 2 or values.shape[1] <= pick.column:
                raise PredictionFailed(f"{name} has the shape {values.shape}, too small for {pick.text}")
            return values[:, pick.column]
        if isinstance(self._type, Array):
            if values.ndim != 2:
                raise PredictionFailed(f"{name} has the shape {values.shape}, and a row must be a list of numbers")
            return values
        if values.size != n:
            raise PredictionFailed(f"{name} has the shape {values.shape}, and one value per record is needed")
        return values.reshape(n)

    def _without_missing(self, picked: list[Any], rejections: Rejections) -> Column:
        """For answers of None, as a classifier gives that has learned nothing yet."""
        known = np.fromiter((value is not None for value in picked), np.bool_, len(picked))
        if not self._nullable:
            rejections.add_where(~known, "output_missing", f"output.{self.name}: the model gave no {self.pick.text}")
        rows = np.flatnonzero(known)
        if not len(rows):
            return ConstantColumn(None, len(picked))
        inner = type(rejections)(len(rows))
        column = self._converted(np.fromiter((picked[row] for row in rows), object, len(rows)), inner)
        for row, (code, message) in inner.reasons.items():
            rejections.add([int(rows[row])], code, message)
        places = np.zeros(len(picked), np.int64)
        places[rows] = np.arange(len(rows))
        spread = column.take(places)
        if isinstance(spread, ConstantColumn):
            return spread
        return replace(spread, valid=known if spread.valid is None else known & spread.valid)

    def _by_key(self, maps: list[dict[Any, float]]) -> NDArray[Any]:
        keys = self.pick.keys or ()
        try:
            # A class that the model has not met has no entry: its probability is zero.
            picked = [next((row[key] for key in keys if key in row), 0.0) for row in maps]
            return np.fromiter(picked, np.float64, len(maps))
        except (TypeError, ValueError) as error:
            raise PredictionFailed(f"{self.pick.text} is not a number: {error}") from error

    def _as_numbers(self, picked: Any) -> NDArray[Any]:
        array = np.asarray(picked)
        if array.dtype == object:
            if not all(isinstance(value, bool | int | float | np.number | np.bool_) for value in array.tolist()):
                raise PredictionFailed(f"{self.pick.text} holds something that is not a number")
            array = np.array(array.tolist()) if len(array) else np.empty(0, np.float64)
            if array.dtype == object:
                raise PredictionFailed(f"{self.pick.text} holds numbers of more than 64 bits")
        return array

    def _numbers(self, values: NDArray[Any], dtype: np.dtype[Any], rejections: Rejections) -> NumericColumn:
        with np.errstate(over="ignore", invalid="ignore"):
            cast = values.astype(dtype)
        if dtype.kind == "f":
            return self._finite(cast, rejections)
        if values.dtype != dtype:
            wrong = ~_kept(values, dtype)
            if wrong.any():
                rejections.add_where(
                    wrong, "output_range", f"output.{self.name}: {self.pick.text} does not fit {describe(self._type)}"
                )
                cast[wrong] = 0
        return NumericColumn(cast)

    def _finite(self, values: NDArray[Any], rejections: Rejections) -> NumericColumn:
        finite = np.isfinite(values)
        if self._allow_nan or finite.all():
            return NumericColumn(values)
        values = np.where(finite, values, values.dtype.type(0))
        if self._nullable:
            return NumericColumn(values, finite)
        rejections.add_where(~finite, "output_not_finite", self._not_finite())
        return NumericColumn(values)

    def _arrays(self, values: NDArray[Any], rejections: Rejections) -> ObjectColumn:
        items = self._type.items if isinstance(self._type, Array) else None
        assert isinstance(items, Primitive)
        if items.name == "string":
            return ObjectColumn.of([[str(item) for item in row] for row in values.tolist()])
        dtype = _NUMPY[items.name]
        with np.errstate(over="ignore", invalid="ignore"):
            cast = values.astype(dtype)
        if dtype.kind == "f":
            finite = np.ones(len(cast), np.bool_) if self._allow_nan else np.asarray(np.isfinite(cast).all(axis=1))
            if self._nullable:
                return ObjectColumn(ObjectColumn.of(cast.tolist()).values, None if finite.all() else finite)
            rejections.add_where(~finite, "output_not_finite", self._not_finite())
        elif values.dtype != dtype:
            wrong = np.asarray(~_kept(values, dtype).all(axis=1))
            rejections.add_where(wrong, "output_range", f"output.{self.name}: an item does not fit {describe(items)}")
        return ObjectColumn.of(cast.tolist())

    def _map(self, row: dict[Any, float], index: int, rejections: Rejections) -> dict[str, float] | None:
        values = {_text(key): float(value) for key, value in row.items()}
        if self._allow_nan or all(np.isfinite(value) for value in values.values()):
            return values
        if not self._nullable:
            rejections.add([index], "output_not_finite", self._not_finite())
            return {}
        return None

    def _texts(self, picked: Any, rejections: Rejections) -> TextColumn:
        array = np.asarray(picked)
        if array.dtype.kind in "iu":
            column = TextColumn.from_integers(array)
            texts = column.to_pylist() if isinstance(self._type, Enum) else []
        else:
            texts = [_text(value) for value in array.tolist()]
            column = TextColumn.from_strings(texts)
        if isinstance(self._type, Enum):
            symbols = set(self._type.symbols)
            wrong = [row for row, text in enumerate(texts) if text not in symbols]
            if wrong:
                reason = f"output.{self.name}: {texts[wrong[0]]!r:.60} is no symbol of {describe(self._type)}"
                rejections.add(wrong, "output_range", reason)
                replaced = [text if text in symbols else self._type.symbols[0] for text in texts]
                return TextColumn.from_strings(replaced)
        return column

    def _not_finite(self) -> str:
        return (
            f"output.{self.name}: {self.pick.text} is NaN or infinite. Make the field nullable, or set "
            '"allow_nan": true on it, to publish such answers'
        )


def _check_fit(name: str, avro_type: AvroType, pick: Pick) -> None:
    where = f"outputs.{name}"
    dtype = pick.spec.dtype
    if isinstance(avro_type, Map):
        if not (dtype == "map" and pick.whole_row and _is_number(avro_type.values, ("float", "double"))):
            raise ModelInvalid(f"{pick.text!r} is not a map of numbers, and the field is one", where=where)
        return
    if isinstance(avro_type, Array):
        numbers = dtype in NUMERIC_DTYPES and _is_number(avro_type.items, tuple(_NUMPY))
        texts = dtype == "string" and avro_type.items == Primitive("string")
        if not (pick.whole_row and (numbers or texts)):
            raise ModelInvalid(f"{pick.text!r} cannot become {describe(avro_type)}", where=where)
        return
    if pick.whole_row:
        raise ModelInvalid(
            f"{pick.text!r} has several values per record, and the field is a {describe(avro_type)}",
            where=where,
            advice=f'Pick one, e.g. "{pick.spec.name}[1]", or make the field an array.',
        )
    if isinstance(avro_type, Enum) or avro_type == Primitive("string"):
        fits = not dtype.startswith("float") and dtype != "map"
    else:
        fits = isinstance(avro_type, Primitive) and avro_type.name in _NUMPY and dtype != "string"
    if not fits:
        raise ModelInvalid(
            f"{pick.text!r} is {'a number' if dtype == 'map' else dtype}, and cannot become a {describe(avro_type)}",
            where=where,
            advice="Pick another output, or change the field's type in the output schema.",
        )


def _is_number(avro_type: AvroType, names: tuple[str, ...]) -> bool:
    return isinstance(avro_type, Primitive) and avro_type.name in names


def _kept(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[np.bool_]:
    """Where an integer or boolean dtype can hold the value exactly."""
    if values.dtype == np.bool_:
        return np.ones(values.shape, np.bool_)
    if dtype == np.bool_:
        return np.asarray((values == 0) | (values == 1))
    limits = np.iinfo(dtype)
    if values.dtype.kind == "f":
        # 2.0**63 is a float and no int64; every float below it is one.
        return np.asarray((values >= limits.min) & (values < limits.max + 1.0) & (values == np.trunc(values)))
    return np.asarray((values >= limits.min) & (values <= limits.max))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
