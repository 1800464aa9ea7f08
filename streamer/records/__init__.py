"""Batches of records as columns: one array per field, never one dict per record."""

from streamer.records.columns import (
    Column,
    ConstantColumn,
    FeatureBatch,
    NumericColumn,
    ObjectColumn,
    TextColumn,
    concat,
)

__all__ = [
    "Column",
    "ConstantColumn",
    "FeatureBatch",
    "NumericColumn",
    "ObjectColumn",
    "TextColumn",
    "concat",
]
