"""FullyConnectedNet: scores, gradients, the penalty, and where and how dropout is called.

A net is run on its own layers first.  Where something is wrong, it is run once more on right layers: what is gone then
follows from the layers, which have verdicts of their own.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from thinnet.check.compare import close, difference
from thinnet.check.findings import Finding
from thinnet.check.tap import Tap, right_layers
from thinnet.check.unit import Stop, Unit, describe, parameters
from thinnet.checks import in_shape
from thinnet.layers import softmax_loss
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
LOSS = "FullyConnectedNet.loss"
BUILD = "FullyConnectedNet"
D, C, N = 5, 4, 6
HIDDEN = (7, 9)
P = 0.4  # a sensible value whether p drops or keeps
REG = 0.7
SAMPLES = 6  # elements of each parameter whose gradient is checked numerically
HANDOUT = (
    "; batchnorm_forward is called with mode 'train' at test (some handouts have bn_param[mode] = mode where "
    "bn_param['mode'] = mode is meant)"
)
FAILURES = {"crashed", "unimplemented", "missing-package", "wrong-return", "out-of-memory", "not-checked"}


class Trial:
    """One run of all net probes, on the net's own layers or on right ones."""

    def __init__(self, unit: Unit, owner: type, arguments: list[str], layers: Mapping[str, Callable[..., Any]]) -> None:
        functions = dict(unit.functions)
        functions[LOSS] = lambda net, *args: net.loss(*args)
        functions[BUILD] = lambda hidden, options: owner(hidden, **options)
        self.unit = Unit(unit.name, functions, unit.reading, (BUILD, LOSS))
        self.arguments = arguments
        self.tap = Tap(owner, layers)
        self.dropout = next((name for name in DROPOUT_ARGUMENTS if name in arguments), None)
        normalization = next((name for name in NORMALIZATION_ARGUMENTS if name in arguments), None)
        value = "batchnorm" if normalization == "normalization" else True
        self.normalization: dict[str, Any] = {normalization: value} if normalization else {}
        self.scores_right = True
        self.setting = ""  # the options of the net that was built last, in words
        self.first = 1  # the number of the first layer in the names of the parameters

    def run(self) -> list[Finding]:
        """All findings."""
        with self.tap:
            for probe in (self._plain, self._penalty, self._dropout, self._normalizations):
                try:
                    probe()
                except Exception as error:
                    self.unit.note(error)
                    last = self.unit.findings[-1]
                    if last.verdict in FAILURES:
                        where = f"{self.setting}: " if self.setting else ""
                        self.unit.findings[-1] = replace(last, evidence=where + last.evidence)
                        if probe == self._plain:
                            break
        return self.unit.findings

    def build(self, hidden: tuple[int, ...] = HIDDEN, /, **options: Any) -> Any:
        """A net in float64 with random parameters, biases included."""
        standard = {"input_dim": D, "num_classes": C, "weight_scale": 0.1, "dtype": np.float64, "reg": 0.0}
        known: dict[str, Any] = {key: value for key, value in {**standard, **options}.items() if key in self.arguments}
        self.setting = ", ".join(f"{key}={value!r}" for key, value in options.items() if key != "reg")
        net = self.unit.call(BUILD, list(hidden), known)
        if not hasattr(getattr(net, "params", None), "items"):
            raise self.unit.stop("wrong-return", "the net has no dict params")
        if "reg" in options and "reg" not in self.arguments:
            net.reg = options["reg"]
        rng = np.random.default_rng(7)
        for key in sorted(net.params):
            value = self.unit.array(BUILD, net.params[key], f"params[{key!r}]")
            scale = 1 / np.sqrt(value.shape[0]) if value.ndim == 2 and len(value) > 1 else 0.3
            # Mostly positive shifts, so that few units stand near the kink of the ReLU.
            net.params[key] = rng.normal(size=value.shape) * scale + (1.0 if key.startswith("gamma") else 0.1)
        return net

    def data(self, rows: int = N) -> tuple[FloatArray, IntArray]:
        """A batch; the same at each call."""
        rng = np.random.default_rng(11)
        return rng.normal(size=(rows, D)), rng.integers(0, C, size=rows)

    def scores(self, net: Any, X: FloatArray) -> AnyArray:
        """Test mode."""
        return self.unit.array(LOSS, self.unit.call(LOSS, net, X), "what loss(X) returns")

    def loss(self, net: Any, X: FloatArray, y: IntArray) -> tuple[float, dict[str, AnyArray]]:
        """Train mode."""
        loss, grads = self.unit.pair(LOSS, net, X, y)
        number = self.unit.array(LOSS, loss, "the loss")
        if not hasattr(grads, "items") or number.size != 1:
            told = f"loss(X, y) must return a number and a dict, got {describe(loss)} and {describe(grads)}"
            raise self.unit.stop("wrong-return", told)
        arrays = {key: self.unit.array(LOSS, value, f"the gradient of {key}") for key, value in grads.items()}
        return float(number.reshape(())), {key: value.astype(float) for key, value in arrays.items()}

    def plain_scores(self, net: Any, X: FloatArray) -> FloatArray:
        """The scores by the formula, without dropout and normalization."""
        h, last = X, len(HIDDEN) + self.first
        for i in range(self.first, last + 1):
            h = h @ np.asarray(net.params[f"W{i}"]) + np.asarray(net.params[f"b{i}"])
            h = np.maximum(h, 0) if i < last else h
        return h

    def _plain(self) -> None:
        """Without dropout and normalization: scores, loss and gradients by the formula."""
        net = self.build()
        if "W0" in net.params and "W1" in net.params:
            self.first = 0
            self.unit.find("parameter-names", "the first layer's weights are W0 instead of W1")
        sizes = (D, *HIDDEN, C)
        shapes: dict[str, tuple[int, ...]] = {}
        for i in range(len(HIDDEN) + 1):
            shapes |= {f"W{i + self.first}": sizes[i : i + 2], f"b{i + self.first}": sizes[i + 1 : i + 2]}
        if not shapes.keys() <= set(net.params):
            raise self.unit.stop("wrong-return", f"params has the keys {sorted(net.params)}, expected {sorted(shapes)}")
        for key, shape in shapes.items():
            if in_shape(net.params[key], shape).shape != shape:
                told = f"params[{key!r}] has shape {net.params[key].shape}, expected {shape}"
                raise self.unit.stop("wrong-return", told)
        X, y = self.data()
        expected = self.plain_scores(net, X)
        wrong = difference("the scores of loss(X)", self.scores(net, X), expected)
        if wrong:
            self.scores_right = False  # gradients are not judged then: they may only follow
            raise self.unit.stop("wrong-output", wrong.words)
        loss, grads = self.loss(net, X, y)
        wrong = difference("the loss", np.asarray(loss), softmax_loss(expected, y)[0], batch=N)
        if wrong:
            raise self.unit.stop("wrong-output", wrong.words)
        self._numerically(net, X, y, grads, "")

    def _penalty(self) -> None:
        """The L2 penalty, as the difference between reg and none."""
        if "reg" not in self.arguments and "reg" not in dir(self.build()):
            return
        X, y = self.data()
        without, net = self.build(reg=0.0), self.build(reg=REG)
        (base, base_grads), (loss, grads) = self.loss(without, X, y), self.loss(net, X, y)
        params = {key: np.array(value, dtype=float) for key, value in net.params.items()}
        weights = {key: 0.5 * REG * float(np.sum(value**2)) for key, value in params.items() if key[0] == "W"}
        biases = sum(0.5 * REG * float(np.sum(value**2)) for key, value in params.items() if key[0] == "b")
        self._penalty_of_loss(loss - base, weights, biases)
        self._penalty_of_gradients({key: grads[key] - base_grads[key] for key in params if key in grads}, params)

    def _penalty_of_loss(self, penalty: float, weights: dict[str, float], biases: float) -> None:
        right = sum(weights.values())
        told = f"reg = {REG} adds {penalty:.6g} to the loss, expected {right:.6g}"

        def is_about(value: float, tolerance: float = 1e-4) -> bool:
            return abs(penalty - value) <= tolerance * right

        if is_about(right):
            return
        if is_about(right + biases):
            self.unit.find("regularisation-of-biases", f"{told}; the biases make the difference")
            return
        if is_about(2 * (right + biases)) or is_about(0.5 * (right + biases)):
            self.unit.find("regularisation-of-biases", f"{told}; the biases are penalized as well")
            self.unit.find("regularisation-scaled", told)
            return
        for count in range(len(weights)):
            for some in itertools.combinations(weights, count):
                if is_about(sum(weights[key] for key in some), 1e-6):
                    lost = ", ".join(key for key in weights if key not in some)
                    self.unit.find("regularisation-missing", f"{told}: it lacks {lost}")
                    return
        self.unit.find("regularisation-scaled", f"{told}: {penalty / right:.4g} times as much")

    def _penalty_of_gradients(self, added: dict[str, AnyArray], params: dict[str, FloatArray]) -> None:
        for key, value in added.items():
            if key[0] == "W":
                right = REG * params[key]
                if value.shape != right.shape or close(value, right):
                    continue
                factor = float(np.sum(value * right) / np.sum(right * right))
                told = f"reg = {REG} adds {factor:.4g} * reg * {key} to the gradient of {key}, expected reg * {key}"
                self.unit.find("regularisation-missing" if abs(factor) < 1e-6 else "regularisation-scaled", told)
            elif key[0] == "b" and np.abs(value).max() > 1e-6 * REG:
                self.unit.find(
                    "regularisation-of-biases", f"reg = {REG} adds to the gradient of {key}, expected nothing"
                )

    def _dropout(self) -> None:
        """Whether dropout is called, where, with which mask, and on the way back too."""
        if self.dropout is None:
            return
        net = self.build((60, 50), **{self.dropout: P})
        X, y = self.data(20)
        first, second = self.scores(net, X), self.scores(net, X)
        if not np.array_equal(first, second):
            self.unit.find("active-at-test", f"with {self.setting}, two calls of loss(X) gave different scores")
            return
        self.tap.calls.clear()
        losses = [self.loss(net, X, y)[0] for _ in range(3)]
        without = softmax_loss(self.plain_scores(net, X), y)[0]
        told = f"three losses in training are all {losses[0]:.6g}"
        if np.ptp(losses) == 0 and abs(losses[0] - without) <= 1e-9 * abs(without):
            self.unit.find("dropout-never-called", f"with {self.setting}, {told}, as without dropout")
            return
        if np.ptp(losses) == 0:
            self.unit.find("same-mask-every-step", f"with {self.setting} and no seed, {told}")
        self._placement()
        if not self.unit.reported("dropout-backward-never-called"):
            # With dropout alone, and together with normalization, which many nets write out separately.
            self._gradients_under_a_mask({self.dropout: P})
            if self.normalization:
                self._gradients_under_a_mask({self.dropout: P, **self.normalization})

    def _placement(self) -> None:
        """What the recorded calls tell."""
        forward = self.tap.named("dropout_forward")
        scores = [call.given for call in self.tap.named("softmax_loss")[:1] if call.given.shape == (20, C)]
        zeros = sum(int((given == 0).sum()) for given in scores)
        if any(call.given.shape[-1:] == (C,) for call in forward):
            self.unit.find("dropout-on-output-layer", "dropout_forward is called on the scores")
        elif zeros:
            self.unit.find("dropout-on-output-layer", f"{zeros} of {20 * C} scores are zero in training")
        hidden = [call for call in forward if call.given.shape[-1:] != (C,)]
        if any((call.given < 0).any() for call in hidden):
            share = float(np.mean([(call.given < 0).mean() for call in hidden]))
            self.unit.find("dropout-before-relu-or-norm", f"{share:.0%} of what dropout_forward was given is negative")
        for name in ("batchnorm_forward", "layernorm_forward"):
            if any(call.given.size and (call.given == 0).mean() > 0.1 for call in self.tap.named(name)):
                self.unit.find("dropout-before-relu-or-norm", f"what {name} was given has zeros from dropout")
        if forward and "dropout_backward" in self.tap.found and not self.tap.named("dropout_backward"):
            told = f"dropout_forward is called {len(forward) // 3} times a step, dropout_backward never"
            self.unit.find("dropout-backward-never-called", told)
        p = forward[0].option.get("p") if forward else None
        if isinstance(p, float) and abs(p - (1 - P)) < 1e-9:
            told = f"FullyConnectedNet({self.setting}) calls dropout_forward with p = {p:g}"
            self.unit.find("keep-and-drop-swapped", told)

    def _gradients_under_a_mask(self, options: dict[str, Any]) -> None:
        """The mask is held by seeding NumPy's generator anew before each call."""
        net = self.build(HIDDEN, **options)
        X, y = self.data()
        np.random.seed(5)
        _, grads = self.loss(net, X, y)
        np.random.seed(5)
        again, _ = self.loss(net, X, y)
        np.random.seed(5)
        if self.loss(net, X, y)[0] == again:  # else it has a generator of its own
            self._numerically(net, X, y, grads, f"with {self.setting}, ")

    def _normalizations(self) -> None:
        """The gradients and test mode of a net with normalization."""
        if self.normalization:
            self._normalization(self.normalization)
        if "normalization" in self.normalization:
            known = len(self.unit.findings)
            try:
                self._normalization({"normalization": "layernorm"})
            except Stop:  # not every year asks for it
                del self.unit.findings[known:]

    def _normalization(self, options: dict[str, Any]) -> None:
        net = self.build(**options)
        X, y = self.data()
        _, grads = self.loss(net, X, y)
        if not any(key.startswith("gamma") for key in net.params):
            return
        self._numerically(net, X, y, grads, f"with {self.setting}, ")
        whole, one = self.scores(net, X), self.scores(net, X[:3])
        if whole[:3].shape != one.shape or not close(whole[:3], one):
            told = f"with {self.setting}, the scores of an example change with the others in its test batch"
            modes = {one.option.get("mode") for one in self.tap.named("batchnorm_forward")[-2:] if one.option}
            if modes == {"train"}:
                told += HANDOUT
            self.unit.find("batch-statistics-at-test", told)

    def _numerically(self, net: Any, X: FloatArray, y: IntArray, grads: dict[str, AnyArray], when: str) -> None:
        if not self.scores_right:
            return
        missing = [key for key in net.params if key not in grads]
        if missing:
            self.unit.find("wrong-gradient", f"{when}the gradients of {', '.join(missing)} are missing")
            return
        for key in sorted(net.params, key=lambda name: (name[-1], name)):
            value = net.params[key]
            gradient = in_shape(grads[key], value.shape)
            if gradient.shape != value.shape:
                told = f"{when}the gradient of {key} has shape {grads[key].shape}, expected {value.shape}"
                self.unit.find("shape-changed", told)
                continue
            picks = np.random.default_rng(3).permutation(value.size)[:SAMPLES]
            places = [tuple(int(i) for i in np.unravel_index(int(pick), value.shape)) for pick in picks]
            got = np.array([gradient[place] for place in places])
            numerical = np.array([self._slope(net, key, place, X, y, 1e-5) for place in places])
            largest = max(float(np.abs(numerical).max()), 1e-3)
            for i in np.flatnonzero(np.abs(got - numerical) > 1e-4 * largest):  # a kink may be near: look closer
                numerical[i] = self._slope(net, key, places[i], X, y, 1e-7)
            if np.all(np.abs(got - numerical) <= 1e-3 * largest):
                continue
            wrong = difference(f"{when}the gradient of {key}", got, numerical, batch=N)
            if wrong:
                words = wrong.words.replace("at [", "at sampled element [")
                self.unit.find(wrong.of_gradient, words)

    def _slope(self, net: Any, key: str, place: tuple[int, ...], X: FloatArray, y: IntArray, step: float) -> float:
        values = net.params[key]
        old = values[place]
        ends = []
        for sign in (1, -1):
            values[place] = old + sign * step
            np.random.seed(5)
            ends.append(self.loss(net, X, y)[0])
        values[place] = old
        return (ends[0] - ends[1]) / (2 * step)


