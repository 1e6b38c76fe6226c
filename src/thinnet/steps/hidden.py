"""A hidden layer behind its product, by the kernels: one class for each normalization."""

from typing import Any, NamedTuple, Self

import numpy as np

from thinnet.bfloat16 import BITS
from thinnet.kernels import batchnorm, hidden
from thinnet.kernels.activations import Behind
from thinnet.kernels.hidden import Scratch
from thinnet.layers.batchnorm import EPS, MOMENTUM
from thinnet.masks import GROUP
from thinnet.parameters import Parameters, whole_lines
from thinnet.spec import Spec
from thinnet.state import State
from thinnet.steps.base import Batch
from thinnet.teams import Team, Work, scratch, share_out
from thinnet.typing import AnyArray, FloatArray


class Activations(NamedTuple):
    """What one hidden layer computes for the N rows of a batch; behind the units of a row there may be a gap."""

    units: int
    z: FloatArray  # the product of the inputs and the weights
    h: FloatArray  # the output
    dh: FloatArray  # the gradient with respect to the output, and after `backward` with respect to z
    half_h: AnyArray  # h in bfloat16, for the next products; empty where those take h itself
    half_dh: AnyArray  # dh likewise

    @classmethod
    def empty(cls, spec: Spec, rows: int, units: int) -> Self:
        """Room for so many rows; without bfloat16 the halves are empty.

        Threads share the columns: where each row begins at a cache line, none writes to one of another thread's.
        """
        half = units if spec.precision else 0
        floats = Parameters(dict.fromkeys(("z", "h", "dh"), (rows, units)), spec.dtype, padded=True)
        halves = Parameters(dict.fromkeys(("h", "dh"), (rows, half)), BITS, padded=True)
        return cls(units, *map(whole_lines, (*floats.values(), *halves.values())))

    def front(self, rows: int, units: int, *, gaps: bool) -> Self:
        """Room for fewer rows and units in the same memory; without gaps for the products of sparse rows."""

        def part(lines: AnyArray) -> AnyArray:
            in_one = lines.size and not gaps
            return lines.reshape(-1)[: rows * units].reshape(rows, units) if in_one else lines[:rows]

        return type(self)(units, *map(part, self[1:]))

    def for_products(self, array: AnyArray) -> AnyArray:
        """One of the arrays without the gaps."""
        return array[:, : self.units]

    @property
    def output(self) -> AnyArray:
        """h as the next products take it."""
        return self.for_products(self.half_h if self.half_h.size else self.h)

    @property
    def gradient(self) -> AnyArray:
        """dh as the next products take it."""
        return self.for_products(self.half_dh if self.half_dh.size else self.dh)


Vectors = tuple[FloatArray, FloatArray, FloatArray]  # the bias, gamma and beta of a layer, or their gradients


class Plain:
    """Hidden layer `number`, counted from 1, from its product to its output and back; without a normalization."""

    def __init__(self, spec: Spec, number: int, max_rows: int, team: Team) -> None:
        self.number, self.team = number, team
        self._width, self._dtype = spec.hidden_dims[number - 1], spec.dtype
        self._scratch: dict[int, Scratch] = {}  # by the size of the team, which may be limited later

    def forward(self, state: State, at: Activations, batch: Batch, behind: Behind) -> None:
        """Compute ``at.h`` from ``at.z``."""
        bias = state.params[f"b{self.number}"]
        self._share(hidden.plain_forward, at.z, bias, at.h, at.half_h, behind)

    def backward(self, state: State, at: Activations, batch: Batch, behind: Behind, into: Parameters) -> None:
        """Turn ``at.dh`` into the gradient with respect to ``at.z``; write those of the layer's vectors."""
        bias, dbias = (arrays[f"b{self.number}"] for arrays in (state.params, into))
        self._share(hidden.plain_backward, at.dh, at.h, at.z, bias, dbias, at.half_dh, behind)

    def _share(self, kernel: Work, x: FloatArray, *others: Any) -> None:
        share_out(self.team, x.size, kernel, x, *others, self._room())

    def _room(self) -> Scratch:
        size = self.team.size
        if size not in self._scratch:
            lines = scratch(self.team, self._dtype, self._width, lines=3)
            self._scratch[size] = Scratch(lines, scratch(self.team, np.uint32, GROUP))
        return self._scratch[size]


