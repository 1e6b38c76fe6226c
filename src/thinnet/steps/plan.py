"""The arrays of a step: looked up once, since they are the same from step to step."""

from __future__ import annotations

from typing import NamedTuple

from thinnet.parameters import Parameters
from thinnet.state import State
from thinnet.steps.hidden import Bound
from thinnet.typing import FloatArray


class Linear(NamedTuple):
    """One of the net's matrices, and where its product goes."""

    name: str
    W: FloatArray  # (D, M)
    gradient: FloatArray  # (D, M)
    out: FloatArray  # (N, M)


class Plan(NamedTuple):
    """The arrays of a step on a given number of rows.

    Attributes:
        params: the parameters.
        flats: their flat buffer, and that of the running statistics.
        rows: how many.
        sparse: whether the input rows are sparse.
        gradients: those of the parameters.
        linear: the matrices, first to last.
        hidden: the hidden layers between them.
        large: the names of the matrices whose gradients may come in pieces.
    """

    params: Parameters
    flats: tuple[FloatArray, FloatArray]
    rows: int
    sparse: bool
    gradients: Parameters
    linear: list[Linear]
    hidden: list[Bound]
    large: list[str]

    def is_for(self, state: State, rows: int, sparse: bool) -> bool:
        """Whether it fits a step on this state, whose buffers may have been replaced since, and this many rows."""
        params, running = self.flats
        same = state.params.flat is params and state.running.flat is running
        return same and rows == self.rows and sparse is self.sparse
