"""From a fitted estimator, or a ready file, to a version that a worker can serve."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from river import anomaly, linear_model, preprocessing
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC

import streamer
from streamer.config import KafkaSettings, Settings
from streamer.control import model_versions
from streamer.control.bootstrap import ensure_control_topics
from streamer.control.config_log import publish
from streamer.control.model_versions import MappingFile, register_file
from streamer.errors import (
    ConfigurationError,
    DocumentInvalid,
    ModelInvalid,
    ModelNotFound,
    SchemaError,
    ValidationLimitExceeded,
)
from streamer.records.columns import FeatureBatch, column_of
from streamer.registry.artifacts import ArtifactCache
from streamer.registry.registry import ModelRegistry
from streamer.routing.documents import EndpointDocument
from streamer.runtimes.preparation import prepare
from streamer.runtimes.validation import ValidationLimits
from tests.support.hostile_onnx import endless, honest
from tests.unit.runtimes.array_model import field, record

if TYPE_CHECKING:
    from pathlib import Path

    from streamer.records.model_version import ModelVersion

pytestmark = pytest.mark.real

ROWS = 400
SUIT = {"type": "enum", "name": "verdict", "symbols": ["late", "on_time"]}
FLIGHTS = record(
    "departure",
    id="string",
    dist=["null", "double"],
    hour="int",
    carrier="string",
    weekend="boolean",
    origin=record("place", lat="double", lon="double"),
    readings={"type": "array", "items": "double"},
)
LATENESS = record("lateness", late_probability="double", late="boolean", note=["null", "string"])


@pytest.fixture
def settings(broker: str, unique: str, tmp_path: Path) -> Settings:
    return Settings(kafka=KafkaSettings(bootstrap_servers=broker, topic_prefix=f"{unique}."), cache_dir=tmp_path)


@pytest.fixture
def endpoint(settings: Settings) -> str:
    """An endpoint as it stands on the log."""
    ensure_control_topics(settings.kafka)
    publish(
        settings.kafka,
        EndpointDocument.model_validate(
            {
                "name": "flights",
                "author": "ada",
                "based_on": 0,
                "events": {"topic": "flights.events", "schema": FLIGHTS, "id": "id", "partitions": 1},
                "output": {"topic": "flights.inferences", "schema": LATENESS},
                "topics": {"shadow": "flights.shadow", "dead_letters": "flights.dead-letters"},
            }
        ),
    )
    return "flights"


def matrix() -> np.ndarray[Any, Any]:
    return np.random.default_rng(3).normal(size=(ROWS, 3))


def frame() -> pd.DataFrame:
    random = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "dist": np.where(random.random(ROWS) < 0.1, np.nan, random.normal(size=ROWS) * 500),
            "hour": random.integers(0, 24, ROWS),
            "carrier": random.choice(["AA", "UA", "B6"], ROWS),
            "weekend": random.random(ROWS) < 0.3,
        }
    )


def late(data: pd.DataFrame) -> np.ndarray[Any, Any]:
    return ((data.dist.fillna(0) > 0) & (data.carrier != "AA")).to_numpy()


def pipeline(last: Any) -> Any:
    return make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), ["carrier"]),
            (make_pipeline(SimpleImputer(), StandardScaler()), ["dist", "hour"]),
            ("passthrough", ["weekend"]),
        ),
        last,
    )


def answers(version: ModelVersion, settings: Settings, events: Any, output: Any, columns: Any) -> dict[str, list[Any]]:
    """What a worker would answer."""
    bound = prepare(version, ArtifactCache(settings).fetch(version.artifact), events, output)
    n = len(next(iter(columns.values())))
    prediction = bound.predict(FeatureBatch(n, {name: column_of(list(values)) for name, values in columns.items()}))
    assert not prediction.failed.any(), prediction.reasons
    return {name: column.to_pylist() for name, column in prediction.columns.items()}


def numbers(*names: str) -> dict[str, Any]:
    return record("event", **dict.fromkeys(names, "double"))


def test_a_pipeline_with_text_columns_answers_an_endpoints_events_as_the_estimator_does(
    settings: Settings, endpoint: str
) -> None:
    data = frame()
    fitted = pipeline(LogisticRegression()).fit(data, late(data))
    version = streamer.register(
        fitted, data, late(data), name="lateness", tags=["production"], endpoint=endpoint, settings=settings
    )
    assert version.mapping.outputs == {"late_probability": "probabilities[1]", "late": "label"}
    assert version.mapping.inputs == {name: name for name in data.columns}
    assert version.mapping.nulls == {"dist": "nan"}
    assert len(version.golden) == 5
    columns = {name: [None if value != value else value for value in data[name].tolist()] for name in data.columns}
    got = answers(version, settings, FLIGHTS, LATENESS, columns)
    assert got["late_probability"] == pytest.approx(fitted.predict_proba(data)[:, 1], abs=1e-5)
    assert got["late"] == fitted.predict(data).tolist()
    listed = model_versions.show(settings, "production")
    assert (listed.version, listed.tags) == (version, ("production",))
    assert model_versions.validate(settings, "lateness:1", endpoint) == version


@pytest.mark.parametrize(
    ("estimator", "outputs"),
    [
        (GradientBoostingClassifier(n_estimators=5), {"probability": "probabilities[1]", "label": "label"}),
        (LogisticRegression(), {"probability": "probabilities[1]", "label": "label"}),
        (LinearSVC(), {"label": "label"}),
    ],
)
def test_classifiers_of_two_classes_give_probability_and_label(
    settings: Settings, estimator: Any, outputs: dict[str, str]
) -> None:
    X = matrix()
    estimator.fit(X, np.where(X[:, 0] > 0, "late", "on time"))
    version = streamer.register(estimator, X, name="m", feature_names=["a", "b", "c"], settings=settings)
    assert version.mapping.outputs == outputs
    assert version.mapping.inputs == {"X": ("a", "b", "c")}
    output = record("output", **{"label": "string", **({"probability": "double"} if len(outputs) > 1 else {})})
    got = answers(version, settings, numbers("a", "b", "c"), output, dict(zip("abc", X.T.tolist(), strict=True)))
    assert got["label"] == estimator.predict(X).tolist()


def test_more_classes_give_all_probabilities_and_any_can_be_picked_by_name(settings: Settings) -> None:
    X = matrix()
    classes = np.array(["x", "y", "z"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    forest = RandomForestClassifier(n_estimators=5, random_state=1).fit(X, classes)
    version = streamer.register(forest, X, classes, name="m", feature_names=["a", "b", "c"], settings=settings)
    assert version.mapping.outputs == {"probabilities": "probabilities", "label": "label"}
    picked = streamer.register(
        forest, X, name="m", feature_names=["a", "b", "c"], outputs={"z": 'probabilities["z"]'}, settings=settings
    )
    got = answers(
        picked,
        settings,
        numbers("a", "b", "c"),
        record("output", z="double"),
        dict(zip("abc", X.T.tolist(), strict=True)),
    )
    assert got["z"] == pytest.approx(forest.predict_proba(X)[:, 2], abs=1e-5)
    assert picked.version == 2


@pytest.mark.parametrize(
    ("estimator", "output"),
    [
        (RandomForestRegressor(n_estimators=5), {"prediction": "double"}),
        (LinearRegression(), {"prediction": "double"}),
        (KMeans(3, random_state=1), {"cluster": "int"}),
        (IsolationForest(n_estimators=5, random_state=1), {"score": "double", "label": "int"}),
        (StandardScaler(), {"features": {"type": "array", "items": "double"}}),
    ],
)
def test_other_kinds_of_estimators_give_what_they_are_for(settings: Settings, estimator: Any, output: Any) -> None:
    X = matrix()
    estimator.fit(X, X[:, 0] * 1000)
    version = streamer.register(estimator, X, name="m", feature_names=["a", "b", "c"], settings=settings)
    assert set(version.mapping.outputs) == set(output)
    got = answers(
        version, settings, numbers("a", "b", "c"), record("o", **output), dict(zip("abc", X.T.tolist(), strict=True))
    )
    ask = estimator.transform if "features" in output else getattr(estimator, "decision_function", estimator.predict)
    first = np.array(got[next(iter(output))])
    assert first == pytest.approx(ask(X), rel=1e-4, abs=1e-4)


def test_a_polars_frame_is_as_good_as_a_pandas_one(settings: Settings) -> None:
    data = frame().drop(columns=["dist"])
    fitted = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["carrier"]), remainder="passthrough"),
        LogisticRegression(),
    ).fit(data, data.weekend)
    polars = pl.DataFrame({name: data[name].to_list() for name in data.columns})
    version = streamer.register(fitted, polars, name="m", settings=settings)
    assert set(version.mapping.inputs) == {"hour", "carrier", "weekend"}


def test_columns_may_come_from_fields_of_other_names_even_from_inside_other_records(
    settings: Settings, endpoint: str
) -> None:
    X = pd.DataFrame(matrix(), columns=["sepal length (cm)", "latitude", "third"])
    fitted = LogisticRegression().fit(X, X.latitude > 0)
    fields = {"sepal length (cm)": "dist", "latitude": "origin.lat", "third": "readings[2]"}
    with pytest.raises(ModelInvalid, match="names that no event field can have") as caught:
        streamer.register(fitted, X, name="m", settings=settings)
    assert "sepal_length_cm" in str(caught.value.advice)
    with pytest.raises(ModelInvalid, match="golden records cannot be made"):
        streamer.register(fitted, X, name="m", fields=fields, endpoint=endpoint, settings=settings)
    version = streamer.register(fitted, X, name="m", fields=fields, endpoint=endpoint, golden=0, settings=settings)
    assert version.mapping.inputs == {"X": ("dist", "origin.lat", "readings[2]")}
    named = streamer.register(
        fitted, X, name="m", fields={**fields, "third": "origin.lon"}, endpoint=endpoint, settings=settings
    )
    assert set(named.golden[0].event) == {"dist", "origin"}


def test_an_estimator_that_has_no_onnx_form_is_refused_with_what_to_do_and_nothing_is_stored(
    settings: Settings, tmp_path: Path
) -> None:
    X = matrix()
    fitted = HistGradientBoostingClassifier(max_iter=3).fit(X, X[:, 0] > 0)
    with pytest.raises(ModelInvalid, match="has no ONNX form that can serve") as caught:
        streamer.register(fitted, X, name="m", feature_names=["a", "b", "c"], settings=settings)
    assert "GradientBoosting" in str(caught.value.advice)
    assert ModelRegistry(settings).catalogue().versions() == []
    assert not list(tmp_path.rglob("*.onnx"))


def test_an_onnx_form_that_answers_otherwise_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    X = matrix()
    fitted = LogisticRegression().fit(X, X[:, 0] > 0)
    monkeypatch.setattr(fitted, "predict_proba", lambda X: np.full((len(X), 2), 0.5))
    with pytest.raises(ModelInvalid, match=r"its ONNX form answers \d+ of 400 rows differently: probabilities of row"):
        streamer.register(fitted, X, name="m", feature_names=["a", "b", "c"], settings=settings)


def _fitted() -> Any:
    X = matrix()
    return LogisticRegression().fit(X, X[:, 0] > 0)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"feature_names": None}, ModelInvalid, "3 columns without names"),
        ({"feature_names": ["a", "b"]}, ModelInvalid, "3 columns without names"),
        ({"y": np.zeros(7)}, ModelInvalid, "X has 400 rows and y has 7"),
        ({"y": np.full(ROWS, "maybe")}, ModelInvalid, "labels that the classifier does not know"),
        ({"outputs": {"p": "probabilties[1]"}}, ModelInvalid, "names no output"),
        ({"nulls": {"z": 0}}, ModelInvalid, "X has no column z"),
        ({"fields": {"z": "a"}}, ModelInvalid, "X has no column z"),
        ({"endpoint": "nowhere"}, DocumentInvalid, "no such document"),
        ({"endpoint": "x", "output": LATENESS}, ConfigurationError, "not both"),
        ({"output": "no-such-file.avsc"}, SchemaError, "cannot be read"),
        ({"output": record("o", p="double", q="double")}, ModelInvalid, "not clear what fills"),
        ({"events": numbers("a", "b")}, ModelInvalid, "no field 'c'"),
        ({"tags": ["not a tag"]}, ModelInvalid, "cannot be a tag"),
        ({"estimator": LogisticRegression()}, ModelInvalid, "is not fitted"),
        ({"estimator": LinearRegression()}, ModelInvalid, "is not fitted"),
        (
            {"X": matrix()[:, :2], "feature_names": ["a", "b"]},
            ModelInvalid,
            "cannot answer X: ValueError: X has 2 feat",
        ),
        ({"estimator": object()}, ModelInvalid, "is no scikit-learn classifier"),
    ],
)
def test_what_cannot_be_registered_says_why(
    settings: Settings, arguments: dict[str, Any], error: type[Exception], says: str
) -> None:
    ensure_control_topics(settings.kafka)
    given = {"estimator": _fitted(), "X": matrix(), "name": "m", "feature_names": ["a", "b", "c"]} | arguments
    with pytest.raises(error, match=says):
        streamer.register(**given, settings=settings)
    assert ModelRegistry(settings).catalogue().versions() == []


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(pd.date_range("2026-01-01", periods=ROWS)),
        pd.Series([1, "a"] * (ROWS // 2), dtype=object),
    ],
)
def test_a_column_of_a_kind_that_models_do_not_take_is_named(settings: Settings, column: pd.Series[Any]) -> None:
    with pytest.raises(ModelInvalid, match="column 'when'"):
        streamer.register(_fitted(), pd.DataFrame({"when": column}), name="m", settings=settings)


def test_nullable_and_categorical_columns_of_pandas_are_understood(settings: Settings) -> None:
    data = pd.DataFrame(
        {
            "stops": pd.array([1, None, 2, 0] * (ROWS // 4), dtype="Int64"),
            "carrier": pd.Categorical(["AA", "UA"] * (ROWS // 2)),
        }
    )
    target = np.arange(ROWS) % 2 == 0
    fitted = make_pipeline(
        make_column_transformer((OrdinalEncoder(), ["carrier"]), (SimpleImputer(), ["stops"])),
        RandomForestClassifier(n_estimators=3, random_state=1),
    ).fit(data.astype({"stops": "float64"}), target)
    version = streamer.register(fitted, data.astype({"stops": "float64"}), target, name="m", settings=settings)
    assert version.mapping.nulls == {"stops": "nan"}
    assert {type(golden.event["stops"]) for golden in version.golden} <= {float, type(None)}


@pytest.mark.parametrize(
    ("model", "outputs"),
    [
        (preprocessing.StandardScaler() | linear_model.LogisticRegression(), ["label", "probabilities"]),
        (linear_model.LinearRegression(), ["prediction"]),
        (anomaly.HalfSpaceTrees(n_trees=3, seed=1), ["score"]),
    ],
)
def test_river_models_are_registered_as_they_are(settings: Settings, model: Any, outputs: list[str]) -> None:
    X = matrix()
    for a, b, c in X.tolist():
        features = {"a": a, "b": b, "c": c}
        if outputs == ["score"]:
            model.learn_one(features)
        else:
            model.learn_one(features, a > 0 if len(outputs) == 2 else a)
    version = streamer.register(model, X, name="online", feature_names=["a", "b", "c"], settings=settings)
    assert version.format == "river"
    assert list(version.mapping.outputs) == outputs
    picked = {"p": 'probabilities["true"]'} if len(outputs) == 2 else {"p": outputs[0]}
    version = streamer.register(
        model, X, name="online", feature_names=["a", "b", "c"], outputs=picked, settings=settings
    )
    got = answers(
        version,
        settings,
        numbers("a", "b", "c"),
        record("o", p="double"),
        dict(zip("abc", X.T.tolist(), strict=True)),
    )
    features = dict(zip("abc", X[7].tolist(), strict=True))
    ask = {1: getattr(model, "score_one", None) or getattr(model, "predict_one", None)}.get(len(outputs))
    assert got["p"][7] == (ask(features) if ask else model.predict_proba_one(features)[True])
    assert math.isfinite(got["p"][0])


def mapping_file(folder: Path, **changes: Any) -> Path:
    written = {
        "inputs": {"X": "dist"},
        "nulls": {"dist": 0},
        "outputs": {"late_probability": "y", "late": "y"},
        "golden": [{"event": {"dist": 0.5}, "output": {"late_probability": 1.0, "late": True}}],
    } | changes
    path = folder / "mapping.yaml"
    path.write_text(json.dumps({key: value for key, value in written.items() if value is not None}))
    return path


def test_a_ready_file_is_registered_with_a_mapping_file_and_checked_against_an_endpoint(
    settings: Settings, endpoint: str, tmp_path: Path
) -> None:
    (tmp_path / "double.onnx").write_bytes(honest())
    mapping = mapping_file(tmp_path)
    version = register_file(
        tmp_path / "double.onnx", mapping, name="double", tags=["a"], endpoint=endpoint, settings=settings
    )
    assert version.golden[0].output["late"] is True
    assert model_versions.show(settings, str(version.uuid)).version == version
    wrong = mapping_file(tmp_path, golden=[{"event": {"dist": 0.5}, "output": {"late_probability": 0.9}}])
    with pytest.raises(ModelInvalid, match=r"expected 0\.9, got 1\.0"):
        register_file(tmp_path / "double.onnx", wrong, name="double", endpoint=endpoint, settings=settings)
    assert [listed.version.version for listed in model_versions.list_versions(settings, "double")] == [1]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"inputs": {"Y": "dist"}}, "the mapping has the inputs Y"),
        ({"outputs": {"late": "z"}}, "names no output"),
        ({"outputs": None}, "outputs: Field required"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_mapping_file_that_does_not_fit_is_refused(
    settings: Settings, tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    (tmp_path / "double.onnx").write_bytes(honest())
    with pytest.raises(ModelInvalid, match=says):
        register_file(tmp_path / "double.onnx", mapping_file(tmp_path, **changes), name="double", settings=settings)


def test_a_hostile_file_is_refused_for_an_endpoint_and_never_registered(
    settings: Settings, endpoint: str, tmp_path: Path
) -> None:
    (tmp_path / "endless.onnx").write_bytes(endless())
    mapping = MappingFile(inputs={"X": "dist"}, outputs={"late_probability": "y[0]", "late": "y[0]"})
    limits = ValidationLimits(seconds=5)
    with pytest.raises(ValidationLimitExceeded):
        register_file(
            tmp_path / "endless.onnx", mapping, name="endless", endpoint=endpoint, settings=settings, limits=limits
        )
    assert model_versions.list_versions(settings) == []
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    for path in (tmp_path / "junk.onnx", tmp_path / "missing.onnx"):
        with pytest.raises(ModelInvalid):
            register_file(path, mapping, name="m", settings=settings)


def test_versions_are_tagged_untagged_and_retired_by_reference(settings: Settings) -> None:
    X = matrix()
    for _ in range(2):
        streamer.register(_fitted(), X, name="m", tags=["live"], feature_names=["a", "b", "c"], settings=settings)
    first, second = model_versions.list_versions(settings)
    assert (first.tags, first.former_tags, second.tags) == ((), ("live",), ("live",))
    assert model_versions.tag(settings, "m:1", "live") == first.version
    assert len(model_versions.tag_history(settings, "live")) == 3
    model_versions.untag(settings, "live")
    model_versions.retire(settings, "m:1", reason="old")
    retirement = model_versions.show(settings, "m:1").retirement
    assert retirement is not None
    assert retirement.reason == "old"
    for reference in ("live", "m:9", "nobody", "m:1"):
        with pytest.raises(ModelNotFound):
            model_versions.retire(settings, reference)
    with pytest.raises(ModelInvalid, match="names no model version"):
        model_versions.show(settings, "not a reference")


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = "{'sklearn', 'onnx', 'skl2onnx', 'onnxruntime', 'river', 'confluent_kafka', 'pandas', 'numpy', 'pydantic'}"
    program = (
        "import sys, streamer; "
        f"loaded = {heavy} & {{name.partition('.')[0] for name in sys.modules}}; "
        "assert not loaded, loaded; "
        "assert callable(streamer.register); "
        "assert not {'sklearn', 'onnx', 'river', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_a_schema_may_come_from_a_file(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "o.avsc").write_text(json.dumps(record("o", risk=field("float"), why=field("string", default="m"))))
    version = streamer.register(
        _fitted(),
        matrix(),
        name="m",
        feature_names=["a", "b", "c"],
        outputs={"risk": "probabilities[1]"},
        output=tmp_path / "o.avsc",
        settings=settings,
    )
    assert set(version.golden[0].output) == {"risk", "why"}
