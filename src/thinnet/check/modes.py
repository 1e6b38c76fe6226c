"""Finds strings that are almost the modes 'train' and 'test', and replaces them with the right ones."""

import difflib
import inspect
import re
from collections.abc import Iterable, Iterator
from types import FunctionType
from typing import Any

MODES = ("train", "test")
WORDS = {  # common substitutes
    **dict.fromkeys(("training", "fit"), "train"),
    **dict.fromkeys(("testing", "eval", "evaluate", "evaluation", "inference", "predict", "val", "valid"), "test"),
}


def with_modes(owner: Any, method: str = "loss") -> tuple[Any, str]:
    """A function, or a class with this method, in which strings that seem to mean 'train' or 'test' are replaced.

    Also a description of these strings, with their lines; "" if there are none.
    """
    function = inspect.getattr_static(owner, method, None) if isinstance(owner, type) else owner
    texts = _texts(function.__code__.co_consts) if isinstance(function, FunctionType) else {}
    if not texts:
        return owner, ""
    code = function.__code__.replace(co_consts=_put(function.__code__.co_consts, texts))
    other = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, function.__closure__)
    other.__kwdefaults__ = function.__kwdefaults__
    told = "; ".join(
        f"it has {text!r} where the mode is {mode!r}{_line(function, text)}" for text, mode in texts.items()
    )
    return type(owner.__name__, (owner,), {method: other}) if isinstance(owner, type) else other, told


def _texts(constants: Any) -> dict[str, str]:
    """The strings among these that may be meant as a mode, and as which."""
    found = {}
    for text in strings(constants):
        plain = text.strip().lower()
        mode = WORDS.get(plain) or next(iter(difflib.get_close_matches(plain, MODES, 1, 0.7)), "")
        if mode and text not in MODES:
            found[text] = mode
    return found


def strings(constants: Iterable[Any]) -> Iterator[str]:
    """The strings among a function's constants, also inside collections of them."""
    for one in constants:
        if isinstance(one, (tuple, frozenset)):
            yield from strings(one)
        elif isinstance(one, str):
            yield one


def _put(one: Any, texts: dict[str, str]) -> Any:
    """A constant, or a collection of them, with strings replaced."""
    if isinstance(one, (tuple, frozenset)):
        return type(one)(_put(inner, texts) for inner in one)
    return texts.get(one, one) if isinstance(one, str) else one


def _line(function: FunctionType, text: str) -> str:
    """A description of the line with this string; "" if the source is not available."""
    try:
        lines, first = inspect.getsourcelines(function)
    except (OSError, TypeError):
        return ""
    quoted = re.compile(rf"""(['"]){re.escape(text)}\1""")
    return next((f", in line {first + i}: {line.strip()}" for i, line in enumerate(lines) if quoted.search(line)), "")
