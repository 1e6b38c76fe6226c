"""The activations of `thinnet.layers`, one row at a time, followed by dropout, and their gradients.

ReLU is a special case: a unit was dropped or not positive exactly where the layer's output is not positive, so the sign
of the output serves as both masks. For the others, backward recomputes the activation's input and the mask, which costs
less than reading them from memory.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from thinnet.kernels.compile import inline, inner, kernel
from thinnet.kernels.philox import group_bits
from thinnet.masks import GROUP
from thinnet.typing import AnyArray, FloatArray, IntArray

RELU, TANH, SIGMOID, GELU, SILU, IDENTITY = range(6)
CODES = {"relu": RELU, "tanh": TANH, "sigmoid": SIGMOID, "gelu": GELU, "silu": SILU, "identity": IDENTITY}


class Behind(NamedTuple):
    """What follows a layer's normalization: activation and dropout."""

    activation: Any  # a code, as in `CODES`
    factor: Any  # what kept units are multiplied by
    threshold: Any  # from `thinnet.masks.drop_threshold`; 0 keeps all units
    key0: Any  # the halves of the seed; with step and layer, they determine the mask
    key1: Any
    step: Any
    layer: Any
    row_positions: IntArray  # the position of each row in the whole minibatch


@inner()
def activate_line(h: FloatArray, row: int, bits: AnyArray, behind: Any) -> None:
    """Replace row h, the activation's input, with dropout(activation(h)).

    `bits` is a buffer for the random bits of a group of columns.
    """
    factor, zero = behind.factor, h.dtype.type(0)
    if behind.activation == RELU:
        for j in range(h.size):
            y = h[j]
            h[j] = zero if y <= zero else y * factor  # in this order, so that NaN stays NaN
    else:
        activate(behind.activation, h, factor)
    if behind.threshold > 0:
        _drop_in_line(h, row, bits, behind)


@inner()
def activate_line_backward(
    dh: FloatArray, h: FloatArray, line: FloatArray, row: int, bits: AnyArray, behind: Any
) -> None:
    """Turn row dh into the gradient with respect to the activation's input; `bits` as above.

    For ReLU, `h` holds the layer's output; for the others, `line` holds the activation's input.
    """
    factor, zero = behind.factor, dh.dtype.type(0)
    if behind.activation == RELU:
        for j in range(dh.size):
            dh[j] = dh[j] * factor if h[j] > zero else zero
    else:
        multiply_by_slopes(behind.activation, line, dh, factor)
        if behind.threshold > 0:
            _drop_in_line(dh, row, bits, behind)


@kernel()
def activate(activation: int, y: FloatArray, factor: Any) -> None:
    """y = activation(y) · factor, for a row or any other 1-D array."""
    zero, one, half = y.dtype.type(0), y.dtype.type(1), y.dtype.type(0.5)
    if activation == RELU:
        for j in range(y.size):
            y[j] = zero if y[j] <= zero else y[j] * factor
    elif activation == TANH:
        for j in range(y.size):
            y[j] = np.tanh(y[j]) * factor
    elif activation == SIGMOID:
        for j in range(y.size):
            y[j] = _sigmoid(y[j], one) * factor
    elif activation == GELU:
        for j in range(y.size):
            y[j] = y[j] * (half * (one + y.dtype.type(math.erf(y[j] * math.sqrt(0.5))))) * factor
    elif activation == SILU:
        for j in range(y.size):
            y[j] = y[j] * _sigmoid(y[j], one) * factor
    else:
        for j in range(y.size):
            y[j] = y[j] * factor


@kernel()
def multiply_by_slopes(activation: int, y: FloatArray, dy: FloatArray, factor: Any) -> None:
    """dy = dy · activation'(y) · factor, for every activation but ReLU."""
    one, half = y.dtype.type(1), y.dtype.type(0.5)
    if activation == TANH:
        for j in range(dy.size):
            t = np.tanh(y[j])
            dy[j] *= (one - t * t) * factor
    elif activation == SIGMOID:
        for j in range(dy.size):
            s = _sigmoid(y[j], one)
            dy[j] *= s * (one - s) * factor
    elif activation == GELU:
        for j in range(dy.size):
            phi = half * (one + y.dtype.type(math.erf(y[j] * math.sqrt(0.5))))
            density = np.exp(-half * y[j] * y[j]) * y.dtype.type(1 / math.sqrt(2 * math.pi))
            dy[j] *= (phi + y[j] * density) * factor
    elif activation == SILU:
        for j in range(dy.size):
            s = _sigmoid(y[j], one)
            dy[j] *= s * (one + y[j] * (one - s)) * factor
    else:
        for j in range(dy.size):
            dy[j] *= factor


@inline()
def _sigmoid(y: Any, one: Any) -> Any:
    small = np.exp(-np.abs(y))  # so that exp cannot overflow
    return (one if y >= 0 else small) / (one + small)


@inner()
def _drop_in_line(h: FloatArray, row: int, bits: AnyArray, behind: Any) -> None:
    """Set the dropped units of a row to zero."""
    zero, position = h.dtype.type(0), behind.row_positions[row]
    for group in range((h.size + GROUP - 1) // GROUP):
        group_bits(bits, group, position, behind.step, behind.layer, behind.key0, behind.key1)
        base = group * GROUP
        for j in range(min(GROUP, h.size - base)):
            h[base + j] = h[base + j] if bits[j] >= behind.threshold else zero
