"""The checker on course functions with different arguments: it judges those that fit, and does not blame the rest."""

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


NORMALIZED = """
def {kind}norm_forward(x, gamma, beta{arguments}):
    if {training}:
        mean, std = x.mean(axis={axis}, keepdims=True), np.sqrt(x.var(axis={axis}, keepdims=True) + eps)
        xhat = (x - mean) / std
        {update}
        return gamma * xhat + beta, (xhat, gamma, std){more}
    return gamma * (x - running_mean) / np.sqrt(running_var + eps) + beta, None{more}


def {kind}norm_backward(dout, cache):
    xhat, gamma, std = cache
    g = dout * gamma
    dx = (g - g.mean(axis={axis}, keepdims=True) - xhat * (g * xhat).mean(axis={axis}, keepdims=True)) / std
    return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)
"""
UPDATE = """running_mean{0} = momentum * running_mean + (1 - momentum) * mean[0]
        running_var{0} = momentum * running_var + (1 - momentum) * (std[0] ** 2 - eps)"""


def normalized(kind: str, arguments: str, training: str = "True", update: str = "", more: str = "") -> str:
    axis = 1 if kind == "layer" else 0
    return BEGIN + NORMALIZED.format(
        kind=kind, axis=axis, arguments=arguments, training=training, update=update or "pass", more=more
    )


IN_PLACE = UPDATE.format("[:]")
NORMALIZATIONS = {
    "layer, eps": (normalized("layer", ", eps=1e-5"), ["right", "right"]),
    "layer, a global eps": (normalized("layer", "") + "\n\neps = 1e-5\n", ["right", "right"]),
    "batch, in place": (
        normalized("batch", ", running_mean, running_var, momentum=0.9, eps=1e-5, training=True", "training", IN_PLACE),
        ["right", "right"],
    ),
    "batch, a mode first": (
        normalized("batch", ", mode, running_mean, running_var, eps, momentum", "mode == 'train'", IN_PLACE),
        ["right", "right"],
    ),
    "batch, returned": (
        normalized(
            "batch", ", mov_mean, mov_var, eps=1e-5, momentum=0.1, train=True", "train",
            UPDATE.format("").replace("(1 - momentum)", "new").replace("momentum", "(1 - new)"),
            ", running_mean, running_var",
        ).replace("    if train:", "    running_mean, running_var, new = mov_mean, mov_var, momentum\n    if train:"),
        ["right", "right"],
    ),
    "batch, without a test mode": (normalized("batch", ", eps=1e-5"), ["not checked", "right"]),
    "batch, statistics in the cache": (
        normalized(
            "batch", ", running_mean, running_var, momentum, eps, training", "training", UPDATE.format("")
        ).replace("gamma, std)", "gamma, std, (running_mean, running_var))[:3]"),
        ["not checked", "not checked"],
    ),
    "batch, something else": (normalized("batch", ", eps, layer"), ["not checked", "not checked"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "states"), NORMALIZATIONS.values(), ids=NORMALIZATIONS)
def test_a_normalization_with_arguments_of_its_own_is_not_accused(text: str, states: list[str]) -> None:
    report = check(text)
    assert [one.state for one in report.functions] == states, str(report)


@pytest.mark.parametrize(
    ("which", "old", "new", "verdict"),
    [
        ("layer, eps", "x.mean(axis=1, keepdims=True)", "x.mean(axis=0)", "wrong-axis"),
        ("layer, eps", "g.mean(axis=1, keepdims=True) - ", "", "missing-mean-term"),
        ("layer, eps", " + eps)", ")", "epsilon-missing"),
        ("batch, in place", "* mean[0]", "* std[0]", "running-statistics-wrong"),
        ("batch, in place", "running_var + eps", "running_var", "epsilon-missing"),
        ("batch, returned", "(1 - new) * running_mean + new", "new * running_mean + (1 - new)", "running-momentum-"),
        ("batch, returned", "(x - running_mean)", "(x - x.mean(axis=0))", "batch-statistics-at-test"),
        ("batch, without a test mode", "gamma * xhat + beta", "gamma * xhat", "wrong-output"),
    ],
)  # fmt: skip
def test_the_faults_of_a_normalization_of_its_own_are_found(which: str, old: str, new: str, verdict: str) -> None:
    text = NORMALIZATIONS[which][0]
    assert old in text
    report = check(text.replace(old, new))
    assert any(fault.startswith(verdict) for fault in report.faults), str(report)


@pytest.mark.parametrize(
    ("which", "old", "new", "told", "mend"),
    [
        ("batch, in place", "* mean[0]", "* std[0]", "with momentum = 0.8, running_mean[1] went", "Use running ="),
        ("batch, in place", "running_mean[:] =", "running_mean =", "running_mean[4] stayed", "running_mean[:] and run"),
        ("batch, returned", "(1 - new) * running_mean + new", "new * running_mean + (1 - new)",
         "with momentum = 0.2, mov_mean[4] went", "Use running ="),
        ("batch, in place", "return gamma * (x - running", "running_mean += 1; return gamma * (x - running",
         "a call in test mode changed running_mean", "in train mode only"),
    ],
)  # fmt: skip
def test_what_is_told_of_running_statistics_has_the_names_of_the_homework(
    which: str, old: str, new: str, told: str, mend: str
) -> None:
    text = NORMALIZATIONS[which][0]
    assert old in text
    said = " ".join(f"{one.evidence} {one.mend}" for _, one in check(text.replace(old, new)))
    assert told in said
    assert mend in said
    assert "bn_param" not in said
