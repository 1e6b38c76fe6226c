"""What goes into a training step, what comes out of it, and the interface of every way to compute one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from thinnet.parameters import Late, Parameters
from thinnet.sparse_rows import SparseRows
from thinnet.spec import Spec
from thinnet.state import State
from thinnet.teams import Team
from thinnet.thinning import Thinning
from thinnet.typing import AnyArray, FloatArray, IntArray

Sum = Callable[[FloatArray], None]  # replaces an array with its sum over all parts of a minibatch


@dataclass(frozen=True, eq=False)
class Batch:
    """The rows of a minibatch, or the part of them that one of several processes has.

    Attributes:
        X: (N, D) rows in the net's dtype; the estimators may pass sparse ones.
        y: (N,) labels, or (N, C) values of that dtype.
        weights: (N,) how often each row counts; None for once.
        step: the step whose masks are drawn.
        row_positions: (N,) the rows' positions in the whole minibatch, which determine their masks; None for 0 to
            N − 1.
        total: how many rows the whole minibatch has; None for N. Loss and gradients are only these rows' part.
        inplace_sum: adds up batch normalization's sums over all parts of the minibatch; None if its statistics are
            those of these rows alone.
        keeps_all: whether all units are kept and scaled like kept ones, as in a thinned network.
        only_loss: whether the gradients are not needed.
    """

    X: AnyArray | SparseRows
    y: AnyArray
    weights: FloatArray | None = None
    step: int = 0
    row_positions: IntArray | None = None
    total: int | None = None
    inplace_sum: Sum | None = None
    keeps_all: bool = False
    only_loss: bool = False

    def __len__(self) -> int:
        return len(self.X)

    @property
    def share(self) -> float:
        """The fraction of the whole minibatch's rows that this batch holds."""
        return 1.0 if self.total is None else len(self) / self.total

    def weights_in_whole(self, dtype: Any) -> FloatArray | None:
        """The weights with which the mean over these rows is their part of the mean over the whole minibatch."""
        if self.total is None:
            return self.weights
        share = dtype.type(self.share)
        return np.full(len(self), share) if self.weights is None else self.weights * share


class Gradients(NamedTuple):
    """What a training step computes, in buffers that its next call overwrites.

    Attributes:
        loss: the mean over the minibatch, with the L2 penalty.
        arrays: the gradient of each parameter, or of the part of it that took part in the step.
        thinning: which part that is; None for all of it.
        late: computes the gradients of large matrices, whose places in `arrays` are unused; None if there are none.
    """

    loss: float
    arrays: Parameters
    thinning: Thinning | None = None
    late: Late | None = None

    def whole(self, like: Parameters) -> Parameters:
        """New arrays with the gradients of all parameters: zero where a parameter took no part."""
        if self.thinning is None:
            return self.arrays.copy()
        whole = like.zeros_like()
        self.thinning.scatter(self.arrays.flat, whole.flat)
        return whole


class Step(Protocol):
    """A way to compute a net in training, in buffers that are allocated once for up to `max_rows` rows."""

    spec: Spec
    max_rows: int
    team: Team  # the threads that may share the work on the gradients

    def compute(self, state: State, batch: Batch, *, may_be_late: bool = False) -> Gradients:
        """The loss of a batch and its gradients; of `state`, only the running statistics are updated.

        Args:
            state: the net's.
            batch: the rows.
            may_be_late: whether gradients may be left to `Gradients.late`, which is faster for large matrices.
        """
        ...


class Scorer(Protocol):
    """A way to compute a net in test mode, for up to `max_rows` rows at a time."""

    def scores(self, X: FloatArray) -> FloatArray:
        """The (N, C) scores of (N, D) rows, overwritten by the next call; NaN for rows that are not finite."""
        ...
