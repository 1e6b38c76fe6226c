"""A net computed by the layers' own functions: the readable way, and the reference for the fast ones."""

from typing import Any

import numpy as np

from thinnet.bfloat16 import rounded
from thinnet.layers import (
    ACTIVATIONS,
    LOSSES,
    affine_backward,
    affine_forward,
    batchnorm_backward,
    batchnorm_forward,
    dropout_backward,
    dropout_forward,
    layernorm_backward,
    layernorm_forward,
)
from thinnet.parameters import Parameters
from thinnet.sparse_rows import SparseRows
from thinnet.spec import Spec
from thinnet.state import State
from thinnet.steps.bad_rows import inplace_lose_rows
from thinnet.steps.base import Batch, Gradients
from thinnet.steps.penalty import inplace_add_scaled, penalty
from thinnet.teams import ONE_THREAD, Team
from thinnet.typing import AnyArray, FloatArray


class ReadableStep:
    """{affine → normalization → activation → dropout} × L → affine → loss, and back, layer by layer."""

    team: Team = ONE_THREAD

    def __init__(self, spec: Spec, max_rows: int) -> None:
        self.spec, self.max_rows = spec, max_rows

    def compute(self, state: State, batch: Batch, *, may_be_late: bool = False) -> Gradients:
        """The loss and the gradients of a batch in training mode."""
        return self._compute(state, batch, batch)

    def evaluate(self, state: State, batch: Batch) -> Gradients:
        """The loss and its gradients in test mode, where nothing is dropped and `state` does not change."""
        return self._compute(state, batch, None)

    def _compute(self, state: State, batch: Batch, training: Batch | None) -> Gradients:
        scores, caches = forward(self.spec, state, batch.X, training)
        options = {} if training is None else self.spec.loss_options
        loss, dscores = LOSSES[self.spec.loss].function(scores, batch.y, batch.weights, **options)
        gradients = state.params.zeros_like()
        if not batch.only_loss:
            backward(self.spec, dscores, caches, gradients)
        if self.spec.reg:
            for name, W in state.params.items():
                if name.startswith("W"):
                    inplace_add_scaled(W, W.dtype.type(self.spec.reg), gradients[name])
        return Gradients(float(loss) + penalty(self.spec.reg, state.params), gradients)


class ReadableScores:
    """Scores in test mode, computed by the layers' functions."""

    def __init__(self, spec: Spec, state: State) -> None:
        self.spec, self.state = spec, state

    def scores(self, X: FloatArray) -> FloatArray:
        """The (N, C) scores of (N, D) rows; NaN for rows that are not finite."""
        scores = forward(self.spec, self.state, X, None)[0]
        inplace_lose_rows(scores, X, X)
        return scores


def forward(
    spec: Spec, state: State, h: FloatArray | SparseRows, training: Batch | None
) -> tuple[FloatArray, list[Any]]:
    """Scores and caches: in training mode with the masks of the batch `training`, or in test mode if it is None."""
    caches: list[Any] = []
    for i in range(1, spec.num_layers):
        h, cache = hidden_forward(spec, state, i, h, training)
        caches.append(cache)
    last = spec.num_layers
    scores, cache = _affine_forward(spec, h, state.params[f"W{last}"], state.params[f"b{last}"])
    return scores, [*caches, cache]


def hidden_forward(
    spec: Spec, state: State, i: int, h: FloatArray | SparseRows, training: Batch | None
) -> tuple[FloatArray, tuple[Any, ...]]:
    """Hidden layer i, counted from 1: its output and the caches of its parts."""
    z, affine_cache = _affine_forward(spec, h, state.params[f"W{i}"], state.params[f"b{i}"])
    z, norm_cache = _norm_forward(spec, state, i, z, training is not None)
    z, activation_cache = ACTIVATIONS[spec.activation].forward(z)
    out, dropout_cache = _drop(spec, i, z, training)
    return out, (affine_cache, norm_cache, activation_cache, dropout_cache)


def before_dropout(spec: Spec, state: State, i: int, h: FloatArray) -> FloatArray:
    """The output of hidden layer i in test mode, without dropout's scaling."""
    z, _ = _affine_forward(spec, h, state.params[f"W{i}"], state.params[f"b{i}"])
    out: FloatArray = ACTIVATIONS[spec.activation].forward(_norm_forward(spec, state, i, z, training=False)[0])[0]
    return out


def backward(spec: Spec, dscores: FloatArray, caches: list[Any], into: Parameters) -> None:
    """Write the gradients of all parameters."""
    last = spec.num_layers
    dh, into[f"W{last}"], into[f"b{last}"] = _affine_backward(spec, dscores, caches[-1])
    for i in range(last - 1, 0, -1):
        affine_cache, norm_cache, activation_cache, dropout_cache = caches[i - 1]
        dh = ACTIVATIONS[spec.activation].backward(dropout_backward(dh, dropout_cache), activation_cache)
        dh = _norm_backward(spec, i, dh, norm_cache, into)
        dh, into[f"W{i}"], into[f"b{i}"] = _affine_backward(spec, dh, affine_cache)


def _affine_forward(spec: Spec, h: FloatArray | SparseRows, W: FloatArray, b: FloatArray) -> tuple[FloatArray, Any]:
    """`affine_forward`, of operands rounded to the net's precision; sparse rows, the net's input, are not rounded."""
    if isinstance(h, SparseRows):
        return h @ W + b, h
    if spec.precision is not None:
        h, W = rounded(h), rounded(W)
    return affine_forward(h, W, b)


def _affine_backward(spec: Spec, dout: FloatArray, cache: Any) -> tuple[Any, FloatArray, FloatArray]:
    """`affine_backward` of rounded operands; sparse rows, the net's input, get no gradient, as it would be dense."""
    if isinstance(cache, SparseRows):
        dW = np.empty((cache.shape[1], dout.shape[1]), dout.dtype)
        cache.weight_gradient(dout, dW)
        return None, dW, dout.sum(axis=0)
    if spec.precision is None:
        return affine_backward(dout, cache)
    dx, dW, _ = affine_backward(rounded(dout), cache)
    return dx, dW, dout.sum(axis=0)  # a sum, not a product, so it takes unrounded numbers


def _norm_forward(spec: Spec, state: State, i: int, h: FloatArray, training: bool) -> tuple[FloatArray, Any]:
    if spec.normalization is None:
        return h, None
    gamma, beta = state.params[f"gamma{i}"], state.params[f"beta{i}"]
    if spec.normalization == "layernorm":
        return layernorm_forward(h, gamma, beta)
    mean, var = state.running[f"running_mean{i}"], state.running[f"running_var{i}"]
    return batchnorm_forward(h, gamma, beta, mean, var, training=training)


def _norm_backward(spec: Spec, i: int, dh: FloatArray, cache: Any, into: Parameters) -> FloatArray:
    if spec.normalization is None:
        return dh
    norm_backward = layernorm_backward if spec.normalization == "layernorm" else batchnorm_backward
    dh, into[f"gamma{i}"], into[f"beta{i}"] = norm_backward(dh, cache)
    return dh


def _drop(spec: Spec, i: int, h: FloatArray, training: Batch | None) -> tuple[FloatArray, Any]:
    if training is None:
        return dropout_forward(h, spec.dropout, training=False, scaling=spec.scaling)
    keep: AnyArray | None = np.ones((1, h.shape[1]), np.bool_) if training.keeps_all else None
    draw: dict[str, Any] = {"seed": spec.seed, "step": training.step, "layer": i - 1, "mask": spec.dropout_mask}
    return dropout_forward(h, spec.dropout, scaling=spec.scaling, keep=keep, **draw)
