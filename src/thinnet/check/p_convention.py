"""Whether p is the probability of dropping or of keeping, according to the user, docstrings or arguments."""

import ast
import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from thinnet.checks import check_choice
from thinnet.course.dialects import DIALECTS

# The first match in the text decides: "the probability of keeping ..., as opposed to the probability of dropping".
PROBABILITY = r"(?<!not )(?<!not the )(?:probability|chance|prob\.?)\s+(?:of|to|that|for)\s+"
WITH = r"\s+(?:out\s+)?(?:at\s+random\s+|randomly\s+)?with\s+(?:a\s+)?(?:probability|chance|prob\b)"
GONE = r"drop|zero|remov|disabl|mask\w*\s+out|inactive|(?:turn|switch|shut)(?:ed|ing)?\s+off|set\s+to\s+(?:0|zero)"
STAYS = r"keep|kept|retain|surviv|stay|remain|active"
WHOM = (
    r"\s+(?:out\s+)?(?:each|every|a|the|any)?\s*(?:neuron|unit|node|element|activation|output)s?\b[^.]{0,40}with\s+prob"
)
PHRASES = re.compile(
    rf"(?P<keep>keep(?:s|ing)?{WHOM}|(?<!not )\b(?:{STAYS})\w*(?:\s+(?:on|active|alive))?{WITH}"
    rf"|{PROBABILITY}(?:(?!not\b)\w+\s+){{0,6}}?\W*(?:{STAYS}|not\s+(?:be(?:ing)?\s+)?(?:{GONE}))"
    r"|keep(?:ing)?[ _-]*(?:prob|rate|ratio))"
    rf"|(?P<drop>drop(?:s|ping)?{WHOM}|(?<!not )\b(?:{GONE})\w*{WITH}"
    rf"|{PROBABILITY}(?:(?!not\b)\w+\s+){{0,6}}?\W*(?:{GONE}|not\s+(?:be(?:ing)?\s+)?(?:{STAYS}))"
    r"|drop(?:out|ping)?[ _-]*(?:prob|rate|ratio)"
    r"|fraction\s+(?:of\s+)?(?:the\s+)?(?:\w+\s+){0,2}(?:dropped|to\s+drop|to\s+be\s+dropped))",
    re.IGNORECASE,
)
NAMES = (
    ("keep", re.compile(r"keep|retain", re.IGNORECASE)),
    ("drop", re.compile(r"drop(out)?_?(rate|ratio|prob|probability|p)$|^drop_?p", re.IGNORECASE)),
)

VERBS = {"drop": "dropping", "keep": "keeping"}
BEHAVIOR = "the behavior of dropout_forward"  # the source if nothing in the code says what p means


@dataclass(frozen=True)
class PConvention:
    """What p means in the code: ``"drop"``, ``"keep"`` or ``""`` for unknown; and how that is known.

    `given` is set if the user said it, `course` is the package's name if that is a course's, and `contrary` is what
    says the opposite.
    """

    means: str = ""
    source: str = ""
    given: bool = False
    course: str = ""
    contrary: str = ""

    @property
    def keep(self) -> str:
        """The probability of keeping a unit, in terms of p."""
        return {"drop": "(1 - p)", "keep": "p"}.get(self.means, "keep_prob")

    def __str__(self) -> str:
        if not self.means:
            return ""
        doubt = " alone: name your course's dialect to have that checked too" if self.source == BEHAVIOR else ""
        doubt += f", though {self.contrary} says the opposite" if self.contrary and not self.given else ""
        return f"p is the probability of {VERBS[self.means]} a unit, according to {self.source}{doubt}"


@dataclass(frozen=True)
class Declaration:
    """What a function or a class says: its arguments with their defaults, and its docstrings."""

    name: str
    arguments: Mapping[str, Any]
    texts: list[str]


def from_name(dialect: str | None) -> PConvention:
    """The convention that the user names: one of the courses' dialects, or ``"keep"`` or ``"drop"``."""
    if dialect is None:
        return PConvention()
    check_choice("dialect", dialect, (*DIALECTS, "drop", "keep"))
    known = DIALECTS.get(dialect)
    means, course = (known.p_means, known.package) if known else (dialect, "")
    return PConvention(means, f"the dialect {dialect}", given=True, course=course)


