"""The subject under check: calls its functions safely, and collects the findings."""

import ast
import contextlib
import copy
import inspect
import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from thinnet import old_python
from thinnet.check.compare import close
from thinnet.check.findings import Finding, finding
from thinnet.check.frameworks import FRAMEWORKS, HELPERS
from thinnet.check.location import location, meant, said, similar
from thinnet.check.p_convention import PConvention
from thinnet.check.verdicts import Severity
from thinnet.checks import kind_of
from thinnet.course import conv_layers, fast_layers, layer_utils, layers
from thinnet.course.cs231n import optim
from thinnet.typing import AnyArray

Function = Callable[..., Any]
OF_COURSES = {"dropout_forward", *layers.__all__, *conv_layers.__all__, *fast_layers.__all__, *layer_utils.NAMES}
MISSING_STARS: set[str] = set()  # missing modules that were imported with *
OF_INTERFACE = {"crashed", "unimplemented", "wrong-return"}  # typical of another course's function called as ours
NOT_WRITTEN = "exceptions must derive from BaseException"  # raise NotImplemented, as in some handouts
TO_DO = re.compile(r"\bto.?do\b|not\b.{0,10}\bimplemented|implement (?:me|this)|your code", re.IGNORECASE)
NEARLY = 1e-2  # of the largest value: the largest error of a float16 result
# Options that a function may read from a dictionary, but must not change.
OPTIONS = {"p", "mode", "eps", "momentum", "learning_rate", "decay_rate", "beta1", "beta2", "epsilon"}
UNKNOWN: Any = object()  # placeholder for a result that cannot be obtained


class MissingPackage(Exception):  # noqa: N818 -- it stands for the package, not for an error of ours
    """Raised if code under check uses a package that is not installed; holds what it uses, and the package."""

    def __str__(self) -> str:
        return f"{self.args[0]} is used, and {self.args[1]} is not there"


class CannotCall(Exception):  # noqa: N818 -- our guess at the interface failed, not the code
    """Raised if it is unclear how to call the code under check."""


class KnownFault(Exception):  # noqa: N818 -- a finding, not an error
    """Raised by an adapter for a fault that it hides from the probes; holds the verdict and the evidence."""


class Timeout(BaseException):
    """Raised inside code under check that takes too long, if it has no process of its own to kill."""


class Stop(Exception):  # noqa: N818 -- not an error: the check of one function ends here
    """The function cannot be checked further; the reason has been reported."""


