"""The fast way: products by a library, everything between them by the kernels, in buffers that are made once."""

from __future__ import annotations

import numpy as np

from thinnet.kernels import losses
from thinnet.kernels.activations import CODES, Behind
from thinnet.kernels.penalty import inplace_add_scaled
from thinnet.layers import LOSSES
from thinnet.masks import GROUP, drop_threshold
from thinnet.parameters import Parameters
from thinnet.products.base import Products
from thinnet.sparse_rows import SparseRows
from thinnet.spec import Spec
from thinnet.state import State
from thinnet.steps.base import Batch, Gradients
from thinnet.steps.hidden import Activations, hidden_layers
from thinnet.steps.penalty import inplace_add_penalty
from thinnet.typing import FloatArray


class FusedStep:
    """A step of training by products and kernels.

    The state need not have the dimensions of the spec: that of a thinned network, with fewer units in each hidden
    layer, uses the front of the same buffers.
    """

    def __init__(self, spec: Spec, products: Products, max_rows: int) -> None:
        self.spec, self.max_rows, self.products = spec, max_rows, products
        self._layers = hidden_layers(spec, max_rows)
        self._buffers = [[np.empty(max_rows * dim, spec.dtype) for dim in spec.hidden_dims] for _ in range(3)]
        self._scores = np.empty((max_rows, spec.num_classes), spec.dtype)
        self._gradients = Parameters(spec.shapes(), spec.dtype, spec.order)
        self._row_positions = np.arange(max_rows)
        self._no_weights = np.empty(0, spec.dtype)
        factor = 1 / (1 - spec.dropout) if spec.scaling == "inverted" else 1
        self._behind = Behind(
            activation=CODES[spec.activation],
            factor=spec.dtype.type(factor),
            threshold=drop_threshold(spec.dropout),
            key0=np.uint32(spec.seed & 0xFFFFFFFF),
            key1=np.uint32(spec.seed >> 32),
            step=0,
            layer=0,
            row_positions=self._row_positions,
            random_bits=np.empty(GROUP, np.uint32),
            line=np.empty(max(spec.hidden_dims, default=0), spec.dtype),
        )

    def compute(self, state: State, batch: Batch) -> Gradients:
        """The loss of a batch and its gradients."""
        params, gradients = state.params, self._gradients_like(state.params)
        passes = [self._activations(i, len(batch), params) for i in range(len(self._layers))]
        behind = [self._behind_of(i, batch) for i in range(len(self._layers))]
        scores = self._forward(state, batch, passes, behind)
        loss = self._loss(params, batch, scores, gradients)
        self._backward(state, batch, passes, behind, scores, gradients)
        penalty = inplace_add_penalty(self.spec.reg, params, gradients, batch.share, inplace_add_scaled)
        return Gradients(loss + penalty, gradients)

    def _gradients_like(self, params: Parameters) -> Parameters:
        if params.shapes == self._gradients.shapes:
            return self._gradients
        return Parameters(params.shapes, params.dtype, params.order, self._gradients.flat)

    def _activations(self, i: int, rows: int, params: Parameters) -> Activations:
        width = params[f"b{i + 1}"].size
        z, h, dh = (buffers[i][: rows * width].reshape(rows, width) for buffers in self._buffers)
        return Activations(z, h, dh)

    def _behind_of(self, i: int, batch: Batch) -> Behind:
        positions = self._row_positions if batch.row_positions is None else batch.row_positions
        threshold = np.uint32(0) if batch.keeps_all else self._behind.threshold
        return self._behind._replace(step=batch.step, layer=i, row_positions=positions, threshold=threshold)

    def _forward(self, state: State, batch: Batch, passes: list[Activations], behind: list[Behind]) -> FloatArray:
        """The scores, without the bias of the last layer."""
        below: FloatArray | SparseRows = batch.X
        for i, (layer, at) in enumerate(zip(self._layers, passes, strict=True)):
            self._multiply(below, state.params[f"W{i + 1}"], at.z)
            layer.forward(state, at, batch, behind[i])
            below = at.h
        scores = self._scores[: len(batch)]
        self._multiply(below, state.params[f"W{len(passes) + 1}"], scores)
        return scores

    def _multiply(self, rows: FloatArray | SparseRows, W: FloatArray, out: FloatArray) -> None:
        """out = rows · W; sparse rows multiply themselves."""
        if isinstance(rows, SparseRows):
            rows.matmul(W, out)
        else:
            self.products.matmul(rows, W, out)

    def _loss(self, params: Parameters, batch: Batch, scores: FloatArray, gradients: Parameters) -> float:
        """The loss; `scores` becomes its gradient."""
        bias, dbias = (arrays[f"b{self.spec.num_layers}"] for arrays in (params, gradients))
        if not len(batch):  # another process has the rows
            dbias[:] = 0
            return 0.0
        weights = batch.weights_in_whole(self.spec.dtype)
        if self.spec.loss in losses.KERNELS:
            each = self._no_weights if weights is None else weights
            options = [self.spec.dtype.type(option) for option in self.spec.loss_options.values()]
            return float(losses.KERNELS[self.spec.loss](scores, bias, batch.y, each, dbias, *options))
        np.add(scores, bias, out=scores)
        loss, scores[...] = LOSSES[self.spec.loss].function(scores, batch.y, weights, **self.spec.loss_options)
        scores.sum(axis=0, out=dbias)
        return loss

    def _backward(
        self,
        state: State,
        batch: Batch,
        passes: list[Activations],
        behind: list[Behind],
        above: FloatArray,
        gradients: Parameters,
    ) -> None:
        """No gradient is computed for the rows of the batch: nobody asks for it."""
        for i in range(len(passes), 0, -1):
            at = passes[i - 1]
            self.products.matmul(at.h.T, above, gradients[f"W{i + 1}"])
            self.products.matmul(above, state.params[f"W{i + 1}"].T, at.dh)
            self._layers[i - 1].backward(state, at, batch, behind[i - 1], gradients)
            above = at.dh
        if isinstance(batch.X, SparseRows):
            batch.X.weight_gradient(above, gradients["W1"])
        else:
            self.products.matmul(batch.X.T, above, gradients["W1"])
