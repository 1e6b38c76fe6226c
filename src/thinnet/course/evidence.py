"""What a notebook's code says about its dialect: imports, argument names, and the value for "no dropout".

A dialect must be given only if those that fit would give different results; one that does not fit is refused.
"""

import ast
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from thinnet.checks import check_choice
from thinnet.course import recorded as outputs
from thinnet.course.dialects import ARGUMENTS, DIALECTS, Dialect
from thinnet.course.own_files import imported
from thinnet.errors import DialectError

OF_P = {dialect.dropout_argument for dialect in DIALECTS.values()}
POSITION = 3  # of p in the net's arguments, after hidden_dims, input_dim and num_classes


@dataclass
class Evidence:
    """What was found in the code."""

    courses: dict[str, str] = field(default_factory=dict)  # whose layers or nets are imported, and the import
    arguments: list[str] = field(default_factory=list)  # of the net, those that differ between dialects
    values: set[float] = field(default_factory=set)  # of p in the net, as far as they are literals
    imported: list[str] = field(default_factory=list)  # all modules, and names in modules
    uses_dropout: bool = False  # whether anything depends on what p means


@dataclass(frozen=True)
class Own:
    """The student's own code: courses with all their layers and nets, and modules that define ``dropout_forward``."""

    courses: Collection[str] = ()
    modules: Collection[str] = ()

    def has_dropout(self, found: Evidence) -> bool:
        """Whether the student's own functions decide what p means."""
        if not found.courses:
            return not set(self.modules).isdisjoint(found.imported)
        return all(
            any(".".join([*parts[:depth], "layers"]) in self.modules for depth in range(1, len(parts)))
            for parts in (seen.split(".") for seen in found.courses.values())
        )


def choose_dialect(
    cells: Iterable[ast.Module],
    dialect: str | None = None,
    own: Own | None = None,
    recorded: str = "",
    package: str = "",
) -> tuple[str, str]:
    """The dialect of a notebook, or the requested one if it fits; and the reason.

    The reason is "" if nothing in the notebook depends on the dialect.
    The student's `own` code needs no dialect.  If the code allows both meanings of p, the author's `recorded` output
    decides.  `package` is an unknown name for the course's package, which the error message then also mentions.

    Raises:
        ArgumentError: if there is no such dialect.
        DialectError: if it does not fit, or none is given and those that fit would give different results.

    >>> choose_dialect([ast.parse("from cs231n.layers import *; FullyConnectedNet([5], dropout_keep_ratio=0.5)")])
    ('cs231n-2021', 'by the import of cs231n.layers and the argument dropout_keep_ratio')
    """
    found, own = _read(list(cells)), own or Own()
    fitting, reasons = _fitting(found)
    if found.courses and found.courses.keys() <= set(own.courses):
        return dialect or _latest(fitting), "for what your own package lacks"
    if dialect is not None:
        check_choice("dialect", dialect, tuple(DIALECTS))
        if dialect not in fitting:
            raise DialectError(
                f"dialect must fit the notebook, got {dialect!r}, but the notebook has "
                f"{' and '.join(reasons)}: that is {_listed(fitting)}. Run it with --dialect {' or '.join(fitting)}."
            )
        return dialect, "as asked for"
    meanings = {DIALECTS[name].p_means for name in fitting}
    if found.uses_dropout and own.has_dropout(found):
        return _latest(fitting), "for what your own layers lack; p means what your own dropout_forward makes of it"
    if not found.uses_dropout:
        return _latest(fitting), f"by {' and '.join(reasons)}; no result depends on p" if reasons else ""
    if len(meanings) > 1:
        meaning = outputs.meaning(recorded)
        if not meaning:
            raise DialectError(_missing_dialect(fitting, reasons, package))
        fitting = [name for name in fitting if DIALECTS[name].p_means == meaning]
        reasons.append(f"the recorded output, in which p {meaning}s")
    latest = _latest(fitting)
    return latest, f"by {' and '.join(reasons)}{outputs.differences(recorded, DIALECTS[latest])}"


def _latest(fitting: list[str]) -> str:
    """The newest of dialects that give the same results; for nndl, the first."""
    return fitting[0] if DIALECTS[fitting[0]].package == "nndl" else [n for n in fitting if n.startswith("cs")][-1]


def _listed(names: list[str]) -> str:
    return " or ".join(f"{name} ({DIALECTS[name].years}; p {DIALECTS[name].p_means}s)" for name in names)


def _missing_dialect(fitting: list[str], reasons: list[str], package: str) -> str:
    options = f"--dialect {fitting[0]}{f' --package {package}' if package else ''}"
    why = f" (by {' and '.join(reasons)})" if reasons else ""
    return (
        "dialect must be given, since p means dropping in some years and keeping in others, and the notebook does not "
        f"say which; got none. It fits {_listed(fitting)}{why}. See what the docstring of dropout_forward says, "
        f"or which value means no dropout in your year; then run with {options}, for example."
    )


