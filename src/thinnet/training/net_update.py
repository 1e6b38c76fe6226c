"""One training step of one of our nets: gradients, a check that they are finite, one pass of the optimizer."""

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
from thinnet.training.diagnosis import not_finite
from thinnet.training.interrupts import uninterrupted
from thinnet.training.loop import Factors
from thinnet.training.weights import make_writable
from thinnet.typing import IntArray


class RowSource(Protocol):
    """Where the rows of a minibatch come from."""

    def read(self, rows: IntArray, step: int = 0) -> Rows:
        """The rows with these numbers, as augmented for a step; the next call may overwrite them."""
        ...


class NetUpdate:
    """One training step of a `FullyConnectedNet` on rows from a source.

    Args:
        net: the net; its state is updated.
        source: provides the rows.
        optimizer: made for the net's flat buffer.
        max_rows: the maximum number of rows in a minibatch.
        exchange: with the processes that have other rows of each minibatch; None if this one has all rows.
        weight_decay: λ; each step first multiplies the matrices, but not the vectors, by 1 − learning rate · λ.
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
        self.team = self._step.team  # the threads that may share the work on the weights
        self._running_before = net.running.flat.copy()

    def __call__(self, rows: IntArray, factors: Factors, step: int = 0) -> float:
        """Update the net by one step on these rows, as augmented for step `step`; return the loss before the step.

        The optimizer's hyperparameters are multiplied by `factors`.

        If the loss or a gradient is not finite, it raises NumericalError, and the net is unchanged. With several
        processes, all call this and update their nets identically.
        """
        net, exchange = self.net, self.exchange
        changes = self.optimizer.scheduled(factors)
        rate = changes["learning_rate"]
        batch = self._batch(rows, step)
        self._running_before[:] = net.running.flat
        with np.errstate(all="ignore"):  # a check below raises a clearer error
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
        """Whether large gradients may be computed just before they are used: not if processes must add them up, and not
        if weights decay first that the gradient of the L2 penalty depends on.
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
        if len(batch):  # one part of a split minibatch may have no rows
            check_targets(spec, batch)
        return batch

    def _not_finite(self, batch: Batch, computed: Gradients, rate: float) -> Exception:
        """The error to raise, after restoring the net."""
        exchange, positions, total = self.exchange, batch.row_positions, batch.total
        if exchange is not None and positions is not None and total is not None:
            weights = None if batch.weights is None else exchange.whole(positions, batch.weights, total)
            X, y = (exchange.whole(positions, np.asarray(part), total) for part in (batch.X, batch.y))
            batch = Batch(X, y, weights, batch.step)
        error = not_finite(self.net, batch, loss=computed.loss, learning_rate=rate)
        self.net.running.flat[:] = self._running_before
        return on_all_processes(error)
