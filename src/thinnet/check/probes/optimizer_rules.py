"""The optimizers' rules as lines of code, and known mistakes in their place.

The key of a line is what it computes.  Only mistakes have the keys "begin" and "end", for lines around the rule, and
"first", for one before all steps.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from thinnet.check.verdicts import read_table
from thinnet.typing import FloatArray

Lines = Mapping[str, str]
Mistake = tuple[str, str, str]  # the verdict, the place, and the mistaken line there
AROUND = {"first": "it", "begin": "each step", "end": "each step"}  # places outside the rules, and what has them

TABLE = read_table("rules.toml")
MISTAKE = re.compile(r"(\S+) (\S+) (\S+): (.+)")  # the rule or *, the verdict, the place, and lines
ROWS = [(*head, line) for *head, lines in MISTAKE.findall(TABLE.pop("mistakes")) for line in lines.split(" | ")]
RULES: dict[str, Lines] = TABLE
MISTAKES = {rule: [row[1:] for row in ROWS if row[0] in (rule, "*")] for rule in RULES}


def path(
    lines: Lines, w: FloatArray, grads: Sequence[FloatArray], options: Mapping[str, Any], **start: Any
) -> Iterator[FloatArray]:
    """The weights after each step with these lines, from a state of zeros or the one given."""
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
    """Each known mistake in a rule, then every pair of them in different places; each with the resulting lines."""
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
    return f"as with `{line.replace('used', 't')}` in place of `{right}`" if line != "pass" else f"as without `{right}`"
