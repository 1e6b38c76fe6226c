"""The fused path of a `FullyConnectedNet`: products by BLAS, everything between them by the kernels, no allocation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from thinnet.kernels import hidden, losses
from thinnet.layers import LOSSES
from thinnet.layers.batchnorm import EPS, MOMENTUM
from thinnet.masks import GROUP, drop_threshold
from thinnet.parallel import BatchPart
from thinnet.parameters import Parameters
from thinnet.sparse_rows import SparseRows, rows_gradient, rows_product
from thinnet.typing import AnyArray, FloatArray

if TYPE_CHECKING:
    from thinnet.nets.fully_connected import FullyConnectedNet


class FusedStep:
    """Loss and gradients of a net over buffers that are made once, for batches of up to `max_rows` rows.

    For hidden layer i, ``z[i]`` holds the products, ``h[i]`` the outputs, and ``dh[i]`` the gradient with respect to
    first the one and then the other.  The parameters need not be the net's own: those of a thinned network, with fewer
    units in each layer, use the front of the same buffers.
    """

    def __init__(self, net: FullyConnectedNet, max_rows: int) -> None:
        self.net = net
        self.max_rows = max_rows
        self._buffers = [[np.empty(max_rows * dim, net.dtype) for dim in net.hidden_dims] for _ in range(3)]
        self.scores = np.empty((max_rows, net.num_classes), net.dtype)
        # Batch normalization keeps numbers of columns, layer normalization numbers of rows.
        kept = [max_rows if net.normalization == "layernorm" else dim for dim in net.hidden_dims]
        self.mean, self.inverse_std = ([np.empty(size, net.dtype) for size in kept] for _ in range(2))
        self.places = np.arange(max_rows)
        self.words = np.empty(GROUP, np.uint32)
        self.no_weights = np.empty(0, net.dtype)
        scalar = net.dtype.type
        self.eps, self.momentum = scalar(EPS), scalar(MOMENTUM)

    def gradients(
        self,
        X: FloatArray | SparseRows,
        y: AnyArray,
        gradients: Parameters,
        step: int,
        weights: FloatArray | None = None,
        thinned: tuple[Parameters, Parameters] | None = None,
        part: BatchPart | None = None,
    ) -> float:
        """Write the gradients of the loss (without the L2 penalty) into `gradients`; return the loss.

        `thinned` are the parameters and the running statistics of a thinned network, in place of the net's: all of its
        units are kept, and scaled as kept units are. Where the rows are a `part` of a minibatch, loss and gradients are
        what they add to those of the whole.
        """
        rows, net = len(X), self.net
        self.part = part
        # The part where batch normalization takes its statistics of the whole minibatch, by sums over all parts.
        self.together = part if part is not None and part.statistics == "global" else None
        self.params, self.running = (net.params, net.running) if thinned is None else thinned
        widths = [self.params[f"b{i}"].size for i in range(1, net.num_layers)]
        self.z, self.h, self.dh = (
            [flat[: rows * width].reshape(rows, width) for flat, width in zip(buffers, widths, strict=True)]
            for buffers in self._buffers
        )
        # Taken from the net at every step, so that attributes assigned later hold here as they do in the layers.
        self.factor = net.dtype.type(1 / (1 - net.dropout) if net.scaling == "inverted" else 1)
        self.threshold = drop_threshold(net.dropout) if thinned is None else np.uint32(0)
        self.keys = np.uint32(net.seed & 0xFFFFFFFF), np.uint32(net.seed >> 32)
        self._forward(X, rows, step)
        loss = self._loss(y, weights, rows, gradients)
        self._backward(X, rows, gradients)
        return loss

    def _forward(self, X: FloatArray | SparseRows, rows: int, step: int) -> None:
        below: FloatArray | SparseRows = X
        places = self.places if self.part is None else self.part.places
        for i, (z, h) in enumerate(zip(self.z, self.h, strict=True)):
            rows_product(below, self.params[f"W{i + 1}"], z)
            self._hidden(i, z, h, (*self.keys, step, i, places))
            below = h
        rows_product(below, self.params[f"W{len(self.z) + 1}"], self.scores[:rows])

    def _hidden(self, i: int, z: FloatArray, h: FloatArray, mask: tuple[Any, ...]) -> None:
        params, number = self.params, i + 1
        drop = (h, self.factor, self.threshold, mask, self.words)
        bias = params[f"b{number}"]
        if self.net.normalization is None:
            hidden.plain_forward(z, bias, *drop)
            return
        norm = (bias, params[f"gamma{number}"], params[f"beta{number}"])
        if self.net.normalization == "layernorm":
            hidden.layernorm_forward(z, *norm, self.eps, self.inverse_std[i], *drop)
            return
        mean, variance = self.mean[i][: bias.size], self.inverse_std[i][: bias.size]
        hidden.column_means(z, self._count(z), mean)
        self._inplace_sum_over_parts(mean)
        hidden.column_variances(z, mean, self._count(z), variance)
        self._inplace_sum_over_parts(variance)
        running = (self.running[f"running_mean{number}"], self.running[f"running_var{number}"], self.momentum)
        hidden.batchnorm_forward(z, *norm, *running, self.eps, mean, variance, *drop)

    def _count(self, z: FloatArray) -> Any:
        """How many rows batch normalization takes its statistics of."""
        return self.net.dtype.type(len(z) if self.together is None else self.together.total)

    def _inplace_sum_over_parts(self, array: FloatArray) -> None:
        if self.together is not None:
            self.together.ranks.inplace_sum(array)

    def _loss(self, y: AnyArray, weights: FloatArray | None, rows: int, gradients: Parameters) -> float:
        """The loss; `scores` becomes its gradient."""
        last, scores = self.net.num_layers, self.scores[:rows]
        bias, dbias = self.params[f"b{last}"], gradients[f"b{last}"]
        if self.part is not None:
            if rows == 0:
                dbias[:] = 0
                return 0.0
            # So that the mean over these rows is what they add to the mean over the whole minibatch.
            fraction = self.net.dtype.type(rows / self.part.total)
            weights = np.full(rows, fraction) if weights is None else weights * fraction
        if self.net.loss_name in losses.KERNELS:
            each = self.no_weights if weights is None else weights
            return float(losses.KERNELS[self.net.loss_name](scores, bias, y, each, dbias))
        np.add(scores, bias, out=scores)
        loss, scores[...] = LOSSES[self.net.loss_name].function(scores, y, weights)
        scores.sum(axis=0, out=dbias)
        return loss

    def _backward(self, X: FloatArray | SparseRows, rows: int, gradients: Parameters) -> None:
        """No gradient is computed for X: nobody asks for it."""
        above = self.scores[:rows]
        for i in range(len(self.z), -1, -1):
            rows_gradient(self.h[i - 1] if i else X, above, gradients[f"W{i + 1}"])
            if i:
                dh = self.dh[i - 1]
                np.matmul(above, self.params[f"W{i + 1}"].T, out=dh)
                self._hidden_backward(i - 1, dh, gradients)
                above = dh

    def _hidden_backward(self, i: int, dh: FloatArray, gradients: Parameters) -> None:
        number, h, z = i + 1, self.h[i], self.z[i]
        dbias = gradients[f"b{number}"]
        if self.net.normalization is None:
            hidden.plain_backward(dh, h, dbias, self.factor)
            return
        gamma, dgamma, dbeta = self.params[f"gamma{number}"], gradients[f"gamma{number}"], gradients[f"beta{number}"]
        if self.net.normalization == "layernorm":
            norm = (gamma, dgamma, dbeta, dbias)
            hidden.layernorm_backward(dh, h, z, self.inverse_std[i], *norm, self.factor)
            return
        mean, inverse_std = self.mean[i][: dbias.size], self.inverse_std[i][: dbias.size]
        hidden.batchnorm_backward_sums(dh, h, z, mean, inverse_std, dgamma, dbeta, dbias, self.factor)
        sums = (dgamma, dbeta)
        if self.together is not None:  # in arrays of their own, since all gradients are added up at the end of the step
            both = np.concatenate(sums)
            self._inplace_sum_over_parts(both)
            sums = both[: dgamma.size], both[dgamma.size :]
        hidden.batchnorm_backward(dh, z, mean, inverse_std, gamma, *sums, self._count(dh))


class FusedScores:
    """Scores in test mode, up to `max_rows` rows at a time through the same buffers.

    Batch normalization and the bias are folded into one scale and one shift for each unit.
    """

    def __init__(self, net: FullyConnectedNet, max_rows: int) -> None:
        self.net = net
        self.z = [np.empty((max_rows, dim), net.dtype) for dim in net.hidden_dims]
        self.out = np.empty((max_rows, net.num_classes), net.dtype)
        self.folded = [self._folded(number) for number in range(1, net.num_layers)]
        self.inverse_std = np.empty(max_rows, net.dtype)  # what layer normalization's kernel keeps for backward
        self.places = np.arange(max_rows)
        self.words = np.empty(GROUP, np.uint32)

    def scores(self, X: FloatArray) -> FloatArray:
        """The (N, num_classes) scores of N <= max_rows rows, overwritten by the next call."""
        params, below = self.net.params, X
        for number, (scale, shift) in enumerate(self.folded, start=1):
            z = self.z[number - 1][: len(X)]
            np.matmul(below, params[f"W{number}"], out=z)
            if self.net.normalization == "layernorm":
                self._layernorm(number, z)
            hidden.inplace_scale_shift_relu(z, scale, shift)
            below = z
        last, out = self.net.num_layers, self.out[: len(X)]
        np.matmul(below, params[f"W{last}"], out=out)
        out += params[f"b{last}"]
        return out

    def _folded(self, number: int) -> tuple[FloatArray, FloatArray]:
        """What is left of bias, normalization and classic scaling: ReLU(z · scale + shift)."""
        params, running = self.net.params, self.net.running
        bias = params[f"b{number}"]
        if self.net.normalization is None:
            scale, shift = np.ones_like(bias), bias
        elif self.net.normalization == "layernorm":
            scale, shift = np.ones_like(bias), np.zeros_like(bias)
        else:
            scale = params[f"gamma{number}"] / np.sqrt(running[f"running_var{number}"] + self.net.dtype.type(EPS))
            shift = params[f"beta{number}"] + (bias - running[f"running_mean{number}"]) * scale
        kept = self.net.dtype.type(1 - self.net.dropout if self.net.scaling == "classic" else 1)
        return scale * kept, shift * kept

    def _layernorm(self, number: int, z: FloatArray) -> None:
        params = self.net.params
        norm = (params[f"b{number}"], params[f"gamma{number}"], params[f"beta{number}"])
        none, mask = self.net.dtype.type(1), (np.uint32(0), np.uint32(0), 0, 0, self.places)
        eps = self.net.dtype.type(EPS)
        hidden.layernorm_forward(z, *norm, eps, self.inverse_std, z, none, np.uint32(0), mask, self.words)
