"""Rows that are not finite, in test mode."""

import numpy as np

from thinnet.arrays import is_finite
from thinnet.typing import FloatArray


def inplace_lose_rows(scores: FloatArray, X: FloatArray, products: FloatArray) -> None:
    """Set the scores of rows with non-finite inputs to NaN, since activations may turn infinity into 0.

    Args:
        scores: (N, C).
        X: (N, D).
        products: (N, ...), of each row with at least one column of weights. They reveal non-finite inputs at a
            thousandth of the cost of scanning X: NaN or infinity times anything makes the sum non-finite.
    """
    if not is_finite(products):
        scores[~np.isfinite(X).all(axis=1)] = np.nan
