"""Building a net of somebody's class and running it: what all probes of nets share."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from thinnet.check.compare import difference
from thinnet.check.findings import Finding
from thinnet.check.probes.net_calls import explained
from thinnet.check.tap import Call, Tap
from thinnet.check.unit import Unit, describe, parameters
from thinnet.typing import AnyArray, FloatArray, IntArray

DROPOUT_ARGUMENTS = (
    "dropout_keep_ratio",
    "dropout",
    "dropout_keep_prob",
    "keep_prob",
    "dropout_rate",
    "dropout_ratio",
    "dropout_prob",
    "drop_prob",
    "p",
)
NORMALIZATION_ARGUMENTS = ("normalization", "use_batchnorm", "use_batch_norm", "batchnorm", "use_bn")
D, C, N = 5, 4, 6
HIDDEN = (7, 9)
P = 0.4  # a sensible value whether p drops or keeps
SAMPLES = 6  # elements of each parameter whose gradient is checked numerically
FAILURES = {"crashed", "unimplemented", "missing-package", "wrong-return", "out-of-memory", "not-checked"}
ROLES = {"w": "W", "weight": "W", "weights": "W", "b": "b", "bias": "b", "biases": "b"}

Options = dict[str, Any]


class Trial:
    """One run of all net probes, on the net's own layers or on right ones."""

    basis: Options = {  # noqa: RUF012 -- never changed
        "input_dim": D,
        "num_classes": C,
        "weight_scale": 0.1,
        "dtype": np.float64,
        "reg": 0.0,
    }

    def __init__(self, unit: Unit, owner: type, arguments: list[str], layers: Mapping[str, Callable[..., Any]]) -> None:
        self.build_name, self.loss_name = unit.name, f"{unit.name}.loss"
        own = {self.loss_name: _called(owner), self.build_name: self.construct}
        self.unit = Unit(unit.name, {**unit.functions, **own}, unit.reading, tuple(own), in_net=True)
        self.owner = owner
        self.arguments = arguments
        self.tap = Tap(owner, layers)
        self.dropout = next((name for name in DROPOUT_ARGUMENTS if name in arguments), None)
        name = next((name for name in NORMALIZATION_ARGUMENTS if name in arguments), "")
        values = ["batchnorm", "layernorm"] if name == "normalization" else [True] if name else []
        self.normalizations: list[Options] = [{name: value} for value in values]
        self.standard = dict(self.basis)
        self.standard |= {name: None if name == "normalization" else False} if name else {}
        self.scores_right = True
        self.setting = ""  # the options of the net that was built last, in words
        self.first = 1  # the number of the first layer in the names of the parameters

    def run(self, probes: Sequence[Callable[[Trial], None]]) -> list[Finding]:
        """All findings.  Where the first probe cannot run the net, there are no others."""
        with self.tap:
            for probe in probes:
                known = len(self.unit.findings)
                try:
                    probe(self)
                except Exception as error:
                    self.unit.note(error)
                    failed = [one for one in self.unit.findings[known:] if one.verdict in FAILURES]
                    if failed:
                        self._stopped(failed[-1])
                    if failed and probe is probes[0]:
                        break
        return self.unit.findings

    def _stopped(self, failed: Finding) -> None:
        """Say with which options it was; and where it stops because of what the layers were given, that instead."""
        self.unit.findings.remove(failed)
        when = f"{self.setting}: " if self.setting else ""
        why = explained(self.tap.calls, stopped=True) if failed.verdict == "crashed" else None
        if why:
            self.unit.find(why[0], f"{when}{why[1]}; {failed.evidence}")
        else:
            self.unit.findings.append(replace(failed, evidence=when + failed.evidence))

    def construct(self, hidden: list[int], options: Options) -> Any:
        """Call the constructor."""
        return self.owner(hidden, **options)

    def fresh(self, hidden: tuple[int, ...], options: Options) -> Any:
        """A net as its constructor leaves it, in float64."""
        given = {**self.standard, **options}
        self.setting = ", ".join(f"{key}={value!r}" for key, value in options.items() if key != "reg")
        net = self.unit.call(self.build_name, list(hidden), {key: given[key] for key in given if key in self.arguments})
        if not hasattr(getattr(net, "params", None), "items"):
            raise self.unit.stop("wrong-return", "the net has no dict params")
        if not net.params:
            raise self.unit.stop("unimplemented", "params is empty after the constructor")
        if "reg" in options and "reg" not in self.arguments:
            net.reg = options["reg"]
        return net

    def build(self, hidden: tuple[int, ...] = HIDDEN, /, **options: Any) -> Any:
        """A net in float64 with random parameters, biases included."""
        net = self.fresh(hidden, options)
        rng = np.random.default_rng(7)
        for key in sorted(net.params, key=str):
            value = self.unit.array(self.build_name, net.params[key], f"params[{key!r}]")
            scale = 1 / np.sqrt(value.shape[0]) if value.ndim == 2 and len(value) > 1 else 0.3
            # Mostly positive shifts, so that few units stand near the kink of the ReLU.
            net.params[key] = rng.normal(size=value.shape) * scale + (1.0 if role(key)[0] == "gamma" else 0.1)
        return net

    def data(self, rows: int = N) -> tuple[FloatArray, IntArray]:
        """A batch; the same at each call."""
        rng = np.random.default_rng(11)
        return rng.normal(size=(rows, D)), rng.integers(0, C, size=rows)

    def scores(self, net: Any, X: FloatArray) -> AnyArray:
        """Test mode; the tap has its calls."""
        self.tap.calls = []
        return self.unit.array(self.loss_name, self.unit.call(self.loss_name, net, X), "what loss(X) returns")

    def loss(self, net: Any, X: FloatArray, y: IntArray) -> tuple[float, dict[Any, AnyArray]]:
        """Train mode; the tap has its calls."""
        self.tap.calls = []
        loss, grads = self.unit.pair(self.loss_name, net, X, y)
        number = self.unit.array(self.loss_name, loss, "the loss")
        if not hasattr(grads, "items") or number.size != 1:
            told = f"loss(X, y) must return a number and a dict, got {describe(loss)} and {describe(grads)}"
            raise self.unit.stop("wrong-return", told)
        if not grads:
            raise self.unit.stop("unimplemented", "loss(X, y) returns no gradients")
        arrays = {key: self.unit.array(self.loss_name, value, f"the gradient of {key}") for key, value in grads.items()}
        return float(number.reshape(())), {key: value.astype(float) for key, value in arrays.items()}

    def attempt(self, run: Callable[[], Any]) -> Any:
        """What `run` gives, or None where it stops; nothing is noted of that."""
        return self.unit.attempt(run)[0]

    def find_unused(self, verdict: str, told: str, layer: str, *more: Any) -> None:
        """Note that a layer has no effect: only a remark while there is none, since in the courses nets come first.

        Args:
            layer: the forward function, and `more`, what it takes beside x.
        """
        unit, why = self.unit, ""
        if layer not in self.tap.found:
            why = f"; {layer} is not there yet"
        elif layer in unit.functions and unit.attempt(lambda: unit.pair(layer, np.ones((N, D)), *more))[1]:
            why = f"; {layer} is not written yet"
        unit.find(verdict, told + why, severity="note" if why else None)

    def parameter(self, net: Any, kind: str, layer: int) -> FloatArray | None:
        """The parameter of a layer, counted from 1, by whatever name."""
        found = (value for key, value in net.params.items() if role(key) == (kind, layer - 1 + self.first))
        return next((np.asarray(value, dtype=float) for value in found), None)

    def plain_scores(self, net: Any, X: FloatArray) -> FloatArray:
        """The scores by the formula, without dropout and normalization."""
        h, last = X, len(HIDDEN) + 1
        for i in range(1, last + 1):
            h = h @ np.asarray(self.parameter(net, "W", i)) + np.asarray(self.parameter(net, "b", i))
            h = np.maximum(h, 0) if i < last else h
        return h

    def gradients(self, options: Options) -> None:
        """The gradients of a net with these options, its masks held by seeding NumPy's generator before each call."""
        net, (X, y) = self.build(**options), self.data()
        np.random.seed(5)
        _, grads = self.loss(net, X, y)
        calls = list(self.tap.calls)
        np.random.seed(5)
        again, _ = self.loss(net, X, y)
        np.random.seed(5)
        if self.loss(net, X, y)[0] == again:  # else it has a generator of its own
            self.numerically(net, X, y, grads, calls)

    def numerically(
        self, net: Any, X: FloatArray, y: IntArray, grads: dict[Any, AnyArray], calls: Sequence[Call] = ()
    ) -> None:
        """Compare the gradients with differences of the loss."""
        when = f"with {self.setting}, " if self.setting else ""
        missing = [str(key) for key in net.params if key not in grads]
        if missing and self.scores_right:
            self.unit.find("wrong-gradient", f"{when}the gradients of {', '.join(missing)} are missing")
        if missing or not self.scores_right:
            return
        for key in sorted(net.params, key=lambda name: (str(name)[-1], str(name))):
            found = self._compare(net, key, grads[key], X, y, when)
            why = explained(calls) if found else None
            if why:
                self.unit.find(why[0], f"{when}{why[1]}; {found[1]}" if found else why[1])
                return
            if found:
                self.unit.find(*found)

    def _compare(
        self, net: Any, key: Any, gradient: AnyArray, X: FloatArray, y: IntArray, when: str
    ) -> tuple[str, str] | None:
        """The verdict on the gradient of one parameter, and its evidence."""
        value = net.params[key]
        if gradient.size == value.size and gradient.squeeze().shape == value.squeeze().shape:
            gradient = gradient.reshape(value.shape)
        if gradient.shape != value.shape:
            return "shape-changed", f"{when}the gradient of {key} has shape {gradient.shape}, expected {value.shape}"
        picks = np.random.default_rng(3).permutation(value.size)[:SAMPLES]
        places = [tuple(int(i) for i in np.unravel_index(int(pick), value.shape)) for pick in picks]
        got = np.array([gradient[place] for place in places])
        numerical = np.array([self._slope(net, key, place, X, y, 1e-5) for place in places])
        largest = max(float(np.abs(numerical).max()), 1e-3)
        for i in np.flatnonzero(np.abs(got - numerical) > 1e-4 * largest):  # a kink may be near: look closer
            numerical[i] = self._slope(net, key, places[i], X, y, 1e-7)
        if np.all(np.abs(got - numerical) <= 1e-3 * largest):
            return None
        wrong = difference(f"{when}the gradient of {key}", got, numerical, batch=N)
        return (wrong.of_gradient, wrong.words.replace("at [", "at sampled element [")) if wrong else None

    def _slope(self, net: Any, key: Any, place: tuple[int, ...], X: FloatArray, y: IntArray, step: float) -> float:
        values = net.params[key]
        old = values[place]
        ends = []
        for sign in (1, -1):
            values[place] = old + sign * step
            np.random.seed(5)
            ends.append(self.loss(net, X, y)[0])
        values[place] = old
        return (ends[0] - ends[1]) / (2 * step)


