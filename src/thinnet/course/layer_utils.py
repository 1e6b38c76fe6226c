"""Layers that are often used together, on whatever module of layer functions is given."""

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any

# The layers, in order, that the functions {name}_forward and {name}_backward run; cs231n calls one chain by two names.
CHAINS = (
    "affine_relu", "affine_bn_relu", "affine_batchnorm_relu", "affine_relu_dropout", "affine_bn_relu_dropout",
    "conv_relu", "conv_bn_relu", "conv_relu_pool",
)  # fmt: skip
__all__ = [f"{chain}_{way}" for chain in CHAINS for way in ("forward", "backward")]

# What each layer takes beside its input: first arrays, then a dictionary.
TAKES: dict[str, tuple[str, ...]] = {
    "affine": ("w", "b"),
    "conv": ("w", "b", "conv_param"),
    "bn": ("gamma", "beta", "bn_param"),
    "batchnorm": ("gamma", "beta", "bn_param"),
    "relu": (),
    "dropout": ("dropout_param",),
    "pool": ("pool_param",),
}
LONG_NAMES = {"bn": "batchnorm", "pool": "max_pool"}


def bind(layers: Any, fast: Any = None) -> dict[str, Callable[..., Any]]:
    """The functions of `__all__` on a package's modules: those that begin with affine, or, with `fast`, with conv."""
    found: dict[str, Callable[..., Any]] = {}
    for chain in CHAINS:
        if chain.startswith("conv") == (fast is not None):
            found[f"{chain}_forward"], found[f"{chain}_backward"] = _pair(chain, layers, fast)
    return found


def _pair(chain: str, layers: Any, fast: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Forward and backward through the layers of one chain."""
    kinds = chain.split("_")
    names = ["x", *(name for kind in kinds for name in TAKES[kind])]
    names.sort(key=lambda name: name.endswith("_param"))  # the dictionaries come after all arrays
    signature = Signature([Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names])

    def layer(kind: str, way: str) -> Any:
        """A layer's function as the module has it by now: a student may have replaced it."""
        name = f"{LONG_NAMES.get(kind, kind)}_{way}"
        if kind in ("conv", "pool"):
            return getattr(fast, f"{name}_fast")
        return getattr(layers, f"spatial_{name}" if kind == "bn" and fast else name)

    def forward(*args: Any, **kwargs: Any) -> tuple[Any, tuple[Any, ...]]:
        given = signature.bind(*args, **kwargs).arguments
        h, caches = given["x"], []
        for kind in kinds:
            h, cache = layer(kind, "forward")(h, *(given[name] for name in TAKES[kind]))
            caches.append(cache)
        return h, tuple(caches)

    def backward(dout: Any, cache: Any) -> tuple[Any, ...]:
        gradients: list[Any] = []
        for kind, own in zip(reversed(kinds), reversed(cache), strict=True):
            result = layer(kind, "backward")(dout, own)
            dout, *of_layer = result if isinstance(result, tuple | list) else (result,)
            gradients = [*of_layer, *gradients]
        return dout, *gradients

    forward.__signature__ = signature  # type: ignore[attr-defined]
    for function, gives in ((forward, "Output and cache"), (backward, "The gradients")):
        function.__name__ = function.__qualname__ = f"{chain}_{function.__name__}"
        function.__doc__ = f"{gives} of {' → '.join(kinds)}."
    return forward, backward