def _fitting(found: Evidence) -> tuple[list[str], list[str]]:
    """The dialects that fit, and the reasons; a sign that contradicts all earlier ones is ignored."""
    every, signs = [*DIALECTS.values()], []  # what was seen, and the dialects that have it
    for course, seen in found.courses.items() if len(found.courses) == 1 else ():
        signs.append((f"the import of {seen}", [known for known in every if known.package == course]))
    for name in found.arguments:
        own = [known for known in every if name in (known.dropout_argument, known.normalization_argument)]
        signs.append((f"the argument {name}", own))
    of_p = " or ".join(sorted(OF_P & set(found.arguments))) or "dropout"
    for value in sorted(found.values & {0, 1}):
        own = [known for known in every if value in known.none or known.allows(value)]
        signs.append((f"the value {value:g} of {of_p}", own))
    fitting, reasons = every, []
    for sign, own in signs:
        left = [dialect for dialect in fitting if dialect in own]
        if left and len(left) < len(fitting):
            fitting = left
            reasons.append(sign)
    return [dialect.name for dialect in fitting], reasons


def _read(cells: list[ast.Module]) -> Evidence:
    found = Evidence()
    nodes = [node for cell in cells for node in ast.walk(cell)]
    for node in nodes:
        found.imported += imported(node)
        for name in imported(node):
            course = _course(name)
            if course:
                found.courses.setdefault(course, name)
    literals = _literals(nodes)
    for node in nodes:
        for name, value in _arguments_of(node):
            values = _values(value, literals)
            if name and name not in found.arguments:
                found.arguments.append(name)
            if not name or name in OF_P:
                found.values |= values
                # 0 or 1 alone may mean no dropout, and `values` covers that; anything else depends on what p means.
                found.uses_dropout |= not values or not values <= {0, 1} or len(values) == 2
        found.uses_dropout |= _calls_dropout(node)
    its_own = any(isinstance(node, ast.FunctionDef) and node.name == "dropout_forward" for node in nodes)
    found.uses_dropout &= bool(found.courses) or not its_own  # where the notebook itself decides what p means
    return found


def _course(name: str) -> str:
    """The course whose layers or nets a module has; "" for ``cs231n.solver`` and the like, which both courses have."""
    outer = re.match(r"(\w+\.)+?(?=(cs231n|nndl)\b)", name)  # assignment2.cs231n.layers
    root, _, rest = name.removeprefix(outer.group() if outer else "").partition(".")
    part = rest.partition(".")[0]
    if root == "nndl":
        return "nndl"
    # Only Stanford's course has a package classifiers, whatever its parent package is called.
    return "cs231n" if part == "classifiers" or (root == "cs231n" and part in ("layers", "layer_utils")) else ""


def _arguments_of(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Arguments that differ between dialects: in calls, in dicts that may be passed with ``**``, and in ``__init__``.

    The name of a positional p is "".
    """
    if isinstance(node, ast.Call):
        yield from ((keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg in ARGUMENTS)
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name == "FullyConnectedNet" and len(node.args) > POSITION:
            yield "", node.args[POSITION]
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value in ARGUMENTS:
                yield str(key.value), value
    elif isinstance(node, ast.FunctionDef) and node.name == "__init__":
        yield from ((name, default) for name, default in _defaults(node.args) if name in ARGUMENTS)


def _calls_dropout(node: ast.AST) -> bool:
    if isinstance(node, ast.Name | ast.Attribute):
        name = node.id if isinstance(node, ast.Name) else node.attr
        return "dropout_forward" in name or name == "dropout_param"
    return isinstance(node, ast.Constant) and node.value == "p"


def _literals(nodes: list[ast.AST]) -> dict[str, list[ast.expr]]:
    """For each name, what is assigned to it, what it loops over, and its default as an argument."""
    known: dict[str, list[ast.expr]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign | ast.For | ast.comprehension):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            value = node.value if isinstance(node, ast.Assign) else node.iter
            for target in targets:
                if isinstance(target, ast.Name):
                    known.setdefault(target.id, []).append(value)
        elif isinstance(node, ast.arguments):
            for name, default in _defaults(node):
                known.setdefault(name, []).append(default)
    return known


def _defaults(arguments: ast.arguments) -> Iterator[tuple[str, ast.expr]]:
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    return zip(reversed(names), reversed(arguments.defaults), strict=False)


def _values(node: ast.expr, literals: dict[str, list[ast.expr]], seen: frozenset[str] = frozenset()) -> set[float]:
    """The numbers that an expression can evaluate to, as far as they are literals."""
    if isinstance(node, ast.Constant):
        plain: Any = node.value
        return {float(plain)} if isinstance(plain, int | float) and not isinstance(plain, bool) else set()
    parts = node.elts if isinstance(node, ast.List | ast.Tuple | ast.Set) else []
    if isinstance(node, ast.Name) and node.id not in seen:
        parts, seen = literals.get(node.id, []), seen | {node.id}
    return set().union(*(_values(part, literals, seen) for part in parts))
