"""Builds nets of the class under check and runs them: what all probes of nets share."""

import contextlib
import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from thinnet.check.call_recorder import FAILURES, CallRecorder, Layers, report_own_faults
from thinnet.check.classes import of_courses, role
from thinnet.check.compare import Alternative, difference
from thinnet.check.findings import Finding, finding
from thinnet.check.probes.layers import agrees
from thinnet.check.probes.net_calls import Diagnosis, diagnose
from thinnet.check.probes.net_mistakes import mistaken_scores, scores_of
from thinnet.check.subject import OF_INTERFACE, Stop, Subject, describe, parameters
from thinnet.checks import kind_of
from thinnet.layers import softmax_loss, svm_loss
from thinnet.typing import AnyArray, FloatArray, IntArray

DROPOUT_ARGUMENTS = str.split(
    "dropout_keep_ratio dropout dropout_keep_prob keep_prob dropout_rate dropout_ratio dropout_prob drop_prob p"
)
NORMALIZATION_ARGUMENTS = ("normalization", "use_batchnorm", "use_batch_norm", "batchnorm", "use_bn")
D, C, N = 5, 4, 6
HIDDEN = (7, 9)
SIZES = (D, *HIDDEN, C)
ROUNDING = 1e-11  # of the largest value: more than float64 rounding errors
P = 0.4  # a sensible value whether p drops or keeps
OF_FORM = {*OF_INTERFACE, "wrong-output", "weights-transposed"}  # typical of a net of another course
HABITS = ("initial-values", "regularization-scaled", "regularization-of-biases", "default-unusable")

Options = dict[str, Any]
Gradients = dict[Any, AnyArray]
Shape = tuple[int, ...]
Shapes = dict[tuple[str, int], Shape]  # of the weights and biases of each layer; no two are equal
Probe = Callable[[], None]


