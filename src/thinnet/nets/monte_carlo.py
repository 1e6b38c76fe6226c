"""Monte Carlo dropout: what a net says when it goes on dropping units after training."""

from __future__ import annotations

import numpy as np

from thinnet import kernels
from thinnet.checks import check_number
from thinnet.errors import ArgumentError
from thinnet.layers import affine_forward, dropout_forward, relu_forward
from thinnet.nets.fully_connected import FullyConnectedNet
from thinnet.nets.layered import norm_forward
from thinnet.typing import AnyArray, FloatArray


def monte_carlo_scores(
    net: FullyConnectedNet, X: AnyArray, mc_samples: int = 50, *, seed: int = 0, first_row: int = 0
) -> FloatArray:
    r"""Scores with dropout's masks drawn as in training, and batch normalization's running statistics as in test.

    Each of the `mc_samples` draws is a thinned net; their mean approximates the predictive mean of a deep Gaussian
    process, and their spread tells how sure the net is. The first layer is computed once, since nothing is dropped
    before it. Masks are drawn for each row alone, also for nets that share one among the rows of a minibatch: a row's
    distribution is the same.

    Args:
        net: a net with ``dropout`` > 0 and a hidden layer.
        X: (N, input_dim) inputs.
        mc_samples: S, the number of draws.
        seed: fixes the masks; they depend on the number of the row and of the draw, and on nothing else.
        first_row: the number of the first row, for inputs that come in pieces.

    Returns:
        (S, N, num_classes) scores.

    Raises:
        ArgumentError: if the net drops nothing, or an argument does not fit.

    Source: Gal and Ghahramani, "Dropout as a Bayesian approximation", arXiv 1506.02142 (2015).

    >>> net = FullyConnectedNet([20], input_dim=4, num_classes=3, dropout=0.5, weight_scale="he", seed=0)
    >>> monte_carlo_scores(net, np.ones((2, 4)), mc_samples=5).shape
    (5, 2, 3)
    """
    check_number("mc_samples", mc_samples)
    if not net.dropout or not net.hidden_dims:
        raise ArgumentError(
            f"Monte Carlo dropout needs a net with dropout > 0 and a hidden layer, got {net!r}. Without units to drop "
            "all draws are the same: leave mc_samples out, or train with dropout."
        )
    rows = net._rows(X)
    scores = np.empty((mc_samples, len(rows), net.num_classes), net.dtype)
    first = _hidden(net, 1, rows)
    for sample in range(mc_samples):
        h = first
        for number in range(1, net.num_layers):
            h = _hidden(net, number, h) if number > 1 else h
            h = _dropped(net, h, seed=seed, step=sample, layer=number - 1, first_row=first_row)
        last = net.num_layers
        scores[sample] = affine_forward(h, net.params[f"W{last}"], net.params[f"b{last}"])[0]
    return scores


def _hidden(net: FullyConnectedNet, number: int, x: FloatArray) -> FloatArray:
    """A hidden layer in test mode, before dropout."""
    z, _ = affine_forward(x, net.params[f"W{number}"], net.params[f"b{number}"])
    return relu_forward(norm_forward(net, number, z, training=False)[0])[0]


def _dropped(net: FullyConnectedNet, h: FloatArray, *, seed: int, step: int, layer: int, first_row: int) -> FloatArray:
    if kernels.available() and net.scaling == "inverted":
        from thinnet.kernels.dropout import dropout

        return dropout(h, net.dropout, seed=seed, step=step, layer=layer, first_row=first_row)
    return dropout_forward(h, net.dropout, scaling=net.scaling, seed=seed, step=step, layer=layer, first_row=first_row)[
        0
    ]
