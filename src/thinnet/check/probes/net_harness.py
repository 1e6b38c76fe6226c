"""Building nets of the class under check and running them: what all probes of nets share."""

import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from thinnet.check.call_recorder import Call, CallRecorder, right_layers
from thinnet.check.compare import difference
from thinnet.check.findings import Finding
from thinnet.check.probes.net_calls import diagnose
from thinnet.check.subject import Stop, Subject, describe, parameters
from thinnet.layers import softmax_loss
from thinnet.slopes import around, moved
from thinnet.typing import AnyArray, FloatArray, IntArray

DROPOUT_ARGUMENTS = re.findall(
    r"\w+", "dropout_keep_ratio dropout dropout_keep_prob keep_prob dropout_rate dropout_ratio dropout_prob drop_prob p"
)
NORMALIZATION_ARGUMENTS = ("normalization", "use_batchnorm", "use_batch_norm", "batchnorm", "use_bn")
D, C, N = 5, 4, 6
HIDDEN = (7, 9)
ROUNDING = 1e-11  # of the largest value: more than what float64 leaves
P = 0.4  # a sensible value whether p drops or keeps
SAMPLES = 6  # elements of each parameter whose gradient is checked numerically
STEP_AT_ONCE, SAME_SLOPE = 1e-6, 1e-8  # where all parameters move together; rounding alone comes to less
FAILURES = {"crashed", "unimplemented", "missing-package", "wrong-return", "out-of-memory", "not-checked"}
ROLES = {"w": "W", "weight": "W", "weights": "W", "b": "b", "bias": "b", "biases": "b"}

Options = dict[str, Any]
Probe = Callable[[], None]


