"""The checker on fully connected nets: it reports planted faults by name and nothing else, and correct nets pass."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

import check_nets as nets
from check_sources import swap
from test_check import check, check_net, ids, names_of, package
from thinnet.check import check_layers


@pytest.mark.parametrize("dialect", nets.SPELLINGS)
def test_a_right_net_passes(dialect: str) -> None:
    report = check(package(nets.net({}, dialect), dialect), dialect)
    assert report.ok, str(report)
    assert not report.verdicts


DIALECTS = ("cs231n-2017", "cs231n-2021")
# Dialects differ in a few words of the source: faults in them are planted in both, other faults alternately in one.
PLANTED = [
    pytest.param(*row, dialect, id=f"{i}-{row[0]}-{dialect}")
    for i, row in enumerate(nets.NET_FAULTS)
    for dialect in (DIALECTS if nets.OF_DIALECT.search(str(row[1])) else [DIALECTS[i % 2]])
]


@pytest.mark.parametrize(("verdict", "changes", "dialect"), PLANTED)
def test_each_planted_fault_of_the_net_is_found_and_nothing_else(
    verdict: str, changes: dict[str, str], dialect: str
) -> None:
    report = check_net(nets.net(changes, dialect), dialect)
    assert report.faults == {verdict}, str(report)
    assert {name for name, one in report if one.severity == "fault"} == {"FullyConnectedNet"}
    for first, *others in (one.evidence.split("; ") for _, one in report):
        assert not any(first.endswith(other) for other in others), "nothing is said twice"


@pytest.mark.parametrize(("verdict", "changes"), nets.LAYERNORM_FAULTS, ids=ids(nets.LAYERNORM_FAULTS))
def test_each_fault_of_layer_normalization_in_the_net_is_found(verdict: str, changes: dict[str, str]) -> None:
    report = check_net(nets.net(changes, "cs231n-2021"), "cs231n-2021")
    assert report.faults == {verdict}, str(report)
    assert "normalization='layernorm'" in next(one.evidence for _, one in report if one.severity == "fault")


@pytest.mark.parametrize("style", nets.RIGHT_NETS)
def test_right_nets_pass_in_every_style(style: str) -> None:
    """In the dialect that has both normalizations; another test shows that all dialects are correct."""
    report = check_net(nets.net(nets.RIGHT_NETS[style], "cs231n-2018"), "cs231n-2018")
    assert report.ok, str(report)
    assert not report.verdicts


def test_a_net_that_normalizes_by_default_is_right() -> None:
    net = nets.net({}, "cs231n-2018").replace("normalization=None", "normalization='batchnorm'")
    assert check_net(net, "cs231n-2018").ok


def test_a_net_with_parameters_of_wrong_shapes_is_told_of_them() -> None:
    changes = {"np.zeros(dims[i + 1])\n            if": "np.zeros(dims[i] + 1)\n            if"}
    report = check_net(nets.net(changes, "cs231n-2018"), "cs231n-2018")
    assert report.faults == {"wrong-return"}
    assert "params['b1'] has shape (6,), expected (7,)" in str(report)


def test_a_crash_is_told_of_the_options_with_which_it_came() -> None:
    broken = "            if self.use_dropout or self.normalization:\n                h = hh\n            h, re = relu"
    changes = {"            h, re = relu": broken}
    report = check_net(nets.net(changes, "cs231n-2018"), "cs231n-2018")
    assert report.faults == {"crashed"}
    assert "measured: with dropout=0.4, NameError: name 'hh' is not defined" in str(report)
    assert "normalization=" not in str(report)


@pytest.mark.parametrize(
    "names",
    [
        lambda kind, number: (number, kind),
        lambda kind, number: (kind, number),
        lambda kind, number: f"{kind}_{number}",
        lambda kind, number: f"layer{number}_{kind}",
        lambda kind, number: f"layer_{kind}{number}",
        lambda kind, number: f"{ {'W': 'kernel'}.get(kind, kind) }_fc_{number}",
        lambda kind, number: f"{ {'W': 'theta', 'b': 'offset'}.get(kind, kind) }{'abc'[number - 1]}",
        lambda kind, number: f"{ {'W': 'weights', 'b': 'bias'}.get(kind, kind) }{number - 1}",
    ],
)
def test_parameters_of_other_names_are_a_note(names: Callable[[str, int], Any]) -> None:
    net = re.sub(
        r'(params|grads)\["(W|b|gamma|beta)%d" % (\w+|\(i \+ 1\))\]',
        r"\1[NAMES('\2', \3)]",
        nets.net({}, "cs231n-2021"),
    )
    namespace = names_of(package(net, "cs231n-2021"))
    namespace["NAMES"] = names
    report = check_layers(namespace, "cs231n-2021")
    assert report.ok, str(report)
    assert report.verdicts == {"parameter-names"}


STUBS = [
    "pass",
    "...",
    "raise NotImplementedError",
    "return None",
    '"""Loss."""',
    "return None, None",
    "return 0.0, {}",
]
STUBS += ["raise Exception('TODO')"]


@pytest.mark.parametrize("body", STUBS)
def test_a_net_whose_loss_is_not_written_is_told_so_with_and_without_params(body: str) -> None:
    begin, loss = nets.net({}, "cs231n-2018").split("    def loss(self, X, y=None):\n")
    stub = f"    def loss(self, X, y=None):\n        {body}\n"
    without = begin.split("        self.params = {}\n")[0]
    for text in (
        begin,
        without,
        f"{without}        self.params = None\n",
        f"{without}        self.params = {{'W1': None}}\n",
    ):
        report = check_net(text + stub, "cs231n-2018")
        assert report.faults == {"unimplemented"}, str(report)
    assert loss


def test_a_net_that_keeps_its_weights_elsewhere_is_told_of_params() -> None:
    net = nets.net({}, "cs231n-2018").replace("self.params", "self.weights")
    assert check_net(net, "cs231n-2018").faults == {"wrong-return"}


CASTS: list[dict[str, str]] = [
    {"X = X.astype(self.dtype)": "X = X.astype(np.float32)"},
    {nets.RELU: nets.RELU + "            h = h.astype(np.float32)\n"},
    {"v.astype(dtype)": "v.astype(np.float32)"},
    {'        if mode == "test":': '        scores = scores.astype(np.float32)\n        if mode == "test":'},
]


@pytest.mark.parametrize("cast", CASTS)
def test_a_net_that_casts_to_float32_is_noted_and_its_gradients_are_still_checked(cast: dict[str, str]) -> None:
    report = check_net(nets.net(cast, "cs231n-2018"), "cs231n-2018")
    assert report.ok, str(report)
    assert report.verdicts == {"dtype-changed"}
    wrong = nets.net({**cast, nets.BACKWARD_RELU: ""}, "cs231n-2018")
    assert check_net(wrong, "cs231n-2018").faults == {"wrong-gradient"}


@pytest.mark.parametrize("name", ["MyFullyConnectedNet", "FullyConnectedNetwork", "FCNet", "MLP"])
def test_a_net_of_another_name(name: str) -> None:
    for changes, faults in (({}, set()), ({nets.BACKWARD_DROPOUT: ""}, {"dropout-backward-never-called"})):
        text = package(nets.net(changes, "cs231n-2018"), "cs231n-2018").replace("FullyConnectedNet", name)
        report = check(text, "cs231n-2018")
        assert [one.name for one in report.functions][-1] == name
        assert report.faults == faults, str(report)


@pytest.mark.parametrize("dialect", ["nndl", "cs231n-2021"])
def test_a_net_from_before_dropout_and_normalization_is_told_gently(dialect: str) -> None:
    changes = {nets.FORWARD_DROPOUT: "", nets.BACKWARD_DROPOUT: "", "NORMALIZES": "False"}
    norm = "x, gamma, beta, "
    later = {"dropout_forward": "x, dropout_param", "batchnorm_forward": f"{norm}bn_param"}
    later["layernorm_forward"] = f"{norm}ln_param"
    namespace = names_of(package(nets.net(changes, dialect), dialect))
    assert check_layers(namespace, dialect).faults == {"dropout-never-called", "normalization-ignored"}
    stubs = [f"def {name}({arguments}):\n    return None, None" for name, arguments in later.items()]
    report = check_layers(namespace | names_of("\n".join(stubs)), dialect)
    assert {one.name for one in report.functions if one.state == "wrong"} >= {"dropout_forward", "batchnorm_forward"}
    assert next(one for one in report.functions if one.name == "FullyConnectedNet").state == "right", str(report)
    for name in later:
        namespace.pop(name)
    report = check_layers(namespace, dialect)
    assert next(one for one in report.functions if one.name == "FullyConnectedNet").state == "right", str(report)
    told = {finding.verdict: finding.evidence for name, finding in report if name == "FullyConnectedNet"}
    assert "dropout_forward is not there yet" in told["dropout-never-called"]
    assert "batchnorm_forward is not there yet" in told["normalization-ignored"]


def test_dropout_on_the_input_alone_needs_no_backward() -> None:
    first = "        if self.use_dropout:\n            X, _ = dropout_forward(X, self.dropout_param)\n"
    begin = "        h, caches, L ="
    changes = {nets.FORWARD_DROPOUT: "", nets.BACKWARD_DROPOUT: "", begin: first + begin}
    report = check_net(nets.net(changes, "cs231n-2018"), "cs231n-2018")
    assert report.faults == {"dropout-on-input"}, str(report)


def test_dropout_before_the_relu_is_a_note() -> None:
    changes = {nets.FORWARD_DROPOUT: "", nets.RELU: nets.FORWARD_DROPOUT + nets.RELU}
    changes |= {nets.BACKWARD_DROPOUT: "", nets.BACKWARD_RELU: nets.BACKWARD_RELU + nets.BACKWARD_DROPOUT}
    report = check_net(nets.net(changes, "cs231n-2018"), "cs231n-2018")
    assert report.ok
    assert report.verdicts == {"dropout-before-relu-or-norm"}


KEPT = "            self.params[k] = v.astype(dtype)"  # the last line of the net's constructor


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("return loss, grads", "return {}, grads", "the loss must be an array of numbers, got a dict"),
        ("return loss, grads", "return loss, dict(grads, W1=None)", "the gradient of W1 must be an array of numbers"),
        ("return scores", "return 3", "the scores of loss(X) has shape (), expected (6, 4)"),
        (KEPT, "self.params['W1'] = 'a'", "params['W1'] must be an array of numbers, got a str"),
        (KEPT, "self.params[1] = 2", "the gradients of 1 are missing"),
    ],
)
def test_a_net_that_gives_odd_things_does_not_end_the_check(old: str, new: str, told: str) -> None:
    new = f"{old}\n        {new}" if old == KEPT else new
    report = check_net(nets.net({old: new}, "cs231n-2018"), "cs231n-2018")
    assert {one.name for one in report.functions if one.state != "right"} == {"FullyConnectedNet"}
    assert told in " ".join(one.evidence for _, one in report)


@pytest.mark.parametrize(
    ("changes", "verdicts"),
    [
        ({"np.zeros(dims[i + 1])\n            if": "np.ones(dims[i + 1])\n            if"}, {"initial-values"}),
        ({nets.RELU: "            re = h\n"}, {"not-checked"}),
        ({"return loss, grads": "return 2 * loss, grads"}, {"not-checked"}),
        ({"self.params": "self.weights"}, {"not-checked"}),
    ],
)
def test_a_net_that_may_be_of_another_course_is_not_held_to_the_form_of_these(
    changes: dict[str, str], verdicts: set[str]
) -> None:
    text = package(nets.net(changes, "cs231n-2018"), "cs231n-2018").replace("FullyConnectedNet", "MLP")
    report = check(text, "cs231n-2018")
    assert not report.faults
    assert {one.verdict for name, one in report if name == "MLP"} == verdicts


# A net without layer functions, with its own random generator.
WRITTEN_OUT = """
import numpy as np


