"""What scores mean, depending on the loss that a net was trained with."""

import numpy as np

from thinnet.errors import ArgumentError
from thinnet.layers.sigmoid import sigmoid
from thinnet.typing import AnyArray, FloatArray

VALUED = ("mse", "poisson")  # losses whose predictions are values, measured by R²


def prediction(loss: str, scores: FloatArray) -> AnyArray:
    """(N,) labels, (N, C) values, or (N, C) ones and zeros."""
    if loss == "mse":
        return scores
    if loss == "poisson":
        with np.errstate(over="ignore"):  # infinity beyond the range of the dtype
            values: FloatArray = np.exp(scores)
            return values
    if loss == "logistic":
        return (scores > 0).astype(np.int64)
    labels: AnyArray = scores.argmax(axis=1)
    return labels


def probabilities(loss: str, scores: FloatArray) -> FloatArray:
    """The (N, C) probabilities of the labels.

    Raises:
        ArgumentError: if the loss does not give probabilities.
    """
    if loss == "softmax":
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares: FloatArray = powers / powers.sum(axis=-1, keepdims=True)
        return shares
    if loss == "logistic":
        return sigmoid(scores)
    raise ArgumentError(
        f"loss must be 'softmax' or 'logistic' for probabilities, got {loss!r}. Use scores(X), or train with one of "
        f"those."
    )
