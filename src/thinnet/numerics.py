"""Numbers going wrong: whether a step is sound, and where and why it is not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from thinnet.errors import ArgumentError, NumericalError
from thinnet.parameters import Parameters, layer_number
from thinnet.typing import AnyArray, FloatArray

if TYPE_CHECKING:
    from thinnet.nets import FullyConnectedNet

LARGE = 1e4  # inputs beyond it were hardly standardized, weights beyond it have grown in training


def check_scores(X: FloatArray, scores: FloatArray, first_row: int) -> None:
    """Raise where inputs or scores are not finite: `argmax` would give class 0 for them without a word.

    Args:
        X: the inputs as the net takes them.
        scores: what came out.
        first_row: the number of the first row among those that the caller has.
    """
    if _is_finite(X) and _is_finite(scores):
        return
    row = int(np.flatnonzero(~(np.isfinite(X).all(axis=1) & np.isfinite(scores).all(axis=1)))[0])
    if not np.isfinite(X[row]).all():
        column = int(np.flatnonzero(~np.isfinite(X[row]))[0])
        raise ArgumentError(
            f"X must hold finite numbers, got {X[row, column]} in row {first_row + row}, column {column}. Remove such "
            f"rows, or fill them in."
        )
    raise NumericalError(
        f"the scores of row {first_row + row} must be finite, got {_wrong(scores[row])}. The row is finite: the net's "
        f"parameters or running statistics are not, or are too large. Load or train others."
    )


def _is_finite(array: FloatArray) -> bool:
    """Whether all elements are; a finite sum shows it at once, and only where the sum overflows they are looked at."""
    return bool(np.isfinite(array.sum()) or np.isfinite(array).all())


def is_sound(loss: float, gradients: Parameters) -> bool:
    """Whether the loss and the gradients of biases, γ and β are finite.

    Those are sums over the batch of the gradients with respect to each layer's outputs, so that they show what is wrong
    with any of these at a thousandth of the cost of looking at the weights' gradients too.
    """
    vectors = gradients.vectors
    if math.isfinite(loss) and all(math.isfinite(vector.sum()) for vector in vectors):
        return True
    return math.isfinite(loss) and all(np.isfinite(vector).all() for vector in vectors)  # finite sums may overflow


def unsound_step(
    net: FullyConnectedNet, X: FloatArray, y: AnyArray, *, step: int, loss: float, learning_rate: float
) -> NumericalError:
    """The error that says in which step and layer numbers went wrong, and why that is likely.

    Args:
        net: as it was before the step; its running statistics are changed by the search.
        X, y: the batch of the step, as the net takes them.
        step: the number of the step, which drew its masks too.
        loss: what came out.
        learning_rate: of that step.
    """
    place = _first_place(net, X, y, step)
    what = f"a gradient became infinite or NaN (loss {loss:g})" if math.isfinite(loss) else f"the loss became {loss}"
    return NumericalError(
        f"In step {step + 1}, {what}. It began in {place}. {_cause(net, X, learning_rate)} "
        f"The net has the weights from before this step."
    )


def _first_place(net: FullyConnectedNet, X: FloatArray, y: AnyArray, step: int) -> str:
    """The first array on the way of the data that holds something infinite or NaN."""
    if not np.isfinite(X).all():
        row, column = np.argwhere(~np.isfinite(X))[0]
        return f"the data: row {row} of the batch holds {X[row, column]} in column {column}"
    for name, array in net.params.items():
        if not np.isfinite(array).all():
            return f"an earlier step, which left {name} with {_wrong(array)}"
    h = X
    for i in range(1, net.num_layers + 1):
        z = h @ net.params[f"W{i}"] + net.params[f"b{i}"]
        if not np.isfinite(z).all():
            return f"layer {i}, whose product with W{i} holds {_wrong(z)}"
        if i < net.num_layers:
            h, _ = net.hidden_forward(i, h, step)
            if not np.isfinite(h).all():
                return f"layer {i}, whose {net.normalization or 'output'} holds {_wrong(h)}"
    gradients = net.params.zeros_like()
    if not math.isfinite(net.layers_gradients(X, y, gradients, step)):
        return f"the loss, of scores up to {np.abs(z).max():.2g}"
    for name in reversed(list(gradients)):
        if not np.isfinite(gradients[name]).all():
            return f"the backward pass of layer {layer_number(name)}, whose gradient of {name} is not finite"
    return "a place that a second computation by the layers' functions does not show"


def _wrong(array: AnyArray) -> str:
    return str(array[~np.isfinite(array)].flat[0])


def _cause(net: FullyConnectedNet, X: Any, learning_rate: float) -> str:
    """The likely cause, by what is large."""
    if not np.isfinite(X).all():
        return "Likely cause: the data; remove such rows, or fill them in."
    largest = float(np.abs(X).max(initial=0))
    weights = max(float(np.nan_to_num(np.abs(w), nan=math.inf).max(initial=0)) for w in net.params.values())
    if largest > LARGE:
        return f"Likely cause: inputs up to {largest:.2g}; standardize them (Dataset.standardized)."
    if weights > LARGE:
        grown = "beyond all bounds" if math.isinf(weights) else f"to {weights:.2g}"
        return f"Likely cause: a learning rate of {learning_rate:g}, which made weights grow {grown}; lower it."
    return f"Likely cause: a learning rate of {learning_rate:g} or an L2 penalty of {net.reg:g} that is too large."
