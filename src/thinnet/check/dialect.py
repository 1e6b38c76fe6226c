"""What the code says that p means: in docstrings, and in the names and defaults of arguments."""

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
KEEP_NAMES = re.compile(r"keep|retain", re.IGNORECASE)
DROP_NAMES = re.compile(r"drop(out)?_?(rate|ratio|prob|probability|p)$|^drop_?p", re.IGNORECASE)
HINTS = re.compile(r"^rate$")  # most often the rate of dropping, where no docstring says otherwise


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
    """What a dropout class says: its constructor's arguments and its docstrings."""
    functions = [inner for inner in node.body if isinstance(inner, ast.FunctionDef)]
    texts = [ast.get_docstring(node) or "", *(ast.get_docstring(one) or "" for one in functions)]
    names = [name for one in functions if one.name == "__init__" for name in _argument_names(one)]
    return _of_names_and_texts(node.name, names, texts)


def of_class_object(owner: type) -> Reading:
    """What a dropout class that exists already says."""
    texts = [one.__doc__ or "" for one in (owner, *vars(owner).values()) if callable(one)]
    return _of_names_and_texts(owner.__name__, _parameters(owner), texts)


def of_function(name: str, arguments: Iterable[str]) -> Reading:
    """What the arguments of a function like ``dropout_forward(x, keep_prob)`` say."""
    return _of_names_and_texts(name, arguments, ())


def _of_names_and_texts(owner: str, names: Iterable[str], texts: Iterable[str]) -> Reading:
    names = list(names)
    for means, pattern in ((KEEP, KEEP_NAMES), (DROP, DROP_NAMES)):
        for name in names:
            if pattern.search(name):
                return Reading(means, f"the argument {name} of {owner}")
    for text in texts:
        if of_text(text):
            return Reading(of_text(text), f"the docstring of {owner}")
    for name in names:
        if HINTS.search(name):
            return Reading(DROP, f"the argument {name} of {owner}")
    return Reading()


def _parameters(function: Any) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def of_namespace(namespace: Mapping[str, Any]) -> Reading:
    """What functions that exist already say: by their docstrings and signatures."""
    forward, net = namespace.get("dropout_forward"), namespace.get("FullyConnectedNet")
    course = str(getattr(forward, "__module__", "")).rpartition(".")[0].rpartition(".")[2]
    means = of_text(getattr(forward, "__doc__", None) or "")
    if means:
        return Reading(means, "the docstring of dropout_forward", course=course)
    named = of_function("dropout_forward", _parameters(forward)[1:])
    if named.means:
        return named
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
        means = of_text(ast.get_docstring(node) or "")
        if means:
            return means, "the docstring of dropout_forward"
        named = of_function(node.name, _argument_names(node)[1:])
        return named.means, named.source
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
