"""What one step of training does to a model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from thinnet.checks import in_shape
from thinnet.data.dataset import Dataset
from thinnet.data.rows import RowReader
from thinnet.errors import ArgumentError, NumericalError
from thinnet.nets import FullyConnectedNet
from thinnet.numerics import is_sound
from thinnet.optim import Config, FlatOptimizer, Rule
from thinnet.parallel import BatchPart, BatchStatistics, Ranks, on_all_ranks
from thinnet.training.diagnosis import unsound_step
from thinnet.typing import AnyArray, FloatArray, IntArray


class BatchUpdate:
    """One step of a `FullyConnectedNet` on a batch: gradients in a buffer made once, one pass of the optimizer."""

    def __init__(self, net: FullyConnectedNet, optimizer: FlatOptimizer) -> None:
        self.net, self.optimizer = net, optimizer
        self.gradients = net.params.zeros_like()
        self._running = net.running.flat.copy()

    def __call__(
        self, X: FloatArray, y: AnyArray, weights: AnyArray | None, rate: float, part: BatchPart | None = None
    ) -> float:
        """Change the net by one step at the learning rate `rate`; return the loss before it.

        Where the rows are a `part` of a minibatch, all processes that have the others call this, and change their nets
        alike. Where the loss or a gradient is not finite, NumericalError says so, and the net is as it was before.
        """
        net, step = self.net, self.net.step
        self._running[:] = net.running.flat
        with np.errstate(all="ignore"):  # what goes wrong is found below, and said in better words
            if net.thins:
                loss, thinned = net.thinned_gradients(X, y, weights=weights, part=part)
                gradients, thinning = thinned.gradients, thinned.thinning
            else:
                loss = net.inplace_gradients(X, y, self.gradients, weights=weights, part=part)
                gradients, thinning = self.gradients, None
            if not is_sound(loss, gradients):
                whole = (X, y) if part is None else (part.whole(X), part.whole(y))
                error = unsound_step(net, *whole, step=step, loss=loss, learning_rate=rate)
                net.running.flat[:], net.step = self._running, step
                raise on_all_ranks(error)
            if thinning is None:
                self.optimizer.inplace_update(net.params.flat, gradients.flat, rate)
            else:
                self.optimizer.inplace_update_part(net.params.flat, gradients.flat, thinning, rate)
        return loss


class NetUpdate:
    """One step of a `FullyConnectedNet` on rows of a data set."""

    def __init__(
        self,
        net: FullyConnectedNet,
        data: Dataset,
        batch_size: int,
        update_rule: str,
        optim_config: Config | None,
        ranks: Ranks,
        statistics: BatchStatistics,
    ) -> None:
        self.check_finite = True
        self.data, self.ranks, self.statistics = data, ranks, statistics
        self.reader = RowReader(data, "train", batch_size, net.dtype)
        self.optimizer = FlatOptimizer(update_rule, optim_config, like=net.params.flat)
        self._update = BatchUpdate(net, self.optimizer)

    def __call__(self, rows: IntArray, factor: float) -> float:
        """Change the net by one step on these training rows; return the loss before it."""
        rate = self.optimizer.options["learning_rate"] * factor
        part = None
        if self.ranks.size > 1:
            total = len(rows)
            places, rows = self.data.held("train", rows)
            part = BatchPart(places, total, self.ranks, self.statistics)
        return self._update(*self.reader.read(rows), self.reader.weights(rows), rate, part)


class ModelUpdate:
    """One step of any model with a mapping ``params`` and ``loss(X, y) -> (loss, gradients)``."""

    def __init__(
        self,
        model: Any,
        data: Dataset,
        update_rule: str | Rule,
        optim_config: Config | None,
        check_finite: bool,
    ) -> None:
        if data.weights is not None:
            raise ArgumentError(
                "data must have weights=None for a model that is not a FullyConnectedNet trained by a rule's name, got "
                "weights. Such a model has no argument for them: let it weigh its own loss."
            )
        self.model, self.data, self.check_finite = model, data, check_finite
        if not isinstance(update_rule, str) and (isinstance(update_rule, type) or not callable(update_rule)):
            raise ArgumentError(
                f"update_rule must be a name in thinnet.optim.OPTIMIZERS or a function (w, dw, config) -> (w, config), "
                f"got {update_rule!r}. Use 'adam', for example."
            )
        if not isinstance(optim_config, Mapping | None):
            raise ArgumentError(
                f"optim_config must be a mapping, got {optim_config!r}. Write {{'learning_rate': 1e-3}}, for example."
            )
        self._steps = 0
        self.rules: dict[str, _NamedRule | _CallableRule] = {
            name: _NamedRule(update_rule, optim_config, w)
            if isinstance(update_rule, str)
            else _CallableRule(update_rule, optim_config)
            for name, w in model.params.items()
        }

    def __call__(self, rows: IntArray, factor: float) -> float:
        """Change the model by one step on these training rows; return the loss before it."""
        loss, gradients = _loss_and_gradients(self.model.loss(*model_batch(self.model, self.data, "train", rows)))
        self._steps += 1
        if self.check_finite and not math.isfinite(loss):
            raise NumericalError(
                f"In step {self._steps}, the loss became {loss}. Likely cause: a learning rate that is too large, or "
                f"data that are not standardized. The model has the weights from before this step."
            )
        for name, rule in self.rules.items():
            w = self.model.params[name]
            self.model.params[name] = rule(w, _checked_gradient(name, w, gradients), factor)
        return loss


def checked_model(model: Any) -> Any:
    """The model, if it is one."""
    has_both = isinstance(getattr(model, "params", None), Mapping) and callable(getattr(model, "loss", None))
    if isinstance(model, type) or not has_both:
        raise ArgumentError(
            f"model must be an object with a mapping params and a method loss, got {model!r}. Pass a "
            f"FullyConnectedNet, for example."
        )
    return model


def _loss_and_gradients(result: Any) -> tuple[float, Mapping[str, Any]]:
    """What a model's loss(X, y) gave, if it is a number and a mapping."""
    pair = isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Mapping)
    if not pair or np.ndim(result[0]) or not isinstance(result[0], Real | np.ndarray):
        raise ArgumentError(
            f"the model's loss(X, y) must return a pair of a number and a mapping of gradients, got "
            f"{type(result).__name__}. Mend what it returns."
        )
    return float(result[0]), result[1]


