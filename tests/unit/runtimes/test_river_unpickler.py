"""Pickles that would run something do not."""

from __future__ import annotations

import builtins
import functools
import importlib
import inspect
import os
import pickle
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from river import base, compose, linear_model, preprocessing

from streamer.errors import ModelInvalid
from streamer.runtimes.river import RiverRuntime, dump_river
from streamer.runtimes.river_container import pack, unpack
from streamer.runtimes.river_unpickler import unpickle_state


class Calls:
    """Pickles as a call of anything with anything."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> Any:
        return self._call


def attacks(mark: Path) -> dict[str, bytes]:
    """Pickles that would make the file."""
    write = f"open({str(mark)!r}, 'w').close()"
    by_name = [
        (os.system, f"touch {mark}"),
        (builtins.eval, write),
        (builtins.exec, write),
        (builtins.open, str(mark), "w"),
        (subprocess.check_call, ["touch", str(mark)]),
        (builtins.__import__, "os"),
        (importlib.import_module, "os"),
        (builtins.compile, write, "x", "exec"),
        (builtins.getattr, os.path.join, "__globals__"),
        (builtins.setattr, linear_model.LinearRegression, "predict_one", 1),
        (functools.partial, os.system, f"touch {mark}"),
        (pickle.loads, pickle.dumps(1)),
        (functools.reduce, os.system, []),
        (os.mkdir, str(mark)),
    ]
    pickles = {f"{call[0].__module__}.{call[0].__qualname__}": pickle.dumps(Calls(*call)) for call in by_name}
    pickles["inside an estimator"] = pickle.dumps({"model": linear_model.LinearRegression(), "x": Calls(*by_name[0])})
    pickles["old protocol"] = f"cposix\nsystem\n(S'touch {mark}'\ntR.".encode()
    pickles["dotted name"] = b"\x80\x04\x8c\x05river\x8c\x0bbase.typing\x93."
    pickles["through a module of river"] = b"\x80\x04\x8c\x13river.datasets.base\x8c\x07request\x93."
    pickles["imported into river"] = b"\x80\x04\x8c\x14river.preprocessing.x\x8c\x02os\x93."
    pickles["module attribute"] = b"\x80\x04\x8c\x15river.utils.pandas\x8c\x0asys.modules\x93."
    pickles["reading files"] = b"\x80\x04\x8c\x12river.stream.cache\x8c\x05Cache\x93)\x81."
    pickles["downloads"] = b"\x80\x04\x8c\x1driver.datasets.malicious_url\x8c\x0cMaliciousURL\x93)\x81."
    pickles["foreign estimators"] = b"\x80\x04\x8c\x1criver.compat.river_to_sklearn\x8c\x15River2SKLRegressor\x93."
    pickles["persistent id"] = b"P1\n."
    pickles["extension"] = b"\x82\x01."
    return pickles


ATTACKS = tuple(attacks(Path("/nonexistent")))


@pytest.mark.parametrize("name", ATTACKS)
def test_a_pickle_that_names_anything_else_is_refused_and_nothing_of_it_runs(name: str, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    state = attacks(mark)[name]
    with pytest.raises(ModelInvalid):
        unpickle_state(state)
    with pytest.raises(ModelInvalid):
        RiverRuntime().load(pack(state, "0.26.1", "river.linear_model.LinearRegression", None))
    assert not mark.exists()


def test_an_estimator_that_pickles_as_a_call_is_refused_when_it_is_stored(tmp_path: Path) -> None:
    class Evil(linear_model.LinearRegression):
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "ran"),)

    with pytest.raises(ModelInvalid):
        dump_river(Evil())
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["__class__", "__reduce__", "seed", "__init__", "_randbelow", "getstate"])
def test_getattr_reaches_only_the_methods_that_river_keeps(name: str) -> None:
    state = pickle.dumps(Calls(getattr, random.Random(1), name))
    with pytest.raises(ModelInvalid, match="not allowed"):
        unpickle_state(state)
    assert callable(unpickle_state(pickle.dumps(random.Random(1).gauss)))


def test_a_state_that_is_no_pickle_or_ends_early_is_refused() -> None:
    state = pickle.dumps(linear_model.LogisticRegression(), 5)
    for cut in range(1, len(state)):
        with pytest.raises(ModelInvalid):
            unpickle_state(state[:cut])


def test_another_version_of_river_is_refused_by_name() -> None:
    header, state = unpack(dump_river(linear_model.LogisticRegression()))
    with pytest.raises(ModelInvalid, match=r"stored by river 0\.1\.0, and river 0\.26\.1 is installed"):
        RiverRuntime().load(pack(state, "0.1.0", header.class_, None))


@pytest.mark.parametrize(
    "model",
    [
        compose.FuncTransformer(lambda x: x) | linear_model.LinearRegression(),
        preprocessing.StandardScaler(),
        object(),
    ],
)
def test_what_could_not_be_read_back_or_answers_nothing_is_refused_when_it_is_stored(model: Any) -> None:
    with pytest.raises(ModelInvalid):
        dump_river(model)


MODULES = (
    *("anomaly", "cluster", "dummy", "ensemble", "facto", "forest", "imblearn", "linear_model", "multiclass"),
    *("naive_bayes", "neighbors", "rules", "tree", "drift"),
)
LEFT_OUT = {
    "ODAC",  # clusters features; it has no predict_one
    "OutputCodeClassifier",  # keeps an iterator, which is refused
    "TextClust",  # takes bags of words
}


def estimators() -> list[Any]:
    found = []
    for module in MODULES:
        for _, kind in inspect.getmembers(importlib.import_module(f"river.{module}"), inspect.isclass):
            answers = issubclass(
                kind, base.Classifier | base.Regressor | base.Clusterer | base.AnomalyDetector
            ) and not issubclass(kind, base.MultiLabelClassifier | base.MultiTargetRegressor)
            if answers and kind.__name__ not in LEFT_OUT:
                found += [pytest.param(kind, parameters, id=kind.__name__) for parameters in _parameters(kind)]
    return found


def _parameters(kind: Any) -> list[dict[str, Any]]:
    try:
        parameters = list(kind._unit_test_params())
        kind(**parameters[0])
    except (TypeError, NotImplementedError):  # it needs arguments that river's own tests do not give either
        return []
    return parameters[:1]


@pytest.mark.parametrize(("kind", "parameters"), estimators())
def test_every_estimator_of_river_that_answers_can_be_stored_and_read_back(kind: Any, parameters: Any) -> None:
    model = kind(**parameters)
    for step in range(80):
        features = {"a": (step % 7 + 1) / 10, "b": (step % 3 + 1) / 10}
        if isinstance(model, base.Classifier):
            model.learn_one(features, step % 2 == 0)
        elif isinstance(model, base.Regressor):
            model.learn_one(features, step % 5 / 10)
        else:
            model.learn_one(features)
    restored = RiverRuntime().load(dump_river(model))._model
    assert type(restored) is type(model)
    method = "score_one" if isinstance(model, base.AnomalyDetector) else "predict_one"
    features = {"a": 0.2, "b": 0.3}
    assert getattr(restored, method)(features) == getattr(model, method)(features)
