"""Reading the pickled state of a river model without running anything that the bytes bring along.

A pickle is a program: it may call whatever it can name. Here it can name exactly the classes of river's own packages,
some containers and random generators, and what numpy needs to rebuild arrays. None of these opens a file, a socket or
a process. `river.compat` (which wraps foreign estimators), `river.datasets` and `river.stream` (which read files and
download) are not among them, and neither is any function that takes another's name.
"""

from __future__ import annotations

import builtins
import collections
import copy
import functools
import io
import pickle
import random
from importlib import import_module
from typing import Any

from streamer.errors import ModelInvalid

_RIVER_PACKAGES = frozenset(
    {
        *("_river_rust", "active", "anomaly", "base", "cluster", "compose", "covariance", "drift", "dummy", "ensemble"),
        *("facto", "feature_extraction", "feature_selection", "forest", "imblearn", "linear_model", "metrics"),
        *("model_selection", "multiclass", "multioutput", "naive_bayes", "neighbors", "optim", "preprocessing"),
        *("proba", "rules", "sketch", "stats", "tree", "utils"),
    }
)
_FUNCTIONS = frozenset(
    {
        ("river._river_rust.vectordict", "euclidean_distance_dict"),
        ("river._river_rust.vectordict", "euclidean_distance_tuple"),
        ("river.feature_extraction.vectorize", "strip_accents_unicode"),
        ("river.feature_extraction.vectorize", "tokenize_using_regex_pattern"),
        ("river.utils.math", "minkowski_distance"),
        ("river.forest.online_extra_trees", "ExtraTrees._detection_mode_all"),
        ("river.forest.online_extra_trees", "ExtraTrees._detection_mode_drop"),
        ("river.forest.online_extra_trees", "ExtraTrees._detection_mode_off"),
        ("river.naive_bayes.gaussian", "GaussianNB._make_gaussian"),
        ("river.tree.splitter.ebst_splitter", "EBSTNode._update_estimator_multivariate"),
        ("river.tree.splitter.ebst_splitter", "EBSTNode._update_estimator_univariate"),
        ("river.tree.splitter.nominal_splitter_reg", "NominalSplitterReg._update_estimator_multivariate"),
        ("river.tree.splitter.nominal_splitter_reg", "NominalSplitterReg._update_estimator_univariate"),
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
        ("numpy._core.numeric", "_frombuffer"),
        ("numpy.random._mt19937", "MT19937"),
        ("numpy.random._pcg64", "PCG64"),
        ("numpy.random._pickle", "__bit_generator_ctor"),
        ("numpy.random._pickle", "__generator_ctor"),
        ("numpy.random._pickle", "__randomstate_ctor"),
        ("numpy.random.bit_generator", "SeedSequence"),
        ("statistics", "NormalDist"),
    }
)
_PLAIN: dict[tuple[str, str], Any] = {
    **{
        ("builtins", name): getattr(builtins, name)
        for name in ("bool", "complex", "dict", "float", "frozenset", "int", "list", "set", "str", "tuple")
    },
    **{
        ("collections", name): getattr(collections, name) for name in ("Counter", "OrderedDict", "defaultdict", "deque")
    },
    ("copy", "deepcopy"): copy.deepcopy,  # of objects that are built of these classes alone
    ("functools", "partial"): functools.partial,
    ("random", "Random"): random.Random,
}
_RIVER_METHODS = frozenset(
    {
        *("_calc_tau_0", "_calc_tau_1", "_calc_tau_2"),
        *("_leveraging_bag", "_leveraging_bag_half", "_leveraging_bag_me", "_leveraging_bag_wt", "_leveraging_subag"),
    }
)
_RANDOM_METHODS = frozenset({"random", "gauss", "normalvariate", "uniform", "expovariate", "choice", "randint"})


def unpickle_state(data: bytes) -> Any:
    """The object that a pickle of river's own classes describes.

    Raises:
        ModelInvalid: It names anything else, or is malformed. Nothing of it was run.
    """
    try:
        return _Unpickler(io.BytesIO(data)).load()
    except ModelInvalid:
        raise
    except Exception as error:  # a malformed pickle raises nearly anything
        raise ModelInvalid(
            f"the state of the river model cannot be read: {type(error).__name__}: {str(error)[:200]}",
            advice="Store the model again with dump_river.",
        ) from error


class _Unpickler(pickle.Unpickler):
    """Finds only what is on the lists above."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        key = (module_name, global_name)
        if key in _PLAIN:
            return _PLAIN[key]
        if key == ("builtins", "getattr"):
            return _bound_method
        if key in _FUNCTIONS:
            return functools.reduce(getattr, global_name.split("."), import_module(module_name))
        package, _, rest = module_name.partition(".")
        if package == "river" and rest.partition(".")[0] in _RIVER_PACKAGES:
            found = _river_class(module_name, global_name)
            if found is not None:
                return found
        raise ModelInvalid(
            f"the state of the river model names {module_name}.{global_name}, which is not allowed",
            advice="Only river's own estimators are supported, without functions or classes of your own inside.",
        )


def _river_class(module_name: str, qualified_name: str) -> type | None:
    """The class that is defined in that module under that name; not one that the module merely imports."""
    try:
        found: Any = import_module(module_name)
    except ImportError:
        return None
    for name in qualified_name.split("."):
        found = found.__dict__.get(name) if hasattr(found, "__dict__") else None
    if isinstance(found, type) and (found.__module__, found.__qualname__) == (module_name, qualified_name):
        return found
    return None


def _bound_method(owner: Any, name: str) -> Any:
    """The methods that river keeps as attributes; in place of getattr, which could reach anything."""
    if type(owner) is random.Random and name in _RANDOM_METHODS:
        return getattr(owner, name)
    kind = owner if isinstance(owner, type) else type(owner)
    if kind.__module__.startswith("river.") and name in _RIVER_METHODS:
        return getattr(owner, name)
    if owner is str and name == "lower":
        return str.lower
    raise ModelInvalid(f"the state of the river model asks for the attribute {str(name)[:60]!r}, which is not allowed")
