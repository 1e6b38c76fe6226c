"""What the code says that p means: in docstrings, and in the names and defaults of arguments."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from thinnet.check.findings import Reading
from thinnet.checks import check_choice
from thinnet.course.dialects import DIALECTS

# The first of them in the text decides: "the probability of keeping ..., as opposed to the probability of dropping".
PROBABILITY = r"(?:probability|chance|prob\.?)\s+(?:of|to|that|for)\s+"
WHOM = (
    r"\s+(?:out\s+)?(?:each|every|a|the|any)?\s*(?:neuron|unit|node|element|activation|output)s?\b[^.]{0,40}with\s+prob"
)
PHRASES = re.compile(
    rf"(?P<keep>keep(?:s|ing)?{WHOM}"
    rf"|{PROBABILITY}(?:\w+\s+){{0,6}}?\W*(?:keep|kept|retain|not\s+(?:be(?:ing)?\s+)?drop)"
    r"|keep(?:ing)?[ _-]*(?:prob|rate|ratio))"
    rf"|(?P<drop>drop(?:s|ping)?{WHOM}"
    rf"|{PROBABILITY}(?:(?!not\b)\w+\s+){{0,6}}?\W*(?:drop|zero)"
    r"|drop(?:out|ping)?[ _-]*(?:prob|rate|ratio)"
    r"|fraction\s+(?:of\s+)?(?:the\s+)?(?:\w+\s+){0,2}(?:dropped|to\s+drop|to\s+be\s+dropped))",
    re.IGNORECASE,
)
NAMES = (
    ("keep", re.compile(r"keep|retain", re.IGNORECASE)),
    ("drop", re.compile(r"drop(out)?_?(rate|ratio|prob|probability|p)$|^drop_?p", re.IGNORECASE)),
)


@dataclass(frozen=True)
class Spoken:
    """What a function or a class says: its arguments with their defaults, and its docstrings."""

    name: str
    arguments: Mapping[str, Any]
    texts: list[str]


def named(dialect: str | None) -> Reading:
    """The reading that the user names: one of the courses' dialects, or ``"keep"`` or ``"drop"``."""
    if dialect is None:
        return Reading()
    check_choice("dialect", dialect, (*DIALECTS, "drop", "keep"))
    known = DIALECTS.get(dialect)
    means, course = (known.p_means, known.package) if known else (dialect, "")
    return Reading(means, f"the dialect {dialect}", given=True, course=course)


def settled(given: Reading, said: Reading) -> Reading:
    """The user's word for it against the code's own: the user's, with a reminder of what says the opposite.

    In nndl the code's docstring speaks first, since it tells the years of that course apart.
    """
    if not given.means or said.means in ("", given.means):
        return replace(given, course=given.course or said.course) if given.means else said
    if given.course == "nndl":
        return replace(said, course=given.course, contrary=given.source)
    return replace(given, contrary=said.source)


def of_trees(trees: Iterable[ast.Module], course: str = "") -> Reading:
    """What the files of one package say."""
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    return _of_package([_of_node(node) for node in nodes if node.name in PACKAGE], course)


def of_namespace(namespace: Mapping[str, Any]) -> Reading:
    """What functions that exist already say."""
    module = str(getattr(namespace.get("dropout_forward"), "__module__", ""))
    course = module.rpartition(".")[0].rpartition(".")[2]
    spoken = [_of_object(name, namespace[name]) for name in PACKAGE if callable(namespace.get(name))]
    return _of_package(spoken, course)


def of_one(owner: Any) -> Reading:
    """What a dropout class says, or a function that stands alone; as it is, or as the node of a syntax tree."""
    is_node = isinstance(owner, (ast.ClassDef, ast.FunctionDef))
    return _of_dropout(_of_node(owner) if is_node else _of_object(owner.__name__, owner))


def _of_package(spoken: list[Spoken], course: str) -> Reading:
    """dropout_forward decides, then the net."""
    for name, read in PACKAGE.items():
        for one in spoken:
            reading = read(one) if one.name == name else Reading()
            if reading.means:
                return replace(reading, course=course)
    return Reading(course=course)


def _of_dropout(spoken: Spoken) -> Reading:
    for means, pattern in NAMES:
        for name in filter(pattern.search, spoken.arguments):
            return Reading(means, f"the argument {name} of {spoken.name}")
    for means in filter(None, map(meaning, spoken.texts)):
        return Reading(means, f"the docstring of {spoken.name}")
    if "rate" in spoken.arguments:  # most often that of dropping, where no docstring says otherwise
        return Reading("drop", f"the argument rate of {spoken.name}")
    return Reading()


def _of_net(spoken: Spoken) -> Reading:
    for name, default in spoken.arguments.items():
        if "drop" in name and "keep" in name:
            return Reading("keep", f"the argument {name} of {spoken.name}")
        if name == "dropout" and default == 1:
            return Reading("keep", f"the default dropout=1 of {spoken.name}")
    return Reading()


PACKAGE = {"dropout_forward": _of_dropout, "FullyConnectedNet": _of_net}


def meaning(text: str) -> str:
    """The meaning that a text gives to p, or "".

    >>> meaning("p: Dropout parameter. We drop each neuron output with probability p.")
    'drop'
    >>> meaning("Here, p is the probability of keeping a neuron, as opposed to the probability of dropping one.")
    'keep'
    """
    match = PHRASES.search(text)
    return str(match.lastgroup) if match else ""


def _of_node(node: ast.FunctionDef | ast.ClassDef) -> Spoken:
    functions = [one for one in ast.walk(node) if isinstance(one, ast.FunctionDef)]
    texts = [ast.get_docstring(one) or "" for one in (node, *functions)]
    arguments: dict[str, Any] = {}
    for one in functions:
        if one is node or one.name == "__init__":
            names = [argument.arg for argument in (*one.args.posonlyargs, *one.args.args)]
            defaults = [getattr(default, "value", None) for default in one.args.defaults]
            arguments = dict.fromkeys(names) | dict(zip(reversed(names), reversed(defaults), strict=False))
    return Spoken(node.name, arguments, texts)


def _of_object(name: str, value: Any) -> Spoken:
    texts = [one.__doc__ or "" for one in (value, *getattr(value, "__dict__", {}).values()) if callable(one)]
    try:
        parameters = inspect.signature(value).parameters
    except (TypeError, ValueError):
        return Spoken(name, {}, texts)
    return Spoken(name, {key: one.default for key, one in parameters.items()}, texts)