def check(unit: Unit) -> None:
    """The net on its own layers; where something is wrong, on right ones too."""
    owner = unit.functions[unit.owns[0]]
    if not isinstance(owner, type):
        raise unit.stop("not-checked", f"it is a {type(owner).__name__}, expected a class")
    arguments = _arguments(owner)
    if "device" in arguments or ("input_dim" not in arguments and "hidden" not in "".join(arguments[:1])):
        raise unit.stop("not-checked", f"its constructor takes ({', '.join(arguments)}), which is of another course")
    trial = Trial(unit, owner, arguments, {})
    found = trial.run()
    faults = [one for one in found if one.severity == "fault" or one.verdict == "not-checked"]
    gone = []
    if faults and trial.tap.found:
        again = Trial(unit, owner, arguments, right_layers(unit.reading.means)).run()
        names, old_names = {one.verdict for one in again}, {one.verdict for one in found}
        if not names & FAILURES or old_names & FAILURES:
            gone = [one for one in faults if one.verdict not in names]
            hidden = [one for one in again if one.verdict not in old_names]  # by a layer that failed
            found = [one for one in found if one not in gone] + hidden
    unit.findings += found
    if gone:
        told = "; ".join(one.evidence for one in gone[:2])
        unit.find("follows-from-layers", f"with right layers in their place this is gone: {told}")


def _arguments(owner: type) -> list[str]:
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
