"""One step of training a net of ours: gradients, a look at whether they are finite, one pass of the optimizer."""

from contextlib import nullcontext
from typing import Protocol

import numpy as np

from thinnet.data.rows import Rows
from thinnet.distributed.exchange import Exchange
from thinnet.errors import on_all_processes
from thinnet.layers import LOSSES
from thinnet.nets import FullyConnectedNet
from thinnet.numerics import is_finite_step
from thinnet.optim import FlatOptimizer
from thinnet.steps import choose
from thinnet.steps.base import Batch, Gradients
from thinnet.steps.batches import check_rows, check_targets
from thinnet.teams import Team
from thinnet.training.diagnosis import not_finite
from thinnet.training.interrupts import uninterrupted
from thinnet.training.loop import Factors
from thinnet.training.weights import make_writable
from thinnet.typing import IntArray


class RowSource(Protocol):
    """Where the rows of a minibatch come from."""

    def read(self, rows: IntArray, step: int = 0) -> Rows:
        """The rows of these numbers, as they are in a step; the next call may overwrite them."""
        ...


class NetUpdate:
    """One step of a `FullyConnectedNet` on rows of a source.

    Args:
        net: its state is changed.
        source: gives the rows.
        optimizer: made for the net's flat buffer.
        max_rows: the most rows in a minibatch.
        exchange: with the processes that have other rows of each minibatch; None where this one has all.
        weight_decay: λ; each step first multiplies the matrices, and no vectors, by 1 − learning rate · λ.
    """

    def __init__(
        self,
        net: FullyConnectedNet,
        source: RowSource,
        optimizer: FlatOptimizer,
        max_rows: int,
        exchange: Exchange | None = None,
        weight_decay: float = 0.0,
    ) -> None:
        make_writable(net)
        self.net, self.source, self.optimizer, self.exchange = net, source, optimizer, exchange
        self.weight_decay = weight_decay
        self._step = choose.training_step(net.spec, max_rows, fused=net.fused, products=net.products)
        self._running_before = net.running.flat.copy()

    @property
    def team(self) -> Team:
        """The threads that may share what is done with the weights."""
        return self._step.team

    def __call__(self, rows: IntArray, factors: Factors, step: int = 0) -> float:
        """Change the net by one step on these rows, as they are in step `step`; return the loss before it.

        The optimizer's hyperparameters are multiplied by `factors`.

        Where the loss or a gradient is not finite, NumericalError says so, and the net is as it was before. In several
        processes all call this, and change their nets alike.
        """
        net, exchange = self.net, self.exchange
        changes = self.optimizer.scheduled(factors)
        rate = changes["learning_rate"]
        batch = self._batch(rows, step)
        self._running_before[:] = net.running.flat
        with np.errstate(all="ignore"):  # what goes wrong is found below, and said in better words
            computed = self._step.compute(net.state, batch, may_be_late=self._may_be_late)
            if exchange is not None:
                loss = exchange.add_up(computed.loss, computed.arrays.flat, net.running.flat)
                computed = computed._replace(loss=loss)
            if not is_finite_step(computed.loss, computed.arrays):
                raise self._not_finite(batch, computed, rate)
            if self.weight_decay:
                for matrix in (array for array in net.params.values() if array.ndim == 2):
                    matrix *= matrix.dtype.type(1 - rate * self.weight_decay)
            late = computed.late
            with uninterrupted() if late else nullcontext():
                self.optimizer.inplace_update(
                    net.params.flat, computed.arrays, changes, computed.thinning, team=self.team, late=late
                )
                net.state.step += 1
        return computed.loss

    @property
    def _may_be_late(self) -> bool:
        """Whether large gradients may be made just before they are used: not where several processes add them up, nor
        where weights decay before it that an L2 penalty's gradient is made of.
        """
        changed_before = self.weight_decay and self.net.spec.reg
        return self.exchange is None and not changed_before and self.optimizer.takes_pieces

    def _batch(self, rows: IntArray, step: int) -> Batch:
        spec, exchange = self.net.spec, self.exchange
        check_rows(spec, len(rows))
        positions, total, inplace_sum = None, None, None
        if exchange is not None:
            total = len(rows)
            positions, rows = exchange.held(rows)
            inplace_sum = exchange.processes.inplace_sum if exchange.statistics == "global" else None
        X, y, weights = self.source.read(rows, step)
        values = LOSSES[spec.loss].targets != "labels"
        y = y.astype(spec.dtype, copy=False) if values else y
        weights = None if weights is None else weights.astype(spec.dtype, copy=False)
        batch = Batch(X, y, weights, self.net.step, positions, total, inplace_sum)
        if len(batch):  # of a minibatch in parts, one may have no rows
            check_targets(spec, batch)
        return batch

    def _not_finite(self, batch: Batch, computed: Gradients, rate: float) -> Exception:
        """What to raise, with the net put back."""
        exchange, positions, total = self.exchange, batch.row_positions, batch.total
        if exchange is not None and positions is not None and total is not None:
            weights = None if batch.weights is None else exchange.whole(positions, batch.weights, total)
            X, y = (exchange.whole(positions, np.asarray(part), total) for part in (batch.X, batch.y))
            batch = Batch(X, y, weights, batch.step)
        error = not_finite(self.net, batch, loss=computed.loss, learning_rate=rate)
        self.net.running.flat[:] = self._running_before
        return on_all_processes(error)
