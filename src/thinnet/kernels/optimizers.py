"""The twins of the rules in `thinnet.optim`: each one pass over flat buffers, all of them changed in place.

`options` are the hyperparameters in the order in which `thinnet.optim.OPTIMIZERS` lists the defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from thinnet.kernels.compile import kernel
from thinnet.typing import FloatArray


@kernel()
def _sgd(w: FloatArray, dw: FloatArray, rate: Any) -> None:
    for i in range(w.size):
        w[i] -= rate * dw[i]


@kernel()
def _sgd_momentum(w: FloatArray, dw: FloatArray, velocity: FloatArray, rate: Any, momentum: Any) -> None:
    for i in range(w.size):
        velocity[i] = momentum * velocity[i] - rate * dw[i]
        w[i] += velocity[i]


@kernel()
def _nesterov(w: FloatArray, dw: FloatArray, velocity: FloatArray, rate: Any, momentum: Any) -> None:
    for i in range(w.size):
        old = velocity[i]
        velocity[i] = momentum * old - rate * dw[i]
        w[i] += velocity[i] + momentum * (velocity[i] - old)


@kernel()
def _rmsprop(
    w: FloatArray, dw: FloatArray, cache: FloatArray, rate: Any, decay: Any, one_less_decay: Any, epsilon: Any
) -> None:
    for i in range(w.size):
        cache[i] = decay * cache[i] + one_less_decay * dw[i] * dw[i]
        w[i] -= rate * dw[i] / (np.sqrt(cache[i]) + epsilon)


@kernel()
def _adam(
    w: FloatArray,
    dw: FloatArray,
    m: FloatArray,
    v: FloatArray,
    keep: Any,
    rate: Any,
    beta1: Any,
    one_less_beta1: Any,
    beta2: Any,
    one_less_beta2: Any,
    inverse_root: Any,
    epsilon: Any,
) -> None:
    """`keep` is 1 − η·λ, `rate` is η / (1 − β₁ᵗ), `inverse_root` is 1 / √(1 − β₂ᵗ)."""
    for i in range(w.size):
        m[i] = beta1 * m[i] + one_less_beta1 * dw[i]
        v[i] = beta2 * v[i] + one_less_beta2 * dw[i] * dw[i]
        w[i] = keep * w[i] - rate * m[i] / (np.sqrt(v[i]) * inverse_root + epsilon)


def _update_sgd(w: FloatArray, dw: FloatArray, state: dict[str, Any], o: dict[str, Any]) -> None:
    _sgd(w, dw, w.dtype.type(o["learning_rate"]))


def _update_momentum(kernel: Any) -> Callable[..., None]:
    def update(w: FloatArray, dw: FloatArray, state: dict[str, Any], o: dict[str, Any]) -> None:
        scalar = w.dtype.type
        kernel(w, dw, state["velocity"], scalar(o["learning_rate"]), scalar(o["momentum"]))

    return update


def _update_rmsprop(w: FloatArray, dw: FloatArray, state: dict[str, Any], o: dict[str, Any]) -> None:
    numbers = (o["learning_rate"], o["decay_rate"], 1 - o["decay_rate"], o["epsilon"])
    _rmsprop(w, dw, state["cache"], *map(w.dtype.type, numbers))


def _update_adam(w: FloatArray, dw: FloatArray, state: dict[str, Any], o: dict[str, Any]) -> None:
    t, beta1, beta2, rate = state["t"] + 1, o["beta1"], o["beta2"], o["learning_rate"]
    numbers = (
        1 - rate * o.get("weight_decay", 0.0),
        rate / (1 - beta1**t),
        beta1,
        1 - beta1,
        beta2,
        1 - beta2,
        (1 - beta2**t) ** -0.5,
        o["epsilon"],
    )
    _adam(w, dw, state["m"], state["v"], *map(w.dtype.type, numbers))


# (w, dw, state, options) -> None for the names in thinnet.optim.OPTIMIZERS; the count t is the caller's to raise.
UPDATES: dict[str, Callable[..., None]] = {
    "sgd": _update_sgd,
    "sgd_momentum": _update_momentum(_sgd_momentum),
    "nesterov": _update_momentum(_nesterov),
    "rmsprop": _update_rmsprop,
    "adam": _update_adam,
    "adamw": _update_adam,
}
