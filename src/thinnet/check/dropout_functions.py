"""Adapts dropout functions with other arguments to a course's ``dropout_forward(x, dropout_param)``."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from thinnet.check import class_calls as calls
from thinnet.check.subject import UNKNOWN, CannotCall, parameters

# Other names than dropout_forward for dropout functions, with p as the second argument.
DROPOUT_FUNCTIONS = ("dropout_layer", "dropout", "inverted_dropout", "apply_dropout")


def as_dropout_forward(function: Callable[..., Any]) -> dict[str, Any]:
    """Adapt ``dropout_layer(X, p)`` and the like, which return the output with or without the mask."""
    names = parameters(function)

    def forward(x: Any, dropout_param: dict[str, Any]) -> tuple[Any, Any]:
        if len(names) < 2 or not (calls.PROBABILITY.search(names[1]) or names[1] in ("level", "q")):
            raise CannotCall(f"it is not clear where {function.__name__}({', '.join(names)}) takes a probability")
        out = _in_mode(function, names, x, dropout_param)
        out, mask = out if isinstance(out, tuple) and len(out) == 2 else (out, None)
        if np.shape(out) != x.shape:
            raise CannotCall(f"{function.__name__} does not return an array of the shape of its first argument")
        return out, mask

    return {"dropout_forward": forward, "__class_adapter__": True}


def plain_functions(namespace: Mapping[str, Any]) -> Mapping[str, Any]:
    """A namespace in which ``dropout_forward(x, keep_prob, training)`` takes a course's dropout_param instead.

    If it already does, the namespace is returned unchanged.
    """
    names = parameters(namespace.get("dropout_forward"))
    if len(names) < 2 or "param" in names[1] or not calls.PROBABILITY.search(names[1]):
        return namespace

    def with_param(x: Any, dropout_param: dict[str, Any]) -> Any:
        out = _in_mode(namespace["dropout_forward"], names, x, dropout_param)
        out, *more = out if isinstance(out, tuple) else (out,)
        return out, (more[0] if len(more) == 1 else UNKNOWN, dropout_param["p"])

    def backward(dout: Any, cache: Any) -> Any:
        if cache[0] is UNKNOWN:
            raise CannotCall("dropout_forward does not return an output and a cache for dropout_backward")
        given = parameters(namespace["dropout_backward"])[2:]
        return calls.call(
            namespace["dropout_backward"],
            dout,
            cache[0],
            **dict.fromkeys(filter(calls.PROBABILITY.search, given), cache[1]),
        )

    found = {"dropout_backward": backward} if "dropout_backward" in namespace else {}
    return {**namespace, **found, "dropout_forward": with_param, "__class_adapter__": True}


def _in_mode(function: Callable[..., Any], names: list[str], x: Any, dropout_param: dict[str, Any]) -> Any:
    """The result of ``f(x, p, ...)`` in a mode; x and no mask in test mode, if it has no such mode."""
    training = dropout_param["mode"] == "train"
    modes = {
        name: calls.mode_value(name, training, function) for name in filter(calls.MODE_ARGUMENTS.search, names[2:])
    }
    return calls.call(function, x, dropout_param["p"], **modes) if modes or training else (x, None)