@dataclass(eq=False)
class Subject:
    """A function (or class) under check, the other functions that it needs, and the findings."""

    name: str  # the name in the report
    functions: Mapping[str, Any]  # everything callable in the namespace
    convention: PConvention
    owns: tuple[str, ...]  # the functions whose failure is this subject's own fault
    in_net: bool = False  # the fixes for a whole net differ from a layer's
    when: str = ""  # the options in use, if it was right with others
    findings: list[Finding] = field(default_factory=list)
    last_call: tuple[str, tuple[Any, ...]] = ("", ())  # the last function called, and its arguments
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(20140615))  # for reproducible inputs

    def report(self, verdict: str, evidence: str, *, example: str = "", severity: Severity | None = None) -> None:
        """Add a verdict, once."""
        if not self.has(verdict):
            keep, net = self.convention.keep, self.in_net
            evidence = self.when + evidence
            found = finding(verdict, evidence, self.own, example=example, severity=severity, keep=keep, in_net=net)
            for name, own in self.functions.get("__own_names__", {}).items():  # in place of the courses'
                found = replace(found, evidence=found.evidence.replace(name, own), mend=found.mend.replace(name, own))
            self.findings.append(found)

    def has(self, verdict: str) -> bool:
        """Whether a verdict has been reported."""
        return any(found.verdict == verdict for found in self.findings)

    @property
    def has_fault(self) -> bool:
        """Whether a fault has been reported, rather than notes only."""
        return any(found.severity == "fault" for found in self.findings)

    @property
    def own(self) -> str:
        """The function under check."""
        return self.owns[0]

    @property
    def forward(self) -> str:
        """The forward function whose cache a backward function under check takes."""
        return self.own.removesuffix("_alt").replace("backward", "forward")

    @property
    def of_class(self) -> bool:
        """Whether the functions are adapters of a class, or of functions that take only one shape of input."""
        return "__class_adapter__" in self.functions

    def stop(self, verdict: str, evidence: str) -> Stop:
        """Report a verdict after which nothing more can be measured; the caller raises the result."""
        self.report(verdict, evidence)
        return Stop()

    def run(self, probe: Callable[..., Any], *args: Any) -> bool:
        """Run a probe; return whether it finished.  If not, report why: results can have unforeseen forms."""
        try:
            probe(*args)
        except Stop:
            return False
        except Exception as error:
            self.report("not-checked", f"what it returned cannot be judged: {type(error).__name__}: {error}"[:300])
            return False
        return True

    def attempt(self, run: Callable[..., Any], *args: Any) -> tuple[Any, str]:
        """The result of `run` and ""; or, if it stops, None and the reason, with none of its findings reported."""
        known, self.findings = self.findings, []
        try:
            result = run(*args)
        except Stop:
            why, self.findings = self.findings[-1].evidence, known
            return None, why
        new, self.findings = self.findings, known
        self.findings += [found for found in new if not self.has(found.verdict)]
        return result, ""

    def call(self, name: str, *args: Any, may_change: tuple[int, ...] = ()) -> Any:
        """Call a function; report it if it fails, returns None, or changes options or arrays not in `may_change`."""
        if not callable(self.functions.get(name)):
            raise self._absent(name)
        given = [arg.copy() if isinstance(arg, np.ndarray) else arg for arg in args]  # the originals stay unchanged
        options = [dict(arg) if isinstance(arg, dict) else {} for arg in args]
        self.last_call = name, args
        try:
            with np.errstate(all="ignore"):  # whatever the code has set
                result = self.functions[name](*given)
        except (Timeout, KeyboardInterrupt):
            raise
        except BaseException as error:
            if name in self.owns and isinstance(error, TypeError) and signature_mismatch(self.functions[name], *args):
                why = f"{name} does not take {len(args)} arguments, as the courses' function does"
                raise self.stop("not-checked", why) from error
            raise self._failure(name, error) from error
        values = result if isinstance(result, tuple) and result else (result,)
        if all(value is None or value is ... or value is NotImplemented for value in values):
            mode = next((f" in mode {arg['mode']!r}" for arg in args if isinstance(arg, dict) and "mode" in arg), "")
            raise self.blame(name, "unimplemented", f"{name} returns {', '.join(map(str, values))}{mode}")
        for position, (new, old) in enumerate(zip(given, args, strict=True)) if name in self.owns else ():
            if isinstance(old, np.ndarray) and position not in may_change:
                self._compare(name, position, old, new)
            for key in OPTIONS & options[position].keys():
                was, now = options[position][key], args[position].get(key)
                if not np.array_equal(now, was):
                    what = f"{self._parameter(name, position)}[{key!r}]"
                    self.report("input-mutated", f"{name} changed {what} from {was!r} to {now!r}")
        return result

    def pair(self, name: str, *args: Any, may_change: tuple[int, ...] = ()) -> tuple[Any, Any]:
        """Call a function that returns two values, the first an array or a number."""
        result = self.call(name, *args, may_change=may_change)
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise self.blame(name, "wrong-return", f"{name} must return two values, got {describe(result)}")
        if result[0] is None:
            raise self.blame(name, "unimplemented", f"the first value that {name} returns is None")
        return result[0], result[1]

    def array(self, name: str, value: Any, what: str) -> AnyArray:
        """A result as an array of numbers."""
        try:
            array = np.asarray(value)
            if array.dtype.kind not in "fiub":
                raise ValueError
        except ValueError:
            message = f"{what} must be an array of numbers, got {describe(value)}"
            raise self.blame(name, "wrong-return", message) from None
        return array

    def plain_array(self, name: str, value: Any, what: str) -> AnyArray:
        """Like `array`, but the result must not be an np.matrix, for which * and [...] have another meaning."""
        if isinstance(value, np.matrix) and not self.of_class:
            raise self.blame(name, "wrong-return", f"{what} is an np.matrix, expected an array")
        return self.array(name, value, what)

    def is_half_precision(self, what: str, got: AnyArray, expected: AnyArray | float) -> bool:
        """Whether the last call computes in float16, which is reported: `got` is nearly right, but moves in steps.

        That is, most of it stays the same if an argument changes by a millionth, but not if it changes by a tenth.
        """
        if got.shape != np.shape(expected) or not close(got, expected, NEARLY):
            return False
        name, args = self.last_call

        def result(changed: int, share: float) -> AnyArray:
            np.random.seed(0)
            given = [arg * (1 + share) if i == changed else copy.copy(arg) for i, arg in enumerate(args)]
            returned = self.functions[name](*given)
            return np.asarray(returned[0] if isinstance(returned, (tuple, list)) else returned)

        plain = result(-1, 0)

        def most_stays(changed: int, share: float) -> bool:
            return bool(np.mean((result(changed, share) == plain)[plain != 0]) >= 0.5)

        floats = [i for i, arg in enumerate(args) if isinstance(arg, np.ndarray) and arg.dtype.kind == "f"]
        if not any(most_stays(i, 1e-6) and not most_stays(i, 0.1) for i in floats):
            return False
        error = np.abs(got.astype(float) - expected).max() / np.max(np.abs(expected))
        message = f"{what} has only the precision of float16: it is off by {error:.1g} of the largest value"
        self.report("dtype-changed", message)
        return True

    def _parameter(self, name: str, position: int) -> str:
        names = parameters(self.functions[name])
        return names[position] if position < len(names) else f"argument {position + 1}"

    def _compare(self, name: str, position: int, old: AnyArray, new: AnyArray) -> None:
        """Report an argument that has changed."""
        if new.shape == old.shape and np.array_equal(new, old, equal_nan=old.dtype.kind == "f"):
            return
        parameter = self._parameter(name, position)
        if new.shape != old.shape:
            evidence = f"{name} changed the shape of {parameter} from {old.shape} to {new.shape}"
        else:
            where = np.unravel_index(int(np.argmax(old != new)), old.shape)
            index = ", ".join(map(str, map(int, where)))
            evidence = f"{name} changed {parameter}[{index}] from {old[where]:.6g} to {new[where]:.6g}"
        # The upstream gradient and the scores of a class are seldom used again, and books overwrite them: only a note.
        used = not name.endswith("backward") and not (self.of_class and name.endswith("loss") and position == 0)
        self.report("input-mutated", evidence, severity=None if used else "note")

    def blame(self, name: str, verdict: str, evidence: str) -> Stop:
        """Report a verdict on a called function: a fault of this subject, or the reason why it is not checked."""
        if name not in self.owns:
            return self.stop("not-checked", f"it needs {name}, and {evidence}")
        theirs, ours = parameters(self.functions[name]), _arguments_of_courses(name)
        same = _alike(theirs[: len(ours)]) == _alike(ours)
        if ours and not same and verdict in OF_INTERFACE and not self.of_class:
            takes = f"{name} takes ({', '.join(theirs)}), where these courses' takes ({', '.join(ours)})"
            verdict, evidence = "not-checked", f"{takes}: {evidence}"
        return self.stop(verdict, evidence)

    def _absent(self, name: str) -> Stop:
        """Report that a function is not there, and the one that may be meant for it: others have less similar names."""
        if self.functions.get(name) is not None and name in self.owns:
            return self.stop("not-checked", f"{name} is {kind_of(self.functions[name])}, not a function")
        close = similar(name, (one for one, value in self.functions.items() if callable(value)), 0.9)
        question = f"; did you mean {close}?" if close else ""
        return self.stop("not-checked", f"it needs {name}, which is not there{question}")

    def _failure(self, name: str, error: BaseException) -> Stop:
        what = said(error) + meant(error)
        if isinstance(error, CannotCall):
            return self.stop("not-checked", str(error))
        if isinstance(error, KnownFault):
            return self.blame(name, error.args[0], error.args[1])
        if isinstance(error, MissingPackage):
            verdict = "not-checked" if error.args[1] in FRAMEWORKS | HELPERS else "missing-package"
            return self.blame(name, verdict, str(error))
        if isinstance(error, (ImportError, MemoryError)):
            verdict = "out-of-memory" if isinstance(error, MemoryError) else "missing-package"
            return self.blame(name, verdict, f"{what}, {location(error)}")
        if isinstance(error, NotImplementedError) or NOT_WRITTEN in what or TO_DO.search(what):
            return self.blame(name, "unimplemented", f"{name} raises {what}")
        # It comes from a file that is missing or must be compiled.
        if isinstance(error, NameError) and (error.name in OF_COURSES or MISSING_STARS):
            return self._absent(str(error.name))
        missing = error.name if isinstance(error, NameError) else "None" if "NoneType" in str(error) else ""
        if missing and missing in _never_computed(self.functions[name]):
            return self.blame(name, "unimplemented", f"a result was never computed: {what}, {location(error)}")
        old = old_python.why_it_stops(what, error)
        if old:
            return self.stop("not-checked", f"{name} is written for {old}: {what}, {location(error)}")
        cache = self.last_call[1][1] if name.endswith("_backward") and len(self.last_call[1]) == 2 else None
        own = isinstance(cache, tuple) and not self.of_class
        left = f"; the cache that forward left is {describe(cache)}" if own else ""
        return self.blame(name, "crashed", f"{what}, {location(error)}{left}")


