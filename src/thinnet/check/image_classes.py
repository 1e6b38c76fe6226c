"""Adapts classes for convolution and max pooling to the courses' functions, by the names of their arguments."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from thinnet.check import class_calls as calls
from thinnet.check.subject import CannotCall, parameters, usual_value

ARGUMENTS = {  # the first pattern that matches counts
    "stride": re.compile("stride|^s$", re.IGNORECASE),
    "pad": re.compile("pad|^p$", re.IGNORECASE),
    "height": re.compile("(kernel|filter|pool|window)_?h(eight)?$", re.IGNORECASE),
    "width": re.compile("(kernel|filter|pool|window)_?w(idth)?$", re.IGNORECASE),
    "size": re.compile("size|kernel|^(k|f)$", re.IGNORECASE),
    "outputs": re.compile("out|filters|kernels", re.IGNORECASE),
    "inputs": re.compile("^in|_in$|channels?$|depth|^c$", re.IGNORECASE),
}


def _options(owner: type, **values: int) -> dict[str, int]:
    """Keyword arguments for the constructor, which must have an argument for each value that is not the usual one."""
    if "height" in values and values["height"] == values["width"]:
        values["size"] = values["height"]
    names = parameters(owner)
    roles = {name: next((role for role, known in ARGUMENTS.items() if known.search(name)), "") for name in names}
    taken = {role for role in roles.values() if role in values}
    if "height" in values and not (taken & {"size"} or {"height", "width"} <= taken):
        raise CannotCall(f"it is not clear where {owner.__name__}({', '.join(names)}) takes its height and width")
    for role, usual in (("stride", 1 if "outputs" in values else values.get("size", 1)), ("pad", 0)):
        if role not in taken and values[role] != usual:
            raise CannotCall(f"{owner.__name__} takes no {role}")
    for name, role in roles.items():
        if role in taken and not isinstance(usual_value(owner, name), (int, tuple, type(None))):
            raise CannotCall(f"it is not clear what the argument {name} of {owner.__name__} takes")
    return {name: values[role] for name, role in roles.items() if role in taken}


def convolution(owner: type) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Filters and biases go into the constructor or the attributes."""

    def forward(x: Any, w: Any, b: Any, param: dict[str, int]) -> tuple[Any, Any]:
        filters, channels, height, width = w.shape
        given = [name for name in parameters(owner) if calls.WEIGHT.search(name) or calls.BIAS.search(name)]
        if len(given) >= 2 and usual_value(owner, given[1]) is None:
            layer = calls.made(owner, **{given[0]: w.copy(), given[1]: b.copy()}, **_options(owner, **param))
        else:
            sizes = {"height": height, "width": width, "outputs": filters, "inputs": channels}
            layer = calls.made(owner, **_options(owner, **sizes, **param))
            if np.shape(calls.found_in(vars(layer), calls.WEIGHT)) != w.shape:
                raise CannotCall(f"{owner.__name__} has no filters of shape {w.shape} under a usual name")
            calls.put(layer, calls.WEIGHT, w)
            calls.put(layer, calls.BIAS, b)
        return _forward(layer, x)

    def backward(dout: Any, cache: Any) -> tuple[Any, Any, Any]:
        dx, dw, db = calls.gradients(dout, cache, calls.WEIGHTS, calls.BIASES)
        return dx, dw, db.reshape(-1) if hasattr(db, "reshape") else db

    return forward, backward


def pooling(owner: type) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """A new object for each call; channels may be the last axis."""
    last = False

    def forward(x: Any, param: dict[str, int]) -> tuple[Any, Any]:
        nonlocal last
        height, width, stride = param["pool_height"], param["pool_width"], param["stride"]
        options = _options(owner, height=height, width=width, stride=stride, pad=0)
        rows, columns = (x.shape[2] - height) // stride + 1, (x.shape[3] - width) // stride + 1
        out, cache = _forward(calls.made(owner, **options), np.moveaxis(x, 1, 3).copy() if last else x)
        if out.shape != (*x.shape[:2], rows, columns) and not last:
            turned = _forward(calls.made(owner, **options), np.moveaxis(x, 1, 3).copy())
            last = turned[0].shape == (len(x), rows, columns, x.shape[1])
            out, cache = turned if last else (out, cache)
        return np.moveaxis(out, 3, 1) if last else out, cache

    def backward(dout: Any, cache: Any) -> Any:
        dx = calls.call_backward(np.moveaxis(dout, 1, 3) if last else dout, cache)
        return np.moveaxis(dx, 3, 1) if last and np.ndim(dx) == 4 else dx

    return forward, backward


def _forward(layer: Any, x: Any) -> tuple[Any, Any]:
    """The output and the cache; the output must have as many dimensions as the images."""
    out, cache = calls.split(layer, x, calls.call_forward(layer, x, True))
    if np.ndim(out) != x.ndim:
        raise CannotCall(f"{type(layer).__name__}.forward returns {np.ndim(out)} dimensions, the images have {x.ndim}")
    return np.asarray(out), cache
