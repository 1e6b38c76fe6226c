"""Layer classes with forward and backward, seen as the courses' pairs of functions."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

MODE_ARGUMENTS = re.compile(r"train|mode|phase|infer|^is_?test|^test|^eval|flg$|flag$", re.IGNORECASE)
MODE_ATTRIBUTES = ("train_mode", "training", "is_training", "is_train", "train", "mode", "eval_mode", "test", "testing")
KEEP_OR_DROP = re.compile("keep|drop|retain", re.IGNORECASE)
P_ARGUMENTS = ("p", "dropout_ratio", "rate", "prob", "keep_prob", "drop_prob", "dropout", "dropout_rate", "drop_rate")


def is_dropout(value: Any) -> bool:
    """Whether this is a class for dropout with forward and backward."""
    return isinstance(value, type) and is_dropout_name(value.__name__) and all(
        callable(getattr(value, name, None)) for name in ("forward", "backward")
    )  # fmt: skip


def is_dropout_name(name: str) -> bool:
    """Whether a class of this name is taken for a dropout layer."""
    return name.lower().replace("_", "").removesuffix("layer") in ("dropout", "inverteddropout", "dropouts")


def dropout_functions(owner: type) -> dict[str, Any]:
    """`dropout_forward` and `dropout_backward` on objects of a class; a new object for each p.

    The cache is the object itself, as it stood after forward.
    """
    objects: dict[float, Any] = {}

    def forward(x: Any, dropout_param: dict[str, Any]) -> tuple[Any, Any]:
        p, mode = dropout_param["p"], dropout_param["mode"]
        if p not in objects:
            objects[p] = _make(owner, p)
        layer = objects[p]
        out = _forward(layer, x, mode)
        if isinstance(out, tuple) and len(out) == 2:
            return out[0], (layer, out[1])
        return out, (layer, None)

    def backward(dout: Any, cache: Any) -> Any:
        layer, extra = cache
        if extra is not None and len(_positional(layer.backward)) > 1:
            return layer.backward(dout, extra)
        return layer.backward(dout)

    return {"dropout_forward": forward, "dropout_backward": backward, "__class_adapter__": True}


def plain_functions(namespace: Mapping[str, Any]) -> Mapping[str, Any]:
    """A namespace in which ``dropout_forward(x, keep_prob, training)`` takes a course's dropout_param instead.

    Where it takes one anyway, the namespace as it is.
    """
    forward, backward = namespace.get("dropout_forward"), namespace.get("dropout_backward")
    names = _positional(forward) if callable(forward) else []
    if len(names) < 2 or not (names[1] in P_ARGUMENTS or KEEP_OR_DROP.search(names[1])) or "param" in names[1]:
        return namespace

    def with_param(x: Any, dropout_param: dict[str, Any]) -> tuple[Any, Any]:
        modes = {
            name: _mode_value(name, dropout_param["mode"] == "train")
            for name in names[2:]
            if MODE_ARGUMENTS.search(name)
        }
        result = namespace["dropout_forward"](x, dropout_param["p"], **modes)
        return result if modes or dropout_param["mode"] == "train" else (x, None)

    found = {**namespace, "dropout_forward": with_param, "__class_adapter__": True}
    return found if callable(backward) else {name: value for name, value in found.items() if name != "dropout_backward"}


def _make(owner: type, p: float) -> Any:
    names = [name for name in _positional(owner) if name != "self"]
    chosen = next((name for name in names if name in P_ARGUMENTS or "drop" in name or "keep" in name), None)
    return owner(**{chosen: p}) if chosen else owner(p)


def _forward(layer: Any, x: Any, mode: str) -> Any:
    training = mode == "train"
    names = [name for name in _positional(layer.forward) if MODE_ARGUMENTS.search(name)]
    if names:
        return layer.forward(x, **{names[0]: _mode_value(names[0], training)})
    switch: Callable[[], Any] | None = getattr(layer, "train" if training else "eval", None)
    if callable(switch) and not isinstance(switch, type):
        switch()
    else:
        for name in MODE_ATTRIBUTES:
            if isinstance(getattr(layer, name, None), (bool, str)):
                setattr(layer, name, _mode_value(name, training))
                break
    if training or not callable(getattr(layer, "predict", None)):
        return layer.forward(x)
    return layer.predict(x)


def _mode_value(name: str, training: bool) -> bool | str:
    if name in ("mode", "phase"):
        return "train" if training else "test"
    return training if not re.search("test|eval|infer", name, re.IGNORECASE) else not training


def _positional(function: Any) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []
