"""A hidden layer behind its product, by the kernels: one class for each normalization."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from thinnet.kernels import hidden
from thinnet.kernels.activations import Behind
from thinnet.layers.batchnorm import EPS, MOMENTUM
from thinnet.parameters import Parameters
from thinnet.spec import Spec
from thinnet.state import State
from thinnet.steps.base import Batch
from thinnet.teams import Team
from thinnet.typing import AnyArray, FloatArray


class Activations(NamedTuple):
    """What one hidden layer computes for the rows of a batch, each (N, units)."""

    z: FloatArray  # the product of the inputs and the weights
    h: FloatArray  # the output
    dh: FloatArray  # the gradient with respect to the output, and after `backward` with respect to z
    half_h: AnyArray  # h in bfloat16, for the next products; empty where those take h itself
    half_dh: AnyArray  # dh likewise

    @property
    def output(self) -> AnyArray:
        """h as the next products take it."""
        return self.half_h if self.half_h.size else self.h

    @property
    def gradient(self) -> AnyArray:
        """dh as the next products take it."""
        return self.half_dh if self.half_dh.size else self.dh


Pieces = Sequence[Behind]  # what stands behind a layer's normalization, for some of its columns each


class Plain:
    """Hidden layer `number`, counted from 1, from its product to its output and back; without a normalization."""

    def __init__(self, spec: Spec, number: int, max_rows: int, team: Team) -> None:
        self.number, self.team = number, team

    def forward(self, state: State, at: Activations, batch: Batch, pieces: Pieces) -> None:
        """Compute ``at.h`` from ``at.z``."""
        bias = state.params[f"b{self.number}"]
        _each(self.team, pieces, lambda behind: hidden.plain_forward(at.z, bias, at.h, at.half_h, behind))

    def backward(self, state: State, at: Activations, batch: Batch, pieces: Pieces, into: Parameters) -> None:
        """Turn ``at.dh`` into the gradient with respect to ``at.z``; write those of the layer's vectors."""
        bias, dbias = (arrays[f"b{self.number}"] for arrays in (state.params, into))
        _each(
            self.team, pieces, lambda behind: hidden.plain_backward(at.dh, at.h, at.z, bias, dbias, at.half_dh, behind)
        )


class Layernorm(Plain):
    """With layer normalization, which keeps a number for each row; all columns are one piece."""

    def __init__(self, spec: Spec, number: int, max_rows: int, team: Team) -> None:
        super().__init__(spec, number, max_rows, team)
        self.eps, self.inverse_std = spec.dtype.type(EPS), np.empty(max_rows, spec.dtype)

    def forward(self, state: State, at: Activations, batch: Batch, pieces: Pieces) -> None:
        vectors = _vectors(state.params, self.number)
        hidden.layernorm_forward(at.z, *vectors, self.eps, self.inverse_std, at.h, at.half_h, pieces[0])

    def backward(self, state: State, at: Activations, batch: Batch, pieces: Pieces, into: Parameters) -> None:
        _, gamma, beta = _vectors(state.params, self.number)
        dbias, dgamma, dbeta = _vectors(into, self.number)
        kept = at.z, self.inverse_std, gamma, beta
        hidden.layernorm_backward(at.dh, at.h, *kept, dgamma, dbeta, dbias, at.half_dh, pieces[0])


class Batchnorm(Plain):
    """With batch normalization, which keeps numbers for each column, and adds sums up where a batch is in parts."""

    def __init__(self, spec: Spec, number: int, max_rows: int, team: Team) -> None:
        super().__init__(spec, number, max_rows, team)
        self.eps, self.momentum = spec.dtype.type(EPS), spec.dtype.type(MOMENTUM)
        units = spec.hidden_dims[number - 1]
        self.mean, self.inverse_std = np.empty(units, spec.dtype), np.empty(units, spec.dtype)

    def forward(self, state: State, at: Activations, batch: Batch, pieces: Pieces) -> None:
        vectors = _vectors(state.params, self.number)
        running = state.running[f"running_mean{self.number}"], state.running[f"running_var{self.number}"]
        count, units = _count(batch, at.z.dtype), vectors[0].size
        mean, variance = self.mean[:units], self.inverse_std[:units]

        def means(behind: Behind) -> None:
            hidden.column_means(at.z, count, mean, behind.first, behind.last)

        def variances(behind: Behind) -> None:
            hidden.column_variances(at.z, mean, count, variance, behind.first, behind.last)

        def outputs(behind: Behind) -> None:
            options = self.momentum, self.eps, mean, variance
            hidden.batchnorm_forward(at.z, *vectors, *running, *options, at.h, at.half_h, behind)

        if batch.inplace_sum is None:
            _each(self.team, pieces, means, variances, outputs)
            return
        _each(self.team, pieces, means)
        batch.inplace_sum(mean)
        _each(self.team, pieces, variances)
        batch.inplace_sum(variance)
        _each(self.team, pieces, outputs)

    def backward(self, state: State, at: Activations, batch: Batch, pieces: Pieces, into: Parameters) -> None:
        _, gamma, beta = _vectors(state.params, self.number)
        dbias, dgamma, dbeta = _vectors(into, self.number)
        norm, count = (self.mean[: gamma.size], self.inverse_std[: gamma.size]), _count(batch, gamma.dtype)
        sums = dgamma, dbeta

        def column_sums(behind: Behind) -> None:
            hidden.batchnorm_backward_sums(at.dh, at.h, at.z, *norm, gamma, beta, dgamma, dbeta, dbias, behind)

        def gradients(behind: Behind) -> None:
            columns = behind.first, behind.last
            hidden.batchnorm_backward(at.dh, at.z, *norm, gamma, *sums, count, at.half_dh, *columns)

        if batch.inplace_sum is None:
            _each(self.team, pieces, column_sums, gradients)
            return
        _each(self.team, pieces, column_sums)
        both = np.concatenate(sums)  # in arrays of their own: all gradients are added up at the end of the step
        batch.inplace_sum(both)
        sums = both[: dgamma.size], both[dgamma.size :]
        _each(self.team, pieces, gradients)


def hidden_layers(spec: Spec, max_rows: int, team: Team) -> list[Plain]:
    """The hidden layers of a net, first to last."""
    kinds: dict[str | None, type[Plain]] = {None: Plain, "layernorm": Layernorm, "batchnorm": Batchnorm}
    return [kinds[spec.normalization](spec, number, max_rows, team) for number in range(1, spec.num_layers)]


def _vectors(arrays: Parameters, number: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    return arrays[f"b{number}"], arrays[f"gamma{number}"], arrays[f"beta{number}"]


def _count(batch: Batch, dtype: Any) -> Any:
    """How many rows batch normalization takes its statistics of."""
    whole = batch.inplace_sum is not None and batch.total is not None
    return dtype.type(batch.total if whole else len(batch))


def _each(team: Team, pieces: Pieces, *stages: Callable[[Behind], None]) -> None:
    """Take all stages for each piece, the pieces side by side."""
    if len(pieces) == 1:
        for stage in stages:
            stage(pieces[0])
        return

    def work(part: int) -> None:
        for stage in stages:
            stage(pieces[part])

    team.run(work, len(pieces))
