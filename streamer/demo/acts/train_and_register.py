"""Trains champion and challenger on winter's flights, and registers them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamer
from streamer.demo.estimators import FEATURES, train_challenger, train_champion
from streamer.demo.flights import winter
from streamer.demo.stage import ENDPOINT

if TYPE_CHECKING:
    from streamer.demo.stage import Stage

MODELS = {
    "production": ("lateness", train_champion, "boosted trees"),
    "challenger": ("lateness-linear", train_challenger, "logistic regression"),
}
"""Tag to the model's name, its training and what it is."""


def train_and_register(stage: Stage) -> None:
    """Returns when both models can be named in a routing."""
    flights = winter(stage.flights)
    stage.screen.act(f"Train two models on the {len(flights):,} flights of January and February, and register them")
    for tag, (name, train, kind) in MODELS.items():
        estimator = train(flights)
        version = streamer.register(
            estimator,
            flights[FEATURES],
            flights["is_late"].astype(int),
            name=name,
            tags=[tag],
            endpoint=ENDPOINT,
            nulls={"dep_delay": "nan"},  # a cancelled flight has none; the pipeline puts the mean there
            description=kind,
            settings=stage.settings,
        )
        stage.estimators[tag] = estimator
        size_kilobytes = version.artifact.size_bytes / 1000
        stage.screen.say(f"{name} version {version.version}, {kind}, {size_kilobytes:,.0f} kB of ONNX, tag {tag}")
