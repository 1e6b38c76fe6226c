"""Subnormal numbers, closer to zero than `np.finfo(dtype).tiny`: processors take a hundred times as long for them.

Weights under a penalty, and averages of gradients, shrink by a factor each step. They would become subnormal, or stop
just above, where each change is subnormal. So they are set to zero first: an average when it is subnormal, a weight
when its square is. Then a weight's products with ordinary numbers, and its decay, are never subnormal.
"""

from typing import Any

import numpy as np

from thinnet.typing import FloatArray


def settled(w: FloatArray) -> FloatArray:
    """The weights, with zeros where their squares are subnormal.

    >>> settled(np.array([1.0, 1e-155]))
    array([1., 0.])
    """
    return _without_small(w, np.sqrt(np.finfo(w.dtype).tiny))


def settled_average(x: FloatArray) -> FloatArray:
    """An average of gradients, with zeros where it is subnormal.

    >>> settled_average(np.array([1.0, 1e-309]))
    array([1., 0.])
    """
    return _without_small(x, np.finfo(x.dtype).tiny)


def scaled_square(factor: Any, x: FloatArray) -> FloatArray:
    """factor · x², with zeros where that is subnormal; `factor` is positive and of the dtype of x.

    >>> scaled_square(np.float64(0.5), np.array([2.0, 1e-155]))
    array([2., 0.])
    """
    x = _without_small(x, np.sqrt(np.finfo(x.dtype).tiny / factor))
    square: FloatArray = factor * x * x
    return square


def _without_small(x: FloatArray, least: Any) -> FloatArray:
    small = np.abs(x) < least  # written so that NaN stays NaN
    return np.where(small, x.dtype.type(0), x) if small.any() else x
