"""The nets of an estimator: one, or several that are trained together and whose scores are averaged."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from thinnet.data.rows import Rows
from thinnet.nets import FullyConnectedNet
from thinnet.nets.monte_carlo import monte_carlo_scores
from thinnet.optim import FlatOptimizer
from thinnet.sklearn import rows
from thinnet.sklearn.inputs import Inputs
from thinnet.training.loop import Factors
from thinnet.training.net_update import NetUpdate, RowSource
from thinnet.typing import BoolArray, FloatArray, IntArray

Update: TypeAlias = Callable[[IntArray, Factors, int], float]

MEMBER_STREAM, MC_STREAM = 2, 1  # keep the seeds of members and of Monte Carlo dropout apart from all others


def seeds(seed: int, count: int) -> list[int]:
    """The seeds of the nets; the first has the estimator's own."""
    return [seed, *(_drawn(seed, MEMBER_STREAM, number) for number in range(1, count))]


def _drawn(seed: int, *stream: int) -> int:
    return int(np.random.SeedSequence(seed, spawn_key=stream).generate_state(1, np.uint64)[0])


def silence(nets: Sequence[FullyConnectedNet], columns: BoolArray) -> None:
    """Make the scores for constant targets zero, which is the value of those targets on the nets' scale.

    Their gradients are then zero, so the scores stay zero as long as these targets do not change.
    """
    for net in nets:
        for name in (f"W{net.num_layers}", f"b{net.num_layers}"):
            net.params[name][..., columns] = 0


def update_of(
    nets: Sequence[FullyConnectedNet],
    source: RowSource,
    optimizers: Sequence[FlatOptimizer],
    max_rows: int,
    weight_decay: float,
) -> Update:
    """A function that updates all nets by one step on the same rows, which it reads once, and returns their mean loss.

    See `NetUpdate`.
    """
    once = _ReadOnce(source)
    updates = [
        NetUpdate(net, once, optimizer, max_rows, weight_decay=weight_decay)
        for net, optimizer in zip(nets, optimizers, strict=True)
    ]
    return lambda rows, factors, step: sum(update(rows, factors, step) for update in updates) / len(updates)


class _ReadOnce:
    """A source of rows that remembers the last ones it read."""

    def __init__(self, source: RowSource) -> None:
        self._source = source
        self._rows: IntArray | None = None

    def read(self, rows: IntArray, step: int = 0) -> Rows:
        if rows is not self._rows:
            self._rows, self._read = rows, self._source.read(rows, step)
        return self._read


def scores(nets: Sequence[FullyConnectedNet], inputs: Inputs, given: Any, dtype: Any = None) -> FloatArray:
    """The (N, C) mean of the nets' scores, for rows in the form that `inputs` takes.

    They are computed in `dtype`; by default in float64, or in float32 if the rows are float32 or bytes.
    """
    pieces = []
    for _, X in inputs.pieces(given):
        taken = dtype or (np.float64 if X.dtype == np.float64 else np.float32)
        pieces.append(np.mean([rows.scores(net, X, inputs.standardization, taken) for net in nets], axis=0))
    return np.concatenate(pieces)


def drawn_scores(
    nets: Sequence[FullyConnectedNet], inputs: Inputs, given: Any, draws: int, seed: int
) -> Iterator[FloatArray]:
    """The scores of Monte Carlo dropout, a piece of the rows at a time: (draws · nets, n, C) float64."""
    # A piece's scores exist as computed, in float64, as predictions, and as the predictions' deviations from the mean.
    row_bytes = 32 * draws * nets[0].num_classes * len(nets)
    first, dtype, how = _drawn(seed, MC_STREAM), nets[0].dtype, inputs.standardization
    for start, X in inputs.pieces(given):
        scored = [rows.scoring(net, X, how, dtype, row_bytes) for net in nets]
        for pieces in zip(*(pieces for _, pieces in scored), strict=True):
            drawn = [
                monte_carlo_scores(scorer, piece, draws, seed=(first + number) % 2**64, first_row=start + at)
                for number, ((scorer, _), (at, piece)) in enumerate(zip(scored, pieces, strict=True))
            ]
            yield np.concatenate(drawn).astype(np.float64)
