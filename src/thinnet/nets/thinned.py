"""One step on the thinned network: the kept units' part of every array, gathered, computed with, and scattered back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from thinnet import kernels
from thinnet.masks import drop_threshold, keep_units
from thinnet.nets import layered
from thinnet.parallel import BatchPart
from thinnet.parameters import Parameters
from thinnet.sparse_rows import SparseRows
from thinnet.thinning import KeptUnits, Thinning
from thinnet.typing import AnyArray, BoolArray, FloatArray

if TYPE_CHECKING:
    from thinnet.nets.fully_connected import FullyConnectedNet


class ThinnedStep:
    """Loss and gradients of a net whose rows all drop the same units, over buffers that are made once.

    With the kernels, dropped units are not computed at all: what remains is a smaller net with weights of its own.
    Without them, the layers compute the whole net with that mask, and the part is taken from their gradients; the
    result is the same.

    Attributes:
        thinning: the units kept in the last step.
        params, gradients: the part of the net's parameters that took part in it, and the gradients of that part.
    """

    def __init__(self, net: FullyConnectedNet, max_rows: int) -> None:
        self.net, self.max_rows = net, max_rows
        self._kept = KeptUnits((net.input_dim, *net.hidden_dims, net.num_classes))
        self.thinning = Thinning(self._kept, net.params.shapes, net.params.order)
        self._running = Thinning(self._kept, net.running.shapes)
        self._buffers = [np.empty_like(like.flat) for like in (net.params, net.params, net.running)]
        if kernels.available():
            from thinnet.nets.fused import FusedStep

            self._fused = FusedStep(net, max_rows)

    def compute(
        self,
        X: FloatArray | SparseRows,
        y: AnyArray,
        step: int,
        weights: FloatArray | None = None,
        part: BatchPart | None = None,
    ) -> float:
        """Compute `params` and `gradients` for a batch with the masks of `step`; return the loss with its L2 penalty.

        The penalty is that of the weights which take part.
        """
        net = self.net
        for i, dim in enumerate(net.hidden_dims):
            self._kept.select(i + 1, self._keep_units(dim, step, layer=i))
        shapes = self.thinning.shapes()
        params, gradients, running = self._buffers
        self.params = Parameters(shapes, net.dtype, net.params.order, params)
        self.gradients = Parameters(shapes, net.dtype, net.params.order, gradients)
        self.running = Parameters(self._running.shapes(), net.dtype, flat=running)
        self.thinning.gather(net.params.flat, self.params.flat)
        loss = self._thin(X, y, weights, part) if net.uses_kernels else self._whole(X, y, weights, step)
        if part is not None:
            loss = part.inplace_add_up(loss, self.gradients.flat, self.running.flat)
        self._running.scatter(self.running.flat, net.running.flat)
        return loss + net.inplace_add_penalty(self.params, self.gradients)

    def _keep_units(self, dim: int, step: int, layer: int) -> BoolArray:
        net = self.net
        if not net.uses_kernels:
            return keep_units(net.dropout, dim, seed=net.seed, step=step, layer=layer)
        from thinnet.kernels.philox import fill_words

        words = np.empty((1, dim), np.uint32)
        fill_words(words, np.uint32(net.seed & 0xFFFFFFFF), np.uint32(net.seed >> 32), step, layer, 0)
        keep: BoolArray = words[0] >= drop_threshold(net.dropout)
        return keep

    def _thin(
        self, X: FloatArray | SparseRows, y: AnyArray, weights: FloatArray | None, part: BatchPart | None
    ) -> float:
        self._running.gather(self.net.running.flat, self.running.flat)
        thinned = self.params, self.running
        return self._fused.gradients(X, y, self.gradients, 0, weights, thinned=thinned, part=part)

    def _whole(self, X: FloatArray | SparseRows, y: AnyArray, weights: FloatArray | None, step: int) -> float:
        net = self.net
        gradients, before = net.params.zeros_like(), net.running.copy()
        loss = layered.gradients(net, X, y, gradients, step, weights)
        self.thinning.gather(gradients.flat, self.gradients.flat)
        self._running.gather(net.running.flat, self.running.flat)
        net.running.flat[:] = before.flat  # the statistics of dropped units stay as they were
        return loss
