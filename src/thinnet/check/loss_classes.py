"""Adapts classes that compute a softmax together with its loss to the courses' `softmax_loss`.

Authors call them in many ways: labels may be numbers or one-hot rows, examples columns, and backward may take nothing,
a gradient, the labels, the scores or the probabilities.  The first way that gives the right results counts.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from thinnet.check import class_calls as calls
from thinnet.check.compare import close, difference
from thinnet.check.location import is_misspelled, location, said
from thinnet.check.subject import NOT_WRITTEN, CannotCall, KnownFault, signature
from thinnet.layers import softmax_loss

WORDS = "activation|and|categorical|ce|combined|cost|criterion|cross|entropy|error|from|fused|logits?|loss|nll|softmax"
NAME = re.compile(rf"(?=.*softmax)(?=.*(loss|entropy|ce$|nll|cost|criterion|error))({WORDS}|sparse|with)+")  # plain
LABELS = re.compile(r"^(t|y|gt|ans|d)$|labels?|targets?|true|truth|one_?hot|expected|correct", re.IGNORECASE)
GRADIENT = re.compile(r"^d_?(out|y|l|loss|z|a)?$|grad|delta|upstream", re.IGNORECASE)
SCORES = re.compile(rf"{calls.INPUT.pattern}|^u$|logits?|scores?", re.IGNORECASE)
OUTPUT = re.compile(r"^(y|a|p|s|outputs?|out|y_?(hat|pred)|pred\w*|prob\w*|softmax\w*|d_?values)$", re.IGNORECASE)
# Arguments of constructors, and the values that switch an option off or fit the data.
OPTIONS: dict[str, Callable[[Any], Any]] = {
    "smooth": lambda x: 0.0,
    "^eps": lambda x: 1e-9,
    "ignore|padding": lambda x: -100,
    "^t(emp(erature)?)?$": lambda x: 1.0,
    "class": lambda x: x.shape[1],
    "batch": lambda x: x.shape[0],
    "reduction": lambda x: "mean",
    "^name$": lambda x: "loss",
}
LOSS_RIGHT, BOTH_RIGHT = 2, 3
LABELED = ("numbers", "one-hot", "column")
Both = tuple[Any, Any]  # the loss and the gradient


@dataclass(frozen=True)
class _Way:
    """How to call a class."""

    given: tuple[str, ...]  # for each argument of backward: "labels", "scores", "output" or "gradient"
    labels_first: bool = False  # in forward
    columns: bool = False  # whether examples are columns
    labels: str = "numbers"  # or "one-hot" or "column", of numbers
    number: int = 0  # which of the numbers that forward returns is the loss


class SoftmaxWithLoss:
    """Called like `softmax_loss`; each call creates a new object of the class."""

    def __init__(self, owner: type) -> None:
        self._owner, self._way = owner, _Way(())
        self._forward: list[str] = []  # names of arguments
        self._backward: list[str] = []  # of those without a default
        self._error: Exception | None = None  # found when looking at the class

    def __call__(self, x: Any, y: Any) -> Both:
        """The loss and the gradient of the scores."""
        if not self._forward:
            try:
                self._look(x, y if np.ndim(y) == 1 else np.argmax(y, axis=1))
            except Exception as error:
                self._error = error
        if self._error:
            raise self._error
        return self._both(self._made(x), x, y, self._way)

    def _look(self, x: Any, y: Any) -> None:
        """Find out how to call the class; if it is right, also try it on other labels and batches."""
        layer = self._made(x)
        self._forward = [*signature(layer.forward)]
        of_backward = signature(layer.backward).items()
        self._backward = [name for name, one in of_backward if one.default is one.empty and one.kind in (0, 1)]
        if len(self._forward) < 2:
            raise CannotCall(f"{self._owner.__name__}.forward takes no labels, so it does not compute the loss")
        self._way, is_right = self._best_way(x, y)
        known = LABELS, GRADIENT, SCORES, OUTPUT
        unclear = [name for name in self._forward[:2] + self._backward if not any(one.search(name) for one in known)]
        if not is_right and unclear:
            raise CannotCall(f"it is not clear what {self._owner.__name__} takes for {' and '.join(unclear)}")
        if is_right:
            self._check_other_labels(x, y)
            self._check_second_batch(x, y)

    def _best_way(self, x: Any, y: Any) -> tuple[_Way, bool]:
        """The first way with the most right results, and whether all are right."""
        best, most = _Way(()), -3
        for way in self._ways():
            found, score = self._score(way, x.copy(), y.copy())
            unusual = way.labels_first != self._labels_first and score < LOSS_RIGHT
            if score > most and not unusual:
                best, most = found, score
            if score == BOTH_RIGHT:
                break
        return best, most == BOTH_RIGHT

    def _score(self, way: _Way, x: Any, y: Any) -> tuple[_Way, int]:
        """How many results are right this way, the loss counting twice; less where it fails."""
        (mean, right_dx), layer, given = softmax_loss(x, y), self._made(x), _given(x, y, way)
        try:
            numbers = self._numbers(layer, *given, way)
        except Exception:
            return way, -2
        right = [number for number, value in enumerate(numbers) if _is_near(value, mean, len(x))]
        way = replace(way, number=right[0] if right else 0)
        try:
            return way, LOSS_RIGHT * bool(right) + _is_near(self._turned(layer, given, way), right_dx, len(x))
        except Exception:
            return way, LOSS_RIGHT * bool(right) - 1

    def _ways(self) -> Iterator[_Way]:
        usual = self._labels_first
        for given in itertools.product(*map(self._candidates, self._backward)):
            for labels_first, columns, labels in itertools.product((usual, not usual), (False, True), LABELED):
                yield _Way(given, labels_first, columns, labels)

    @property
    def _labels_first(self) -> bool:
        """Whether forward takes the labels first, by the names of its arguments."""
        return bool(LABELS.search(self._forward[0])) and not LABELS.search(self._forward[1])

    def _candidates(self, name: str) -> list[str]:
        """What an argument of backward may be, the likeliest first; beside labels, some take the probabilities."""
        beside = any(LABELS.search(other) for other in self._backward if other != name)
        if LABELS.search(name) and not (beside and OUTPUT.search(name)):
            first = "labels"
        elif SCORES.search(name):
            first = "scores"
        else:
            first = "output" if beside and not GRADIENT.search(name) else "gradient"
        return list(dict.fromkeys([first, "gradient", "output", "labels", "scores"]))

    def _made(self, x: Any) -> Any:
        """A new object, with options that change the loss switched off."""
        options = {}
        for name, one in signature(self._owner).items():
            value = next((value for known, value in OPTIONS.items() if re.search(known, name, re.IGNORECASE)), None)
            if value is not None and (one.default is one.empty or type(one.default) in (int, float)):
                options[name] = value(x)
        layer = calls.made(self._owner, **options)
        if any(vars(base).get("__slots__") for base in type(layer).__mro__):
            raise CannotCall(f"{self._owner.__name__} keeps its values in __slots__, which are not looked into")
        return layer

    def _both(self, layer: Any, x: Any, y: Any, way: _Way) -> Both:
        given = _given(x, y, way)
        numbers = self._numbers(layer, *given, way)
        if not numbers:
            raise CannotCall(f"{self._owner.__name__}.forward does not return one number, the mean loss")
        return numbers[way.number], self._turned(layer, given, way)

    def _turned(self, layer: Any, given: tuple[Any, Any], way: _Way) -> Any:
        """The gradient with examples as rows."""
        dx = self._gradient(layer, *given, way)
        return dx.T if way.columns and isinstance(dx, np.ndarray) else dx

    def _numbers(self, layer: Any, scores: Any, labels: Any, way: _Way) -> list[Any]:
        """What forward returns, or stores, that may be the loss."""
        returned = _called(layer.forward, *((labels, scores) if way.labels_first else (scores, labels)))
        if returned is None:
            returned = tuple(value for name, value in vars(layer).items() if re.search("loss|cost|output", name))
            if not returned:
                return [None]
        every = returned if isinstance(returned, (tuple, list)) else (returned,)
        return [one for one in every if isinstance(one, (int, float, np.ndarray, np.generic)) and np.size(one) == 1]

    def _gradient(self, layer: Any, scores: Any, labels: Any, way: _Way) -> Any:
        """What backward returns in the shape of the scores, or stores."""
        values = {"labels": labels, "scores": scores, "gradient": 1.0}
        given = [
            self._output(layer, name, scores) if kind == "output" else values[kind]
            for name, kind in zip(self._backward, way.given, strict=True)
        ]
        before = [array.copy() for array in calls.arrays(layer)]
        returned = _called(layer.backward, *given)
        every = returned if isinstance(returned, (tuple, list)) else (returned,)
        if returned is None:
            new = [one for one in calls.arrays(layer) if not any(np.array_equal(one, old) for old in before)]
            found = calls.found_in(vars(layer), calls.INPUT_GRADIENT)
            every = (*([np.array(found)] if isinstance(found, np.ndarray) else []), *new)
        arrays = [one for one in every if np.shape(one) == scores.shape] or [*every]
        return arrays[0] if len(arrays) == 1 or (returned is None and arrays) else returned

    def _output(self, layer: Any, name: str, scores: Any) -> Any:
        """The probabilities: what forward stored under the argument's own name, or under a usual one."""
        stored = [name, *(known for known in vars(layer) if OUTPUT.search(known))]
        arrays = [vars(layer)[known] for known in stored if np.shape(vars(layer).get(known)) == scores.shape]
        if not arrays:
            raise CannotCall(f"it is not clear what {self._owner.__name__}.backward takes for {name}")
        return arrays[0]

    def _check_other_labels(self, x: Any, y: Any) -> None:
        """Some take labels in both forms: where the loss is right for both, so must be the gradient."""
        way = replace(self._way, labels="one-hot" if self._way.labels == "numbers" else "numbers")
        mean, right_dx = softmax_loss(x, y)
        kind = "one-hot labels" if way.labels == "one-hot" else "labels that are class numbers"
        try:
            value, dx = self._both(self._made(x), x.copy(), y.copy(), way)
        except Exception as error:
            if is_misspelled(error):
                raise
            return
        if not _is_near(value, mean, len(x)):
            return
        if dx is None:
            raise KnownFault("unimplemented", f"with {kind}, {self._owner.__name__}.backward returns None")
        wrong = None if _is_near(dx, right_dx, len(x)) else difference("dx", np.asarray(dx), right_dx, batch=len(x))
        if wrong:
            raise KnownFault(wrong.of_gradient, f"with {kind}, {wrong.message}")

    def _check_second_batch(self, x: Any, y: Any) -> None:
        """An object must not remember anything of an earlier batch."""
        layer, new = self._made(x), self._made(x)
        for _ in range(2):
            self._both(layer, x.copy(), y.copy(), self._way)
        got, right = (self._both(one, x[::-1] * 0.5, y[::-1].copy(), self._way) for one in (layer, new))
        for what, one, expected, verdict in zip(
            ("the loss", "dx"), got, right, ("wrong-output", "wrong-gradient"), strict=True
        ):
            wrong = difference(what, np.asarray(one), expected)
            if wrong:
                raise KnownFault(verdict, f"for the second batch that an object is given, {wrong.message}")


def _called(method: Callable[..., Any], *given: Any) -> Any:
    """What a method returns; some errors are certain, others may come from the way it is called."""
    try:
        return calls.call(method, *given)
    except calls.IN_THE_CALL as error:
        if is_misspelled(error) or "NoneType" in str(error) or NOT_WRITTEN in str(error):
            raise
        raise CannotCall(f"{method.__qualname__} stops: {said(error)}, {location(error)}") from error


def _given(x: Any, y: Any, way: _Way) -> tuple[Any, Any]:
    """Scores and labels as the class takes them."""
    labels = y
    if np.ndim(y) == 1:
        labels = {"numbers": y, "one-hot": np.eye(x.shape[1])[y], "column": y[:, None]}[way.labels]
    return (x.T, labels.T) if way.columns else (x, labels)


def _is_near(got: Any, mean: Any, rows: int) -> bool:
    """Whether it is right, or at least if it is a sum over the rows: some authors divide elsewhere."""
    size = np.shape(got) if np.ndim(mean) else ()
    return got is not None and any(
        size == np.shape(one) and close(np.reshape(got, size), one, 1e-3) for one in (mean, mean * rows)
    )