def signature(function: Any) -> Mapping[str, inspect.Parameter]:
    """A function's arguments by name; none if it has no signature."""
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


def parameters(function: Any) -> list[str]:
    """The names of a function's arguments."""
    return [*signature(function)]


def arguments_of(owner: type, hidden: list[int] | None, *candidates: dict[str, Any]) -> list[str]:
    """The names of the arguments of a net's constructor.

    If it takes ``**kwargs``: from each of the candidates, the first name that its code mentions, preferably as a
    string, and that it accepts; likewise some common names.
    """
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature(owner).values()):
        return parameters(owner)
    texts, names = set[Any](), set[Any]()
    code = [getattr(value, "__code__", None) for base in owner.__mro__ for value in vars(base).values()]
    for one in filter(None, code):
        names |= {*one.co_names}
        for value in one.co_consts:
            texts |= {*(value if isinstance(value, tuple) else [value])}
            code.append(value if isinstance(value, type(one)) else None)
    taken: dict[str, Any] = {"input_dim": 2, "num_classes": 2}
    for options in (*candidates, {"reg": 0.0}, {"weight_scale": 1.0}, {"dtype": np.float64}, {"seed": None}):
        for name in [name for words in (texts - {"p"}, texts | names) for name in options if name in words]:
            with contextlib.suppress(Exception):  # it does not take this name
                owner(*([hidden] if hidden else []), **taken, **{name: options[name]})
                taken[name] = options[name]
                break
    return [*taken]


