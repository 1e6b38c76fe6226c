"""Finds where and why numbers became infinite or NaN in a training step."""

import math

import numpy as np

from thinnet.errors import NumericalError
from thinnet.nets import FullyConnectedNet
from thinnet.numerics import first_wrong
from thinnet.parameters import layer_number
from thinnet.sparse_rows import SparseRows
from thinnet.spec import Spec
from thinnet.state import State
from thinnet.steps.base import Batch
from thinnet.steps.readable import ReadableStep, hidden_forward

LARGE = 1e4  # larger inputs were probably not standardized, and larger weights grew during training


def not_finite(net: FullyConnectedNet, batch: Batch, *, loss: float, learning_rate: float) -> NumericalError:
    """The error that says in which step and layer numbers became infinite or NaN, and the likely cause.

    `net` is as it was before the step, except for its running statistics, which the search changes too.
    """
    where = _first_place(net.spec, net.state, batch)
    what = f"a gradient became infinite or NaN (loss {loss:g})" if math.isfinite(loss) else f"the loss became {loss}"
    return NumericalError(
        f"In step {batch.step + 1}, {what}. It began in {where}. {_cause(net, batch, learning_rate)} "
        f"The net has the weights from before this step."
    )


def _first_place(spec: Spec, state: State, batch: Batch) -> str:
    """The first array in the data flow that has an infinity or NaN."""
    X, params = batch.X, state.params
    if not isinstance(X, SparseRows) and not np.isfinite(X).all():
        row, column = np.argwhere(~np.isfinite(X))[0]
        return f"the data: row {row} of the batch holds {X[row, column]} in column {column}"
    for name, array in params.items():
        if not np.isfinite(array).all():
            return f"an earlier step, which left {name} with {first_wrong(array)}"
    h = X
    for i in range(1, spec.num_layers + 1):
        z = h @ params[f"W{i}"] + params[f"b{i}"]
        if not np.isfinite(z).all():
            return f"layer {i}, whose product with W{i} holds {first_wrong(z)}"
        if i < spec.num_layers:
            h, _ = hidden_forward(spec, state, i, h, batch)
            if not np.isfinite(h).all():
                return f"layer {i}, whose {spec.normalization or 'output'} holds {first_wrong(h)}"
    computed = ReadableStep(spec, len(batch)).compute(state, batch)
    loss, gradients = computed.loss, computed.arrays
    if not math.isfinite(loss):
        return f"the loss, of scores up to {np.abs(z).max():.2g}"
    for name in reversed(list(gradients)):
        if not np.isfinite(gradients[name]).all():
            return f"the backward pass of layer {layer_number(name)}, whose gradient of {name} is not finite"
    return "an unknown place: computed by the layers' functions, the same step is finite"


def _cause(net: FullyConnectedNet, batch: Batch, learning_rate: float) -> str:
    """The likely cause, judged by which values are large."""
    X, y = batch.X, batch.y
    if isinstance(X, SparseRows):
        largest = X.largest()
    elif np.isfinite(X).all():
        largest = float(np.abs(X).max(initial=0))
    else:
        return "Likely cause: the data; remove such rows, or fill in their values."
    weights = max(float(np.nan_to_num(np.abs(w), nan=math.inf).max(initial=0)) for w in net.params.values())
    if largest > LARGE:
        return f"Likely cause: inputs up to {largest:.2g}; standardize them (Dataset.standardized)."
    for what, array in (("targets", y if y.ndim == 2 else None), ("weights of rows", batch.weights)):
        largest = 0.0 if array is None else float(np.abs(array).max(initial=0))
        if largest > LARGE:
            return f"Likely cause: {what} up to {largest:.2g}; scale them to about 1."
    if weights > LARGE and batch.step == 0:
        return f"Likely cause: initial weights of up to {weights:.2g}; give the net a smaller weight_scale."
    if weights > LARGE:
        grown = "beyond all bounds" if math.isinf(weights) else f"to {weights:.2g}"
        return f"Likely cause: a learning rate of {learning_rate:g}, which made weights grow {grown}; lower it."
    return f"Likely cause: a learning rate of {learning_rate:g} or an L2 penalty of {net.reg:g} that is too large."
