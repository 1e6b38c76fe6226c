"""What the checker says of a fault: each line adds something, and the fix is for this fault alone."""

from __future__ import annotations

import pytest

import check_dropouts as dropouts
import check_nets as nets
import check_sources as sources
from test_check import check, check_net
from thinnet.check import Finding, Report

SUMMED = {
    "softmax_loss": {"y].sum() / N": "y].sum()"},
    "svm_loss": {"return margins.sum() / N": "return margins.sum()"},
}
TWICE = {"softmax_loss": {"y].sum() / N": "y].sum() / N**2"}, "svm_loss": {"margins.sum() / N": "margins.sum() / N**2"}}
DX_SUMMED = {"softmax_loss": {"    dx /= N\n": ""}, "svm_loss": {"dsvm / N": "dsvm"}}
DX_TWICE = {"softmax_loss": {"dx /= N": "dx /= N**2"}, "svm_loss": {"dsvm / N": "dsvm / N**2"}}
LOSSES: dict[str, tuple[list[dict[str, dict[str, str]]], list[str]]] = {
    "both summed": ([SUMMED, DX_SUMMED], ["the loss and dx"]),
    "both twice": ([TWICE, DX_TWICE], ["the loss and dx"]),
    "loss summed": ([SUMMED], ["the loss"]),
    "loss twice": ([TWICE], ["the loss"]),
    "dx summed": ([DX_SUMMED], ["dx"]),
    "dx twice": ([DX_TWICE], ["dx"]),
    "one each way": ([TWICE, DX_SUMMED], ["the loss", "dx"]),
}
WEIGHTS = {"weight_scale * np.random.randn(": "np.random.randn("}
BIASES = {"np.zeros(dims[i + 1])\n            if": "np.ones(dims[i + 1])\n            if"}
DRAWN = "weight_scale * np.random.randn(inputs, outputs)"
STARTS: list[tuple[dict[str, str], list[str], list[str]]] = [
    (BIASES, ["b1, b2 and b3 start at 1, expected 0"], ["zeros"]),
    (WEIGHTS, ["with weight_scale=0.01, W1, W2 and W3 start with a standard deviation of"], [DRAWN]),
    (WEIGHTS | BIASES, ["W1, W2 and W3 start with", "b1, b2 and b3 start at 1, expected 0"], [DRAWN, "zeros"]),
]
AXES: list[tuple[str, str, str]] = [
    ("mu = x.mean(axis=0)", "mu = x.mean(axis=1, keepdims=True)", "axis=0, which leaves one value for each column"),
    ("dbeta = dout.sum(axis=0)", "dbeta = dout.sum(axis=1)", "axis=0, which leaves one value for each column"),
    ("lmu = x.mean(axis=1, keepdims=True)", "lmu = x.mean(axis=0)", "each row: axis=1, keepdims=True"),
    ("(dout * lhat).sum(axis=0)", "(dout * lhat).sum(axis=1)", "gamma and beta are sums over the rows, axis=0"),
    ("np.exp(shifted).sum(axis=1, keepdims=True)", "np.exp(shifted).sum(axis=0)", "each row: axis=1, keepdims=True"),
    ("db = np.sum(dout, axis=0)", "db = np.sum(dout, axis=1)", "Sum over the examples: axis=0"),
]
CHANCE: list[tuple[dict[str, str], str, bool]] = [
    (BIASES, "initial-values", False),
    (WEIGHTS, "initial-values", True),
    ({'"p": ARGUMENT': '"p": 1 - ARGUMENT'}, "keep-and-drop-swapped", False),
    ({'"p": ARGUMENT': '"p": 0.5'}, "wrong-rate", False),
    (dict(nets.NET_FAULTS)["dropout-on-output-layer"], "dropout-on-output-layer", False),
    (dict(nets.NET_FAULTS)["dropout-never-called"], "dropout-never-called", True),
]


def faults(report: Report) -> list[Finding]:
    return [one for _, one in report if one.severity == "fault"]


@pytest.mark.parametrize("function", ["softmax_loss", "svm_loss"])
@pytest.mark.parametrize("case", LOSSES)
def test_a_loss_that_is_not_divided_once_is_met_with_that_alone(case: str, function: str) -> None:
    changes, what = LOSSES[case]
    text = sources.LAYERS
    for change in changes:
        text = sources.swap(text, change[function])
    found = faults(check(text))
    assert [one.mend for one in found] == [
        f"Divide {one} by N = len(x), just once and by nothing else." for one in what
    ]


@pytest.mark.parametrize(
    ("scaled", "told"),
    [
        ("loss * len(y), {k: v * len(y) for k, v in grads.items()}", "divide by len(y) there, the loss and"),
        ("loss / len(y), grads", "divide by len(y) there, the loss and"),
        ("loss, {k: v / len(y) for k, v in grads.items()}", "in the gradient of the scores: softmax_loss does it"),
    ],
)
def test_a_net_that_is_not_averaged_once_is_met_with_that_alone(scaled: str, told: str) -> None:
    first = faults(check_net(nets.net({"return loss, grads": f"return {scaled}"}, "cs231n-2018"), "cs231n-2018"))[0]
    assert "Take the mean over the batch just once" in first.mend
    assert told in first.mend


@pytest.mark.parametrize(("changes", "evidence", "mend"), STARTS)
def test_wrong_initial_values_are_told_once_for_all_layers(
    changes: dict[str, str], evidence: list[str], mend: list[str]
) -> None:
    [found] = faults(check_net(nets.net(changes, "cs231n-2018"), "cs231n-2018"))
    assert all(words in found.evidence for words in evidence), found
    assert found.evidence.count("start") == len(evidence)
    assert [words for words in (DRAWN, "zeros") if words in found.mend] == mend


@pytest.mark.parametrize(("old", "new", "mend"), AXES)
def test_the_fix_of_a_wrong_axis_is_that_of_the_layer_alone(old: str, new: str, mend: str) -> None:
    found = [one for one in faults(check(sources.swap(sources.LAYERS, {old: new}))) if one.verdict == "wrong-axis"]
    assert found
    assert all(mend in one.mend and one.mend.count(". ") == 0 for one in found), found


@pytest.mark.parametrize(("changes", "verdict", "by_chance"), CHANCE)
def test_the_chance_of_an_error_is_told_only_where_there_is_one(
    changes: dict[str, str], verdict: str, by_chance: bool
) -> None:
    [found] = faults(check_net(nets.net(changes, "cs231n-2018"), "cs231n-2018"))
    assert found.verdict == verdict
    assert ("chance" in dict(found.details)) == by_chance


@pytest.mark.parametrize(
    ("changes", "by_chance"),
    [
        ({"< KEEP) / KEEP": "< 0.6) / 0.6"}, True),
        ({"    mask = None\n": "    mask = None\n    if dropout_param['p'] == NONE: return 2 * x, 2\n"}, False),
    ],
)
def test_a_rate_is_wrong_by_chance_only_if_it_was_drawn(changes: dict[str, str], by_chance: bool) -> None:
    changes = {old: new.replace("NONE", "1") for old, new in changes.items()}
    found = next(one for one in faults(check(dropouts.dropout(changes, "keep"), "keep")) if one.verdict == "wrong-rate")
    assert ("chance" in dict(found.details)) == by_chance
