"""What the code says that p means: in docstrings and in the names and defaults of arguments, read without running it."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any

from thinnet.check.findings import Reading
from thinnet.course.dialects import DIALECTS

KEEP, DROP = "keep", "drop"

# The first of them in the text decides: "the probability of keeping ..., as opposed to the probability of dropping".
PHRASES = re.compile(
    r"(?P<keep>keep(?:s|ing)?\s+(?:each|every|a|the|any)?\s*(?:neuron|unit|node|element|activation|output)s?\b[^.]{0,40}"
    r"with\s+prob|probability\s+(?:of|to|that)\s+(?:\w+\s+){0,4}?\W*(?:keep|kept|retain)|keep(?:ing)?[ _-]*(?:prob|rate|ratio))"
    r"|(?P<drop>drop(?:s|ping)?\s+(?:out\s+)?(?:each|every|a|the|any)?\s*(?:neuron|unit|node|element|activation|output)s?\b"
    r"[^.]{0,40}with\s+prob|probability\s+(?:of|to|that)\s+(?:\w+\s+){0,4}?\W*(?:drop|zero)|drop(?:out|ping)?[ _-]*"
    r"(?:prob|rate|ratio)|fraction\s+(?:of\s+\w+\s+)?(?:\w+\s+)?(?:dropped|to\s+drop|to\s+be\s+dropped))",
    re.IGNORECASE,
)
KEEP_NAMES = re.compile(r"keep|retain", re.IGNORECASE)
DROP_NAMES = re.compile(r"drop(out)?_?(rate|ratio|prob|probability|p)$|^rate$|^drop_?p", re.IGNORECASE)


def named(dialect: str | None) -> Reading:
    """The reading that the user names: one of the courses' dialects, or ``"keep"`` or ``"drop"``."""
    if not dialect:
        return Reading()
    means = DIALECTS[dialect].p_means if dialect in DIALECTS else dialect
    return Reading(means, f"the dialect {dialect}", given=True)


def said(trees: Iterable[ast.Module], course: str = "") -> Reading:
    """What several files of one package say: dropout_forward's docstring first, then the net's arguments."""
    trees = list(trees)
    for read in (_of_docstring, _of_net):
        for tree in trees:
            for node in ast.walk(tree):
                means, source = read(node)
                if means:
                    return Reading(means, source, course=course)
    if course == "nndl":
        return Reading(KEEP, "the course nndl", course=course)
    return Reading(course=course)


def of_class(node: ast.ClassDef) -> Reading:
    """What a dropout class says: its constructor's arguments, then its docstrings."""
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef) and inner.name == "__init__":
            for name in _argument_names(inner):
                means = KEEP if KEEP_NAMES.search(name) else DROP if DROP_NAMES.search(name) else ""
                if means:
                    return Reading(means, f"the argument {name} of {node.name}")
    for holder in (node, *(one for one in node.body if isinstance(one, ast.FunctionDef))):
        means = of_text(ast.get_docstring(holder) or "")
        if means:
            return Reading(means, f"the docstring of {node.name}")
    return Reading()


def of_namespace(namespace: Mapping[str, Any]) -> Reading:
    """What functions that exist already say: by their docstrings and signatures."""
    forward, net = namespace.get("dropout_forward"), namespace.get("FullyConnectedNet")
    course = str(getattr(forward, "__module__", "")).rpartition(".")[0].rpartition(".")[2]
    means = of_text(getattr(forward, "__doc__", None) or "")
    if means:
        return Reading(means, "the docstring of dropout_forward", course=course)
    try:
        parameters = inspect.signature(net).parameters if isinstance(net, type) else {}
    except ValueError:
        parameters = {}
    for name, parameter in parameters.items():
        if "drop" in name and "keep" in name:
            return Reading(KEEP, f"the argument {name} of FullyConnectedNet", course=course)
        if name == "dropout" and parameter.default == 1:
            return Reading(KEEP, "the default dropout=1 of FullyConnectedNet", course=course)
    return Reading(course=course)


def of_class_object(owner: type) -> Reading:
    """What a dropout class that exists already says."""
    try:
        names = list(inspect.signature(owner).parameters)
    except (TypeError, ValueError):
        names = []
    for name in names:
        means = KEEP if KEEP_NAMES.search(name) else DROP if DROP_NAMES.search(name) else ""
        if means:
            return Reading(means, f"the argument {name} of {owner.__name__}")
    for holder in (owner, *vars(owner).values()):
        means = of_text(holder.__doc__ or "") if callable(holder) else ""
        if means:
            return Reading(means, f"the docstring of {owner.__name__}")
    return Reading()


def of_text(text: str) -> str:
    """The meaning that a text gives to p, or "".

    >>> of_text("p: Dropout parameter. We drop each neuron output with probability p.")
    'drop'
    >>> of_text("Here, p is the probability of keeping a neuron, as opposed to the probability of dropping one.")
    'keep'
    """
    match = PHRASES.search(text)
    return (KEEP if match.group("keep") else DROP) if match else ""


def _of_docstring(node: ast.AST) -> tuple[str, str]:
    if isinstance(node, ast.FunctionDef) and node.name == "dropout_forward":
        return of_text(ast.get_docstring(node) or ""), "the docstring of dropout_forward"
    return "", ""


def _of_net(node: ast.AST) -> tuple[str, str]:
    if not (isinstance(node, ast.ClassDef) and node.name == "FullyConnectedNet"):
        return "", ""
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef) and inner.name == "__init__":
            names = _argument_names(inner)
            defaults = dict(zip(reversed(names), reversed(inner.args.defaults), strict=False))
            for name in names:
                default = defaults.get(name)
                value = default.value if isinstance(default, ast.Constant) else None
                if "drop" in name and "keep" in name:
                    return KEEP, f"the argument {name} of FullyConnectedNet"
                if name == "dropout" and value == 1:
                    return KEEP, "the default dropout=1 of FullyConnectedNet"
    return "", ""


def _argument_names(function: ast.FunctionDef) -> list[str]:
    return [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
