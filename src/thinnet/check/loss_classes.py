"""Adapts classes that compute a softmax together with its loss to the courses' `softmax_loss`."""

import contextlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from thinnet.check import class_calls as calls
from thinnet.check.subject import UNKNOWN, CannotCall, signature
from thinnet.layers import softmax_loss

LABELS = re.compile(r"^(t|y|gt|ans)$|(labels?|targets?|true|truth)$", re.IGNORECASE)
GRADIENT = re.compile(r"^d_?(out|y|l|loss|z)?$|grad|delta|upstream", re.IGNORECASE)
SCORES = re.compile(rf"{calls.INPUT.pattern}|logits?|scores?", re.IGNORECASE)
WAYS = [(one_hot, columns) for columns in (False, True) for one_hot in (False, True)]  # to give the labels, and rows
Loss = Callable[[Any, Any], tuple[Any, Any]]


def softmax_with_loss(owner: type) -> Loss:
    """The loss and the gradient of the scores, from a new object for each call."""
    way: tuple[bool, bool] | None = None

    def loss(x: Any, y: Any) -> tuple[Any, Any]:
        nonlocal way
        way = _way(owner, x, y if np.ndim(y) == 1 else np.argmax(y, axis=1)) if way is None else way
        layer, scores, labels = _given(owner, x, y, *way)
        value = _value(layer, scores, labels)
        dx = _gradient(layer, scores, labels)
        return value, dx.T if way[1] and isinstance(dx, np.ndarray) else dx

    return loss


def _way(owner: type, x: Any, y: Any) -> tuple[bool, bool]:
    """How the class takes labels and rows: the first way that gives the right loss, else the first that works."""
    working, (mean, _) = list[tuple[bool, bool]](), softmax_loss(x, y)
    for way in WAYS:
        with contextlib.suppress(Exception):
            value = _value(*_given(owner, x.copy(), y.copy(), *way))
            if any(np.isclose(value, right, rtol=1e-3) for right in (mean, mean * len(x))):  # some sum over the rows
                return way
            working.append(way)
    return (working or WAYS)[0]


def _given(owner: type, x: Any, y: Any, one_hot: bool, columns: bool) -> tuple[Any, Any, Any]:
    """A new object, and its scores and labels; `columns`: examples are columns."""
    required = [name for name, one in signature(owner).items() if name == "name" and one.default is one.empty]
    labels = np.eye(x.shape[1])[y] if one_hot and np.ndim(y) == 1 else y
    return calls.made(owner, **dict.fromkeys(required, "loss")), x.T if columns else x, labels.T if columns else labels


def _value(layer: Any, scores: Any, labels: Any) -> Any:
    names = [*signature(layer.forward)]
    turned = len(names) > 1 and LABELS.search(names[0]) and not LABELS.search(names[1])
    given = (labels, scores) if turned else (scores, labels)
    returned = calls.result(layer, layer.forward, re.compile("^_?(loss|output)$"), *given)
    numbers = [one for one in (returned if isinstance(returned, tuple) else [returned]) if np.size(one) == 1]
    if not numbers:
        raise CannotCall(f"{type(layer).__name__}.forward does not return one number, the mean loss")
    return numbers[0]


def _gradient(layer: Any, scores: Any, labels: Any) -> Any:
    names = [name for name, one in signature(layer.backward).items() if one.default is one.empty]
    takes_labels = any(map(LABELS.search, names))
    given = [_argument(name, takes_labels, layer, scores, labels) for name in names]
    return calls.result(layer, layer.backward, calls.INPUT_GRADIENT, *given)


def _argument(name: str, takes_labels: bool, layer: Any, scores: Any, labels: Any) -> Any:
    """What backward is given for an argument; beside labels, some take what the softmax returned."""
    if LABELS.search(name):
        return labels
    if SCORES.search(name):
        return scores
    if GRADIENT.search(name) or not takes_labels:
        return 1.0
    output = calls.found_in(vars(layer), calls.OUTPUT)
    if output is UNKNOWN:
        raise CannotCall(f"it is not clear what {type(layer).__name__}.backward takes for {name}")
    return output
