"""The fast way: products, and kernels for everything between them, in buffers that are allocated once."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from thinnet.kernels import losses
from thinnet.kernels.activations import CODES, Behind
from thinnet.kernels.penalty import sum_of_squares
from thinnet.layers import LOSSES
from thinnet.masks import drop_threshold
from thinnet.parameters import Late, Parameters
from thinnet.products.base import Factors, Products
from thinnet.sparse_rows import SparseRows
from thinnet.spec import Spec
from thinnet.state import State
from thinnet.steps.base import Batch, Gradients
from thinnet.steps.hidden import Activations, hidden_layers
from thinnet.steps.penalty import penalty
from thinnet.steps.plan import Linear, Plan
from thinnet.steps.weight_gradients import Matrix, WeightGradients, inplace_penalize
from thinnet.typing import FloatArray, IntArray


class FusedStep:
    """A training step by products and kernels.

    The state need not have the dimensions of the spec: a thinned network, with fewer units in each hidden layer, uses
    the front of the same buffers.
    """

    def __init__(self, spec: Spec, products: Products, max_rows: int) -> None:
        self.spec, self.max_rows, self.products, self.team = spec, max_rows, products, products.team
        self._layers = hidden_layers(spec, max_rows, self.team)
        self._activations = [Activations.empty(spec, max_rows, dim) for dim in spec.hidden_dims]
        self._scores = np.empty((max_rows, spec.num_classes), spec.dtype)
        self._gradients = Parameters(spec.shapes(), spec.dtype, spec.order)
        self._weight_gradients = WeightGradients(spec, products)
        self._row_positions = np.arange(max_rows)
        self._no_weights = np.empty(0, spec.dtype)
        self._loss_options = [spec.dtype.type(option) for option in spec.loss_options.values()]
        self._behind = [_behind(spec, layer, self._row_positions) for layer in range(len(spec.hidden_dims))]
        self._names = [f"W{number}" for number in range(1, spec.num_layers + 1)]
        self._plan: Plan | None = None  # of the last step

    def compute(self, state: State, batch: Batch, *, may_be_late: bool = False) -> Gradients:
        """The loss of a batch and its gradients."""
        plan = self._planned(state, batch)
        late = plan.large if may_be_late else ()
        work = _Work(plan, batch, self._behind_in(batch), late)
        scores = self._forward(work)
        loss = self._loss(work, scores)
        left = None if batch.only_loss else self._backward(work, scores)
        loss += batch.share * penalty(self.spec.reg, plan.params, sum_of_squares)
        return Gradients(loss, plan.gradients, None, left)

    def _planned(self, state: State, batch: Batch) -> Plan:
        rows, sparse = len(batch), isinstance(batch.X, SparseRows)
        if self._plan is None or not self._plan.is_for(state, rows, sparse):
            self._plan = self._new_plan(state, rows, sparse)
        return self._plan

    def _new_plan(self, state: State, rows: int, sparse: bool) -> Plan:
        params, gradients, large = state.params, self._gradients, self._weight_gradients.large
        if params.shapes != gradients.shapes:
            gradients = Parameters(params.shapes, params.dtype, params.order, gradients.flat)
            large = []
        elif sparse:
            large = [name for name in large if name != "W1"]  # sparse rows compute its gradient
        widths = [params[f"b{layer.number}"].size for layer in self._layers]
        hidden = [at.front(rows, units) for at, units in zip(self._activations, widths, strict=True)]
        bound = [layer.bind(state, at, gradients) for layer, at in zip(self._layers, hidden, strict=True)]
        linear = [
            Linear(name, params[name], gradients[name], out)
            for name, out in zip(self._names, [*(layer.z for layer in bound), self._scores[:rows]], strict=True)
        ]
        return Plan(params, (params.flat, state.running.flat), rows, sparse, gradients, linear, bound, large)

    def _behind_in(self, batch: Batch) -> list[Behind]:
        positions = self._row_positions if batch.row_positions is None else batch.row_positions
        if batch.keeps_all:
            return [behind._replace(row_positions=positions, threshold=np.uint32(0)) for behind in self._behind]
        # `_replace` would take longer.
        return [Behind(*behind[:5], batch.step, behind.layer, positions) for behind in self._behind]

    def _forward(self, work: _Work) -> FloatArray:
        """The scores, without the last layer's bias."""
        plan, below = work.plan, work.batch.X
        for i, linear in enumerate(plan.linear):
            if isinstance(below, SparseRows):
                below.matmul(linear.W, linear.out)
            else:
                self.products.matmul(below, linear.W, linear.out)
            if i < len(plan.hidden):
                self._layers[i].forward(plan.hidden[i], work.batch, work.behind[i])
                below = plan.hidden[i].h
        return linear.out

    def _loss(self, work: _Work, scores: FloatArray) -> float:
        """The loss; `scores` becomes its gradient."""
        batch, name = work.batch, f"b{self.spec.num_layers}"
        bias, dbias = work.plan.params[name], work.plan.gradients[name]
        if not len(batch):  # another process has the rows
            dbias[:] = 0
            return 0.0
        weights = batch.weights_in_whole(self.spec.dtype)
        kernel = losses.kernel_of(self.spec.loss, batch.y)
        if kernel is not None:
            each = self._no_weights if weights is None else weights
            return float(kernel(scores, bias, batch.y, each, dbias, *self._loss_options))
        np.add(scores, bias, out=scores)
        loss, scores[...] = LOSSES[self.spec.loss].function(scores, batch.y, weights, **self.spec.loss_options)
        scores.sum(axis=0, out=dbias)
        return loss

    def _backward(self, work: _Work, dscores: FloatArray) -> Late | None:
        """Write the parameters' gradients, but none for the rows of the batch, which nobody needs."""
        plan, above, late = work.plan, dscores, []
        factor = self.spec.dtype.type(self.spec.reg * work.batch.share)
        for i, linear in reversed([*enumerate(plan.linear)]):
            below = plan.hidden[i - 1].h if i else work.batch.X
            if isinstance(below, SparseRows):
                below.weight_gradient(plan.hidden[0].dh if plan.hidden else dscores, linear.gradient)
                inplace_penalize(linear.W, factor, linear.gradient)
            elif linear.name in work.late:
                start = plan.params.starts[linear.name]
                late.append(Matrix(linear.name, start, Factors(below, above, linear.W, factor)))
            else:
                self._weight_gradients.whole(Factors(below, above, linear.W, factor), linear.gradient)
            if i:
                hidden = plan.hidden[i - 1]
                self.products.matmul(above, linear.W.T, hidden.dh)
                self._layers[i - 1].backward(hidden, work.batch, work.behind[i - 1])
                above = hidden.dh
        return self._weight_gradients.late(late) if late else None


class _Work(NamedTuple):
    """What one call of `compute` works on."""

    plan: Plan
    batch: Batch
    behind: list[Behind]  # of each hidden layer, first to last
    late: Collection[str]  # the matrices whose gradients come in pieces


def _behind(spec: Spec, layer: int, row_positions: IntArray) -> Behind:
    """What follows the normalization of a layer."""
    factor = 1 / (1 - spec.dropout) if spec.scaling == "inverted" else 1
    return Behind(
        activation=CODES[spec.activation],
        factor=spec.dtype.type(factor),
        threshold=drop_threshold(spec.dropout),
        key0=np.uint32(spec.seed & 0xFFFFFFFF),
        key1=np.uint32(spec.seed >> 32),
        step=0,
        layer=layer,
        row_positions=row_positions,
    )