class FullyConnectedNet:
    def __init__(self, hidden_dims, input_dim=3072, num_classes=10, dropout=1, reg=0.0, weight_scale=1e-2,
                 dtype=np.float64, seed=0):
        self.reg, self.p, self.rng = reg, dropout, np.random.default_rng(seed)
        sizes = [input_dim, *hidden_dims, num_classes]
        self.params = {}
        for i, (n, m) in enumerate(zip(sizes, sizes[1:]), 1):
            self.params[f"W{i}"] = (weight_scale * self.rng.standard_normal((n, m))).astype(dtype)
            self.params[f"b{i}"] = np.zeros(m, dtype)

    def loss(self, X, y=None):
        last, a, saved = len(self.params) // 2, X, []
        for i in range(1, last):
            h = np.maximum(a @ self.params[f"W{i}"] + self.params[f"b{i}"], 0)
            mask = 1.0
            if y is not None and self.p != 1:
                mask = (self.rng.random(h.shape) < self.p) / self.p
            saved.append((a, h, mask))
            a = h * mask
        scores = a @ self.params[f"W{last}"] + self.params[f"b{last}"]
        if y is None:
            return scores
        shifted = scores - scores.max(axis=1, keepdims=True)
        p = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
        rows = np.arange(len(y))
        loss = -np.log(p[rows, y]).mean()
        p[rows, y] -= 1
        d, grads = p / len(y), {}
        for i in range(last, 0, -1):
            if i < last:
                a, h, mask = saved[i - 1]
                d = d * mask * (h > 0)
            below = a if i == last else saved[i - 1][0]
            W = self.params[f"W{i}"]
            loss += 0.5 * self.reg * np.sum(W**2)
            grads[f"W{i}"], grads[f"b{i}"] = below.T @ d + self.reg * W, d.sum(axis=0)
            d = d @ W.T
        return loss, grads
