"""The known name that was probably meant by another one."""

import re
from collections.abc import Collection
from typing import Any

# What other libraries call a loss, an activation or a schedule, and our equivalent or the closest one.
OTHER_NAMES = {
    **dict.fromkeys(("cross_entropy", "crossentropy", "categorical_crossentropy", "crossentropyloss"), "softmax"),
    **dict.fromkeys(("sparse_categorical_crossentropy", "log_loss", "nll", "nll_loss"), "softmax"),
    **dict.fromkeys(("mean_squared_error", "squared_error", "l2", "mseloss"), "mse"),
    **dict.fromkeys(("binary_crossentropy", "bce", "bcewithlogitsloss"), "logistic"),
    **dict.fromkeys(("hinge", "multi_margin"), "svm"),
    **dict.fromkeys(("leaky_relu", "elu"), "relu"),
    **dict.fromkeys(("exponential", "exponential_decay", "step", "steplr", "exponentiallr"), "epoch_decay"),
    **dict.fromkeys(("cosineannealinglr", "cosine_decay"), "cosine"),
    "onecyclelr": "one_cycle",
    "swish": "silu",
    "linear": "identity",
}
LIKE = 0.75  # how alike a name must be to be suggested


def nearest(value: Any, choices: Collection[Any]) -> str:
    """The question "Did you mean ...?" with the choice closest to `value` in meaning or spelling, or an empty text."""
    found = closest(value, choices)
    return f"Did you mean {found!r}?" if found else ""


def closest(value: Any, choices: Collection[Any]) -> str:
    """The choice closest to `value` in meaning or spelling, or an empty text."""
    given, names = str(value).lower(), {str(choice).lower(): str(choice) for choice in choices}  # w1 is near to W1
    if (same := OTHER_NAMES.get(given)) in names:
        return str(same)
    numbers = set(re.findall(r"\d+", given))  # they make a difference: float64 is not meant by float16
    names = {name: own for name, own in names.items() if numbers <= (of := set(re.findall(r"\d+", name))) or not of}
    parts = [name for name in names if min(len(given), len(name)) > 2 and (given in name or name in given)]
    likeness, close = max(((_likeness(given, name), name) for name in names), default=(0.0, ""))
    close = close if likeness >= LIKE else parts[0] if len(parts) == 1 else ""  # val for validation
    return names.get(close, "")


def _likeness(given: str, name: str) -> float:
    """How alike two spellings are, from 0 to 1; a beginning is like the whole, and so are letters in another order."""
    import difflib  # needed only for errors

    if sorted(given) == sorted(name):
        return 1 - 1 / max(len(name), 4) * (given != name)
    whole, beginning = (difflib.SequenceMatcher(None, given, end).ratio() for end in (name, name[: len(given) + 1]))
    return max(whole, 0.9 * beginning + 0.1 * whole)
