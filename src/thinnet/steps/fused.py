"""The fast way: products by a library, everything between them by the kernels, in buffers that are made once."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np

from thinnet.kernels import losses
from thinnet.kernels.activations import CODES, Behind
from thinnet.kernels.penalty import sum_of_squares
from thinnet.layers import LOSSES
from thinnet.masks import drop_threshold
from thinnet.parameters import Late, Parameters
from thinnet.products.base import Products
from thinnet.sparse_rows import SparseRows
from thinnet.spec import Spec
from thinnet.state import State
from thinnet.steps.base import Batch, Gradients
from thinnet.steps.hidden import Activations, hidden_layers
from thinnet.steps.operands import Operands
from thinnet.steps.penalty import penalty
from thinnet.steps.weight_gradients import Factors, WeightGradients, inplace_penalize
from thinnet.teams import Team
from thinnet.typing import AnyArray, FloatArray, IntArray


class FusedStep:
    """A step of training by products and kernels.

    The state need not have the dimensions of the spec: that of a thinned network, with fewer units in each hidden
    layer, uses the front of the same buffers.
    """

    def __init__(self, spec: Spec, products: Products, max_rows: int) -> None:
        self.spec, self.max_rows, self.products = spec, max_rows, products
        self._layers = hidden_layers(spec, max_rows, products.team)
        self._operands = Operands(spec, products, max_rows)
        self._activations = [Activations.empty(spec, max_rows, dim) for dim in spec.hidden_dims]
        self._front: tuple[Any, list[Activations]] = None, []  # of what `_passes` was asked for last, and what it gave
        self._scores = np.empty((max_rows, spec.num_classes), spec.dtype)
        self._padded = spec.precision is not None  # products of float32 gain less than gaps cost the optimizer
        self._gradients = Parameters(spec.shapes(), spec.dtype, spec.order, padded=self._padded)
        self._weight_gradients = WeightGradients(spec, products, self._padded)
        self._row_positions = np.arange(max_rows)
        self._no_weights = np.empty(0, spec.dtype)
        self._biases = [f"b{i}" for i in range(1, spec.num_layers)]
        self._behind = [_behind(spec, layer, self._row_positions) for layer in range(len(spec.hidden_dims))]

    @property
    def team(self) -> Team:
        """The threads that may share what is done with the gradients."""
        return self.products.team

    def compute(self, state: State, batch: Batch, *, copies_hold: bool = False, may_be_late: bool = False) -> Gradients:
        """The loss of a batch and its gradients."""
        widths, gaps = tuple(state.params[bias].size for bias in self._biases), not isinstance(batch.X, SparseRows)
        work = _Work(
            state,
            batch,
            rows=self._operands.rows(batch.X),
            matrices=self._operands.matrices(state.params, copies_hold),
            passes=self._passes(len(batch), widths, gaps),
            behind=[self._behind_in(behind, batch) for behind in self._behind],
            gradients=self._gradients_like(state.params),
            late=self._late(state, batch) if may_be_late else (),
        )
        scores = self._forward(work)
        loss = self._loss(work, scores)
        late = None if batch.only_loss else self._backward(work, scores)
        loss += batch.share * penalty(self.spec.reg, state.params, sum_of_squares)
        return Gradients(loss, work.gradients, None, work.matrices if self.spec.precision else None, late)

    def _passes(self, rows: int, widths: tuple[int, ...], gaps: bool) -> list[Activations]:
        """Room for a batch: from step to step the same."""
        if self._front[0] != (rows, widths, gaps):
            fronts = [at.front(rows, n, gaps=gaps) for at, n in zip(self._activations, widths, strict=True)]
            self._front = (rows, widths, gaps), fronts
        return self._front[1]

    def _late(self, state: State, batch: Batch) -> Collection[str]:
        """The matrices whose gradients may come in pieces: not those of sparse rows, nor of a thinned network."""
        large = self._weight_gradients.large
        if not large or state.params.shapes != self._gradients.shapes:
            return ()
        return [name for name in large if name != "W1" or not isinstance(batch.X, SparseRows)]

    def _gradients_like(self, params: Parameters) -> Parameters:
        if params.shapes == self._gradients.shapes:
            return self._gradients
        return Parameters(params.shapes, params.dtype, params.order, self._gradients.flat, self._padded)

    def _behind_in(self, behind: Behind, batch: Batch) -> Behind:
        positions = self._row_positions if batch.row_positions is None else batch.row_positions
        if batch.keeps_all:
            return behind._replace(row_positions=positions, threshold=np.uint32(0))
        return behind._replace(row_positions=positions, step=batch.step)

    def _forward(self, work: _Work) -> FloatArray:
        """The scores, without the bias of the last layer."""
        below, passes = work.rows, work.passes
        products = [*(at.for_products(at.z) for at in passes), self._scores[: len(work.batch)]]
        for i, out in enumerate(products):
            if isinstance(below, SparseRows):
                below.matmul(work.state.params["W1"], out)
            else:
                self.products.matmul(below, work.matrices[f"W{i + 1}"], out)
            if i < len(passes):
                self._layers[i].forward(work.state, passes[i], work.batch, work.behind[i])
                below = passes[i].output
        return products[-1]

    def _loss(self, work: _Work, scores: FloatArray) -> float:
        """The loss; `scores` becomes its gradient."""
        batch = work.batch
        bias, dbias = (arrays[f"b{self.spec.num_layers}"] for arrays in (work.state.params, work.gradients))
        if not len(batch):  # another process has the rows
            dbias[:] = 0
            return 0.0
        weights = batch.weights_in_whole(self.spec.dtype)
        kernel = losses.kernel_of(self.spec.loss, batch.y)
        if kernel is not None:
            each = self._no_weights if weights is None else weights
            options = [self.spec.dtype.type(option) for option in self.spec.loss_options.values()]
            return float(kernel(scores, bias, batch.y, each, dbias, *options))
        np.add(scores, bias, out=scores)
        loss, scores[...] = LOSSES[self.spec.loss].function(scores, batch.y, weights, **self.spec.loss_options)
        scores.sum(axis=0, out=dbias)
        return loss

    def _backward(self, work: _Work, dscores: FloatArray) -> Late | None:
        """No gradient is computed for the rows of the batch: nobody asks for it."""
        state, passes, gradients = work.state, work.passes, work.gradients
        above, factor = self._operands.scores(dscores), state.params.dtype.type(self.spec.reg * work.batch.share)
        late = []
        for i in range(len(passes), -1, -1):
            name, below = f"W{i + 1}", passes[i - 1].output if i else work.rows
            if isinstance(below, SparseRows):
                below.weight_gradient(passes[0].dh if passes else dscores, gradients[name])
                inplace_penalize(state.params[name], factor, gradients[name])
            elif name in work.late:
                factors = Factors(below, above, state.params[name], factor)
                late.append((name, state.params.places[name].start, factors))
            else:
                self._weight_gradients.whole(Factors(below, above, state.params[name], factor), gradients[name])
            if i:
                self.products.matmul(above, work.matrices[name].T, passes[i - 1].for_products(passes[i - 1].dh))
                self._layers[i - 1].backward(state, passes[i - 1], work.batch, work.behind[i - 1], gradients)
                above = passes[i - 1].gradient
        return Late(work.late, self._weight_gradients.pieces(late)) if late else None


class _Work(NamedTuple):
    """What one call works on: by layer, first to last, where there is one for each."""

    state: State
    batch: Batch
    rows: AnyArray | SparseRows
    matrices: Parameters
    passes: list[Activations]
    behind: list[Behind]
    gradients: Parameters
    late: Collection[str]  # the matrices whose gradients come in pieces


def _behind(spec: Spec, layer: int, row_positions: IntArray) -> Behind:
    """What stands behind the normalization of a layer."""
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
