"""The weights of a model: copies of them to go back to, the best ones and the last ones that were finite."""

import copy
from typing import Any

import numpy as np

from thinnet.errors import NumericalError, on_all_processes
from thinnet.nets import FullyConnectedNet
from thinnet.numerics import first_wrong


def snapshot(model: Any) -> Any:
    """A copy of everything that inference depends on: parameters and running statistics; of several models, a list."""
    if isinstance(model, list):
        return [snapshot(each) for each in model]
    if isinstance(model, FullyConnectedNet):
        return {"params": model.params.copy(), "running": model.running.copy()}
    return copy.deepcopy({name: getattr(model, name) for name in ("params", "bn_params") if hasattr(model, name)})


def make_writable(model: Any) -> None:
    """Copy what training is about to change in place and must not: read-only arrays, and files seen as arrays."""
    if isinstance(model, FullyConnectedNet):
        model.params.make_writable()
        model.running.make_writable()


def restore(model: Any, kept: Any) -> None:
    """Put a model, or several, back as `snapshot` kept them."""
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
    """The parameter with the largest element, and how large that is."""
    sizes = {name: float(np.abs(array).max(initial=0)) for name, array in model.params.items()}
    name = max(sizes, key=lambda name: sizes[name])
    return f"{name}, up to {sizes[name]:.2g}"


class KeptWeights:
    """Copies of a model's weights: the best ones by a score, and the last ones that held neither NaN nor infinity.

    Args:
        model: the model that is trained.
        watched: whether finite weights are kept, and others refused.

    Attributes:
        best: a snapshot of the weights that had the highest score, or None before there is one.
        best_score: that score.
    """

    def __init__(self, model: Any, watched: bool = True) -> None:
        self.model, self.watched = model, watched
        self.best: Any = None
        self.best_score: float | None = None
        self._finite: Any = None

    def offer(self, score: float) -> None:
        """Keep the weights as they are now if their score, higher is better, exceeds those before."""
        if self.best_score is None or score > self.best_score:
            self.best_score, self.best = score, snapshot(self.model)

    def restore_best(self) -> None:
        """Give the model the best weights, if any were kept."""
        if self.best is not None:
            restore(self.model, self.best)

    def keep_finite(self) -> None:
        """Keep weights that were evaluated, the best ones, or else those as they are now, if they are finite."""
        if self.watched:
            self._finite = self.best or (snapshot(self.model) if self._wrong() is None else None)

    def keep_first(self) -> None:
        """Keep the weights as they are now, unless some are kept already."""
        if self._finite is None:
            self.keep_finite()

    def restore_finite(self) -> None:
        """Give the model the finite weights that were kept, if there are any."""
        if self._finite is not None:
            restore(self.model, self._finite)

    def restored_if_wrong(self) -> bool:
        """Do so if those that the model has are not finite; whether that was done."""
        if self._wrong() is None or self._finite is None:
            return False
        self.restore_finite()
        return True

    def check(self, step: int, loss: float) -> None:
        """Raise NumericalError before weights that are NaN or infinite are evaluated, kept or written."""
        if self.watched and (wrong := self._wrong()):
            self.restore_finite()
            text = (
                f"Step {step}, whose loss was {loss:g}, left {wrong}. Likely cause: a learning rate or an L2 penalty "
                f"that is too large, or inputs that are not standardized. The model "
                f"{'has these weights' if self._finite is None else 'was given the last good weights'}."
            )
            raise on_all_processes(NumericalError(text))

    def _wrong(self) -> str | None:
        """The first parameter or running statistic that is not finite, and what it holds."""
        running = self.model.running if isinstance(self.model, FullyConnectedNet) else {}
        for name, array in (*self.model.params.items(), *running.items()):
            if not np.isfinite(array).all():
                return f"{name} with {first_wrong(array)}"
        return None
