"""Monte Carlo dropout: predictions of a net that keeps dropping units after training."""

import numpy as np

from thinnet.checks import check_number
from thinnet.errors import ArgumentError
from thinnet.layers import affine_forward
from thinnet.nets.fully_connected import FullyConnectedNet
from thinnet.nets.raw_rows import as_inputs
from thinnet.steps import choose
from thinnet.steps.readable import before_dropout
from thinnet.typing import AnyArray, FloatArray


def monte_carlo_scores(
    net: FullyConnectedNet, X: AnyArray, mc_samples: int = 50, *, seed: int = 0, first_row: int = 0
) -> FloatArray:
    r"""Scores with dropout masks drawn as in training, and batch normalization's running statistics as in test mode.

    Each of the `mc_samples` draws is a thinned net; their mean approximates the predictive mean of a deep Gaussian
    process, and their spread shows how certain the net is. The first layer is computed once, since nothing is dropped
    before it. Each row has its own masks, even for nets that share one mask in a minibatch: the distribution for a row
    is the same.

    Args:
        net: a net with ``dropout`` > 0 and a hidden layer.
        X: (N, input_dim) inputs.
        mc_samples: S, the number of draws.
        seed: determines the masks; besides it, they depend only on the row number and the draw number.
        first_row: the number of the first row, for inputs that arrive in pieces.

    Returns:
        (S, N, num_classes) scores.

    Raises:
        ArgumentError: if the net has no dropout, or an argument does not fit.

    Source: Gal and Ghahramani, "Dropout as a Bayesian approximation", arXiv 1506.02142 (2015).

    >>> net = FullyConnectedNet([20], input_dim=4, num_classes=3, dropout=0.5, seed=0)
    >>> monte_carlo_scores(net, np.ones((2, 4)), mc_samples=5).shape
    (5, 2, 3)
    """
    check_number("mc_samples", mc_samples)
    if not net.dropout or not net.hidden_dims:
        raise ArgumentError(
            f"Monte Carlo dropout needs a net with dropout > 0 and a hidden layer, got dropout={net.dropout} and "
            f"hidden_dims={net.hidden_dims}. Without units to drop, all draws are the same: leave mc_samples out, or "
            f"train with dropout."
        )
    spec, state = net.spec, net.state
    rows = as_inputs(spec, net.standardization, X, first_row)
    scores = np.empty((mc_samples, len(rows), spec.num_classes), spec.dtype)
    dropped = choose.dropout(fused=net.fused and spec.scaling == "inverted")
    first, last = before_dropout(spec, state, 1, rows), spec.num_layers
    for sample in range(mc_samples):
        h = first
        for number in range(1, last):
            h = before_dropout(spec, state, number, h) if number > 1 else h
            draw = {"seed": seed, "step": sample, "layer": number - 1, "first_row": first_row}
            h = dropped(h, spec.dropout, spec.scaling, **draw)
        scores[sample] = affine_forward(h, state.params[f"W{last}"], state.params[f"b{last}"])[0]
    return scores
