"""Layers that are often used together, built on any given modules of layer functions."""

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any

SEQUENCES = str.split(
    "affine_relu affine_bn_relu affine_batchnorm_relu affine_relu_dropout affine_bn_relu_dropout "
    "conv_relu conv_bn_relu conv_relu_pool"
)
NAMES = [f"{sequence}_{way}" for sequence in SEQUENCES for way in ("forward", "backward")]
LAYERS = {  # by their part of a sequence's name: the functions, and forward's arguments besides x
    "affine": ("affine_{}", "w", "b"),
    "bn": ("batchnorm_{}", "gamma", "beta", "bn_param"),
    "batchnorm": ("batchnorm_{}", "gamma", "beta", "bn_param"),
    "relu": ("relu_{}",),
    "dropout": ("dropout_{}", "dropout_param"),
    "conv": ("conv_{}_fast", "w", "b", "conv_param"),
    "pool": ("max_pool_{}_fast", "pool_param"),
}


def bind(layers: Any, fast: Any = None) -> dict[str, Callable[..., Any]]:
    """The functions of `NAMES`, built on a package's modules: those that start with affine, or with conv if `fast`."""
    kind, found = "conv_" if fast else "affine_", {}
    for sequence in SEQUENCES:
        if sequence.startswith(kind):
            for name, function in zip(("forward", "backward"), _pair(sequence, layers, fast), strict=True):
                function.__name__ = function.__qualname__ = f"{sequence}_{name}"
                found[function.__name__] = function
    return found


def _pair(sequence: str, layers: Any, fast: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    steps = [LAYERS[part] for part in sequence.split("_")]
    names = ["x", *sorted((name for step in steps for name in step[1:]), key=lambda name: name.endswith("_param"))]
    signature = Signature([Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names])

    def function(name: str, way: str) -> Callable[..., Any]:
        spatial = "spatial_" if fast and name.startswith("batchnorm") else ""
        found: Callable[..., Any] = getattr(fast if name.endswith("fast") else layers, spatial + name.format(way))
        return found

    def forward(*args: Any, **kwargs: Any) -> tuple[Any, tuple[Any, ...]]:
        given = signature.bind(*args, **kwargs).arguments
        out, caches = given["x"], []
        for name, *own in steps:
            out, cache = function(name, "forward")(out, *(given[each] for each in own))
            caches.append(cache)
        return out, tuple(caches)

    def backward(dout: Any, cache: Any) -> tuple[Any, ...]:
        gradients: list[Any] = []
        for (name, *_), each in zip(reversed(steps), reversed(cache), strict=True):
            result = function(name, "backward")(dout, each)
            dout, *own = result if isinstance(result, tuple) else (result,)
            gradients[:0] = own
        return (dout, *gradients)

    forward.__signature__ = signature  # type: ignore[attr-defined]
    forward.__doc__ = f"{' → '.join(sequence.split('_'))}; the cache is a tuple of theirs."
    backward.__doc__ = "The gradients of the input and of each array that forward was given, in its order."
    return forward, backward