class Layernorm(Plain):
    """With layer normalization, which keeps a number for each row."""

    def __init__(self, spec: Spec, number: int, max_rows: int, team: Team) -> None:
        super().__init__(spec, number, max_rows, team)
        self.eps, self.inverse_std = spec.dtype.type(EPS), np.empty(max_rows, spec.dtype)

    def forward(self, state: State, at: Activations, batch: Batch, behind: Behind) -> None:
        kept = _vectors(state.params, self.number), self.eps, self.inverse_std
        self._share(hidden.layernorm_forward, at.z, *kept, at.h, at.half_h, behind)

    def backward(self, state: State, at: Activations, batch: Batch, behind: Behind, into: Parameters) -> None:
        vectors, gradients = (_vectors(arrays, self.number) for arrays in (state.params, into))
        kept, room = (at.h, at.z, self.inverse_std, vectors), self._room()
        hidden.layernorm_backward(at.dh, *kept, gradients, at.half_dh, behind, room)


class Batchnorm(Plain):
    """With batch normalization, which keeps numbers for each column, and adds sums up where a batch is in parts."""

    def __init__(self, spec: Spec, number: int, max_rows: int, team: Team) -> None:
        super().__init__(spec, number, max_rows, team)
        self.options = spec.dtype.type(MOMENTUM), spec.dtype.type(EPS)
        units = spec.hidden_dims[number - 1]
        self.mean, self.inverse_std = np.empty(units, spec.dtype), np.empty(units, spec.dtype)

    def forward(self, state: State, at: Activations, batch: Batch, behind: Behind) -> None:
        vectors, count = _vectors(state.params, self.number), _count(batch, at.z.dtype)
        running = state.running[f"running_mean{self.number}"], state.running[f"running_var{self.number}"]
        statistics = self._statistics(vectors)
        known = vectors, running, (*self.options, count), statistics, at.h, at.half_h, behind
        if batch.inplace_sum is None:
            self._share(batchnorm.batchnorm_forward, at.z, (0, 3), *known)
            return
        for piece, sums in enumerate(statistics):
            self._share(batchnorm.batchnorm_forward, at.z, (piece, piece + 1), *known)
            batch.inplace_sum(sums)
        self._share(batchnorm.batchnorm_forward, at.z, (2, 3), *known)

    def backward(self, state: State, at: Activations, batch: Batch, behind: Behind, into: Parameters) -> None:
        vectors, gradients = (_vectors(arrays, self.number) for arrays in (state.params, into))
        sums, count = gradients[1:], _count(batch, at.dh.dtype)
        known = at.h, at.z, self._statistics(vectors), vectors, gradients
        rest = count, at.half_dh, behind
        if batch.inplace_sum is None:
            self._share(batchnorm.batchnorm_backward, at.dh, (0, 2), *known, sums, *rest)
            return
        self._share(batchnorm.batchnorm_backward, at.dh, (0, 1), *known, sums, *rest)
        both = np.concatenate(sums)  # in an array of their own: all gradients are added up at the end of the step
        batch.inplace_sum(both)
        sums = both[: sums[0].size], both[sums[0].size :]
        self._share(batchnorm.batchnorm_backward, at.dh, (1, 2), *known, sums, *rest)

    def _statistics(self, vectors: Vectors) -> tuple[FloatArray, FloatArray]:
        units = vectors[0].size  # fewer in a thinned network
        return self.mean[:units], self.inverse_std[:units]


def hidden_layers(spec: Spec, max_rows: int, team: Team) -> list[Plain]:
    """The hidden layers of a net, first to last."""
    kinds: dict[str | None, type[Plain]] = {None: Plain, "layernorm": Layernorm, "batchnorm": Batchnorm}
    return [kinds[spec.normalization](spec, number, max_rows, team) for number in range(1, spec.num_layers)]


def _vectors(arrays: Parameters, number: int) -> Vectors:
    return arrays[f"b{number}"], arrays[f"gamma{number}"], arrays[f"beta{number}"]


def _count(batch: Batch, dtype: Any) -> Any:
    """How many rows batch normalization takes its statistics of."""
    whole = batch.inplace_sum is not None and batch.total is not None
    return dtype.type(batch.total if whole else len(batch))
