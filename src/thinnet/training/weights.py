"""The weights of a model: copies of them, and the last sound ones, to go back to where a step spoils them."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from thinnet.errors import NumericalError
from thinnet.nets import FullyConnectedNet
from thinnet.numerics import first_wrong
from thinnet.parallel import on_all_ranks


def snapshot(model: Any) -> Any:
    """A copy of everything that inference depends on: parameters and running statistics."""
    if isinstance(model, FullyConnectedNet):
        return {"params": model.params.copy(), "running": model.running.copy()}
    return copy.deepcopy({name: getattr(model, name) for name in ("params", "bn_params") if hasattr(model, name)})


def make_writable(model: Any) -> None:
    """Copy what training is about to change in place and must not: read-only arrays, and files seen as arrays."""
    if isinstance(model, FullyConnectedNet):
        model.params.make_writable()
        model.running.make_writable()


def restore(model: Any, kept: Any) -> None:
    """Put a model back as it was when `snapshot` kept it."""
    make_writable(model)
    if isinstance(model, FullyConnectedNet):
        model.params.flat[:], model.running.flat[:] = kept["params"].flat, kept["running"].flat
        return
    for name, value in copy.deepcopy(kept).items():
        setattr(model, name, value)


def largest(model: Any) -> str:
    """The parameter with the largest element, and how large that is."""
    sizes = {name: float(np.abs(array).max(initial=0)) for name, array in model.params.items()}
    name = max(sizes, key=lambda one: sizes[one])
    return f"{name}, up to {sizes[name]:.2g}"


class SoundWeights:
    """The last weights of a model that held neither NaN nor infinity.

    Args:
        model: the model that is trained.
        watched: whether anything is kept and checked at all.
    """

    def __init__(self, model: Any, watched: bool) -> None:
        self.model, self.watched = model, watched
        self._kept: Any = None

    def keep(self, best: Any = None) -> None:
        """Keep `best`, a snapshot that was evaluated, or else the weights as they are now, if they are sound."""
        if self.watched:
            self._kept = best or (snapshot(self.model) if self._wrong() is None else None)

    def keep_first(self) -> None:
        """Keep the weights as they are now, unless some are kept already."""
        if self._kept is None:
            self.keep()

    def put_back(self) -> bool:
        """Give the model the weights that were kept; False where there are none."""
        if self._kept is not None:
            restore(self.model, self._kept)
        return self._kept is not None

    def put_back_if_wrong(self) -> bool:
        """The same, if those that the model has are not sound; whether that was done."""
        return self._wrong() is not None and self.put_back()

    def check(self, step: int, loss: float) -> None:
        """Raise NumericalError before weights that are NaN or infinite are evaluated, kept or written."""
        if self.watched and (wrong := self._wrong()):
            text = (
                f"Step {step}, whose loss was {loss:g}, left {wrong}. Likely cause: a learning rate or an L2 penalty "
                f"that is too large, or inputs that are not standardized. The model has these weights."
            )
            raise on_all_ranks(NumericalError(text))

    def _wrong(self) -> str | None:
        """The first parameter or running statistic that is not finite, and what it holds."""
        running = self.model.running if isinstance(self.model, FullyConnectedNet) else {}
        for name, array in (*self.model.params.items(), *running.items()):
            if not np.isfinite(array).all():
                return f"{name} with {first_wrong(array)}"
        return None
