"""Raw rows: the inputs of a net that has the standardization of its training data."""

from typing import Any

import numpy as np

from thinnet.arrays import cast, check_finite, check_range
from thinnet.checks import kind_of
from thinnet.errors import ArgumentError
from thinnet.spec import Spec
from thinnet.standardization import Standardization
from thinnet.steps.batches import as_matrix
from thinnet.typing import FloatArray


def as_inputs(spec: Spec, standardization: Standardization | None, X: Any, first_row: int = 0) -> FloatArray:
    """Rows for a net's layers, in its dtype: the one place where a net's standardization is applied.

    Raises:
        ArgumentError: if X does not fit the net, or a number is beyond its dtype, or one is not finite and the
            standardization has a limit, which would hide it.
    """
    rows = as_matrix(spec, X)
    if standardization is None:
        return cast("X", rows, spec.dtype)
    if standardization.limit < np.inf:
        check_finite("X", rows, ArgumentError, f"numbers that are finite in {rows.dtype}", first_row)
    with np.errstate(all="ignore"):  # the check below raises a clearer error
        inputs = standardization.rows(rows, spec.dtype)
    check_range("X", rows, inputs)
    return inputs


def checked_standardization(spec: Spec, standardization: Any) -> Standardization | None:
    """A standardization for a net's inputs, with its own arrays; or None.

    Raises:
        ArgumentError: if it is anything else, or does not have a finite mean and scale for each input.
    """
    if standardization is None:
        return None
    if not isinstance(standardization, Standardization):
        raise ArgumentError(
            f"standardization must be a Standardization or None, got {kind_of(standardization)}. Give "
            f"data.standardization."
        )
    mean, scale = (np.array(value, np.float64) for value in (standardization.mean, standardization.scale))
    for name, array in (("mean", mean), ("scale", scale)):
        if array.shape != (spec.input_dim,) or not np.isfinite(array).all():
            raise ArgumentError(
                f"standardization must have a finite {name} for each of the net's {spec.input_dim} inputs, got an "
                f"array of shape {array.shape}. Give that of the data on which the net was trained."
            )
        array.setflags(write=False)
    if not standardization.limit > 0:
        raise ArgumentError(f"standardization must have a limit > 0, got {standardization.limit}. Use inf for none.")
    return Standardization(mean, scale, float(standardization.limit))
