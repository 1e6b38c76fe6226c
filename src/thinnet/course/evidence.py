"""What the code of a notebook says about its dialect: imports, names of arguments, and what "no dropout" is.

A dialect is asked for only where those that fit would give other figures; one that does not fit is refused.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from thinnet.checks import check_choice
from thinnet.course.dialects import ARGUMENTS, DIALECTS, Dialect
from thinnet.errors import DialectError

OF_P = {dialect.dropout_argument for dialect in DIALECTS.values()}
POSITION = 3  # of p in the net's arguments, after hidden_dims, input_dim and num_classes
RECORDED = re.compile(r"p = +([0-9.]+)\s.*?[Ff]raction of train\S* output set to zero: +([0-9.]+)", re.DOTALL)


@dataclass
class Evidence:
    """What was found.

    Attributes:
        courses: the courses' packages whose layers or nets are imported: ``"cs231n"``, ``"nndl"``, with the import.
        arguments: the names of the net's arguments that tell years apart, with what was seen.
        values: the values that p has in the net, as far as they are written out.
        uses_dropout: whether anything depends on what p means.
    """

    courses: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    values: set[float] = field(default_factory=set)
    uses_dropout: bool = False


@dataclass(frozen=True)
class Choice:
    """A dialect, and why it is that one; no reason where the notebook has nothing to do with it."""

    dialect: str
    reason: str


def choose_dialect(
    cells: Iterable[ast.Module],
    dialect: str | None = None,
    own: Collection[str] = (),
    recorded: str = "",
) -> Choice:
    """The dialect of a notebook, or the one that was asked for, if it fits.

    Args:
        cells: the syntax trees of its cells.
        dialect: what was asked for.
        own: the courses whose layers and nets are the student's own, so that no dialect has a say in them.
        recorded: what the notebook's author got printed; it decides where the code leaves two meanings of p.

    Raises:
        ArgumentError: if there is no such dialect.
        DialectError: if it does not fit, or none is given and those that fit would give other figures.

    >>> choose_dialect([ast.parse("from cs231n.layers import *; FullyConnectedNet([5], dropout_keep_ratio=0.5)")])
    Choice(dialect='cs231n-2021', reason='by the import of cs231n.layers and the argument dropout_keep_ratio')
    """
    found = _read(list(cells))
    fitting, reasons = _fitting(found)
    if found.courses and found.courses.keys() <= set(own):
        return Choice(dialect or _latest(fitting or list(DIALECTS)), "for what your own package lacks")
    if dialect is not None:
        check_choice("dialect", dialect, tuple(DIALECTS))
        if fitting and dialect not in fitting:
            raise DialectError(
                f"dialect must fit the notebook, got {dialect!r}, but there is {', '.join(reasons)}: "
                f"that is {_told(fitting)}. Run it with --dialect {' or '.join(fitting)}."
            )
        return Choice(dialect, "as asked for")
    fitting = fitting or list(DIALECTS)
    meanings = {DIALECTS[name].p_means for name in fitting}
    if not found.uses_dropout:
        return Choice(_latest(fitting), f"by {' and '.join(reasons)}; no figure depends on p" if reasons else "")
    if len(meanings) > 1:
        meaning = _recorded_meaning(recorded)
        if not meaning:
            raise DialectError(_demand(fitting, reasons))
        fitting = [name for name in fitting if DIALECTS[name].p_means == meaning]
        reasons.append(f"the recorded output, in which p {meaning}s")
    return Choice(_latest(fitting), "by " + " and ".join(reasons))


def _latest(fitting: list[str]) -> str:
    """Of dialects that give the same figures, the newest: of nndl's, the first."""
    return fitting[0] if DIALECTS[fitting[0]].package == "nndl" else [n for n in fitting if n.startswith("cs")][-1]


def _told(names: list[str]) -> str:
    return " or ".join(f"{name} ({DIALECTS[name].years}; p {DIALECTS[name].p_means}s)" for name in names)


def _demand(fitting: list[str], reasons: list[str]) -> str:
    why = f" (by {' and '.join(reasons)})" if reasons else ""
    return (
        "dialect must be given, since p means dropping in some years and keeping in others, and the notebook does not "
        f"say which; got none. It fits {_told(fitting)}{why}. Look at the docstring of dropout_forward, or at what is "
        f"no dropout in your year, and run with --dialect {fitting[0]}, for example."
    )


def _recorded_meaning(recorded: str) -> str:
    """What p was for the author, by the fraction of zeros that the notebook has printed; "" where that is not clear."""
    pairs = [(float(p.strip(".")), float(zeros.strip("."))) for p, zeros in RECORDED.findall(recorded)]
    told = {p: zeros for p, zeros in pairs if abs(p - 0.5) > 0.05}
    for meaning in ("drop", "keep"):
        if told and all(abs(zeros - (p if meaning == "drop" else 1 - p)) < 0.02 for p, zeros in told.items()):
            return meaning
    return ""


