"""A hidden layer after its product, computed by the kernels: one class for each normalization."""

from typing import Any, NamedTuple, Self

import numpy as np

from thinnet.kernels import batchnorm, hidden
from thinnet.kernels.activations import Behind
from thinnet.kernels.hidden import Room, Vectors, make_room
from thinnet.layers.batchnorm import EPS, MOMENTUM
from thinnet.parameters import Parameters
from thinnet.spec import Spec
from thinnet.state import State
from thinnet.steps.base import Batch
from thinnet.teams import Team, Work, parts_for
from thinnet.typing import FloatArray


class Bound(NamedTuple):
    """A hidden layer's arrays, which are the same in each step on the same parameters."""

    z: FloatArray
    h: FloatArray
    dh: FloatArray
    forward: tuple[Any, ...]  # the first arguments of the kernels
    backward: tuple[Any, ...]


class Activations(NamedTuple):
    """What one hidden layer computes for the N rows of a batch."""

    z: FloatArray  # the product of the inputs and the weights
    h: FloatArray  # the output
    dh: FloatArray  # the gradient with respect to the output, and after `backward` with respect to z

    @classmethod
    def empty(cls, spec: Spec, rows: int, units: int) -> Self:
        """New arrays for this many rows and units."""
        return cls(*(Parameters({name: (rows, units)}, spec.dtype)[name] for name in ("z", "h", "dh")))

    def front(self, rows: int, units: int) -> Self:
        """Arrays for fewer rows and units, in the same memory."""
        return type(self)(*(array.reshape(-1)[: rows * units].reshape(rows, units) for array in self))


class Plain:
    """Hidden layer `number`, counted from 1, from its product to its output and back; without normalization."""

    def __init__(self, spec: Spec, number: int, max_rows: int, team: Team) -> None:
        self.number, self.team = number, team
        self._width, self._dtype = spec.hidden_dims[number - 1], spec.dtype
        self._rooms: dict[int, Room] = {}  # by the number of parts

    def bind(self, state: State, at: Activations, into: Parameters) -> Bound:
        """What is the same in each step: `at` has the layer's own arrays; `into` receives its vectors' gradients."""
        bias, dbias = (arrays[f"b{self.number}"] for arrays in (state.params, into))
        return Bound(*at, (at.z, bias, at.h), (at.dh, at.h, at.z, bias, dbias))

    def forward(self, bound: Bound, batch: Batch, behind: Behind) -> None:
        """Compute h from z."""
        self._share(hidden.plain_forward, bound.forward, behind)

    def backward(self, bound: Bound, batch: Batch, behind: Behind) -> None:
        """Turn dh into the gradient with respect to z; write the gradients of the layer's vectors."""
        self._share(hidden.plain_backward, bound.backward, behind)

    def _share(self, kernel: Work, bound: tuple[Any, ...], *others: Any) -> None:
        parts = parts_for(self.team, bound[0].size)
        self.team.run(kernel, parts, *bound, *others, self._room(parts))

    def _room(self, parts: int) -> Room:
        if parts not in self._rooms:
            self._rooms[parts] = make_room(parts, self._dtype, self._width)
        return self._rooms[parts]


class Layernorm(Plain):
    """With layer normalization, which keeps one number per row."""

    def __init__(self, spec: Spec, number: int, max_rows: int, team: Team) -> None:
        super().__init__(spec, number, max_rows, team)
        self.eps, self.inverse_std = spec.dtype.type(EPS), np.empty(max_rows, spec.dtype)

    def bind(self, state: State, at: Activations, into: Parameters) -> Bound:
        vectors, gradients = (_vectors(arrays, self.number) for arrays in (state.params, into))
        forward = at.z, vectors, self.eps, self.inverse_std, at.h
        return Bound(*at, forward, (at.dh, at.h, at.z, self.inverse_std, vectors, gradients))

    def forward(self, bound: Bound, batch: Batch, behind: Behind) -> None:
        self._share(hidden.layernorm_forward, bound.forward, behind)

    def backward(self, bound: Bound, batch: Batch, behind: Behind) -> None:
        self._share(hidden.layernorm_backward, bound.backward, behind)


class Batchnorm(Plain):
    """With batch normalization, which keeps numbers per column, and adds up sums if a batch is split into parts."""

    def __init__(self, spec: Spec, number: int, max_rows: int, team: Team) -> None:
        super().__init__(spec, number, max_rows, team)
        self.options = spec.dtype.type(MOMENTUM), spec.dtype.type(EPS)
        units = spec.hidden_dims[number - 1]
        self.mean, self.inverse_std = np.empty(units, spec.dtype), np.empty(units, spec.dtype)

    def bind(self, state: State, at: Activations, into: Parameters) -> Bound:
        vectors, gradients = (_vectors(arrays, self.number) for arrays in (state.params, into))
        running = state.running[f"running_mean{self.number}"], state.running[f"running_var{self.number}"]
        units = at.z.shape[1]
        statistics = self.mean[:units], self.inverse_std[:units]  # fewer in a thinned network
        forward = at.z, vectors, running, self.options, statistics, at.h
        return Bound(*at, forward, (at.dh, at.h, at.z, statistics, vectors, gradients))

    def forward(self, bound: Bound, batch: Batch, behind: Behind) -> None:
        work, count, done = batchnorm.batchnorm_forward, self._count(batch), 0
        if batch.inplace_sum is not None:
            for done, sums in enumerate(bound.forward[4], start=1):
                self._share(work, bound.forward, (done - 1, done), count, behind)
                batch.inplace_sum(sums)
        self._share(work, bound.forward, (done, 3), count, behind)

    def backward(self, bound: Bound, batch: Batch, behind: Behind) -> None:
        work, count, done, sums = batchnorm.batchnorm_backward, self._count(batch), 0, bound.backward[5][1:]
        if batch.inplace_sum is not None:
            self._share(work, bound.backward, (0, 1), sums, count, behind)
            both = np.concatenate(sums)  # a copy: all gradients are summed over the parts at the end of the step
            batch.inplace_sum(both)
            done, sums = 1, (both[: sums[0].size], both[sums[0].size :])
        self._share(work, bound.backward, (done, 2), sums, count, behind)

    def _count(self, batch: Batch) -> Any:
        """The number of rows that the statistics are computed from."""
        whole = batch.inplace_sum is not None and batch.total is not None
        return self._dtype.type(batch.total if whole else len(batch))


def hidden_layers(spec: Spec, max_rows: int, team: Team) -> list[Plain]:
    """The hidden layers of a net, first to last."""
    kinds: dict[str | None, type[Plain]] = {None: Plain, "layernorm": Layernorm, "batchnorm": Batchnorm}
    return [kinds[spec.normalization](spec, number, max_rows, team) for number in range(1, spec.num_layers)]


def _vectors(arrays: Parameters, number: int) -> Vectors:
    return arrays[f"b{number}"], arrays[f"gamma{number}"], arrays[f"beta{number}"]
