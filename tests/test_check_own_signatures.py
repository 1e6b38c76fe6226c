"""The checker on course functions with arguments of their own: what fits is judged, and the rest is not accused."""

from __future__ import annotations

from pathlib import Path

import pytest

from test_check import check
from test_check_files import check as check_file

BEGIN = "import numpy as np\n\n\n"
FORWARD = """
def dropout_forward(x, keep_prob, train=True):
    if not train:
        return x{test}
    mask = np.random.rand(*x.shape) < keep_prob
    return x * mask / keep_prob{more}
"""
THREE = "def dropout_backward(dout, mask, keep_prob):\n    return dout * mask / keep_prob\n"
GLOBAL = """
kept = None


def dropout_forward(x, drop_prob, training):
    global kept
    if training:
        kept = (np.random.rand(*x.shape) >= drop_prob) / (1 - drop_prob)
        return x * kept
    return x


def dropout_backward(dout, drop_prob):
    return dout * kept
"""


@pytest.mark.parametrize(
    ("text", "states"),
    [
        (FORWARD.format(test=", None", more=", mask") + THREE, ["right", "right"]),
        (FORWARD.format(test="", more="") + THREE, ["right", "not checked"]),
        (FORWARD.format(test=", None, 1", more=", mask, keep_prob") + THREE, ["right", "not checked"]),
        (GLOBAL, ["right", "not checked"]),
    ],
    ids=["p goes back too", "no cache", "three values", "a global mask"],
)
def test_a_dropout_with_arguments_of_its_own_is_not_accused(text: str, states: list[str]) -> None:
    report = check(BEGIN + text)
    assert [one.state for one in report.functions] == states, str(report)


@pytest.mark.parametrize(
    ("text", "old", "new", "verdict"),
    [
        (
            FORWARD.format(test=", None", more=", mask") + THREE,
            "dout * mask / keep",
            "dout / keep",
            "mask-not-applied-in-",
        ),
        (FORWARD.format(test=", None", more=", mask") + THREE, "dout * mask / keep_prob", "dout * mask", "scaled-diff"),
        (GLOBAL, "/ (1 - drop_prob)", "", "not-scaled-in-training"),
    ],
)
def test_its_faults_are_found(text: str, old: str, new: str, verdict: str) -> None:
    assert old in text
    report = check(BEGIN + text.replace(old, new))
    (fault,) = report.faults
    assert fault.startswith(verdict), str(report)


def test_a_list_of_lists_is_one_array() -> None:
    text = "def relu_forward(x):\n    return np.maximum(x, 0).tolist(), x\n\n\ndef relu_backward(dout, cache):\n"
    report = check(f"{BEGIN}{text}    return (dout * (cache > 0)).tolist()\n")
    assert report.ok, str(report)
    report = check(f"{BEGIN}{text}    return (dout * (cache < 0)).tolist()\n")
    assert report.faults == {"wrong-gradient"}, str(report)


@pytest.mark.parametrize(
    "line", ["name = input('Your name: ')", "import argparse; argparse.ArgumentParser().parse_args()"]
)
def test_a_file_that_asks_when_it_is_imported_is_told_where_to_ask(line: str, tmp_path: Path) -> None:
    report = check_file(tmp_path, f"{line}\n\n\ndef relu_forward(x):\n    return x, x\n")
    assert "below `if __name__ == '__main__':`." in " ".join(str(report).split()), str(report)
