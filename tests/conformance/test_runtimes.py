"""What every runtime promises, whatever the format."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from streamer.errors import ModelInvalid, PredictionFailed
from streamer.runtimes.protocol import formats, runtime_for
from tests.conformance.runtime_cases import cases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamer.runtimes.protocol import LoadedModel, OutputValues
    from tests.conformance.runtime_cases import RuntimeCase

# Building the cases trains models: their names stand here, and a test below compares.
NAMES = (
    "onnx trees",
    "onnx zipmap",
    "onnx double",
    "onnx text and numbers",
    "onnx every dtype",
    "river linear",
    "river forest",
    "river regression",
    "river anomaly",
)


@pytest.fixture(params=NAMES)
def case(request: pytest.FixtureRequest) -> RuntimeCase:
    return cases()[request.param]


@pytest.fixture
def model(case: RuntimeCase) -> Iterator[LoadedModel]:
    loaded = runtime_for(case.format).load(case.artifact)
    yield loaded
    loaded.close()


def same(one: OutputValues, other: OutputValues) -> bool:
    if isinstance(one, list) or isinstance(other, list):
        return one == other
    return one.dtype == other.dtype and one.tolist() == other.tolist()


def test_every_case_and_every_format_is_tried() -> None:
    assert set(NAMES) == set(cases())
    assert {case.format for case in cases().values()} == set(formats())


def test_the_signature_names_what_it_takes_and_gives(case: RuntimeCase, model: LoadedModel) -> None:
    assert {spec.name for spec in model.signature.inputs} == set(case.inputs(1))
    assert tuple(spec.name for spec in model.signature.outputs) == case.outputs
    assert all(spec.shape[0] is None for spec in (*model.signature.inputs, *model.signature.outputs))


@pytest.mark.parametrize("n", [0, 1, 7, 8192])
def test_n_records_get_n_answers_of_the_promised_dtype(case: RuntimeCase, model: LoadedModel, n: int) -> None:
    answers = model.predict_batch(case.inputs(n))
    assert tuple(answers) == case.outputs
    for spec in model.signature.outputs:
        values = answers[spec.name]
        assert len(values) == n
        if spec.dtype == "map":
            assert isinstance(values, list)
            assert all(sum(row.values()) == pytest.approx(1) for row in values)
        else:
            assert isinstance(values, np.ndarray)
            assert values.dtype == (object if spec.dtype in ("string", "object") else spec.dtype)
            assert values.ndim == len(spec.shape)


def test_only_the_wanted_outputs_are_given(case: RuntimeCase, model: LoadedModel) -> None:
    for name in case.outputs:
        for n in (0, 2):
            assert list(model.predict_batch(case.inputs(n), [name])) == [name]
    with pytest.raises(PredictionFailed, match="not nothing_of_this_name"):
        model.predict_batch(case.inputs(1), ["nothing_of_this_name"])


def test_the_same_records_get_the_same_answers(case: RuntimeCase, model: LoadedModel) -> None:
    first = model.predict_batch(case.inputs(300))
    again = runtime_for(case.format).load(case.artifact)
    for _ in range(2):
        assert all(same(first[name], model.predict_batch(case.inputs(300))[name]) for name in case.outputs)
    assert all(same(first[name], again.predict_batch(case.inputs(300))[name]) for name in case.outputs)


def test_threads_get_the_answers_that_one_thread_gets(case: RuntimeCase, model: LoadedModel) -> None:
    sizes = [1, 50, 200, 3, 400, 120, 64, 33]
    expected = {n: model.predict_batch(case.inputs(n)) for n in sizes}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda n: (n, model.predict_batch(case.inputs(n))), sizes * 4))
    for n, answer in answers:
        assert all(same(answer[name], expected[n][name]) for name in case.outputs)


def test_inputs_that_are_not_the_signatures_are_refused(case: RuntimeCase, model: LoadedModel) -> None:
    good = case.inputs(4)
    name = next(iter(good))
    wrong: list[dict[str, Any]] = [
        {},
        {key: value for key, value in good.items() if key != name},
        good | {"unknown": good[name]},
        good | {name: np.zeros(good[name].shape, "int16")},
        good | {name: good[name].reshape(2, -1) if good[name].ndim == 1 else good[name].reshape(-1)},
        good | {name: np.zeros(())},
    ]
    if good[name].ndim == 2:
        wrong.append({key: value[:, :0] for key, value in good.items()})
    if len(good) > 1:
        wrong.append(good | {name: good[name][:3]})
    for inputs in wrong:
        with pytest.raises(PredictionFailed):
            model.predict_batch(inputs)
    assert tuple(model.predict_batch(good)) == case.outputs


def test_a_closed_model_answers_nothing_and_can_be_closed_again(case: RuntimeCase) -> None:
    model = runtime_for(case.format).load(case.artifact)
    model.close()
    model.close()
    with pytest.raises(PredictionFailed, match="closed"):
        model.predict_batch(case.inputs(1))


def test_inputs_are_not_written_to(case: RuntimeCase, model: LoadedModel) -> None:
    inputs = case.inputs(20)
    for array in inputs.values():
        array.flags.writeable = False
    model.predict_batch(inputs)
    assert all(np.array_equal(array, case.inputs(20)[name]) for name, array in inputs.items())


@pytest.mark.parametrize("junk", [b"", b"\x00", b"not a model", b"\xff" * 100, b"\x80\x05N."])
@pytest.mark.parametrize("format", formats())
def test_bytes_of_something_else_are_refused(format: str, junk: bytes) -> None:
    with pytest.raises(ModelInvalid):
        runtime_for(format).load(junk)


def test_a_truncated_artifact_is_refused(case: RuntimeCase) -> None:
    runtime = runtime_for(case.format)
    for cut in (1, 2, 5, 17, len(case.artifact) // 2, len(case.artifact) - 20):
        with pytest.raises(ModelInvalid):
            runtime.load(case.artifact[:-cut])


def test_a_flipped_bit_is_refused_or_gives_a_model_that_keeps_its_promises(case: RuntimeCase) -> None:
    """Weights have no wrong values, so a runtime cannot see every flip; the sha256 of the artifact does."""
    runtime = runtime_for(case.format)
    random = np.random.default_rng(5)
    for position in random.integers(0, len(case.artifact), 40).tolist():
        damaged = bytearray(case.artifact)
        damaged[position] ^= 1 << int(random.integers(8))
        try:
            model = runtime.load(bytes(damaged))
        except ModelInvalid:
            continue
        assert case.format != "river", "a container has a checksum"
        try:
            answers = model.predict_batch(case.inputs(3))
        except PredictionFailed:
            continue
        assert set(answers) == {spec.name for spec in model.signature.outputs}


def test_an_unknown_format_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ModelInvalid) as caught:
        runtime_for("pmml")
    assert caught.value.advice == "Formats: onnx, river."