class NetHarness:
    """Builds nets of the class under check and runs the probes on them, on their own layers or on right ones."""

    base_options: ClassVar[Options] = {
        "input_dim": D, "num_classes": C, "weight_scale": 0.1, "dtype": np.float64, "reg": 0.0,
    }  # fmt: skip

    input_shape: ClassVar[Shape] = (D,)
    shapes: ClassVar[Shapes] = {(k, i): SIZES[i - (k == "W") : i + 1] for k in "Wb" for i in range(1, len(SIZES))}
    large_options: ClassVar[Options] = {"input_dim": 40, "num_classes": 50}

    def __init__(self, subject: Subject, owner: type, arguments: list[str], layers: Layers) -> None:
        self.build_name, self.loss_name = subject.name, f"{subject.name}.loss"
        loss: Callable[..., Any] = getattr(owner, "loss", lambda net, *args: net.loss(*args))
        own = {self.loss_name: loss, self.build_name: self.construct}
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
        self.scores_right = self.loss_right = True
        self.ended = False  # whether everything else would follow from what was found
        self.single = False  # whether something is computed in float32
        self.options: Options = {}
        self.last: tuple[Any, FloatArray]  # the net and the batch of the last call
        self.turned = False  # whether weights have shape (outputs, inputs), as in one course's first assignment
        self.first = 1  # the number of the first layer in the names of the parameters
        self.roles: dict[Any, tuple[str, int]] = {}  # for parameters whose names do not tell
        self.wrong: set[Any] = set()  # the parameters with a wrong gradient

    def probes(self) -> list[Probe]:
        """What to check, in order."""
        raise NotImplementedError

    def run(self) -> list[Finding]:
        """Run the probes; return all findings.  If the first probe cannot run the net, the others are skipped."""
        takes = [name.lower() for name in parameters(getattr(self.owner, "loss", None))[1:3]]
        other = not of_courses(self.subject.name) or takes not in (["x", "y"], ["x"], [])
        with self.recorder:
            for i, probe in enumerate(self.probes()):
                known = len(self.subject.findings)
                if self.subject.run(probe):
                    continue
                of_form = OF_FORM if other and i == 0 else set[str]()
                told = [found for found in self.subject.findings[known:] if found.verdict in FAILURES | of_form]
                if told:
                    self._explain_stop(told[-1], of_form)
                if i == 0 and (told or self.ended):
                    break
        habits = HABITS if other else ()
        return [replace(f, severity="note") if f.verdict in habits else f for f in self.subject.findings]

    def _explain_stop(self, failed: Finding, of_form: set[str]) -> None:
        """If the net stops because of what it gave to the layers, report that instead.

        A net that may be of another course need not have the form of these courses' nets.
        """
        self.subject.findings.remove(failed)
        if failed.verdict in of_form:
            failed = finding("not-checked", f"it may be of another course: {failed.evidence}")
        calls, given = self.recorder.calls, self.subject.last_call[1]
        if failed.verdict in ("crashed", "wrong-return") and len(given) == 2 and any("_loss" in c.name for c in calls):
            goes_on = "loss(X), without y, goes on to the loss instead of returning the scores"
            failed = finding("wrong-return", f"{goes_on}: {failed.evidence}")
        why = (diagnose(calls, stopped=True) or self._without_effect()) if failed.verdict == "crashed" else None
        if why:
            self.subject.report(why[0], f"{why[1]}; {failed.evidence.removeprefix(self.subject.when)}")
        else:
            self.subject.findings.append(failed)

    def _without_effect(self) -> Diagnosis | None:
        """An option that has no effect on the scores in training, while the backward pass relies on it."""
        scores = [call.input for call in self.recorder.calls if call.name == "softmax_loss"]
        asked = {"normalization-ignored": NORMALIZATION_ARGUMENTS, "dropout-never-called": (self.dropout,)}
        verdict = next((verdict for verdict, names in asked.items() if {*names} & {*self.options}), "")
        if not (verdict and scores and self.scores_right and agrees(scores[0], self.plain_scores(*self.last))):
            return None
        return verdict, "the scores in training are the same without it, and then the net stops"

    def construct(self, hidden: list[int], options: Options) -> Any:
        """Call the constructor; the hidden units are passed by name, or else first."""
        name = next((name for name in self.arguments if "hidden" in name), "")
        return self.owner(**{name: hidden}, **options) if name else self.owner(hidden, **options)

    def fresh(self, hidden: tuple[int, ...], options: Options) -> Any:
        """A net as constructed, in float64; findings from now on name its options."""
        given = {**self.standard, **options}
        self.options = options
        self.tell_of(options)
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
        what = next((f"params[{key!r}] is None" for key, value in net.params.items() if value is None), "")
        if what or not net.params:
            raise self.subject.stop("unimplemented", f"{what or 'params is empty'} after the constructor")
        if "reg" in options and "reg" not in self.arguments:
            net.reg = options["reg"]
        return net

    def tell_of(self, options: Options) -> None:
        """Make all further findings begin with these options."""
        told = ", ".join(f"{key}={value!r}" for key, value in options.items() if key != "reg")
        self.subject.when = f"with {told}, " if told else ""

    def build(self, hidden: tuple[int, ...] = HIDDEN, /, **options: Any) -> Any:
        """A net in float64 with random parameters, biases included."""
        net = self.fresh(hidden, options)
        rng = np.random.default_rng(7)
        for key in sorted(net.params, key=str):
            value = self.subject.array(self.build_name, net.params[key], f"params[{key!r}]")
            scale = 1 / np.sqrt(value.shape[0]) if value.ndim == 2 and len(value) > 1 else 0.3
            # Mostly positive shifts, so that few units are near the kink of the ReLU.
            net.params[key] = rng.normal(size=value.shape) * scale + (1.0 if role(key)[0] == "gamma" else 0.1)
        return net

    def data(self, rows: int = N) -> tuple[FloatArray, IntArray]:
        """A batch; the same in each call."""
        rng = np.random.default_rng(11)
        return rng.normal(size=(rows, *self.input_shape)), rng.integers(0, C, size=rows)

    def scores(self, net: Any, X: FloatArray) -> AnyArray:
        """The scores, in test mode; the recorder has the calls."""
        self.last = net, X
        self.recorder.restart()
        scores = self.subject.call(self.loss_name, net, X)
        if isinstance(scores, tuple) and scores and np.ndim(scores[0]) == 2 and len(scores[0]) == len(X):
            raise self.subject.stop("wrong-return", f"loss(X) must return the scores alone, got {describe(scores)}")
        if isinstance(scores, tuple) and len(scores) == 2 and isinstance(scores[1], dict) and not scores[1]:
            raise self.subject.stop("unimplemented", "loss(X) returns no scores, but a loss without gradients")
        return self.subject.plain_array(self.loss_name, scores, "what loss(X) returns")

    def loss(self, net: Any, X: FloatArray, y: IntArray, recorded: bool = True) -> tuple[float, Gradients]:
        """Loss and gradients, in train mode; the recorder has the calls if `recorded`."""
        self.last = net, X
        self.recorder.restart(recorded)
        arrays: Gradients = {}
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

    def held_loss(self, net: Any, X: FloatArray, y: IntArray, recorded: bool = True) -> tuple[float, Gradients]:
        """Like `loss`, with the masks held fixed: NumPy and the modules' generators are reset, the net is copied."""
        np.random.seed(5)
        for generator, state in self.recorder.generators:
            generator.bit_generator.state = state
        with contextlib.suppress(Exception):  # some hold objects that cannot be copied
            net = copy.deepcopy(net)
        return self.loss(net, X, y, recorded=recorded)

    def find_unused(self, verdict: str, message: str, layer: str, *more: Any) -> None:
        """Report that a layer, which takes `more` besides x, has no effect; just a note if it is not written yet."""
        subject, why = self.subject, ""
        if layer not in self.recorder.found:
            why = f"; {layer} is not there yet"
        elif layer in subject.functions and subject.attempt(subject.pair, layer, np.ones((N, D)), *more)[1]:
            why = f"; {layer} is not written yet"
        subject.report(verdict, message + why, severity="note" if why else None)

    def role(self, key: Any) -> tuple[str, int]:
        """What a parameter is, and the number of its layer, by its name or, if that does not tell, by its shape."""
        return self.roles.get(key) or role(key)

    def parameter(self, net: Any, kind: str, layer: int) -> FloatArray | None:
        """The parameter of this kind in a layer, counted from 1, whatever its name."""
        found = (value for key, value in net.params.items() if self.role(key) == (kind, layer - 1 + self.first))
        value = next((np.asarray(value, dtype=float) for value in found), None)
        return value.T if value is not None and kind == "W" and self.turned else value

    def layers_of(self, net: Any) -> list[tuple[Any, ...]]:
        """The weights and biases of each affine layer; none if the net has other layers, or some are missing."""
        depth = sum(self.role(key)[0] == "W" for key in net.params)
        layers = [tuple(self.parameter(net, kind, i) for kind in "Wb") for i in range(1, depth + 1)]
        return layers if all(W is not None and W.ndim == 2 and b is not None for W, b in layers) else []

    def plain_scores(self, net: Any, X: FloatArray) -> FloatArray:
        """The scores by the formula, without dropout and normalization."""
        return scores_of(X, self.layers_of(net))

    def mistaken(self, net: Any, X: FloatArray) -> list[Alternative]:
        """Known wrong scores."""
        return mistaken_scores(X, self.layers_of(net))

    def check_pass(self, net: Any) -> Gradients:
        """Check scores and loss by the formula; return the gradients."""
        X, y = self.data()
        expected = self.plain_scores(net, X)
        scores, labels, what = self.scores(net, X), expected.argmax(axis=1), "the scores of loss(X)"
        shares = np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True)
        known: list[Alternative] = [
            (shares, "wrong-output", "are probabilities: return the scores before the softmax"),
            (labels, "wrong-output", "are labels"),
            (np.maximum(expected, 0), "wrong-output", "go through a ReLU after the last affine layer"),
            *self.mistaken(net, X),
        ]
        wrong = difference(what, scores, expected, known)
        if wrong:
            self.scores_right = False  # then gradients are not judged: their faults may just follow
            if self.subject.is_half_precision(what, scores, expected):
                self.ended = True
                raise Stop
            changes = "" if np.array_equal(scores, self.scores(net, X)) else ", and differ from call to call"
            raise self.subject.stop("wrong-output", wrong.message + changes)
        error = float(np.abs(scores - expected).max() / np.abs(expected).max())
        if error > ROUNDING:
            self.single = True
            message = f"{what} are accurate only to {error:.1g} of the largest: something is computed in float32"
            self.subject.report("dtype-changed", message, severity="note")
        before = {key: np.array(value) for key, value in net.params.items()}
        loss, grads = self.loss(net, X, y)
        changed = [key for key, value in before.items() if not np.array_equal(value, net.params[key])]
        if changed:
            self.ended = True
            raise self.subject.stop("input-mutated", f"loss(X, y) changed {', '.join(map(str, changed))} in params")
        known = [
            (svm_loss(expected, y)[0], "wrong-output", "is that of svm_loss instead of softmax_loss"),
            (softmax_loss(np.maximum(expected, 0), y)[0], "wrong-output", "is that of scores after a ReLU"),
            (softmax_loss(shares, y)[0], "wrong-output", "is that of a softmax of probabilities instead of scores"),
        ]
        wrong = difference("the loss", np.asarray(loss), softmax_loss(expected, y)[0], known, batch=N)
        if wrong:
            self.scores_right = self.loss_right = False
            raise self.subject.stop("wrong-output", wrong.message)
        return grads


def class_of(subject: Subject) -> type:
    """The class under check."""
    owner = subject.functions[subject.own]
    if not isinstance(owner, type):
        raise subject.stop("not-checked", f"it is {kind_of(owner)}, expected a class")
    return owner


def evaluate(subject: Subject, harness_on: Callable[[Layers], NetHarness]) -> None:
    """Run a net's probes on its own layers; if something is wrong, on right ones too."""

    def run(layers: Layers) -> tuple[list[Finding], bool]:
        harness = harness_on(layers)
        return harness.run(), bool(harness.recorder.found)

    report_own_faults(subject, run)