def usual_value(function: Any, name: str) -> Any:
    """The default of an argument, or None."""
    default = signature(function)[name].default
    return None if default is inspect.Parameter.empty else default


def _arguments_of_courses(name: str) -> list[str]:
    function = getattr(layers, name, None) or getattr(optim, name, None)
    return [name for name in parameters(function) if name != "activation"]


def _alike(names: list[str]) -> list[str]:
    """The names with w in place of x, since old handouts call the weights x: ``adam(x, dx, config)``."""
    return [name.lower().replace("x", "w") for name in names]


def signature_mismatch(function: Function, *args: Any, **kwargs: Any) -> str:
    """Why a function cannot be called with these arguments, or ""; another course's may take others."""
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except (TypeError, ValueError) as error:  # the latter if it has no signature
        return str(error) if isinstance(error, TypeError) else ""
    return ""


def describe(value: Any) -> str:
    """A short description of a value of any type."""
    if isinstance(value, np.ndarray):
        return f"one array of shape {value.shape}"
    if isinstance(value, (tuple, list)):
        kinds = [f"array {one.shape}" if isinstance(one, np.ndarray) else kind_of(one).split()[-1] for one in value[:8]]
        if len(value) == 1:
            return f"a {type(value).__name__} of one value: {kinds[0]}"
        return f"{len(value)} values: {', '.join(kinds)}" if kinds else "none"
    return kind_of(value)


def _never_computed(function: Function) -> set[str]:
    """The names that a template returns but never sets, plus "None" if it sets some names only to None.

    If a name is set but never used, a returned name may just be misspelled, and does not count.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return set()
    real, empty, alone = set[str](), set[str](), set[str]()
    for node in (node for node in ast.walk(tree) if isinstance(node, ast.Assign)):
        inner = [name for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)]
        parts = [target.value for target in node.targets if isinstance(target, ast.Subscript)]  # dx[mask] = 1
        names = {name.id for name in inner if isinstance(name.ctx, ast.Store) or name in parts}
        value = ast.unparse(node.value)
        if set(re.findall(r"[^(), ]+", value)) == {"None"}:
            empty |= names
        elif not re.match(rf"({'|'.join(names)})\.astype\(", value):  # part of the templates
            real |= names
            alone |= names if len(names) == 1 else set()
    results = [node.value for node in ast.walk(tree) if isinstance(node, ast.Return)]
    results = [one for value in results for one in (value.elts if isinstance(value, ast.Tuple) else [value])]
    loaded = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    never = {one.id for one in results if isinstance(one, ast.Name)} - real if alone <= loaded else set()
    return never | ({"None"} if empty - real else set())
