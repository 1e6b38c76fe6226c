"""The estimators' parameters: what each may be, and what "auto" stands for."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from thinnet.checks import check_choice, check_number, merge_options
from thinnet.errors import ArgumentError
from thinnet.layers import ACTIVATIONS
from thinnet.layers.dropout import MASK_KINDS
from thinnet.optim import OPTIMIZERS
from thinnet.schedules import as_schedule
from thinnet.spec import NORMALIZATIONS

AUTO = "auto"
SMALL_BATCH = 64
STEPS = 3000  # about as many as a small data set needs
FEWEST_PASSES, MOST_PASSES = 12, 200
FLAGS = ("standardize", "early_stopping", "warm_start", "verbose")
NUMBERS = ("dropout", "alpha", "learning_rate_init", "n_iter_no_change", "tol", "validation_fraction")
AUTOMATIC = ("batch_size", "max_iter")


def check_parameters(params: dict[str, Any]) -> None:
    """Raise ArgumentError if a parameter of an estimator is not what it may be."""
    for name in NUMBERS:
        check_number(name, params[name])
    for name in AUTOMATIC:
        if not (isinstance(params[name], str) and params[name] == AUTO):
            _check_automatic(name, params[name])
    for name in FLAGS:
        if not isinstance(params[name], (bool, np.bool_, numbers.Integral)):
            raise ArgumentError(f"{name} must be True or False, got {params[name]!r}.")
    hidden_dims(params["hidden_layer_sizes"])
    check_choice("dropout_mask", params["dropout_mask"], MASK_KINDS)
    check_choice("normalization", params["normalization"], NORMALIZATIONS)
    check_choice("optimizer", params["optimizer"], tuple(OPTIMIZERS))
    _check_optimizer_options(params["optimizer"], params["optimizer_options"])
    check_choice("activation", params["activation"], tuple(ACTIVATIONS))
    as_schedule(params["schedule"])


def _check_automatic(name: str, value: Any) -> None:
    try:
        check_number(name, value)
    except ArgumentError as error:
        raise ArgumentError(f"{error} Or use 'auto'.") from None


def auto_batch_size(num_rows: int) -> int:
    """All rows up to about 64, then the size of as many minibatches as bring it nearest to 64."""
    return -(-num_rows // max(1, round(num_rows / SMALL_BATCH)))


def auto_max_iter(steps_a_pass: int) -> int:
    """Passes for about 3,000 steps, at least 12 and at most 200."""
    return min(max(STEPS // steps_a_pass, FEWEST_PASSES), MOST_PASSES)


def hidden_dims(sizes: Any) -> tuple[int, ...]:
    """The sizes of the hidden layers; one number stands for one layer.

    >>> hidden_dims(50), hidden_dims([20, 10])
    ((50,), (20, 10))
    """
    if isinstance(sizes, numbers.Integral) and not isinstance(sizes, bool):
        sizes = (sizes,)
    if isinstance(sizes, str) or not np.iterable(sizes):
        raise ArgumentError(
            f"hidden_layer_sizes must be a sequence of integers, got {sizes!r}. Use (100,) for one layer of 100 units."
        )
    return tuple(check_number("hidden_layer_sizes", size) for size in sizes)


def _check_optimizer_options(optimizer: str, options: Any) -> None:
    """Check an optimizer's hyperparameters; the learning rate, which has a parameter of its own, is none of them."""
    if options is not None and not isinstance(options, dict):
        raise ArgumentError(
            f"optimizer_options must be a dict or None, got {options!r}. Write {{'beta1': 0.9}}, for example."
        )
    defaults = {key: value for key, value in OPTIMIZERS[optimizer].defaults.items() if key != "learning_rate"}
    merge_options("optimizer_options", defaults, options)
