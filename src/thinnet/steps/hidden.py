"""A hidden layer behind its product, by the kernels: one class for each normalization."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from thinnet.kernels import hidden
from thinnet.kernels.activations import Behind
from thinnet.layers.batchnorm import EPS, MOMENTUM
from thinnet.parameters import Parameters
from thinnet.spec import Spec
from thinnet.state import State
from thinnet.steps.base import Batch
from thinnet.typing import FloatArray


class Activations(NamedTuple):
    """What one hidden layer computes for the rows of a batch, each (N, units)."""

    z: FloatArray  # the product of the inputs and the weights
    h: FloatArray  # the output
    dh: FloatArray  # the gradient with respect to the output, and after `backward` with respect to z


class Hidden(Protocol):
    """Hidden layer `number`, counted from 1, from its product to its output and back."""

    def forward(self, state: State, at: Activations, batch: Batch, behind: Behind) -> None:
        """Compute ``at.h`` from ``at.z``."""
        ...

    def backward(self, state: State, at: Activations, batch: Batch, behind: Behind, into: Parameters) -> None:
        """Turn ``at.dh`` into the gradient with respect to ``at.z``; write those of the layer's vectors."""
        ...


class Plain:
    """Without a normalization."""

    def __init__(self, spec: Spec, number: int, max_rows: int) -> None:
        self.number = number

    def forward(self, state: State, at: Activations, batch: Batch, behind: Behind) -> None:
        hidden.plain_forward(at.z, state.params[f"b{self.number}"], at.h, behind)

    def backward(self, state: State, at: Activations, batch: Batch, behind: Behind, into: Parameters) -> None:
        bias = f"b{self.number}"
        hidden.plain_backward(at.dh, at.h, at.z, state.params[bias], into[bias], behind)


class Layernorm:
    """With layer normalization, which keeps a number for each row."""

    def __init__(self, spec: Spec, number: int, max_rows: int) -> None:
        self.number, self.eps = number, spec.dtype.type(EPS)
        self.inverse_std = np.empty(max_rows, spec.dtype)

    def forward(self, state: State, at: Activations, batch: Batch, behind: Behind) -> None:
        bias, gamma, beta = _vectors(state.params, self.number)
        hidden.layernorm_forward(at.z, bias, gamma, beta, self.eps, self.inverse_std, at.h, behind)

    def backward(self, state: State, at: Activations, batch: Batch, behind: Behind, into: Parameters) -> None:
        _, gamma, beta = _vectors(state.params, self.number)
        dbias, dgamma, dbeta = _vectors(into, self.number)
        hidden.layernorm_backward(at.dh, at.h, at.z, self.inverse_std, gamma, beta, dgamma, dbeta, dbias, behind)


class Batchnorm:
    """With batch normalization, which keeps numbers for each column, and adds sums up where a batch is in parts."""

    def __init__(self, spec: Spec, number: int, max_rows: int) -> None:
        self.number, self.eps, self.momentum = number, spec.dtype.type(EPS), spec.dtype.type(MOMENTUM)
        units = spec.hidden_dims[number - 1]
        self.mean, self.inverse_std = np.empty(units, spec.dtype), np.empty(units, spec.dtype)

    def forward(self, state: State, at: Activations, batch: Batch, behind: Behind) -> None:
        bias, gamma, beta = _vectors(state.params, self.number)
        mean, variance, count = self.mean[: bias.size], self.inverse_std[: bias.size], _count(batch, bias.dtype)
        hidden.column_means(at.z, count, mean)
        _inplace_sum(batch, mean)
        hidden.column_variances(at.z, mean, count, variance)
        _inplace_sum(batch, variance)
        running = state.running[f"running_mean{self.number}"], state.running[f"running_var{self.number}"]
        hidden.batchnorm_forward(
            at.z, bias, gamma, beta, *running, self.momentum, self.eps, mean, variance, at.h, behind
        )

    def backward(self, state: State, at: Activations, batch: Batch, behind: Behind, into: Parameters) -> None:
        _, gamma, beta = _vectors(state.params, self.number)
        dbias, dgamma, dbeta = _vectors(into, self.number)
        norm = self.mean[: gamma.size], self.inverse_std[: gamma.size]
        hidden.batchnorm_backward_sums(at.dh, at.h, at.z, *norm, gamma, beta, dgamma, dbeta, dbias, behind)
        sums = dgamma, dbeta
        if batch.inplace_sum is not None:  # in arrays of their own: all gradients are added up at the end of the step
            both = np.concatenate(sums)
            batch.inplace_sum(both)
            sums = both[: dgamma.size], both[dgamma.size :]
        hidden.batchnorm_backward(at.dh, at.z, *norm, gamma, *sums, _count(batch, gamma.dtype))


def hidden_layers(spec: Spec, max_rows: int) -> list[Hidden]:
    """The hidden layers of a net, first to last."""
    kinds: dict[str | None, type[Plain | Layernorm | Batchnorm]] = {
        None: Plain,
        "layernorm": Layernorm,
        "batchnorm": Batchnorm,
    }
    return [kinds[spec.normalization](spec, number, max_rows) for number in range(1, spec.num_layers)]


def _vectors(arrays: Parameters, number: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    return arrays[f"b{number}"], arrays[f"gamma{number}"], arrays[f"beta{number}"]


def _count(batch: Batch, dtype: Any) -> Any:
    """How many rows batch normalization takes its statistics of."""
    whole = batch.inplace_sum is not None and batch.total is not None
    return dtype.type(batch.total if whole else len(batch))


def _inplace_sum(batch: Batch, array: FloatArray) -> None:
    if batch.inplace_sum is not None:
        batch.inplace_sum(array)
