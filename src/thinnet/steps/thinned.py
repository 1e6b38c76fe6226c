"""A step on the thinned network: gather the kept units' part of every array, and compute with it in another step."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from thinnet.parameters import Parameters
from thinnet.spec import Spec
from thinnet.state import State
from thinnet.steps.base import Batch, Gradients, Step
from thinnet.thinning import KeptUnits, Thinning
from thinnet.typing import BoolArray

KeepUnits = Callable[..., BoolArray]  # as `thinnet.masks.keep_units`


class ThinnedStep:
    """Gather the thinned network, let `inner` compute with it, and scatter its running statistics back.

    Dropped units are not computed at all, and the L2 penalty covers only the weights that take part.

    Args:
        spec: of the whole net; all rows drop the same units.
        inner: computes the smaller net.
        keep_units: draws which units of a layer are kept.
        kernel: copies, as for `thinnet.thinning.Thinning`.
    """

    def __init__(self, spec: Spec, inner: Step, keep_units: KeepUnits, kernel: Any = None) -> None:
        self.spec, self.max_rows, self.team = spec, inner.max_rows, inner.team
        self._inner, self._keep_units = inner, keep_units
        self._kept = KeptUnits(spec.dims)
        self._params = Thinning(self._kept, spec.shapes(), spec.order, kernel)
        self._running = Thinning(self._kept, spec.running_shapes(), kernel=kernel)
        whole = State.empty(spec)
        self._buffers = whole.params.flat, whole.running.flat

    def compute(self, state: State, batch: Batch, *, may_be_late: bool = False) -> Gradients:
        """The loss of a batch, and the gradients of the part of each array that is used."""
        draw = {"seed": self.spec.seed, "step": batch.step}
        for layer, dim in enumerate(self.spec.hidden_dims):
            self._kept.select(layer + 1, self._keep_units(self.spec.dropout, dim, layer=layer, **draw))
        params, running = self._buffers
        thin = State(
            Parameters(self._params.shapes(), self.spec.dtype, self.spec.order, params),
            Parameters(self._running.shapes(), self.spec.dtype, flat=running),
        )
        self._params.gather(state.params.flat, thin.params.flat, self.team)
        self._running.gather(state.running.flat, thin.running.flat)
        computed = self._inner.compute(thin, replace(batch, keeps_all=True))
        self._running.scatter(thin.running.flat, state.running.flat)
        return computed._replace(thinning=self._params)