class NetHarness:
    """Builds nets of the class under check and runs the probes on them, on their own layers or on right ones."""

    base_options: ClassVar[Options] = {
        "input_dim": D, "num_classes": C, "weight_scale": 0.1, "dtype": np.float64, "reg": 0.0,
    }  # fmt: skip

    def __init__(
        self, subject: Subject, owner: type, arguments: list[str], layers: Mapping[str, Callable[..., Any]]
    ) -> None:
        self.build_name, self.loss_name = subject.name, f"{subject.name}.loss"
        own = {self.loss_name: _called(owner), self.build_name: self.construct}
        self.subject = Subject(subject.name, {**subject.functions, **own}, subject.convention, tuple(own), in_net=True)
        self.owner = owner
        self.arguments = arguments
        self.recorder = CallRecorder([value for base in owner.__mro__ for value in vars(base).values()], layers)
        self.dropout = next((name for name in DROPOUT_ARGUMENTS if name in arguments), None)
        name = next((name for name in NORMALIZATION_ARGUMENTS if name in arguments), "")
        values = ["batchnorm", "layernorm"] if name == "normalization" else [True] if name else []
        self.normalizations: list[Options] = [{name: value} for value in values]
        self.standard = dict(self.base_options)
        self.standard |= {name: None if name == "normalization" else False} if name else {}
        self.scores_right = True
        self.loss_right = True
        self.ended = False  # whether what was found makes all else follow from it
        self.single = False  # whether something is computed in float32
        self.setting = ""  # the options of the net that was built last, as text
        self.first = 1  # the number of the first layer in the names of the parameters
        self.roles: dict[Any, tuple[str, int]] = {}  # of parameters whose names do not tell

    def probes(self) -> list[Probe]:
        """What there is to check, in order."""
        raise NotImplementedError

    def run(self) -> list[Finding]:
        """All findings.  Where the first probe cannot run the net, there are no others."""
        with self.recorder:
            for i, probe in enumerate(self.probes()):
                known = len(self.subject.findings)
                try:
                    probe()
                except Exception as error:
                    self.subject.record_end(error)
                    failed = [found for found in self.subject.findings[known:] if found.verdict in FAILURES]
                    if failed:
                        self._explain_stop(failed[-1])
                    if i == 0 and (failed or self.ended):
                        break
        return self.subject.findings

    def _explain_stop(self, failed: Finding) -> None:
        """Say with which options it was; and where it stops because of what the layers were given, that instead."""
        self.subject.findings.remove(failed)
        when = f"{self.setting}: " if self.setting else ""
        why = diagnose(self.recorder.calls, stopped=True) if failed.verdict == "crashed" else None
        if why:
            self.subject.report(why[0], f"{when}{why[1]}; {failed.evidence}")
        else:
            self.subject.findings.append(replace(failed, evidence=when + failed.evidence))

    def construct(self, hidden: list[int], options: Options) -> Any:
        """Call the constructor."""
        return self.owner(hidden, **options)

    def fresh(self, hidden: tuple[int, ...], options: Options) -> Any:
        """A net as its constructor leaves it, in float64."""
        given = {**self.standard, **options}
        self.setting = ", ".join(f"{key}={value!r}" for key, value in options.items() if key != "reg")
        taken = {key: value for key, value in given.items() if key in self.arguments}
        net = self.subject.call(self.build_name, list(hidden), taken)
        if not hasattr(getattr(net, "params", None), "items"):
            if not getattr(net, "__dict__", {}):
                raise self.subject.stop("unimplemented", "the constructor gives the net no attributes, not even params")
            try:
                self.scores(net, self.data()[0])
            except Stop:
                if self.subject.has("unimplemented"):
                    raise
                self.subject.findings.pop()
            raise self.subject.stop("wrong-return", "the net has no dict params")
        none = [key for key, value in net.params.items() if value is None]
        if none or not net.params:
            what = f"params[{none[0]!r}] is None" if none else "params is empty"
            raise self.subject.stop("unimplemented", f"{what} after the constructor")
        if "reg" in options and "reg" not in self.arguments:
            net.reg = options["reg"]
        return net

    def build(self, hidden: tuple[int, ...] = HIDDEN, /, **options: Any) -> Any:
        """A net in float64 with random parameters, biases included."""
        net = self.fresh(hidden, options)
        rng = np.random.default_rng(7)
        for key in sorted(net.params, key=str):
            value = self.subject.array(self.build_name, net.params[key], f"params[{key!r}]")
            scale = 1 / np.sqrt(value.shape[0]) if value.ndim == 2 and len(value) > 1 else 0.3
            # Mostly positive shifts, so that few units stand near the kink of the ReLU.
            net.params[key] = rng.normal(size=value.shape) * scale + (1.0 if role(key)[0] == "gamma" else 0.1)
        return net

    def data(self, rows: int = N) -> tuple[FloatArray, IntArray]:
        """A batch; the same at each call."""
        rng = np.random.default_rng(11)
        return rng.normal(size=(rows, D)), rng.integers(0, C, size=rows)

    def scores(self, net: Any, X: FloatArray) -> AnyArray:
        """Test mode; the recorder has its calls."""
        self.recorder.calls = []
        scores = self.subject.call(self.loss_name, net, X)
        if isinstance(scores, tuple) and len(scores) == 2 and isinstance(scores[1], dict) and not scores[1]:
            raise self.subject.stop("unimplemented", "loss(X) returns no scores, but a loss without gradients")
        return self.subject.array(self.loss_name, scores, "what loss(X) returns")

    def loss(self, net: Any, X: FloatArray, y: IntArray) -> tuple[float, dict[Any, AnyArray]]:
        """Train mode; the recorder has its calls."""
        self.recorder.calls = []
        arrays: dict[Any, AnyArray] = {}
        loss, grads = self.subject.pair(self.loss_name, net, X, y)
        number = self.subject.array(self.loss_name, loss, "the loss")
        if not hasattr(grads, "items") or number.size != 1:
            message = f"loss(X, y) must return a number and a dict, got {describe(loss)} and {describe(grads)}"
            raise self.subject.stop("wrong-return", message)
        if not grads:
            raise self.subject.stop("unimplemented", "loss(X, y) returns no gradients")
        for key, value in grads.items():
            arrays[key] = self.subject.array(self.loss_name, value, f"the gradient of {key}").astype(float)
        return float(number.reshape(())), arrays

    def held_loss(self, net: Any, X: FloatArray, y: IntArray) -> tuple[float, dict[Any, AnyArray]]:
        """The same, with the masks held by seeding NumPy; some nets have a generator of their own."""
        np.random.seed(5)
        return self.loss(net, X, y)

    def find_unused(self, verdict: str, message: str, layer: str, *more: Any) -> None:
        """Note that a layer, which takes `more` beside x, has no effect; while there is none, that is only a remark."""
        subject, why = self.subject, ""
        if layer not in self.recorder.found:
            why = f"; {layer} is not there yet"
        elif layer in subject.functions and subject.attempt(subject.pair, layer, np.ones((N, D)), *more)[1]:
            why = f"; {layer} is not written yet"
        subject.report(verdict, message + why, severity="note" if why else None)

    def role(self, key: Any) -> tuple[str, int]:
        """What a parameter is, and the number of its layer, by its name or, where that does not tell, as was found."""
        return self.roles.get(key) or role(key)

    def parameter(self, net: Any, kind: str, layer: int) -> FloatArray | None:
        """The parameter of a layer, counted from 1, by whatever name."""
        found = (value for key, value in net.params.items() if self.role(key) == (kind, layer - 1 + self.first))
        return next((np.asarray(value, dtype=float) for value in found), None)

    def plain_scores(self, net: Any, X: FloatArray) -> FloatArray:
        """The scores by the formula, without dropout and normalization."""
        return self.scores_with(lambda h, _: np.maximum(h, 0), net, X)

    def scores_with(self, activate: Callable[[FloatArray, int], FloatArray], net: Any, X: FloatArray) -> FloatArray:
        """The scores by the formula where this follows the affine layer of that number."""
        h, last = X, len(HIDDEN) + 1
        for i in range(1, last + 1):
            h = h @ np.asarray(self.parameter(net, "W", i)) + np.asarray(self.parameter(net, "b", i)).reshape(-1)
            h = activate(h, i) if i < last else h
        return h

    def check_pass(self, net: Any) -> tuple[FloatArray, IntArray, dict[Any, AnyArray]]:
        """Check scores and loss by the formula; return the batch, its labels and the gradients."""
        X, y = self.data()
        expected = self.plain_scores(net, X)
        scores, what = self.scores(net, X), "the scores of loss(X)"
        wrong = difference(what, scores, expected)
        if wrong:
            self.scores_right = False  # gradients are not evaluated then: they may only follow
            if self.subject.is_half_precision(what, scores, expected):
                self.ended = True
                raise Stop
            raise self.subject.stop("wrong-output", wrong.message)
        error = float(np.abs(scores - expected).max() / np.abs(expected).max())
        if error > ROUNDING:
            self.single = True
            message = f"{what} of float64 are right only to {error:.1g} of the largest: something is in float32"
            self.subject.report("dtype-changed", message, severity="note")
        before = {key: np.array(value) for key, value in net.params.items()}
        loss, grads = self.loss(net, X, y)
        changed = [key for key, value in before.items() if not np.array_equal(value, net.params[key])]
        if changed:
            self.ended = True
            raise self.subject.stop("input-mutated", f"loss(X, y) changed {', '.join(map(str, changed))} in params")
        wrong = difference("the loss", np.asarray(loss), softmax_loss(expected, y)[0], batch=N)
        if wrong:
            self.scores_right = self.loss_right = False
            raise self.subject.stop("wrong-output", wrong.message)
        return X, y, grads

    def check_gradients(self, options: Options) -> None:
        """Check the gradients of a net with these options, where its masks can be held."""
        net, (X, y) = self.build(**options), self.data()
        _, grads = self.held_loss(net, X, y)
        calls = list(self.recorder.calls)
        if self.held_loss(net, X, y)[0] == self.held_loss(net, X, y)[0]:
            self.compare_gradients(net, X, y, grads, calls)

    def compare_gradients(
        self, net: Any, X: FloatArray, y: IntArray, grads: dict[Any, AnyArray], calls: Sequence[Call] = ()
    ) -> None:
        """Compare the gradients with differences of the loss."""
        when = f"with {self.setting}, " if self.setting else ""
        missing = [str(key) for key in net.params if key not in grads]
        if not self.scores_right:
            return
        if missing:
            self.subject.report("wrong-gradient", f"{when}the gradients of {', '.join(missing)} are missing")
            return
        keys = sorted(net.params, key=lambda name: (str(name)[-1], str(name)))
        if self._agree_at_once(net, keys, grads, X, y):
            return
        for key in keys:
            if self._agree_at_once(net, [key], grads, X, y):
                continue
            found = self._compare(net, key, grads[key], X, y, when)
            if not found:
                continue
            why = diagnose(calls)
            if why:
                self.subject.report(why[0], f"{when}{why[1]}; {found[1]}")
                return
            self.subject.report(*found)

    def _agree_at_once(
        self, net: Any, keys: Sequence[Any], grads: dict[Any, AnyArray], X: FloatArray, y: IntArray
    ) -> bool:
        """Whether some gradients together give the slope in one direction, chosen by chance: then none is wrong."""
        params = {key: net.params[key] for key in keys}
        if any(grads[key].shape != value.shape for key, value in params.items()):
            return False
        losses = []
        for size in (STEP_AT_ONCE, -STEP_AT_ONCE):
            with moved(params, size, 0) as direction:
                losses.append(self.held_loss(net, X, y)[0])
        claimed = sum(float(np.sum(grads[key] * way)) for key, way in direction.items())
        return abs((losses[0] - losses[1]) / (2 * STEP_AT_ONCE) - claimed) <= SAME_SLOPE

    def _compare(
        self, net: Any, key: Any, gradient: AnyArray, X: FloatArray, y: IntArray, when: str
    ) -> tuple[str, str] | None:
        """The verdict on the gradient of one parameter, and its evidence."""
        value = net.params[key]
        same = gradient.squeeze().shape == value.squeeze().shape
        if same and np.broadcast(gradient, value).size == value.size:  # their difference has no more elements
            gradient = gradient.reshape(value.shape)
        if gradient.shape != value.shape:
            return "shape-changed", f"{when}the gradient of {key} has shape {gradient.shape}, expected {value.shape}"
        picks = np.random.default_rng(3).permutation(value.size)[:SAMPLES]
        positions = [tuple(int(i) for i in np.unravel_index(int(pick), value.shape)) for pick in picks]
        got = np.array([gradient[position] for position in positions])
        (step, *closer), tolerance = ((1e-2, 1e-3, 1e-4, 1e-5), 1e-2) if self.single else ((1e-5, 1e-7), 1e-3)
        numerical = np.array([self._slope(net, key, position, X, y, step) for position in positions])
        largest = max(float(np.abs(numerical).max()), 1e-3)
        for step in closer:  # a kink may be near
            for i in np.flatnonzero(np.abs(got - numerical) > 0.1 * tolerance * largest):
                slope = self._slope(net, key, positions[i], X, y, step)
                numerical[i] = slope if abs(got[i] - slope) < abs(got[i] - numerical[i]) else numerical[i]
        if np.all(np.abs(got - numerical) <= tolerance * largest):
            return None
        wrong = difference(f"{when}the gradient of {key}", got, numerical, batch=N)
        return (wrong.of_gradient, wrong.message.replace("at [", "at sampled element [")) if wrong else None

    def _slope(self, net: Any, key: Any, position: tuple[int, ...], X: FloatArray, y: IntArray, step: float) -> float:
        above, below = around(lambda _: self.held_loss(net, X, y)[0], net.params[key], position, step)
        return float(above - below) / (2 * step)