"""


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"np.random.default_rng(seed)": "np.random.RandomState(seed)", "standard_normal((n, m))": "randn(n, m)"}
        | {"self.rng.random(h.shape)": "self.rng.rand(*h.shape)"},
        {"< self.p) / self.p": "< self.p)", "mask = 1.0": "mask = 1.0 if y is not None else self.p"},
        {"dropout=1": "drop=0", "dropout,": "1 - drop,"},
    ],
)
def test_a_net_with_dropout_and_a_generator_of_its_own_is_right(changes: dict[str, str]) -> None:
    report = check(swap(WRITTEN_OUT, changes))
    assert report.ok, str(report)
    assert not report.verdicts


def test_masks_from_a_generator_of_the_module_are_held() -> None:
    changes = {
        "import numpy as np": "import numpy as np\nrng = np.random.default_rng(1)",
        "(self.rng.random": "(rng.random",
    }
    assert check(swap(WRITTEN_OUT, changes)).ok
    assert check(swap(WRITTEN_OUT, {**changes, "d * mask * (h": "d * (h"})).faults == {"wrong-gradient"}


@pytest.mark.parametrize(
    ("verdict", "old", "new"),
    [
        ("keep-and-drop-swapped", "< self.p) / self.p", "> self.p) / (1 - self.p)"),
        ("wrong-rate", "< self.p) / self.p", "< 0.5) * 2.0"),
        ("scaled-by-wrong-probability", "< self.p) / self.p", "< self.p) / (1 - self.p)"),
        ("not-scaled-in-training", "< self.p) / self.p", "< self.p)"),
        ("wrong-gradient", "d = d * mask * (h > 0)", "d = d * (h > 0)"),
        ("regularization-scaled", "0.5 * self.reg", "self.reg"),
        ("dropout-in-some-layers", "and self.p != 1:", "and self.p != 1 and i == 1:"),
        (
            "dropout-on-input",
            ", X, []",
            ", X * self.rng.binomial(1, 0.5, X.shape) * 2 if self.p != 1 and y is not None else X, []",
        ),
        ("mask-shared-across-batch", "random(h.shape)", "random(h.shape[1])"),
        ("mask-shared-across-batch", "random(h.shape)", "random((len(h), 1))"),
        ("dropout-on-output-layer", "scores.max(axis=1, keepdims=True)", "scores.max(axis=1, keepdims=True)"),
    ],
)
def test_faults_of_dropout_that_a_net_writes_out_are_found(verdict: str, old: str, new: str) -> None:
    drawn = "out = self.rng.binomial(1, self.p, scores.shape) if self.p != 1 else 1\n        scores = scores * out"
    on_scores = {"shifted = s": f"{drawn}\n        shifted = s", "d, grads = p /": "d, grads = p * out /"}
    report = check(swap(WRITTEN_OUT, {old: new, **(on_scores if verdict == "dropout-on-output-layer" else {})}))
    assert report.faults == {verdict}, str(report)


def test_a_gradient_of_what_is_no_parameter_is_a_note() -> None:
    text = nets.net({"return loss, grads": "grads['dx'] = X\n        return loss, grads"}, "cs231n-2018")
    report = check(package(text, "cs231n-2018"), "cs231n-2018")
    assert report.ok, str(report)
    assert report.verdicts == {"parameter-names"}
    assert "loss(X, y) also returns gradients of dx" in " ".join(str(report).split())