def _called(owner: type) -> Callable[..., Any]:
    """The method loss as a function, with its argument names and source."""

    def loss(net: Any, *args: Any) -> Any:
        return net.loss(*args)

    method = getattr(owner, "loss", None)
    return functools.wraps(method)(loss) if callable(method) else loss


def role(key: Any) -> tuple[str, int]:
    """What a parameter is, and the number of its layer: ("W", 1) for "W1", "layer1_W" and (1, "W"); else ("", -1)."""
    text = "".join(map(str, key)) if isinstance(key, tuple) else str(key)
    match = re.fullmatch(r"(?:[A-Za-z]+\W*_?(?=\d))?(?P<before>\d*)\W*_?(?P<word>[A-Za-z]+)\W*_?(?P<after>\d*)", text)
    if not match or bool(match["before"]) == bool(match["after"]):
        return "", -1
    word = match["word"].lower()
    return ROLES.get(word, word), int(match["before"] or match["after"])


def arguments_of(owner: type) -> list[str]:
    """The names of the constructor's arguments; where it takes any, those that it does not refuse."""
    known = inspect.signature(owner).parameters.values() if parameters(owner) else ()
    if not any(one.kind is one.VAR_KEYWORD for one in known):
        return parameters(owner)
    names = ["input_dim", "num_classes", "reg", "weight_scale", "dtype", "seed"]
    for candidates, value in ((DROPOUT_ARGUMENTS, P), (NORMALIZATION_ARGUMENTS, None)):
        for name in candidates:
            try:
                owner([2], input_dim=2, num_classes=2, **{name: value if value or name == "normalization" else True})
            except Exception:
                continue
            names.append(name)
            break
    return names