def _checked_gradient(name: str, w: Any, gradients: Any) -> Any:
    """The gradient of one parameter, if it has that parameter's shape, or is a vector for a row."""
    dw = gradients.get(name)
    dw = in_shape(dw, w.shape) if isinstance(dw, np.ndarray) else dw
    if not isinstance(dw, np.ndarray) or dw.shape != w.shape or dw.dtype.kind != "f":
        came = f"{dw.dtype} of shape {dw.shape}" if isinstance(dw, np.ndarray) else repr(dw)
        raise ArgumentError(
            f"the model's gradients[{name!r}] must be an array of floats of shape {w.shape}, as params[{name!r}] is, "
            f"got {came}. Mend what the model's loss() returns."
        )
    return dw


class _NamedRule:
    """A rule of `thinnet.optim` for one array."""

    def __init__(self, update_rule: str, optim_config: Config | None, w: Any) -> None:
        self.optimizer = FlatOptimizer(update_rule, optim_config, like=w.ravel())

    def __call__(self, w: Any, dw: Any, factor: float) -> Any:
        flat = w.flatten()
        dw = np.ascontiguousarray(dw, flat.dtype).ravel()
        self.optimizer.inplace_update(flat, dw, self.optimizer.options["learning_rate"] * factor)
        return flat.reshape(w.shape)


class _CallableRule:
    """A function ``(w, dw, config) -> (w, config)`` for one array; it may put a learning rate of its own in place."""

    def __init__(self, rule: Rule, optim_config: Config | None) -> None:
        self.rule, self.config = rule, dict(optim_config or {})
        self.learning_rate = self.config.get("learning_rate")

    def __call__(self, w: Any, dw: Any, factor: float) -> Any:
        if self.learning_rate is not None:
            self.config["learning_rate"] = self.learning_rate * factor
        result = self.rule(w, dw, self.config)
        if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict)):
            raise ArgumentError(
                f"update_rule must return a pair (w, config), got {type(result).__name__}. End the function with "
                f"`return w, config`."
            )
        new, self.config = result
        if not isinstance(new, np.ndarray) or new.shape != w.shape:
            came = f"shape {new.shape}" if isinstance(new, np.ndarray) else type(new).__name__
            raise ArgumentError(
                f"update_rule must return weights of shape {w.shape}, as it was given, got {came}. Mend the function."
            )
        if self.learning_rate is None:
            self.learning_rate = self.config.get("learning_rate")
        return new


def model_batch(model: Any, data: Dataset, split: str, rows: IntArray) -> tuple[Any, Any]:
    """Rows and labels as a model takes them: in its dtype where it has one, as images unless it is ours."""
    own = isinstance(model, FullyConnectedNet)
    floats = data.X_train.dtype if data.X_train.dtype.kind == "f" else "float32"
    X, y = data.batch(split, rows, getattr(model, "dtype", floats))
    return (X if own or data.image_shape is None else X.reshape(-1, *data.image_shape)), y
