"""Layers that are often used together, on whatever module of layer functions is given."""

from collections.abc import Callable
from functools import partial
from typing import Any


def affine_relu_forward(layers: Any, x: Any, w: Any, b: Any) -> tuple[Any, Any]:
    """affine → ReLU."""
    a, fc_cache = layers.affine_forward(x, w, b)
    out, relu_cache = layers.relu_forward(a)
    return out, (fc_cache, relu_cache)


def affine_relu_backward(layers: Any, dout: Any, cache: Any) -> tuple[Any, Any, Any]:
    """The gradients dx, dw and db."""
    fc_cache, relu_cache = cache
    dx, dw, db = layers.affine_backward(layers.relu_backward(dout, relu_cache), fc_cache)
    return dx, dw, db


def affine_bn_relu_forward(
    layers: Any, x: Any, w: Any, b: Any, gamma: Any, beta: Any, bn_param: dict[str, Any]
) -> tuple[Any, Any]:
    """affine → batch normalization → ReLU."""
    a, fc_cache = layers.affine_forward(x, w, b)
    normalized, bn_cache = layers.batchnorm_forward(a, gamma, beta, bn_param)
    out, relu_cache = layers.relu_forward(normalized)
    return out, (fc_cache, bn_cache, relu_cache)


def affine_bn_relu_backward(layers: Any, dout: Any, cache: Any) -> tuple[Any, Any, Any, Any, Any]:
    """The gradients dx, dw, db, dgamma and dbeta."""
    fc_cache, bn_cache, relu_cache = cache
    da, dgamma, dbeta = layers.batchnorm_backward(layers.relu_backward(dout, relu_cache), bn_cache)
    return (*layers.affine_backward(da, fc_cache), dgamma, dbeta)


affine_batchnorm_relu_forward, affine_batchnorm_relu_backward = affine_bn_relu_forward, affine_bn_relu_backward


def affine_relu_dropout_forward(layers: Any, x: Any, w: Any, b: Any, dropout_param: dict[str, Any]) -> tuple[Any, Any]:
    """affine → ReLU → dropout."""
    h, cache = affine_relu_forward(layers, x, w, b)
    out, dropout_cache = layers.dropout_forward(h, dropout_param)
    return out, (cache, dropout_cache)


def affine_relu_dropout_backward(layers: Any, dout: Any, cache: Any) -> tuple[Any, Any, Any]:
    """The gradients dx, dw and db."""
    return affine_relu_backward(layers, layers.dropout_backward(dout, cache[1]), cache[0])


def affine_bn_relu_dropout_forward(
    layers: Any, x: Any, w: Any, b: Any, gamma: Any, beta: Any, bn_param: dict[str, Any], dropout_param: dict[str, Any]
) -> tuple[Any, Any]:
    """affine → batch normalization → ReLU → dropout."""
    h, cache = affine_bn_relu_forward(layers, x, w, b, gamma, beta, bn_param)
    out, dropout_cache = layers.dropout_forward(h, dropout_param)
    return out, (cache, dropout_cache)


def affine_bn_relu_dropout_backward(layers: Any, dout: Any, cache: Any) -> tuple[Any, Any, Any, Any, Any]:
    """The gradients dx, dw, db, dgamma and dbeta."""
    return affine_bn_relu_backward(layers, layers.dropout_backward(dout, cache[1]), cache[0])


def conv_relu_forward(layers: Any, fast: Any, x: Any, w: Any, b: Any, conv_param: dict[str, Any]) -> tuple[Any, Any]:
    """convolution → ReLU; `fast` is the module of fast layers."""
    a, conv_cache = fast.conv_forward_fast(x, w, b, conv_param)
    out, relu_cache = layers.relu_forward(a)
    return out, (conv_cache, relu_cache)


def conv_relu_backward(layers: Any, fast: Any, dout: Any, cache: Any) -> tuple[Any, Any, Any]:
    """The gradients dx, dw and db."""
    dx, dw, db = fast.conv_backward_fast(layers.relu_backward(dout, cache[1]), cache[0])
    return dx, dw, db


def conv_bn_relu_forward(
    layers: Any, fast: Any, x: Any, w: Any, b: Any, gamma: Any, beta: Any, conv_param: Any, bn_param: Any
) -> tuple[Any, Any]:
    """convolution → spatial batch normalization → ReLU."""
    a, conv_cache = fast.conv_forward_fast(x, w, b, conv_param)
    normalized, bn_cache = layers.spatial_batchnorm_forward(a, gamma, beta, bn_param)
    out, relu_cache = layers.relu_forward(normalized)
    return out, (conv_cache, bn_cache, relu_cache)


def conv_bn_relu_backward(layers: Any, fast: Any, dout: Any, cache: Any) -> tuple[Any, Any, Any, Any, Any]:
    """The gradients dx, dw, db, dgamma and dbeta."""
    conv_cache, bn_cache, relu_cache = cache
    da, dgamma, dbeta = layers.spatial_batchnorm_backward(layers.relu_backward(dout, relu_cache), bn_cache)
    return (*fast.conv_backward_fast(da, conv_cache), dgamma, dbeta)


def conv_relu_pool_forward(
    layers: Any, fast: Any, x: Any, w: Any, b: Any, conv_param: dict[str, Any], pool_param: dict[str, Any]
) -> tuple[Any, Any]:
    """convolution → ReLU → max pooling."""
    h, cache = conv_relu_forward(layers, fast, x, w, b, conv_param)
    out, pool_cache = fast.max_pool_forward_fast(h, pool_param)
    return out, (*cache, pool_cache)


def conv_relu_pool_backward(layers: Any, fast: Any, dout: Any, cache: Any) -> tuple[Any, Any, Any]:
    """The gradients dx, dw and db."""
    return conv_relu_backward(layers, fast, fast.max_pool_backward_fast(dout, cache[2]), cache[:2])


def bind(layers: Any, fast: Any = None) -> dict[str, Callable[..., Any]]:
    """The functions above on a package's modules, by name: those that begin with affine, or, with `fast`, with conv."""
    kind, modules = ("conv_", (layers, fast)) if fast else ("affine_", (layers,))
    return {name: partial(function, *modules) for name, function in globals().items() if name.startswith(kind)}
