"""The courses' nets, built on whatever module of layer functions is next to them."""

from collections.abc import Callable
from inspect import Parameter, Signature
from types import ModuleType
from typing import Any

import numpy as np

from thinnet.checks import check_choice
from thinnet.course.dialects import ARGUMENTS, DIALECTS, Activation, Dialect, active
from thinnet.course.layers import affine_backward, affine_parameters_backward
from thinnet.errors import DialectError
from thinnet.typing import AnyArray, FloatArray


class Replaceable:
    """The functions of the module `layers`, except those that have since been replaced in the namespace `names`."""

    def __init__(self, names: dict[str, Any], layers: ModuleType) -> None:
        self._names, self._first, self._layers = names, dict(names), layers

    def __getattr__(self, name: str) -> Any:
        own = self._names.get(name)
        return getattr(self._layers, name) if own is self._first.get(name) else own


class FullyConnectedNet:
    """{affine → batch or layer normalization → ReLU → dropout} × (L − 1) → affine → softmax, in a dialect.

    The arguments for dropout and normalization are named as in the dialect in force.  `layers` is the module whose
    functions are called, so that a student's own layers are used if there are any.

    Raises:
        DialectError: if no dialect is in force, or an argument belongs to another dialect.
    """

    layers: ModuleType  # set by each package's class, as is `functions`
    functions: Replaceable
    activation: Callable[[], Activation] = staticmethod(active)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        dialect = type(self).activation().dialect
        given = _bind(dialect, args, kwargs)
        p = given[dialect.dropout_argument]
        self.normalization = _normalization(given[dialect.normalization_argument])
        self.use_batchnorm = self.normalization == "batchnorm"
        self.use_dropout = p not in dialect.none
        self.reg = given["reg"]
        self.dtype = given["dtype"]
        dims = [given["input_dim"], *given["hidden_dims"], given["num_classes"]]
        self.num_layers = len(dims) - 1
        self.params = self._initial(dims, given["weight_scale"])
        self.dropout_param: dict[str, Any] = {}
        if self.use_dropout:
            dialect.rate(p, kwargs)  # rejects an invalid probability here, not in the first step
            self.dropout_param = {"mode": "train", "p": p}
            if given["seed"] is not None:
                self.dropout_param["seed"] = given["seed"]
        self.bn_params: list[dict[str, Any]] = [{"mode": "train"} for _ in dims[1:-1]] if self.normalization else []

    def _initial(self, dims: list[int], weight_scale: float) -> dict[str, FloatArray]:
        """Weights drawn from NumPy's global generator, layer by layer, as in the courses' solutions."""
        params: dict[str, Any] = {}
        for i in range(1, self.num_layers + 1):
            params[f"W{i}"] = weight_scale * np.random.randn(dims[i - 1], dims[i])
            params[f"b{i}"] = np.zeros(dims[i])
            if self.normalization and i < self.num_layers:
                params[f"gamma{i}"], params[f"beta{i}"] = np.ones(dims[i]), np.zeros(dims[i])
        return {name: array.astype(self.dtype) for name, array in params.items()}

    def loss(self, X: AnyArray, y: AnyArray | None = None) -> Any:
        """Scores in test mode for ``loss(X)``; the loss and the dict of gradients for ``loss(X, y)``."""
        for param in (self.dropout_param, *self.bn_params):
            param["mode"] = "test" if y is None else "train"
        scores, caches = self._forward(np.asarray(X).astype(self.dtype, copy=False))
        if y is None:
            return scores
        loss, dscores = self.functions.softmax_loss(scores, y)
        gradients = self._backward(dscores, caches)
        return loss + add_penalty(self.params, gradients, self.reg), gradients

    def _forward(self, h: FloatArray) -> tuple[FloatArray, list[Any]]:
        params, layers, caches = self.params, self.functions, []
        for i in range(1, self.num_layers):
            norm_cache = dropout_cache = None
            h, affine_cache = layers.affine_forward(h, params[f"W{i}"], params[f"b{i}"])
            if self.normalization:
                norm = getattr(layers, f"{self.normalization}_forward")
                h, norm_cache = norm(h, params[f"gamma{i}"], params[f"beta{i}"], self.bn_params[i - 1])
            h, relu_cache = layers.relu_forward(h)
            if self.use_dropout:
                h, dropout_cache = layers.dropout_forward(h, self.dropout_param)
            caches.append((affine_cache, norm_cache, relu_cache, dropout_cache))
        scores, affine_cache = layers.affine_forward(h, params[f"W{self.num_layers}"], params[f"b{self.num_layers}"])
        return scores, [*caches, affine_cache]

    def _backward(self, dscores: FloatArray, caches: list[Any]) -> dict[str, FloatArray]:
        layers, last = self.functions, self.num_layers
        gradients: dict[str, FloatArray] = {}
        dh, gradients[f"W{last}"], gradients[f"b{last}"] = layers.affine_backward(dscores, caches[-1])
        for i in range(last - 1, 0, -1):
            affine_cache, norm_cache, relu_cache, dropout_cache = caches[i - 1]
            if self.use_dropout:
                dh = layers.dropout_backward(dh, dropout_cache)
            dh = layers.relu_backward(dh, relu_cache)
            if self.normalization:
                norm = getattr(layers, f"{self.normalization}_backward")
                dh, gradients[f"gamma{i}"], gradients[f"beta{i}"] = norm(dh, norm_cache)
            alone = i == 1 and layers.affine_backward is affine_backward  # ours, and X needs no gradient
            backward = affine_parameters_backward if alone else layers.affine_backward
            dh, gradients[f"W{i}"], gradients[f"b{i}"] = backward(dh, affine_cache)
        return gradients


