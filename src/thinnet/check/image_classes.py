"""Classes for convolution and max pooling, seen as the courses' functions; their arguments are known by their names."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from thinnet.check import class_calls as calls
from thinnet.check.subject import CannotCall, parameters, usual_value

ARGUMENTS = {  # by the first pattern that fits
    "stride": re.compile("stride|^s$", re.IGNORECASE),
    "pad": re.compile("pad|^p$", re.IGNORECASE),
    "height": re.compile("(kernel|filter|pool|window)_?h(eight)?$", re.IGNORECASE),
    "width": re.compile("(kernel|filter|pool|window)_?w(idth)?$", re.IGNORECASE),
    "size": re.compile("size|kernel|^(k|f)$", re.IGNORECASE),
    "outputs": re.compile("out|filters|kernels", re.IGNORECASE),
    "inputs": re.compile("^in|_in$|channels?$|depth|^c$", re.IGNORECASE),
}


def _options(owner: type, **values: int) -> dict[str, int]:
    """What the constructor is given, by the names of its arguments; what differs from the usual must have a place."""
    names = parameters(owner)
    roles = {name: next((role for role, known in ARGUMENTS.items() if known.search(name)), "") for name in names}
    taken = {role for role in roles.values() if role in values}
    if "height" in values and not (taken & {"size"} or {"height", "width"} <= taken):
        raise CannotCall(f"it is not clear where {owner.__name__}({', '.join(names)}) takes such a size")
    for role, usual in (("stride", 1 if "outputs" in values else values.get("size", 1)), ("pad", 0)):
        if role not in taken and values[role] != usual:
            raise CannotCall(f"{owner.__name__} takes no {role}")
    for name, role in roles.items():
        if role in taken and not isinstance(usual_value(owner, name), (int, tuple, type(None))):
            raise CannotCall(f"it is not clear what the argument {name} of {owner.__name__} takes")
    return {name: values[role] for name, role in roles.items() if role in taken}


def convolution(owner: type) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Filters and biases go into the constructor or into the attributes."""

    def forward(x: Any, w: Any, b: Any, param: dict[str, int]) -> tuple[Any, Any]:
        filters, channels, size, _ = w.shape
        given = [name for name in parameters(owner) if calls.WEIGHT.search(name) or calls.BIAS.search(name)]
        if len(given) >= 2 and usual_value(owner, given[1]) is None:
            layer = calls.made(owner, **{given[0]: w.copy(), given[1]: b.copy()}, **_options(owner, **param))
            return calls.split(layer, x, calls.call_forward(layer, x, True))
        sizes = {"size": size, "height": size, "width": size, "outputs": filters, "inputs": channels}
        layer = calls.made(owner, **_options(owner, **sizes, **param))
        if np.shape(calls.found_in(vars(layer), calls.WEIGHT)) != w.shape:
            raise CannotCall(f"{owner.__name__} has no filters of shape {w.shape} under a usual name")
        calls.put(layer, calls.WEIGHT, w)
        calls.put(layer, calls.BIAS, b)
        return calls.split(layer, x, calls.call_forward(layer, x, True))

    def backward(dout: Any, cache: Any) -> tuple[Any, Any, Any]:
        dx, dw, db = calls.gradients(dout, cache, calls.WEIGHT_GRADIENT, calls.BIAS_GRADIENT)
        return dx, dw, db.reshape(-1) if hasattr(db, "reshape") else db

    return forward, backward


def pooling(owner: type) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """A new object for each call."""

    def forward(x: Any, param: dict[str, int]) -> tuple[Any, Any]:
        height, width = param["pool_height"], param["pool_width"]
        sizes = {"height": height, "width": width} | ({"size": height} if height == width else {})
        layer = calls.made(owner, **_options(owner, **sizes, stride=param["stride"], pad=0))
        return calls.split(layer, x, calls.call_forward(layer, x, True))

    return forward, calls.call_backward
