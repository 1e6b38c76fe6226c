"""What the outputs in a notebook show of its author's dropout: what p meant, and how it scaled."""

import re

from thinnet.course.dialects import Dialect

NUMBERS = {  # that the courses' cell prints for each p, and the words before them
    "p": r"\bp = +",
    "input": r"[Mm]ean of input: +",
    "train": r"[Mm]ean of train\S* output: +",
    "test": r"[Mm]ean of test\S* output: +",
    "zeros": r"[Ff]raction of train\S* output set to zero: +",
}


def meaning(recorded: str) -> str:
    """What p meant for the author, judging by the fractions of zeros; "" if that is unclear."""
    informative = [(each["p"], each["zeros"]) for each in _trials(recorded) if abs(each["p"] - 0.5) > 0.05]
    drops = [abs(zeros - p) < 0.02 for p, zeros in informative]
    keeps = [abs(zeros - (1 - p)) < 0.02 for p, zeros in informative]
    return "" if not informative else "drop" if all(drops) else "keep" if all(keeps) else ""


def scaling(recorded: str) -> str:
    """How the author scaled, judging by the means; "" if that is unclear."""
    kinds = {_scaling(each) for each in _trials(recorded) if each.keys() == NUMBERS.keys() and each["zeros"] > 0.1}
    return kinds.pop() if len(kinds) == 1 else ""


def differences(recorded: str, dialect: Dialect) -> str:
    """In what the author's figures differ from those of a dialect and the default scaling, as the end of a sentence."""
    other_meaning = {"drop": "keep", "keep": "drop"}[dialect.p_means]
    means = f"; in the recorded output, p {other_meaning}s, so its figures will differ"
    scaled = f"; the recorded output was scaled as by --scaling {scaling(recorded)}"
    return means * (meaning(recorded) == other_meaning) + scaled * (scaling(recorded) in ("classic", "unscaled"))


def _trials(recorded: str) -> list[dict[str, float]]:
    """The numbers for each p, as far as they are there."""
    found = []
    for part in re.split(f"(?={NUMBERS['p']})", recorded):
        matches = {name: re.search(words + r"(\d*\.?\d+)", part) for name, words in NUMBERS.items()}
        numbers = {name: float(match[1]) for name, match in matches.items() if match}
        found += [numbers] if {"p", "zeros"} <= numbers.keys() else []
    return found


def _scaling(trial: dict[str, float]) -> str:
    kept, before = 1 - trial["zeros"], trial["input"]
    for kind, (train, test) in {"inverted": (1, 1), "classic": (kept, kept), "unscaled": (kept, 1)}.items():
        if max(abs(trial["train"] - train * before), abs(trial["test"] - test * before)) < 0.03 * before:
            return kind
    return ""
