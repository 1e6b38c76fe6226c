"""Saved copies of a model's weights: the best ones, and the last ones that were finite."""

import copy
from typing import Any

import numpy as np

from thinnet.errors import NumericalError, on_all_processes
from thinnet.nets import FullyConnectedNet
from thinnet.numerics import first_wrong


def snapshot(model: Any) -> Any:
    """A copy of all that inference depends on: parameters and running statistics; for several models, a list."""
    if isinstance(model, list):
        return [snapshot(each) for each in model]
    if isinstance(model, FullyConnectedNet):
        return {"params": model.params.copy(), "running": model.running.copy()}
    return copy.deepcopy({name: getattr(model, name) for name in ("params", "bn_params") if hasattr(model, name)})


def make_writable(model: Any) -> None:
    """Copy arrays that training must not change in place: read-only and memory-mapped ones."""
    if isinstance(model, FullyConnectedNet):
        model.params.make_writable()
        model.running.make_writable()


def restore(model: Any, kept: Any) -> None:
    """Restore a model, or several, from what `snapshot` returned."""
    if isinstance(model, list):
        for each, its in zip(model, kept, strict=True):
            restore(each, its)
        return
    make_writable(model)
    if isinstance(model, FullyConnectedNet):
        model.params.flat[:], model.running.flat[:] = kept["params"].flat, kept["running"].flat
        return
    for name, value in copy.deepcopy(kept).items():
        setattr(model, name, value)


def largest(model: Any) -> str:
    """The name of the parameter with the largest element, and its magnitude, as text."""
    sizes = {name: float(np.abs(array).max(initial=0)) for name, array in model.params.items()}
    name = max(sizes, key=lambda name: sizes[name])
    return f"{name}, up to {sizes[name]:.2g}"


class KeptWeights:
    """Copies of a model's weights: the best ones by a score, and the last ones without NaN or infinity.

    Args:
        model: the model being trained.
        watched: whether to save finite weights and reject others.

    Attributes:
        best: a snapshot of the weights with the highest score, or None before there is one.
        best_score: that score.
    """

    def __init__(self, model: Any, watched: bool = True) -> None:
        self.model, self.watched = model, watched
        self.best: Any = None
        self.best_score: float | None = None
        self._finite: Any = None

    def offer(self, score: float) -> None:
        """Save the current weights if their score is the highest so far."""
        if self.best_score is None or score > self.best_score:
            self.best_score, self.best = score, snapshot(self.model)

    def restore_best(self) -> None:
        """Restore the best weights, if any were saved."""
        if self.best is not None:
            restore(self.model, self.best)

    def keep_finite(self) -> None:
        """Save weights known to be finite: the best ones, or else the current ones if they are finite."""
        if self.watched:
            self._finite = self.best or (snapshot(self.model) if self._wrong() is None else None)

    def keep_first(self) -> None:
        """Save the current weights, unless finite ones are saved already."""
        if self._finite is None:
            self.keep_finite()

    def restore_finite(self) -> None:
        """Restore the saved finite weights, if any."""
        if self._finite is not None:
            restore(self.model, self._finite)

    def restored_if_wrong(self) -> bool:
        """Restore the finite weights if the current ones are not finite; return whether it did."""
        if self._wrong() is None or self._finite is None:
            return False
        self.restore_finite()
        return True

    def check(self, step: int, loss: float) -> None:
        """Raise NumericalError before NaN or infinite weights are evaluated, saved or written."""
        if self.watched and (wrong := self._wrong()):
            self.restore_finite()
            text = (
                f"Step {step}, whose loss was {loss:g}, left {wrong}. Likely cause: a learning rate or an L2 penalty "
                f"that is too large, or inputs that are not standardized. The model "
                f"{'has these weights' if self._finite is None else 'was given the last good weights'}."
            )
            raise on_all_processes(NumericalError(text))

    def _wrong(self) -> str | None:
        """The first parameter or running statistic that is not finite, and its bad value; None if there is none."""
        running = self.model.running if isinstance(self.model, FullyConnectedNet) else {}
        for name, array in (*self.model.params.items(), *running.items()):
            if not np.isfinite(array).all():
                return f"{name} with {first_wrong(array)}"
        return None
