"""One training step of a model that is not ours, array by array, with a named or custom optimizer."""

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from thinnet.checks import in_shape, kind_of, shown
from thinnet.data.batches import BatchOrder
from thinnet.data.dataset import Dataset
from thinnet.errors import ArgumentError, NumericalError
from thinnet.nets import FullyConnectedNet
from thinnet.optim import Config, FlatOptimizer, Rule
from thinnet.teams import ONE_THREAD
from thinnet.training.loop import Factors
from thinnet.training.model_batch import model_batch
from thinnet.typing import IntArray


class ModelUpdate:
    """One step of any model with a mapping ``params`` and ``loss(X, y) -> (loss, gradients)``."""

    team = ONE_THREAD  # as in `thinnet.training.net_update.NetUpdate`

    def __init__(
        self,
        model: Any,
        data: Dataset,
        order: BatchOrder,
        optimizer: str | Rule,
        options: Config,
    ) -> None:
        if data.weights is not None:
            raise ArgumentError(
                "data must have weights=None unless the model is a FullyConnectedNet and optimizer a name, got "
                "weights. Other models take no weights: apply them in the model's own loss."
            )
        self.model, self.data, self.order = model, data, order
        self._training = {"training": True} if isinstance(model, FullyConnectedNet) else {}
        self.rules: dict[str, _NamedRule | CallableRule] = {
            name: _NamedRule(optimizer, options, w) if isinstance(optimizer, str) else CallableRule(optimizer, options)
            for name, w in _checked_params(model, by_name=isinstance(optimizer, str)).items()
        }

    def __call__(self, rows: IntArray, factors: Factors, step: int) -> float:
        """Update the model by one step on these training rows, augmented for it; return the loss before the step."""
        draws = {"seed": self.order.seed, "step": step, "epoch": self.order.epoch(step)}
        X, y = model_batch(self.model, self.data, "train", rows, **draws)
        loss, gradients = loss_and_gradients(self.model.loss(X, y, **self._training))
        if not math.isfinite(loss):
            raise NumericalError(
                f"In step {step + 1}, the loss became {loss}. Likely cause: a learning rate that is too large, or "
                f"data that are not standardized. The model has the weights from before this step."
            )
        for name, rule in self.rules.items():
            w = self.model.params[name]
            self.model.params[name] = rule(w, checked_gradient(name, w, gradients), factors)
        return loss


def checked_model(model: Any) -> Any:
    """The model, after checking that it has the required interface."""
    has_both = isinstance(getattr(model, "params", None), Mapping) and callable(getattr(model, "loss", None))
    if isinstance(model, type) or not has_both:
        fix = "Pass a FullyConnectedNet, for example."
        if isinstance(model, Dataset | Mapping):
            fix = "The net comes before the data: write Solver(net, data)."
        raise ArgumentError(
            f"model must be an object with a mapping params and a method loss, got {shown(model)}. {fix}"
        )
    return model


def _checked_params(model: Any, *, by_name: bool) -> Mapping[str, Any]:
    """The parameters of a model, which must be float arrays; for a named optimizer, float32 or float64."""
    for name, w in model.params.items():
        wide = isinstance(w, np.ndarray) and w.dtype.kind == "f"
        if not wide or (by_name and w.dtype not in (np.float32, np.float64)):
            came = f"dtype {w.dtype}" if isinstance(w, np.ndarray) else kind_of(w)
            raise ArgumentError(
                f"params[{name!r}] must be a NumPy array of {'float32 or float64' if by_name else 'floats'}, got "
                f"{came}. Convert it with np.asarray(params[{name!r}], dtype=np.float64)."
            )
    params: Mapping[str, Any] = model.params
    return params


def loss_and_gradients(result: Any) -> tuple[float, Mapping[str, Any]]:
    """The result of a model's loss(X, y), which must be a number and a mapping."""
    pair = isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Mapping)
    if not pair or np.ndim(result[0]) or not isinstance(result[0], Real | np.ndarray):
        raise ArgumentError(
            f"the model's loss(X, y) must return a pair of a number and a mapping of gradients, got "
            f"{kind_of(result)}. Fix what it returns."
        )
    return float(result[0]), result[1]


def checked_gradient(name: str, w: Any, gradients: Any) -> Any:
    """The gradient of one parameter, which must have its shape; (M,) and (1, M) are interchangeable."""
    dw = gradients.get(name)
    dw = in_shape(dw, w.shape) if isinstance(dw, np.ndarray) else dw
    if not isinstance(dw, np.ndarray) or dw.shape != w.shape or dw.dtype.kind != "f":
        came = f"{dw.dtype} of shape {dw.shape}" if isinstance(dw, np.ndarray) else repr(dw)
        raise ArgumentError(
            f"the model's gradients[{name!r}] must be an array of floats of shape {w.shape}, as params[{name!r}] is, "
            f"got {came}. Fix what the model's loss() returns."
        )
    return dw


class _NamedRule:
    """An optimizer from `thinnet.optim`, for one array."""

    def __init__(self, name: str, options: Config, w: Any) -> None:
        self.optimizer = FlatOptimizer(name, options, like=w.ravel())

    def __call__(self, w: Any, dw: Any, factors: Factors) -> Any:
        flat = w.flatten()
        dw = np.ascontiguousarray(dw, flat.dtype).ravel()
        self.optimizer.inplace_update(flat, dw, self.optimizer.scheduled(factors))
        return flat.reshape(w.shape)


class CallableRule:
    """A function ``(w, dw, config) -> (w, config)`` for one array; it may set its own learning rate."""

    def __init__(self, rule: Rule, options: Config) -> None:
        self.rule, self.config = rule, dict(options)
        self._configured: Config = {}

    def __call__(self, w: Any, dw: Any, factors: Factors) -> Any:
        self._keep_configured(factors)
        known = self._configured
        self.config |= {name: known[name] * factor for name, factor in factors.items() if name in known}
        result = self.rule(w, dw, self.config)
        if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict)):
            raise ArgumentError(
                f"optimizer must return a pair (w, config), got {kind_of(result)}. End the function with "
                f"`return w, config`."
            )
        new, self.config = result
        if not isinstance(new, np.ndarray) or new.shape != w.shape:
            came = f"shape {new.shape}" if isinstance(new, np.ndarray) else kind_of(new)
            raise ArgumentError(
                f"optimizer must return weights of shape {w.shape}, as it was given, got {came}. Fix the function."
            )
        self._keep_configured(factors)
        return new

    def _keep_configured(self, factors: Factors) -> None:
        """Remember the original values of the hyperparameters that have factors."""
        found = {name: self.config[name] for name in factors if self.config.get(name) is not None}
        self._configured = found | self._configured