def _called(owner: type) -> Callable[..., Any]:
    """The method loss as a function, with its argument names and source."""

    def loss(net: Any, *args: Any) -> Any:
        return net.loss(*args)

    method = getattr(owner, "loss", None)
    return functools.wraps(method)(loss) if callable(method) else loss


def role(key: Any) -> tuple[str, int]:
    """What a parameter is, and the number of its layer: ("W", 1) for "W1", "layer1_W" and (1, "W"); else ("", -1)."""
    text = "".join(map(str, key)) if isinstance(key, tuple) else str(key)
    match = re.fullmatch(r"(?:[A-Za-z]+\W*_?(?=\d))?(?P<before>\d*)\W*_?(?P<kind>[A-Za-z]+)\W*_?(?P<after>\d*)", text)
    if not match or bool(match["before"]) == bool(match["after"]):
        return "", -1
    kind = match["kind"].lower()
    return ROLES.get(kind, kind), int(match["before"] or match["after"])


def class_of(subject: Subject) -> type:
    """The class under check."""
    owner = subject.functions[subject.owns[0]]
    if not isinstance(owner, type):
        raise subject.stop("not-checked", f"it is a {type(owner).__name__}, expected a class")
    return owner


def takes_any_keyword(owner: type) -> bool:
    """Whether the constructor takes ``**kwargs``, so that it does not tell the names of its arguments."""
    known = inspect.signature(owner).parameters.values() if parameters(owner) else ()
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in known)


def evaluate(subject: Subject, harness_on: Callable[[Mapping[str, Callable[..., Any]]], NetHarness]) -> None:
    """Run a net's probes on its own layers; where something is wrong, on right ones too.

    What is gone then follows from the layers, which have verdicts of their own.
    """
    harness = harness_on({})
    findings = harness.run()
    faults = [found for found in findings if found.severity == "fault" or found.verdict == "not-checked"]
    gone = []
    if faults and harness.recorder.found:
        again = harness_on(right_layers(subject.convention.means)).run()
        names, old_names = {found.verdict for found in again}, {found.verdict for found in findings}
        if not names & FAILURES or old_names & FAILURES:
            gone = [found for found in faults if found.verdict not in names]
            hidden = [found for found in again if found.verdict not in old_names]  # by a layer that failed
            findings = [found for found in findings if found not in gone] + hidden
    subject.findings += findings
    if gone:
        subject.report_caused_by_layers(gone)