def _fitting(found: Evidence) -> tuple[list[str], list[str]]:
    """The dialects that fit, and what told; values that contradict all else tell nothing."""
    fitting = [*DIALECTS.values()]
    reasons = []
    if len(found.courses) == 1:
        course, seen = next(iter(found.courses.items()))
        fitting = [one for one in fitting if one.package == course]
        reasons.append(f"the import of {seen}")
    for name, seen in found.arguments.items():
        left = [one for one in fitting if name in (one.dropout_argument, one.normalization_argument)]
        if left and len(left) < len(fitting):
            fitting = left
            reasons.append(f"the argument {seen}")
    for value in sorted(found.values & {0, 1}):
        left = [one for one in fitting if _has(one, value)]
        if left and len(left) < len(fitting):
            fitting = left
            reasons.append(f"the value {value:g} of {' or '.join(sorted(OF_P & found.arguments.keys())) or 'dropout'}")
    return [one.name for one in fitting], reasons


def _has(dialect: Dialect, value: float) -> bool:
    return value in dialect.none or dialect.allows(value)


def _read(cells: list[ast.Module]) -> Evidence:
    found = Evidence()
    nodes = [node for cell in cells for node in ast.walk(cell)]
    for node in nodes:
        for name in _imports(node):
            course = _course(name)
            if course:
                found.courses.setdefault(course, name)
    literals = _literals(nodes)
    for node in nodes:
        for name, value in _arguments_of(node):
            values = _values(value, literals)
            if name:
                found.arguments.setdefault(name, name)
            if not name or name in OF_P:
                found.values |= values
                # 0 or 1 alone may be no dropout, which the arguments' values tell; everything else depends on p.
                found.uses_dropout |= not values or not values <= {0, 1} or len(values) == 2
        found.uses_dropout |= _calls_dropout(node)
    return found


def _course(name: str) -> str:
    """The course whose layers or nets a module has; both courses have ``cs231n.solver`` and the like."""
    root, _, rest = name.partition(".")
    part = rest.partition(".")[0]
    if root == "nndl":
        return "nndl"
    # Only Stanford's course has a package classifiers, whatever the one around it is called.
    return "cs231n" if part == "classifiers" or (root == "cs231n" and part in ("layers", "layer_utils")) else ""


def _imports(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _arguments_of(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Arguments that tell dialects apart, in calls, in dicts that may be handed over with two stars, and in classes.

    p by its position has no name.
    """
    if isinstance(node, ast.Call):
        yield from ((one.arg, one.value) for one in node.keywords if one.arg in ARGUMENTS)
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name == "FullyConnectedNet" and len(node.args) > POSITION:
            yield "", node.args[POSITION]
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value in ARGUMENTS:
                yield str(key.value), value
    elif isinstance(node, ast.FunctionDef) and node.name == "__init__":
        both = zip(reversed(node.args.args), reversed(node.args.defaults), strict=False)
        yield from ((argument.arg, default) for argument, default in both if argument.arg in ARGUMENTS)


def _calls_dropout(node: ast.AST) -> bool:
    if isinstance(node, ast.Name | ast.Attribute):
        name = node.id if isinstance(node, ast.Name) else node.attr
        return "dropout_forward" in name or name == "dropout_param"
    return isinstance(node, ast.Constant) and node.value == "p"


def _literals(nodes: list[ast.AST]) -> dict[str, list[ast.expr]]:
    """What is assigned to each name, looped over by it, or its default as an argument."""
    known: dict[str, list[ast.expr]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign | ast.For | ast.comprehension):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            value = node.value if isinstance(node, ast.Assign) else node.iter
            for target in targets:
                if isinstance(target, ast.Name):
                    known.setdefault(target.id, []).append(value)
        elif isinstance(node, ast.arguments):
            both = [*node.posonlyargs, *node.args]
            for argument, default in zip(reversed(both), reversed(node.defaults), strict=False):
                known.setdefault(argument.arg, []).append(default)
    return known


def _values(node: ast.expr, literals: dict[str, list[ast.expr]], seen: frozenset[str] = frozenset()) -> set[float]:
    """The numbers that an expression can be, as far as they are written out."""
    if isinstance(node, ast.Constant):
        plain: Any = node.value
        return {float(plain)} if isinstance(plain, int | float) and not isinstance(plain, bool) else set()
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return set().union(*(_values(one, literals, seen) for one in node.elts))
    if isinstance(node, ast.Name) and node.id not in seen:
        return set().union(*(_values(one, literals, seen | {node.id}) for one in literals.get(node.id, [])))
    return set()
