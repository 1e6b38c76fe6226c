"""Scores in test mode, the fast way: bias and batch normalization are folded into one scale and one shift per unit."""

import numpy as np

from thinnet.kernels import hidden
from thinnet.kernels.activations import CODES, IDENTITY, Behind
from thinnet.layers.batchnorm import EPS
from thinnet.products.base import Products
from thinnet.spec import Spec
from thinnet.state import State
from thinnet.steps.bad_rows import inplace_lose_rows
from thinnet.teams import parts_for, share_out
from thinnet.typing import FloatArray


class FusedScores:
    """Scores of up to `max_rows` rows at a time in the same buffers, for the state as it was on construction."""

    def __init__(self, spec: Spec, state: State, products: Products, max_rows: int) -> None:
        self.spec, self.state, self.products = spec, state, products
        self._z = [np.empty((max_rows, dim), spec.dtype) for dim in spec.hidden_dims]
        self._out = np.empty((max_rows, spec.num_classes), spec.dtype)
        self._folded = [self._fold(number) for number in range(1, spec.num_layers)]
        self._kept = spec.dtype.type(1 - spec.dropout if spec.scaling == "classic" else 1)
        self._inverse_std = np.empty(max_rows, spec.dtype)  # what layer normalization's kernel keeps for backward

    def scores(self, X: FloatArray) -> FloatArray:
        """The (N, C) scores of N <= max_rows rows, overwritten by the next call."""
        below, params, products = X, self.state.params, None
        for number, (scale, shift) in enumerate(self._folded, start=1):
            z = self._z[number - 1][: len(X)]
            self.products.matmul(below, params[f"W{number}"], z)
            products = z[:, 0].copy() if products is None else products
            if self.spec.normalization == "layernorm":
                self._layernorm(number, z)
            self._activate(z, scale, shift)
            below = z
        last, out = self.spec.num_layers, self._out[: len(X)]
        self.products.matmul(below, params[f"W{last}"], out)
        inplace_lose_rows(out, X, out if products is None else products)
        out += params[f"b{last}"]
        return out

    def _activate(self, z: FloatArray, scale: FloatArray, shift: FloatArray) -> None:
        code = CODES[self.spec.activation]
        activate = hidden.inplace_scale_shift_activate
        share_out(self.products.team, z.size, activate, z, scale, shift, code, self._kept)

    def _fold(self, number: int) -> tuple[FloatArray, FloatArray]:
        """The scale and shift that bias and normalization come down to: activation(z · scale + shift)."""
        params, running = self.state.params, self.state.running
        bias = params[f"b{number}"]
        if self.spec.normalization is None:
            return np.ones_like(bias), bias
        if self.spec.normalization == "layernorm":
            return np.ones_like(bias), np.zeros_like(bias)
        scale = params[f"gamma{number}"] / np.sqrt(running[f"running_var{number}"] + self.spec.dtype.type(EPS))
        return scale, params[f"beta{number}"] + (bias - running[f"running_mean{number}"]) * scale

    def _layernorm(self, number: int, z: FloatArray) -> None:
        one, none = self.spec.dtype.type(1), np.uint32(0)
        nothing = Behind(IDENTITY, one, none, none, none, 0, 0, np.arange(len(z)))
        vectors = tuple(self.state.params[f"{name}{number}"] for name in ("b", "gamma", "beta"))
        kept, team = (vectors, self.spec.dtype.type(EPS), self._inverse_std), self.products.team
        parts = parts_for(team, z.size)
        team.run(hidden.layernorm_forward, parts, z, *kept, z, nothing, hidden.make_room(parts, z.dtype, 0))
