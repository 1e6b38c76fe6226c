"""The optimizers' rules in lines of code, and the lines that are written by mistake in their place.

A line stands under what it computes; "begin" and "end" are lines around the rule, of which it has none.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from thinnet.typing import FloatArray

Lines = Mapping[str, str]
Mistake = tuple[str, str, str]  # the verdict, the place, and the line that is there by mistake

RULES: dict[str, Lines] = {
    "sgd": {"w": "w = w - learning_rate * dw"},
    "sgd_momentum": {"v": "v = momentum * v - learning_rate * dw", "w": "w = w + v"},
    "sgd_nesterov_momentum": {
        "v": "old, v = v, momentum * v - learning_rate * dw",
        "w": "w = w - momentum * old + (1 + momentum) * v",
    },
    "rmsprop": {
        "cache": "cache = decay_rate * cache + (1 - decay_rate) * dw**2",
        "w": "w = w - learning_rate * dw / (sqrt(cache) + epsilon)",
    },
    "adam": {
        "t": "t = t + 1",
        "used": "used = t",
        "m": "m = beta1 * m + (1 - beta1) * dw",
        "v": "v = beta2 * v + (1 - beta2) * dw**2",
        "mt": "mt = m / (1 - beta1**used)",
        "vt": "vt = v / (1 - beta2**used)",
        "w": "w = w - learning_rate * mt / (sqrt(vt) + epsilon)",
    },
}
OF_ANY: list[Mistake] = [
    ("update-uphill", "begin", "dw = -dw"),
    ("wrong-update", "begin", "learning_rate = 1"),
]
MISTAKES: dict[str, list[Mistake]] = {
    "sgd": [],
    "sgd_momentum": [
        ("state-not-kept", "end", "v = 0"),
        ("wrong-update", "w", "w = w + momentum * v - learning_rate * dw  # Nesterov's momentum"),
        ("wrong-update", "v", "v = momentum * v - (1 - momentum) * learning_rate * dw"),
        ("decay-swapped", "v", "v = (1 - momentum) * v - learning_rate * dw"),
        ("decay-swapped", "v", "v = (1 - momentum) * v - momentum * learning_rate * dw"),
        ("wrong-update", "v", "v = v - learning_rate * dw"),
        ("wrong-update", "v", "v = momentum * v - dw"),
        ("wrong-update", "v", "v = momentum * w - learning_rate * dw"),
        ("update-uphill", "w", "w = w - v"),
        ("wrong-update", "w", "w = w + learning_rate * v"),
        ("wrong-update", "w", "w = w + v - learning_rate * dw"),
        ("wrong-update", "begin", "w = w + v"),
        ("wrong-update", "w", ""),
        ("wrong-update", "end", "v = w"),
    ],
    "sgd_nesterov_momentum": [
        ("state-not-kept", "end", "v = 0"),
        ("wrong-update", "w", "w = w + v  # plain momentum"),
        ("wrong-update", "w", "w = w + momentum * old + (1 + momentum) * v"),
        ("wrong-update", "w", "w = w - momentum * old + v"),
        ("wrong-update", "w", "w = w + (1 + momentum) * v"),
        ("wrong-update", "w", "w = w - momentum * v + (1 + momentum) * old"),
        ("decay-swapped", "v", "old, v = v, (1 - momentum) * v - learning_rate * dw"),
        ("wrong-update", "v", "old, v = v, momentum * v - dw"),
    ],
    "rmsprop": [
        ("state-not-kept", "end", "cache = 0"),
        ("decay-swapped", "cache", "cache = (1 - decay_rate) * cache + decay_rate * dw**2"),
        ("wrong-update", "cache", "cache = decay_rate * cache + (1 - decay_rate) * dw"),
        ("wrong-update", "cache", "cache = decay_rate * cache + (1 - decay_rate) * abs(dw)"),
        ("wrong-update", "cache", "cache = decay_rate * cache + dw**2"),
        ("wrong-update", "cache", "cache = cache + dw**2  # AdaGrad"),
        ("wrong-update", "cache", "cache = decay_rate * cache + (1 - decay_rate) * (learning_rate * dw)**2"),
        ("wrong-update", "cache", "cache = decay_rate * cache + (1 - decay_rate) * mean(dw**2)"),
        ("wrong-update", "w", "w = w - learning_rate * dw / (cache + epsilon)"),
        ("wrong-update", "w", "w = w - learning_rate / (sqrt(cache) + epsilon)"),
        ("wrong-update", "end", "cache = sqrt(cache)"),
        ("wrong-update", "begin", "w = w - learning_rate * dw / (sqrt(cache) + epsilon)"),
        ("wrong-update", "w", ""),
    ],
    "adam": [
        ("bias-correction-missing", "mt", "mt = m"),
        ("bias-correction-missing", "vt", "vt = v"),
        ("step-not-counted", "used", "used = 1"),
        ("step-counted-twice", "used", "used = t + 1"),
        ("bias-correction-wrong", "mt", "mt = m / (1 - beta1 * used)"),
        ("bias-correction-wrong", "vt", "vt = v / (1 - beta2 * used)"),
        ("bias-correction-wrong", "mt", "mt = m * (1 - beta1**used)"),
        ("bias-correction-wrong", "vt", "vt = v * (1 - beta2**used)"),
        ("bias-correction-wrong", "mt", "mt = m / (1 - beta2**used)"),
        ("bias-correction-wrong", "vt", "vt = v / (1 - beta1**used)"),
        ("bias-correction-wrong", "mt", "mt = m / (1 - beta1)**used"),
        ("bias-correction-wrong", "vt", "vt = v / (1 - beta2)**used"),
        ("bias-correction-wrong", "mt", "mt = m / (1 + beta1**used)"),
        ("bias-correction-wrong", "vt", "vt = v / (1 + beta2**used)"),
        ("power-forgotten", "mt", "mt = m / (1 - beta1)"),
        ("power-forgotten", "vt", "vt = v / (1 - beta2)"),
        ("state-not-kept", "end", "m = v = t = 0"),
        ("state-not-kept", "end", "m = 0"),
        ("state-not-kept", "end", "v = 0"),
        ("state-not-kept", "end", "m = v = 0"),
        ("corrected-moments-stored", "end", "m, v = mt, vt"),
        ("corrected-moments-stored", "end", "m = mt"),
        ("corrected-moments-stored", "end", "v = vt"),
        ("wrong-update", "end", "m, v = v, m"),
        ("wrong-update", "begin", "beta1, beta2 = beta2, beta1"),
        ("decay-swapped", "m", "m = (1 - beta1) * m + beta1 * dw"),
        ("decay-swapped", "v", "v = (1 - beta2) * v + beta2 * dw**2"),
        ("wrong-update", "m", "m = beta1 * m + dw"),
        ("wrong-update", "m", "m = beta2 * m + (1 - beta2) * dw"),
        ("wrong-update", "m", "m = beta1 * m - (1 - beta1) * dw"),
        ("wrong-update", "mt", "mt = dw"),
        ("wrong-update", "v", "v = beta2 * v + (1 - beta2) * dw"),
        ("wrong-update", "v", "v = beta2 * v + (1 - beta2) * abs(dw)"),
        ("wrong-update", "v", "v = beta2 * v + (1 - beta2) * m**2"),
        ("wrong-update", "v", "v = beta2 * v + dw**2"),
        ("wrong-update", "v", "v = beta1 * v + (1 - beta1) * dw**2"),
        ("wrong-update", "v", "v = beta2 * m + (1 - beta2) * dw**2"),
        ("wrong-update", "w", "w = w - learning_rate * mt / (vt + epsilon)"),
        ("wrong-update", "w", "w = w - learning_rate * vt / (sqrt(mt) + epsilon)"),
        ("wrong-update", "w", "w = w - learning_rate * sqrt(vt) / (mt + epsilon)"),
        ("wrong-update", "w", "w = w - learning_rate * mt * (sqrt(vt) + epsilon)"),
        ("wrong-update", "w", "w = w - learning_rate * dw / (sqrt(vt) + epsilon)"),
    ],
}


def path(
    lines: Lines, w: FloatArray, grads: Sequence[FloatArray], options: Mapping[str, Any], **start: Any
) -> Iterator[FloatArray]:
    """The weights after each step by these lines, from a state of zeros or that which is given."""
    text = "\n".join([lines.get("begin", ""), *(line for name, line in lines.items() if name not in ("begin", "end"))])
    code = compile(f"{text}\n{lines.get('end', '')}", "<rule>", "exec")
    state: dict[str, Any] = {"m": 0.0, "v": 0.0, "cache": 0.0, "t": 0, **start, "w": w}
    for dw in grads:
        state |= {**options, "dw": dw}
        with np.errstate(all="ignore"):
            exec(code, {"sqrt": np.sqrt, "abs": np.abs, "mean": np.mean}, state)
        yield state["w"]


def mistaken(name: str, lines: Lines) -> Iterator[tuple[list[Mistake], Lines]]:
    """Each mistake in these lines of a rule, then every two of them in different places; and the lines with them."""
    known = [*OF_ANY, *MISTAKES[name]]
    for mistake in known:
        yield [mistake], {**lines, mistake[1]: mistake[2]}
    for first, second in itertools.combinations(known, 2):
        if first[1] != second[1]:
            yield [first, second], {**lines, first[1]: first[2], second[1]: second[2]}


def told(mistake: Mistake, lines: Lines) -> str:
    """A mistake in words."""
    _, place, line = mistake
    if place not in lines:
        return f"as if each step {'began' if place == 'begin' else 'ended'} with `{line}`"
    right = lines[place].replace("used", "t")
    return f"as by `{line.replace('used', 't')}` in place of `{right}`" if line else f"as without `{right}`"
