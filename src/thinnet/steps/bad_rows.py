"""Rows that are not finite, in test mode."""

import numpy as np

from thinnet.arrays import is_finite
from thinnet.typing import FloatArray


def inplace_lose_rows(scores: FloatArray, X: FloatArray, products: FloatArray) -> None:
    """Make the scores of inputs that are not finite NaN, since activations may turn infinity into 0.

    Args:
        scores: (N, C).
        X: (N, D).
        products: (N, ...) of each row and at least one column of weights. They show what is wrong with X at a
            thousandth of the cost of looking at it: whatever NaN or infinity is multiplied by, the sum is not finite.
    """
    if not is_finite(products):
        scores[~np.isfinite(X).all(axis=1)] = np.nan