def reconcile(given: PConvention, said: PConvention) -> PConvention:
    """The user's convention if there is one, else the code's own, with a note of what says the opposite.

    In nndl the code's docstring has priority, since it tells the years of that course apart.
    """
    if not given.means or said.means in ("", given.means):
        return replace(given, course=given.course or said.course) if given.means else said
    if given.course == "nndl":
        return replace(said, course=given.course, contrary=given.source)
    return replace(given, contrary=said.source)


def from_trees(trees: Iterable[ast.Module], course: str = "") -> PConvention:
    """What the files of one package say."""
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    return _of_package([_of_node(node) for node in nodes if node.name in PACKAGE], course)


def from_namespace(namespace: Mapping[str, Any]) -> PConvention:
    """What existing functions say."""
    module = str(getattr(namespace.get("dropout_forward"), "__module__", ""))
    course = module.rpartition(".")[0].rpartition(".")[2]
    declarations = [_of_object(name, namespace[name]) for name in PACKAGE if callable(namespace.get(name))]
    return _of_package(declarations, course)


def from_dropout(owner: Any) -> PConvention:
    """What a dropout class or a standalone function says, given as an object or as a node of a syntax tree."""
    is_node = isinstance(owner, (ast.ClassDef, ast.FunctionDef))
    return _of_dropout(_of_node(owner) if is_node else _of_object(owner.__name__, owner))


def _of_package(declarations: list[Declaration], course: str) -> PConvention:
    """dropout_forward decides, then the net."""
    said = [read(known) for name, read in PACKAGE.items() for known in declarations if known.name == name]
    return replace(next((convention for convention in said if convention.means), PConvention()), course=course)


def _of_dropout(declaration: Declaration) -> PConvention:
    for means, pattern in NAMES:
        for name in filter(pattern.search, declaration.arguments):
            return PConvention(means, f"the argument {name} of {declaration.name}")
    for means in filter(None, map(meaning, declaration.texts)):
        return PConvention(means, f"the docstring of {declaration.name}")
    if "rate" in declaration.arguments:  # usually that of dropping, if no docstring says otherwise
        return PConvention("drop", f"the argument rate of {declaration.name}")
    return PConvention()


def _of_net(declaration: Declaration) -> PConvention:
    for name, default in declaration.arguments.items():
        if "drop" in name and "keep" in name:
            return PConvention("keep", f"the argument {name} of {declaration.name}")
        if name == "dropout" and default == 1:
            return PConvention("keep", f"the default dropout=1 of {declaration.name}")
    return PConvention()


PACKAGE = {"dropout_forward": _of_dropout, "FullyConnectedNet": _of_net}


def meaning(text: str) -> str:
    """The meaning that a text gives to p, or "".

    >>> meaning("p: Dropout parameter. We drop each neuron output with probability p.")
    'drop'
    >>> meaning("Here, p is the probability of keeping a neuron, as opposed to the probability of dropping one.")
    'keep'
    >>> meaning("p is NOT the probability of dropping a unit, but the probability of keeping it")
    'keep'
    """
    match = PHRASES.search(text)
    return str(match.lastgroup) if match else ""


def _of_node(node: ast.FunctionDef | ast.ClassDef) -> Declaration:
    functions = [inner for inner in ast.walk(node) if isinstance(inner, ast.FunctionDef)]
    texts = [ast.get_docstring(function) or "" for function in (node, *functions)]
    arguments: dict[str, Any] = {}
    for function in functions:
        if function is node or function.name == "__init__":
            names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
            defaults = [getattr(default, "value", None) for default in function.args.defaults]
            arguments = dict.fromkeys(names) | dict(zip(reversed(names), reversed(defaults), strict=False))
    return Declaration(node.name, arguments, texts)


def _of_object(name: str, value: Any) -> Declaration:
    texts = [owner.__doc__ or "" for owner in (value, *getattr(value, "__dict__", {}).values()) if callable(owner)]
    try:
        parameters = inspect.signature(value).parameters
    except (TypeError, ValueError):
        return Declaration(name, {}, texts)
    return Declaration(name, {key: argument.default for key, argument in parameters.items()}, texts)
