"""Layers that are often used together, on whatever module of layer functions is given."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any

# A layer's functions, and what forward takes beside x.
AFFINE = ("affine_{}", ("w", "b"))
BATCHNORM = ("batchnorm_{}", ("gamma", "beta", "bn_param"))
RELU: tuple[str, tuple[str, ...]] = ("relu_{}", ())
DROPOUT = ("dropout_{}", ("dropout_param",))
CONV = ("conv_{}_fast", ("w", "b", "conv_param"))
SPATIAL = ("spatial_batchnorm_{}", ("gamma", "beta", "bn_param"))
POOL = ("max_pool_{}_fast", ("pool_param",))
CHAINS = {
    "affine_relu": (AFFINE, RELU),
    "affine_bn_relu": (AFFINE, BATCHNORM, RELU),
    "affine_batchnorm_relu": (AFFINE, BATCHNORM, RELU),
    "affine_relu_dropout": (AFFINE, RELU, DROPOUT),
    "affine_bn_relu_dropout": (AFFINE, BATCHNORM, RELU, DROPOUT),
    "conv_relu": (CONV, RELU),
    "conv_bn_relu": (CONV, SPATIAL, RELU),
    "conv_relu_pool": (CONV, RELU, POOL),
}
NAMES = [f"{chain}_{way}" for chain in CHAINS for way in ("forward", "backward")]


def bind(layers: Any, fast: Any = None) -> dict[str, Callable[..., Any]]:
    """The functions of the chains by name: those that begin with affine, or, with the module `fast`, with conv.

    Forward takes x, all arrays, and then the dicts; its cache holds one for each layer.  Backward returns dx and the
    arrays' gradients.

    >>> from thinnet.course import layers
    >>> bind(layers)["affine_bn_relu_forward"].__signature__
    <Signature (x, w, b, gamma, beta, bn_param)>
    """
    kind = "conv_" if fast else "affine_"
    return {name: _bound(name, layers, fast) for name in NAMES if name.startswith(kind)}


def _bound(name: str, layers: Any, fast: Any) -> Callable[..., Any]:
    chain, _, way = name.rpartition("_")
    stages = CHAINS[chain]
    names = sorted((argument for _, own in stages for argument in own), key=lambda name: name.endswith("_param"))
    signature = Signature([Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in ("x", *names)])

    def function_of(pattern: str) -> Callable[..., Any]:  # looked up at every call: a student may have replaced it
        function: Callable[..., Any] = getattr(fast if pattern.endswith("_fast") else layers, pattern.format(way))
        return function

    def forward(*args: Any, **kwargs: Any) -> tuple[Any, tuple[Any, ...]]:
        given = signature.bind(*args, **kwargs).arguments
        out, caches = given["x"], []
        for pattern, own in stages:
            out, cache = function_of(pattern)(out, *(given[argument] for argument in own))
            caches.append(cache)
        return out, tuple(caches)

    def backward(dout: Any, cache: Any) -> tuple[Any, ...]:
        gradients: list[Any] = []
        for (pattern, own), own_cache in zip(reversed(stages), reversed(cache), strict=True):
            result = function_of(pattern)(dout, own_cache)
            dout, *more = result if "w" in own or "gamma" in own else (result,)
            gradients = [*more, *gradients]
        return (dout, *gradients)

    forward.__signature__ = signature  # type: ignore[attr-defined]
    function: Callable[..., Any] = forward if way == "forward" else backward
    function.__name__ = function.__qualname__ = name
    return function
