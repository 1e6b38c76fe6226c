"""The courses' layer functions: the layers of `thinnet.layers` with the courses' signatures and parameter dicts."""

import math
from typing import Any

import numpy as np

from thinnet import layers
from thinnet.checks import check_arrays, check_choice, in_shape, kind_of
from thinnet.course.dialects import Activation
from thinnet.errors import ArgumentError
from thinnet.typing import AnyArray, BoolArray, FloatArray

# What the packages export unchanged: everything but dropout_forward
__all__ = [
    "affine_backward", "affine_forward", "batchnorm_backward", "batchnorm_backward_alt", "batchnorm_forward",
    "dropout_backward", "layernorm_backward", "layernorm_forward", "relu_backward", "relu_forward", "softmax_loss",
    "svm_loss",
]  # fmt: skip


def affine_forward(x: AnyArray, w: AnyArray, b: AnyArray) -> tuple[FloatArray, Any]:
    """out = x · w + b, with x of shape (N, d1, ..., dk) flattened to (N, D); the cache is (x, w, b)."""
    return layers.affine_forward(*floats(_rows(x), w, _vector(b)))[0], (x, w, b)


def affine_backward(dout: AnyArray, cache: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The gradients dx (in the shape of x), dw and db."""
    x, w, _ = parts("affine_backward", cache, "x, w, b")
    rows, w, dout = floats(_rows(x), w, dout)
    dx, dw, db = layers.affine_backward(dout, layers.affine.AffineCache(rows, w))
    return dx.reshape(np.shape(x)), dw, db


def affine_parameters_backward(dout: AnyArray, cache: Any) -> tuple[None, FloatArray, FloatArray]:
    """Like `affine_backward`, without dx."""
    rows, w, dout = floats(_rows(cache[0]), cache[1], dout)
    check_arrays("affine_backward", x=(rows, "N D"), w=(w, "D M"), dout=(dout, "N M"))
    return None, rows.T @ dout, dout.sum(axis=0)


def relu_forward(x: AnyArray) -> tuple[FloatArray, Any]:
    """out = max(x, 0) for any shape; the cache is x."""
    return layers.relu_forward(_float(_rows(x)))[0].reshape(np.shape(x)), x


def relu_backward(dout: AnyArray, cache: Any) -> FloatArray:
    """The gradient dx, in the shape of x."""
    if not isinstance(cache, np.ndarray | list):
        raise _of_another("relu_backward", "the array x", kind_of(cache))
    own = layers.relu.ReluCache(_rows(np.asarray(cache)) > 0)
    return layers.relu_backward(_float(_rows(dout)), own).reshape(np.shape(cache))


def dropout_forward(x: AnyArray, dropout_param: dict[str, Any], activation: Activation) -> tuple[FloatArray, Any]:
    """Dropout in a dialect, with NumPy's global generator, which ``dropout_param["seed"]`` reseeds on every call."""
    mode = _mode(dropout_param)
    p = entry("dropout_param", dropout_param, "p")
    rate = activation.dialect.rate(p)
    if "seed" in dropout_param:
        np.random.seed(dropout_param["seed"])
    rows = _float(_rows(x))
    keep = _draw(activation, p, np.shape(x)).reshape(rows.shape) if mode == "train" else None
    out, cache = layers.dropout_forward(rows, rate, training=mode == "train", keep=keep, scaling=activation.scaling)
    return out.reshape(np.shape(x)), (dropout_param, cache)


def dropout_backward(dout: AnyArray, cache: Any) -> FloatArray:
    """The gradient dx, through the mask of the forward pass."""
    _, own = parts("dropout_backward", cache, "dropout_param, mask", dict)
    return layers.dropout_backward(_float(_rows(dout)), own).reshape(np.shape(dout))


def batchnorm_forward(x: AnyArray, gamma: AnyArray, beta: AnyArray, bn_param: dict[str, Any]) -> tuple[FloatArray, Any]:
    """Batch normalization; `bn_param` holds the running statistics, which start at zero as in the courses."""
    mode = _mode(bn_param)
    x, gamma, beta = floats(x, _vector(gamma), _vector(beta))
    # Of the shape that most arguments have, so that an error names the one that differs
    zeros = np.zeros(gamma.shape if gamma.shape == beta.shape else x.shape[-1:], x.dtype)
    mean, var = (np.array(_vector(bn_param.get(key, zeros)), x.dtype) for key in ("running_mean", "running_var"))
    momentum, eps = bn_param.get("momentum", 0.9), bn_param.get("eps", 1e-5)
    # A single row is allowed, as in the courses: repeated, it still equals its mean, and the output is beta.
    rows = np.repeat(x, 2, axis=0) if mode == "train" and len(x) == 1 else x
    given = rows, gamma, beta, mean, var
    out, cache = layers.batchnorm_forward(*given, training=mode == "train", momentum=momentum, eps=eps)
    bn_param["running_mean"], bn_param["running_var"] = mean, var
    return out[: len(x)], cache._replace(x_hat=cache.x_hat[: len(x)])


def batchnorm_backward(dout: AnyArray, cache: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The gradients dx, dgamma and dbeta."""
    return layers.batchnorm_backward(_float(dout), cache)


batchnorm_backward_alt = batchnorm_backward


def layernorm_forward(x: AnyArray, gamma: AnyArray, beta: AnyArray, ln_param: dict[str, Any]) -> tuple[FloatArray, Any]:
    """Layer normalization; `ln_param` may hold ``eps``."""
    x, gamma, beta = floats(x, _vector(gamma), _vector(beta))
    return layers.layernorm_forward(x, gamma, beta, eps=ln_param.get("eps", 1e-5))


def layernorm_backward(dout: AnyArray, cache: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The gradients dx, dgamma and dbeta."""
    return layers.layernorm_backward(_float(dout), cache)


def softmax_loss(x: AnyArray, y: AnyArray) -> tuple[float, FloatArray]:
    """The mean cross-entropy of softmax, and its gradient with respect to the scores x."""
    return layers.softmax_loss(_float(x), np.asarray(y))


def svm_loss(x: AnyArray, y: AnyArray) -> tuple[float, FloatArray]:
    """The mean multi-class hinge loss, and its gradient with respect to the scores x."""
    return layers.svm_loss(_float(x), np.asarray(y))


def _vector(array: AnyArray) -> AnyArray:
    array = np.asarray(array)
    vector: AnyArray = in_shape(array, array.shape[-1:])
    return vector


def _draw(activation: Activation, p: float, shape: tuple[int, ...]) -> BoolArray:
    """The same mask that a course's solutions draw from the global generator."""
    dropping = activation.dialect.p_means == "drop"
    keep = 1 - p if dropping else p
    if activation.draw == "binomial":
        return np.random.binomial(1, keep, size=shape).astype(bool)
    numbers = np.asarray(np.random.rand(*shape))
    return numbers >= p if dropping and activation.draw == "rand" else numbers < keep


def _mode(param: dict[str, Any]) -> str:
    mode: str = entry("the layer's parameters", param, "mode")
    return check_choice("mode", mode, ("train", "test"))


def parts(where: str, cache: Any, names: str, first: Any = np.ndarray | list) -> tuple[Any, ...]:
    """The parts of a cache, if it is one of this layer's: so many, and the first of this type."""
    listed = type(cache) in (tuple, list)  # not the named tuples that are the caches of some layers
    if not listed or len(cache) != names.count(",") + 1 or not isinstance(cache[0], first):
        came = kind_of(cache) + (f" of {len(cache)}" if isinstance(cache, tuple | list) else "")
        raise _of_another(where, f"({names})", came)
    return tuple(cache)


def _of_another(where: str, expected: str, came: str) -> ArgumentError:
    """The error for the cache of another layer."""
    forward = where.replace("_backward", "_forward")
    return ArgumentError(
        f"{where}: cache must be {expected}, the second of the two values of {forward}, got {came}. "
        f"Write out, cache = {forward}(...), and then {where}(dout, cache)."
    )


def entry(name: str, param: dict[str, Any], key: str) -> Any:
    """The value of a required key."""
    if key not in param:
        raise ArgumentError(f"{name} must have the key {key!r}, got only {sorted(param)}. Add it.")
    return param[key]


def _rows(x: AnyArray) -> AnyArray:
    x = np.asarray(x)
    return x.reshape(x.shape[0], math.prod(x.shape[1:]))  # -1 would fail with zero rows


def _float(array: AnyArray) -> FloatArray:
    return floats(array)[0]


def floats(*arrays: AnyArray) -> tuple[FloatArray, ...]:
    """The arrays, cast to the dtype of NumPy arithmetic on them, or to float64 if that is not a float."""
    dtype = np.result_type(*arrays)
    if dtype.kind != "f":
        dtype = np.dtype(np.float64)
    return tuple(np.asarray(array).astype(dtype, copy=False) for array in arrays)
