"""State: the numbers of a net, which training changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thinnet.parameters import Parameters
from thinnet.spec import Spec


@dataclass
class State:
    """Parameters, running statistics, and the number of training steps that have drawn masks.

    Attributes:
        params: W1, b1, (gamma1, beta1), ... in one flat buffer.
        running: batch normalization's running_mean1, running_var1, ..., in the same kind of buffer.
        step: increases by one in each training step.
    """

    params: Parameters
    running: Parameters
    step: int = 0

    @classmethod
    def initial(cls, spec: Spec) -> State:
        """The initial weights, drawn from the seed of a spec; biases 0, γ 1, β 0, running means 0 and variances 1."""
        state = cls.empty(spec)
        generator = np.random.default_rng(spec.seed)
        for name, array in state.params.items():
            if name.startswith("W"):
                scale = np.sqrt(2 / array.shape[0]) if spec.weight_scale == "he" else spec.weight_scale
                array[...] = scale * generator.standard_normal(array.shape)
            elif name.startswith("gamma"):
                array[...] = 1
        for name, array in state.running.items():
            array[...] = name.startswith("running_var")
        return state

    @classmethod
    def empty(cls, spec: Spec) -> State:
        """All zeros."""
        return cls(
            Parameters(spec.shapes(), spec.dtype, spec.order), Parameters(spec.running_shapes(), spec.dtype, "C")
        )

    def like(self, spec: Spec) -> State:
        """A copy in the memory layout and dtype of a spec whose arrays have the same shapes."""
        other = State.empty(spec)
        other.assign(self)
        return other

    def assign(self, other: State) -> None:
        """Copy the values of another state into the buffers of this one."""
        for mine, theirs in ((self.params, other.params), (self.running, other.running)):
            if mine.order == theirs.order:
                mine.flat[:] = theirs.flat
            else:
                mine.update(theirs)
        self.step = other.step

    def copy(self) -> State:
        """A copy with its own buffers."""
        return State(self.params.copy(), self.running.copy(), self.step)
