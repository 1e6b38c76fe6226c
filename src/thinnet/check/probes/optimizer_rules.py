"""The optimizers' rules in lines of code, and the lines that are written by mistake in their place.

A line stands under what it computes; "begin" and "end" are lines around the rule, "first" one before all steps: a rule
has none of these.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from thinnet.typing import FloatArray

Lines = Mapping[str, str]
Mistake = tuple[str, str, str]  # the verdict, the place, and the line that is there by mistake
AROUND = {"first": "it", "begin": "each step", "end": "each step"}  # the places that no rule has, and what has them

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
# The rule, the verdict, the place, and the lines that stand there by mistake; pass where there is none.
TABLE = """
* update-uphill begin: dw = -dw
* wrong-update begin: learning_rate = 1
sgd wrong-update w: w = -learning_rate * dw | w = learning_rate * dw | w = w - learning_rate * w
sgd_momentum state-not-kept end: v = 0 | v = dw
sgd_momentum wrong-update end: v = -v | v = w
sgd_momentum wrong-update v: v = momentum * (v - learning_rate * dw) | v = momentum * v + learning_rate * dw
sgd_momentum state-not-zero first: v = 1 | v = dw
sgd_momentum wrong-update w: w = w + momentum * v - learning_rate * dw  # Nesterov's momentum
sgd_momentum wrong-update v: v = momentum * v - (1 - momentum) * learning_rate * dw
sgd_momentum decay-swapped v: v = (1 - momentum) * v - learning_rate * dw
sgd_momentum decay-swapped v: v = (1 - momentum) * v - momentum * learning_rate * dw
sgd_momentum wrong-update v: v = v - learning_rate * dw | v = momentum * v - dw | v = momentum * w - learning_rate * dw
sgd_momentum update-uphill w: w = w - v
sgd_momentum wrong-update w: w = w + learning_rate * v | w = w + v - learning_rate * dw | pass | w = v
sgd_momentum wrong-update begin: w = w + v | momentum = 0.9
sgd_nesterov_momentum state-not-kept end: v = 0
sgd_nesterov_momentum state-not-zero first: v = 1
sgd_nesterov_momentum wrong-update w: w = w + v  # plain momentum
sgd_nesterov_momentum wrong-update begin: momentum = 0.9
sgd_nesterov_momentum wrong-update w: w = w - old + 2 * v | w = w + v - learning_rate * dw
sgd_nesterov_momentum wrong-update w: w = w + momentum * old + (1 + momentum) * v | w = w - momentum * old + v
sgd_nesterov_momentum wrong-update w: w = w + (1 + momentum) * v | w = w - momentum * v + (1 + momentum) * old
sgd_nesterov_momentum decay-swapped v: old, v = v, (1 - momentum) * v - learning_rate * dw
sgd_nesterov_momentum wrong-update v: old, v = v, momentum * v - dw
rmsprop state-not-kept end: cache = 0
rmsprop state-not-zero first: cache = 1 | cache = dw**2
rmsprop decay-swapped cache: cache = (1 - decay_rate) * cache + decay_rate * dw**2
rmsprop wrong-update cache: cache = decay_rate * cache + (1 - decay_rate) * dw | cache = decay_rate * cache + dw**2
rmsprop wrong-update cache: cache = decay_rate * cache + (1 - decay_rate) * abs(dw) | cache = cache + dw**2  # AdaGrad
rmsprop wrong-update cache: cache = decay_rate * cache + (1 - decay_rate) * (learning_rate * dw)**2
rmsprop wrong-update cache: cache = decay_rate * cache + (1 - decay_rate) * mean(dw**2)
rmsprop wrong-update w: w = w - learning_rate * dw / (cache + epsilon) | w = w - learning_rate / (sqrt(cache) + epsilon)
rmsprop wrong-update end: cache = sqrt(cache)
rmsprop wrong-update cache: cache = decay_rate * cache + decay_rate * dw**2 | cache = (1 - decay_rate) * dw**2
rmsprop wrong-update cache: cache = decay_rate * (cache + (1 - decay_rate) * dw**2)
rmsprop wrong-update cache: cache = sqrt(decay_rate * cache + (1 - decay_rate) * dw**2)
rmsprop wrong-update begin: w = w - learning_rate * dw / (sqrt(cache) + epsilon) | decay_rate = 0.9 | decay_rate = 0.99
rmsprop wrong-update w: pass
adam bias-correction-missing mt: mt = m
adam bias-correction-missing vt: vt = v
adam step-not-counted used: used = 1
adam step-counted-twice used: used = t + 1
adam bias-correction-wrong mt: mt = m / (1 - beta1 * used) | mt = m * (1 - beta1**used) | mt = m / (1 - beta2**used)
adam bias-correction-wrong mt: mt = m / (1 - beta1)**used | mt = m / (1 + beta1**used)
adam bias-correction-wrong vt: vt = v / (1 - beta2 * used) | vt = v * (1 - beta2**used) | vt = v / (1 - beta1**used)
adam bias-correction-wrong vt: vt = v / (1 - beta2)**used | vt = v / (1 + beta2**used)
adam power-forgotten mt: mt = m / (1 - beta1)
adam power-forgotten vt: vt = v / (1 - beta2)
adam state-not-zero first: m = 1 | v = 1 | m = v = 1 | m, v = dw, dw**2
adam state-not-kept end: m = v = t = 0 | m = 0 | v = 0 | m = v = 0
adam corrected-moments-stored end: m, v = mt, vt | m = mt | v = vt
adam wrong-update end: m, v = v, m
adam wrong-update begin: beta1, beta2 = beta2, beta1 | beta1 = 0.9 | beta2 = 0.999 | beta1, beta2 = 0.9, 0.999
adam decay-swapped m: m = (1 - beta1) * m + beta1 * dw
adam decay-swapped v: v = (1 - beta2) * v + beta2 * dw**2
adam wrong-update m: m = beta1 * m + dw | m = beta2 * m + (1 - beta2) * dw | m = beta1 * m - (1 - beta1) * dw
adam wrong-update mt: mt = dw | mt = dw / (1 - beta1**used)
adam wrong-update m: m = beta1 * m + (1 - beta1) * dw**2 | m = beta1 * m + beta1 * dw
adam wrong-update v: v = beta2 * v + (1 - beta2) * dw | v = beta2 * v + (1 - beta2) * abs(dw)
adam wrong-update v: v = beta2 * v + (1 - beta2) * m**2 | v = beta2 * v + dw**2 | v = beta1 * v + (1 - beta1) * dw**2
adam wrong-update v: v = beta2 * m + (1 - beta2) * dw**2 | v = beta2 * v + beta2 * dw**2
adam wrong-update w: w = w - learning_rate * mt / (vt + epsilon) | w = w - learning_rate * vt / (sqrt(mt) + epsilon)
adam wrong-update w: w = w - learning_rate * sqrt(vt) / (mt + epsilon)
adam wrong-update w: w = w - learning_rate * mt * (sqrt(vt) + epsilon)
adam wrong-update w: w = w - learning_rate * dw / (sqrt(vt) + epsilon)
* wrong-update begin: learning_rate = 1e-2 | learning_rate = 1e-3
"""
ROWS = [(*head, line) for *head, lines in re.findall(r"(\S+) (\S+) (\S+): (.+)", TABLE) for line in lines.split(" | ")]
MISTAKES = {rule: [row[1:] for row in ROWS if row[0] in (rule, "*")] for rule in RULES}


def path(
    lines: Lines, w: FloatArray, grads: Sequence[FloatArray], options: Mapping[str, Any], **start: Any
) -> Iterator[FloatArray]:
    """The weights after each step by these lines, from a state of zeros or that which is given."""
    rule = (line for name, line in lines.items() if name not in AROUND)
    code = compile("\n".join([lines.get("begin", ""), *rule, lines.get("end", "")]), "<rule>", "exec")
    state: dict[str, Any] = {"m": 0.0, "v": 0.0, "cache": 0.0, "t": 0, **start, **options, "w": w, "dw": grads[0]}
    exec(lines.get("first", ""), state)
    for dw in grads:
        state |= {**options, "dw": dw}
        with np.errstate(all="ignore"):
            exec(code, {"sqrt": np.sqrt, "abs": np.abs, "mean": np.mean}, state)
        yield state["w"]


def mistaken(name: str, lines: Lines) -> Iterator[tuple[list[Mistake], Lines]]:
    """Each mistake in these lines of a rule, then every two of them in different places; and the lines with them."""
    known = MISTAKES[name]
    for mistake in known:
        yield [mistake], {**lines, mistake[1]: mistake[2]}
    for first, second in itertools.combinations(known, 2):
        if first[1] != second[1]:
            yield [first, second], {**lines, first[1]: first[2], second[1]: second[2]}


def told(mistake: Mistake, lines: Lines) -> str:
    """A mistake in words."""
    _, place, line = mistake
    if place not in lines:
        return f"as if {AROUND[place]} {'ended' if place == 'end' else 'began'} with `{line}`"
    right = lines[place].replace("used", "t")
    return f"as by `{line.replace('used', 't')}` in place of `{right}`" if line != "pass" else f"as without `{right}`"
