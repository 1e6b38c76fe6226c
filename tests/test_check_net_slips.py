"""The checker on slips in whole nets: each gets its cause, its own advice, and nothing beside it."""

from __future__ import annotations

import pytest

import check_nets as nets
import check_written_out
from check_sources import swap
from test_check import check, check_net
from thinnet.check import Report

DIALECT = "cs231n-2021"
SCORES = '        if mode == "test":\n            return scores\n'
RETURN = "        return loss, grads\n"
DROPPED = "            d = d * mask * (z > 0)\n"


def told(report: Report) -> str:
    (one,) = [one for _, one in report if one.severity == "fault"]
    return f"{one.verdict}: {one.evidence} {one.mend}"


@pytest.mark.parametrize(
    ("old", "new", "evidence", "mend"),
    [
        ("loss += 0.5 * self.reg", "loss = 0.5 * self.reg", "wrong-output: the loss is zero", "Do not overwrite"),
        (SCORES, SCORES.replace("scores\n", "scores, {}\n"), "wrong-return: loss(X) must return the scores alone, got 2", "write return scores"),
        (SCORES, "        y = np.zeros(len(X), int) if y is None else y\n", "loss(X), without y, goes on to the loss", "if y is None: return scores"),
        (RETURN, "        return grads\n", "must return two values, got dict", "End with return loss, grads"),
        (RETURN, "        return loss, list(grads.values())\n", "must return a number and a dict", "End with return loss, grads"),
        (RETURN, "        return grads, loss\n", "the loss must be an array of numbers, got dict", "End with return loss, grads"),
        ("self.bn_params[i - 1])\n            h, re", "self.bn_params[i])\n            h, re", "crashed: with normalization='batchnorm', IndexError", "self.bn_params[i - 1]"),
        ("self.normalization and i < self.num_layers - 1", "self.normalization", "the gradients of gamma3, beta3 are missing; params need not have gamma3 and beta3", "for the hidden layers alone"),
        (SCORES, SCORES.replace("test\":\n", "test\":\n            if self.use_dropout:\n                for i in range(1, L):\n                    X = relu_forward(affine_forward(X, self.params['W%d' % i], self.params['b%d' % i])[0])[0] * ARGUMENT\n                return affine_forward(X, self.params['W%d' % L], self.params['b%d' % L])[0]\n").replace("ARGUMENT", 'self.dropout_param["p"]'), "scaled-at-test: with dropout_keep_ratio=0.4, loss(X) multiplies each hidden layer by 0.4", "unchanged"),
    ],
)  # fmt: skip
def test_a_slip_in_a_net_is_told_by_its_cause(old: str, new: str, evidence: str, mend: str) -> None:
    text = told(check_net(nets.net({old: new}, DIALECT), DIALECT))
    assert evidence in text
    assert mend in text


def test_a_net_that_writes_out_its_layers_is_right() -> None:
    report = check(check_written_out.NET, DIALECT)
    assert report.ok, str(report)
    assert not report.verdicts, str(report)


def test_classic_dropout_that_a_net_writes_out_is_right() -> None:
    changes = {" / self.keep\n": "\n", "mask = 1.\n": "mask = 1. if train else self.keep\n"}
    report = check(swap(check_written_out.NET, changes), DIALECT)
    assert report.ok, str(report)


@pytest.mark.parametrize(
    ("changes", "evidence", "mend"),
    [
        ({DROPPED: DROPPED.replace(" * mask", "")}, "wrong-gradient: with dropout_keep_ratio=0.4, the gradient of W1", "multiply by each layer's mask"),
        ({"mask = 1.\n": "mask = 1. if train else self.keep\n"}, "scaled-at-test: with dropout_keep_ratio=0.4, in training what is kept is multiplied by 2.5", ""),
        ({" / self.keep\n": "\n", "mask = 1.\n": "mask = 1. if train else self.keep ** 2\n"}, "scaled-by-wrong-probability: with dropout_keep_ratio=0.4", "each hidden layer by 0.4"),
    ],
)  # fmt: skip
def test_a_slip_in_dropout_that_a_net_writes_out_is_told(changes: dict[str, str], evidence: str, mend: str) -> None:
    text = told(check(swap(check_written_out.NET, changes), DIALECT))
    assert evidence in text
    assert mend in text
