"""The checker on the courses' small nets: it reports planted faults by name and nothing else; correct nets pass."""

from __future__ import annotations

import pytest

import check_small_nets as nets
from check_sources import swap
from test_check import check, ids
from thinnet.check import Report

YEARS = {"hidden_dim, cs231n": ("hidden_dim", ""), "hidden_dims, nndl": ("hidden_dims", "dropout=0, ")}
HALVES = ("0.5", "1")
# The years differ only in the constructor's arguments, so each fault is planted in one of them, alternating. The factor
# of the penalty decides what is a fault in the penalty, so such faults are planted with both factors.
OF_TWO = [
    pytest.param(*row, year, id=f"{i}-{row[0]}-{year}")
    for i, row in enumerate(nets.TWO_FAULTS)
    for year in [[*YEARS][i % 2]]
]
OF_FIRST = [
    pytest.param(*row, half, id=f"{i}-{row[0]}-{half}")
    for i, row in enumerate(nets.FIRST_FAULTS)
    for half in (HALVES if "regularization" in row[0] else [HALVES[i % 2]])
]


def check_net(text: str) -> Report:
    """The report on the net only; its layers are correct."""
    report = check(text)
    assert {one.state for one in report.functions if "Net" not in one.name} <= {"right"}
    return report


def two_layers(changes: dict[str, str], hidden: str = "hidden_dim", extra: str = "") -> str:
    return swap(nets.TWO_LAYERS, changes).replace("HIDDEN", hidden).replace("EXTRA", extra)


def first_net(changes: dict[str, str], half: str = "0.5") -> str:
    return swap(nets.FIRST_NET, changes).replace("HALF", half)


def test_a_right_convolutional_net_passes() -> None:
    report = check_net(nets.CONV_NET)
    assert report.ok, str(report)
    assert not report.verdicts, str(report)


@pytest.mark.parametrize(("verdict", "changes"), nets.CONV_FAULTS, ids=ids(nets.CONV_FAULTS))
def test_each_planted_fault_of_the_convolutional_net_is_found(verdict: str, changes: dict[str, str]) -> None:
    report = check_net(swap(nets.CONV_NET, changes))
    assert report.verdicts == {verdict}, str(report)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("h, relu_cache = relu_forward(a)", "h, relu_cache = a, a", "the ReLU after an affine layer"),
        ('self.params["b1"])', '0 * self.params["b1"])', "the bias of layer 1"),
    ],
)
def test_what_the_scores_lack_is_told(old: str, new: str, told: str) -> None:
    report = check_net(two_layers({old: new}))
    assert f"the scores of loss(X) are those of a net without {told}" in str([one.evidence for _, one in report])


@pytest.mark.parametrize("year", YEARS)
def test_right_nets_of_two_layers_pass(year: str) -> None:
    report = check_net(two_layers({}, *YEARS[year]))
    assert report.ok, str(report)
    assert not report.verdicts, str(report)


@pytest.mark.parametrize(("verdict", "changes", "year"), OF_TWO)
def test_each_planted_fault_of_two_layers_is_found(verdict: str, changes: dict[str, str], year: str) -> None:
    report = check_net(two_layers(changes, *YEARS[year]))
    assert report.verdicts == {verdict}, str(report)


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("changes", [{}, nets.TURNED], ids=["cs231n", "nndl"])
def test_right_nets_of_the_first_assignment_pass(changes: dict[str, str], half: str) -> None:
    report = check(first_net(changes, half))
    assert report.ok, str(report)
    assert not report.verdicts, str(report)


@pytest.mark.parametrize(("verdict", "changes", "half"), OF_FIRST)
def test_each_planted_fault_of_the_first_assignment_is_found(verdict: str, changes: dict[str, str], half: str) -> None:
    report = check(first_net(changes, half))
    assert report.verdicts == {verdict}, str(report)


@pytest.mark.parametrize("name", ["MLP2", "TwoLayerMLP", "TwoLayerNetwork", "FCNet"])
def test_nets_of_two_layers_by_other_names(name: str) -> None:
    for text in (two_layers({}), first_net({})):
        report = check(text.replace("TwoLayerNet", name))
        assert report.ok, str(report)
        assert [one.name for one in report.functions if one.name[0].isupper()] == [name]
        wrong = check(text.replace("TwoLayerNet", name).replace("self.params", "self.weights"))
        own = name == "TwoLayerNetwork"  # a class with a course's name, or a similar one, must have the course's form
        assert next(one for one in wrong.functions if one.name == name).state == ("wrong" if own else "not checked")


def test_a_fault_of_a_layer_is_not_that_of_the_net() -> None:
    report = check(swap(nets.CONV_NET, {"dw[f] += above": "dw[f] = above"}))
    assert {(name, one.verdict) for name, one in report} == {
        ("conv_backward_naive", "windows-not-added"),
        ("ThreeLayerConvNet", "follows-from-layers"),
    }


@pytest.mark.parametrize("changed", ["hidden_size, output_size, std=1e-4", "y=None, reg=0.0"])
def test_nets_of_other_courses_are_not_checked(changed: str) -> None:
    report = check(first_net({changed: changed.replace("reg=0.0", "t=None").replace("output_size", "out")}))
    assert report.verdicts == {"not-checked"}, str(report)


def test_biases_that_begin_with_the_number_zero_are_right() -> None:
    report = check(first_net({"np.zeros(hidden_size)": "0.0", "np.zeros(output_size)": "0.0"}))
    assert report.ok, str(report)


def test_a_net_whose_fast_layers_are_absent_is_not_checked() -> None:
    report = check(nets.CONV_NET.replace("conv_forward_fast, conv_backward_fast = ", "one, other = "))
    net = next(one for one in report.functions if one.name == "ThreeLayerConvNet")
    assert net.state == "not checked"
    assert net.findings[0].evidence.endswith("it needs conv_forward_fast, which is not there")