class TwoLayerNet(FullyConnectedNet):
    """affine → ReLU → affine → softmax, in float64; its arguments are named as in the dialect in force."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        dialect = type(self).activation().dialect
        nndl = dialect.package == "nndl"
        hidden = "hidden_dims" if nndl else "hidden_dim"
        defaults: dict[str, Any] = {"input_dim": 3 * 32 * 32, hidden: 100, "num_classes": 10}
        defaults |= {"dropout": dialect.dropout_default} if nndl else {}
        given = _arguments("TwoLayerNet", defaults | {"weight_scale": 1e-3, "reg": 0.0}, args, kwargs)
        super().__init__([given.pop(hidden)], dtype=np.float64, **given)


def add_penalty(params: dict[str, FloatArray], gradients: dict[str, FloatArray], reg: float) -> float:
    """Add the gradients of the L2 penalty on the weights W1, W2, ... to `gradients`; return the penalty."""
    penalty = 0.0
    for name in filter(lambda name: reg and name[0] == "W", params):
        penalty += 0.5 * reg * float(np.sum(params[name] ** 2))
        gradients[name] = gradients[name] + reg * params[name]
    return penalty


def _bind(dialect: Dialect, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments by name, in the dialect's order and with its defaults."""
    known = (dialect.dropout_argument, dialect.normalization_argument)
    for name in kwargs:
        if name in ARGUMENTS and name not in known:
            raise DialectError(
                f"FullyConnectedNet must be called with {known[0]!r} and {known[1]!r} in the dialect {dialect.name}, "
                f"got {name!r}. {_advice(dialect, kwargs)}"
            )
    defaults = {
        "hidden_dims": Parameter.empty,
        "input_dim": 3 * 32 * 32,
        "num_classes": 10,
        dialect.dropout_argument: dialect.dropout_default,
        dialect.normalization_argument: dialect.normalization_default,
        "reg": 0.0,
        "weight_scale": 1e-2,
        "dtype": np.float32,
        "seed": None,
    }
    return _arguments("FullyConnectedNet", defaults, args, kwargs)


def _advice(dialect: Dialect, kwargs: dict[str, Any]) -> str:
    """Which dialects accept all of these arguments with these values, and how to activate one."""
    fitting = [other for other in DIALECTS.values() if other.package == dialect.package and other.takes(kwargs)]
    if not fitting:
        return "No dialect of this course has all of these arguments: leave out those of another year."
    dialects = " or ".join(f"{other.name} (p {other.p_means}s)" for other in fitting)
    first, example = fitting[0].name, ", for example" if len(fitting) > 1 else ""
    return f"Use {dialects}: thinnet course run --dialect {first}, or thinnet.course.activate({first!r}){example}."


def _arguments(
    function: str, defaults: dict[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    kind = Parameter.POSITIONAL_OR_KEYWORD
    signature = Signature([Parameter(name, kind, default=value) for name, value in defaults.items()])
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{function}{signature}: {error}") from None
    bound.apply_defaults()
    return dict(bound.arguments)


def _normalization(argument: Any) -> str | None:
    """The normalization, given as ``use_batchnorm`` of older dialects or ``normalization`` of newer ones."""
    if isinstance(argument, (bool, np.bool_)):
        return "batchnorm" if argument else None
    name: str | None = argument
    return check_choice("normalization", name, (None, "batchnorm", "layernorm"))
