"""The two models of the demo, as a data scientist writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

FEATURES = ["dep_delay", "distance", "hour", "weekday"]


def train_champion(flights: pd.DataFrame) -> Any:
    """Boosted trees. A missing delay gets the mean."""
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    trees = GradientBoostingClassifier(n_estimators=100, max_depth=3, subsample=0.5, random_state=2013)
    return make_pipeline(SimpleImputer(), trees).fit(flights[FEATURES], flights["is_late"].astype(int))


def train_challenger(flights: pd.DataFrame) -> Any:
    """A logistic regression."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    return pipeline.fit(flights[FEATURES], flights["is_late"].astype(int))


def late_probability(estimator: Any, flights: pd.DataFrame) -> Any:
    """What the estimator itself says, float64 (n,): what the stream's answers are compared with."""
    return estimator.predict_proba(flights[FEATURES])[:, 1]
