"""The values that the estimators' parameters may have."""

import math
import numbers
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from thinnet import layers
from thinnet.checks import check_choice, check_number, kind_of
from thinnet.errors import ArgumentError
from thinnet.layers.dropout import MASK_KINDS
from thinnet.sklearn.learning_rates import check_learning_rate
from thinnet.spec import NORMALIZATIONS, PRECISIONS, checked_dims

AUTO = "auto"
ACTIVATIONS = {**{name: name for name in layers.ACTIVATIONS}, "logistic": "sigmoid"}  # scikit-learn's name
SOLVERS = ("adam", "sgd", "rmsprop", "lbfgs")
FLAGS = ("shuffle", "nesterovs_momentum", "standardize", "early_stopping", "warm_start", "verbose", "tune")
NUMBERS = (
    *("power_t", "tol", "momentum", "beta_1", "beta_2", "epsilon", "validation_fraction", "max_fun", "ensemble"),
    *("ema_decay", "mixup"),
)
AUTOMATIC = (
    *("alpha", "batch_size", "learning_rate_init", "max_iter"),
    *("dropout", "label_smoothing", "weight_decay", "numeric_bins"),
)
WITH_LBFGS: tuple[tuple[str, tuple[Any, ...], str], ...] = (  # what L-BFGS allows, and why
    ("precision", (None,), "needs full precision"),
    ("ema_decay", (0,), "goes straight for a minimum"),
    ("mixup", (0,), "needs the same rows in every iteration"),
    ("dropout", (0.0,), "needs the same loss in every iteration"),
    ("normalization", (None, "layernorm"), "needs the same loss in every iteration"),
)
NONE = {"numeric_bins"}  # numbers that may be None


def check_parameters(params: Mapping[str, Any]) -> None:
    """Raise ArgumentError if a parameter of an estimator has an invalid value."""
    for name in NUMBERS:
        check_number(name, params[name])
    for name in AUTOMATIC:
        if not (is_auto(params[name]) or (params[name] is None and name in NONE)):
            try:
                check_number(name, params[name])
            except ArgumentError as error:
                raise ArgumentError(f"{error} Or use 'auto'.") from None
    if params["n_iter_no_change"] != math.inf:
        check_number("n_iter_no_change", params["n_iter_no_change"])
    for name in FLAGS:
        if not isinstance(params[name], (bool, np.bool_, numbers.Integral)):
            raise ArgumentError(f"{name} must be True or False, got {params[name]!r}.")
    if not is_auto(params["hidden_layer_sizes"]):
        hidden_dims(params["hidden_layer_sizes"])
    check_choice("dropout_mask", params["dropout_mask"], MASK_KINDS)
    check_choice("normalization", params["normalization"], (AUTO, *NORMALIZATIONS))
    check_choice("solver", params["solver"], SOLVERS)
    check_choice("activation", params["activation"], tuple(ACTIVATIONS))
    check_choice("precision", params["precision"], PRECISIONS)
    check_learning_rate(params["learning_rate"])
    if not isinstance(params.get("calibrate", True), (bool, np.bool_)) and not is_auto(params["calibrate"]):
        raise ArgumentError(f"calibrate must be True, False or 'auto', got {params['calibrate']!r}.")


def is_auto(value: Any) -> bool:
    """Whether a parameter is left to the rule of `thinnet.sklearn.settings`."""
    return isinstance(value, str) and value == AUTO


def hidden_dims(sizes: Any) -> tuple[int, ...]:
    """The sizes of the hidden layers; a single number means one layer."""
    if isinstance(sizes, Iterator):  # it would be empty when read again
        raise ArgumentError(
            f"hidden_layer_sizes must be a sequence of integers, got {kind_of(sizes)}. Convert it to a tuple."
        )
    if isinstance(sizes, numbers.Integral) and not isinstance(sizes, bool):
        sizes = (sizes,)
    return checked_dims(sizes, "hidden_layer_sizes")


def optimizer(solver: str, params: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A solver's name in `thinnet.optim.OPTIMIZERS`, and its hyperparameters except the learning rate.

    >>> optimizer("sgd", {"momentum": 0.9, "nesterovs_momentum": True})
    ('nesterov', {'momentum': 0.9})
    """
    if solver == "sgd":
        if params["momentum"] == 0:
            return "sgd", {}
        return "nesterov" if params["nesterovs_momentum"] else "sgd_momentum", {"momentum": params["momentum"]}
    names = {"epsilon": "epsilon"}
    if solver == "adam":
        names |= {"beta1": "beta_1", "beta2": "beta_2"}
    return solver, {ours: params[theirs] for ours, theirs in names.items()}


def check_lbfgs(params: Mapping[str, Any]) -> None:
    """Raise ArgumentError if L-BFGS does not allow a parameter's value; none of them may be ``"auto"`` here."""
    for name, allowed, why in WITH_LBFGS:
        if params[name] not in allowed:
            raise ArgumentError(
                f"{name} must be {' or '.join(map(repr, allowed))} with solver='lbfgs', got {params[name]!r}: it {why}."
                f" Leave it out, or use solver='adam'."
            )
