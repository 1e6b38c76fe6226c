"""The checker in this process: it reports planted faults by name and nothing else, and correct code passes."""

from __future__ import annotations

import importlib
import re
import types
from typing import Any

import numpy as np
import pytest

import check_dropouts as dropouts
import check_images
import check_nets as nets
import check_small_nets as small_nets
import check_sources as sources
import thinnet.course
from thinnet.check import VERDICTS, Report, check_layers
from thinnet.check.chance import differ, unlikely
from thinnet.errors import ArgumentError

IN_CHILDREN = {"crashed", "out-of-memory", "missing-package"}  # see test_check_files.py


def names_of(text: str) -> dict[str, Any]:
    """The names that a source defines."""
    module = types.ModuleType("somebodys_layers")
    text = text.replace("np.float)", "float)").replace("xrange", "range")
    text = "\n".join(line for line in text.split("\n") if not line.startswith(("from .", "import torchish")))
    exec(compile(text, "layers.py", "exec"), vars(module))
    return vars(module)


def check(text: str, dialect: str | None = None) -> Report:
    return check_layers(names_of(text), dialect, timeout=300)  # long enough for a busy machine


def ids(rows: list[Any]) -> list[str]:
    return [f"{i}-{row[0]}" for i, row in enumerate(rows)]


def package(net: str, dialect: str) -> str:
    """The source of layers, dropout and a net in one file."""
    means = thinnet.course.DIALECTS[dialect].p_means
    return "\n".join([sources.LAYERS, dropouts.dropout({}, means), net])


def check_net(net: str, dialect: str) -> Report:
    """The report on a net whose layers are correct; only the net is checked, since other tests check the layers."""
    own = names_of(package(net, dialect))["FullyConnectedNet"]
    return check_layers({"FullyConnectedNet": own}, dialect, timeout=300)


HERE = [row for row in dropouts.DROPOUT_FAULTS if row[0] not in IN_CHILDREN]
MEANS = ("drop", "keep")
# Faults in code that depends on p are planted with both meanings of p; the others with one of the two, alternating.
PLANTED = [
    pytest.param(*row, means, id=f"{i}-{row[0]}-{means}")
    for i, row in enumerate(HERE)
    for means in (MEANS if "KEEP" in str(row[1]) else [MEANS[i % 2]])
]


@pytest.mark.parametrize(("verdict", "changes", "means"), PLANTED)
def test_each_planted_fault_of_dropout_is_found_and_nothing_else(
    verdict: str, changes: dict[str, str], means: str
) -> None:
    report = check(dropouts.dropout(changes, means), means)
    assert report.faults == {verdict}, str(report)
    assert not report.ok


def test_what_is_scaled_neither_in_training_nor_rightly_at_test_is_told_as_both() -> None:
    changes = {"< KEEP) / KEEP": "< KEEP) * 1.0", dropouts.AT_TEST: "        out = 0.9 * x\n"}
    assert check(dropouts.dropout(changes, "keep"), "keep").faults == {"not-scaled-in-training", "scaled-at-test"}


def test_in_a_course_with_two_dialects_a_swapped_p_may_be_right_in_the_other() -> None:
    assert "in the dialect nndl-drop it would be" in " ".join(str(check(dropouts.dropout({}, "drop"), "nndl")).split())


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("means", ["drop", "keep"])
@pytest.mark.parametrize("style", dropouts.RIGHT_DROPOUTS)
def test_right_dropouts_pass_in_every_style(style: str, means: str, named: bool) -> None:
    text = dropouts.dropout(dropouts.RIGHT_DROPOUTS[style], means)
    report = check(text, means if named else None)
    assert report.ok, str(report)
    assert len(report.functions) == 2


@pytest.mark.parametrize("means", ["drop", "keep"])
@pytest.mark.parametrize(("verdict", "changes"), dropouts.DROPOUT_NOTES, ids=ids(dropouts.DROPOUT_NOTES))
def test_what_is_only_worth_a_remark_is_a_note(verdict: str, changes: dict[str, str], means: str) -> None:
    report = check(dropouts.dropout(changes, means), means)
    assert report.ok, str(report)
    assert report.verdicts == {verdict}


@pytest.mark.parametrize("shape", ["len(x) > 1", "x.shape != (1, 50)"])
def test_a_dropout_that_stops_for_a_batch_of_one(shape: str) -> None:
    report = check(dropouts.dropout({dropouts.DRAW: f"assert {shape}; " + dropouts.DRAW}, "keep"), "keep")
    assert report.faults == {"crashed"}
    assert "with x of shape (1, 50): AssertionError" in str(report)


def test_the_notes_of_the_losses_and_the_net() -> None:
    late = "logp = np.log(np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True))"
    report = check(
        sources.swap(sources.LAYERS, {"logp = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))": late})
    )
    assert report.ok
    assert report.verdicts == {"log-of-zero"}
    net = nets.net({}, "cs231n-2021")
    net = re.sub(r'"(W|b|gamma|beta)%d" % (\w+|\(i \+ 1\))', r'"\1%d" % (\2 - 1)', net)
    report = check(package(net, "cs231n-2021"), "cs231n-2021")
    assert report.ok, str(report)
    assert report.verdicts == {"parameter-names"}


@pytest.mark.parametrize(("says", "does"), [("drop", "keep"), ("keep", "drop")])
def test_a_docstring_that_says_one_thing_and_code_that_does_the_other(says: str, does: str) -> None:
    report = check(dropouts.dropout({}, does, f"We {says} each neuron output with probability p."))
    assert report.faults == {"dialect-contradiction"}
    evidence = next(one.evidence for _, one in report)
    assert {"dropping", "keeping"} <= set(evidence.replace(":", " ").split())


def test_without_any_word_the_behavior_tells_the_dialect() -> None:
    for means in ("drop", "keep"):
        convention = next(iter(check(dropouts.dropout({}, means)).conventions.values()))
        assert (convention.means, convention.source) == (means, "the behavior of dropout_forward")
        assert str(convention).endswith("alone: name your course's dialect to have that checked too")


def test_right_layers_and_optimizers_pass() -> None:
    for text, count in ((sources.LAYERS, 11), (sources.OPTIM, 5)):
        report = check(text)
        assert report.ok, str(report)
        assert len(report.functions) == count
        assert not report.verdicts


LAYER_ROWS = [(sources.LAYERS, *row) for row in sources.LAYER_FAULTS]
LAYER_ROWS += [(sources.OPTIM, *row) for row in sources.OPTIM_FAULTS]


@pytest.mark.parametrize(
    ("text", "verdict", "function", "old", "new"),
    LAYER_ROWS,
    ids=[f"{i}-{row[2]}-{row[1]}" for i, row in enumerate(LAYER_ROWS)],
)
def test_each_planted_fault_of_the_other_layers_is_found(
    text: str, verdict: str, function: str, old: str, new: str
) -> None:
    report = check(sources.swap(text, {old: new}))
    assert report.faults == {verdict}, str(report)
    assert {name.removesuffix("_alt") for name, one in report if one.severity == "fault"} == {
        function.removesuffix("_alt")
    }


ROWS = {  # changes that turn the gradients of vectors, and the running statistics, into (1, D) rows
    "np.sum(dout, axis=0)": "np.sum(dout, axis=0, keepdims=True)",
    "dbeta = dout.sum(axis=0)": "dbeta = dout.sum(axis=0, keepdims=True)",
    "(dout * xhat).sum(axis=0)": "(dout * xhat).sum(axis=0, keepdims=True)",
    "(dout * lhat).sum(axis=0), dout.sum(axis=0)": "(dout * lhat).sum(axis=0)[None], dout.sum(axis=0)[None]",
    "mu = x.mean(axis=0)\n": "mu = x.mean(axis=0, keepdims=True)\n",
    "var = x.var(axis=0)\n": "var = x.var(axis=0, keepdims=True)\n",
}
NET_ROWS = {  # changes that turn the net's vectors into (1, D) rows
    "np.zeros(dims[i + 1])\n            if": "np.zeros((1, dims[i + 1]))\n            if",
    "np.ones(dims[i + 1])": "np.ones((1, dims[i + 1]))",
    'beta%d" % (i + 1)] = np.zeros(dims[i + 1])': 'beta%d" % (i + 1)] = np.zeros((1, dims[i + 1]))',
}


def test_rows_in_place_of_vectors_are_right_and_do_not_hide_a_fault() -> None:
    layers = sources.swap(sources.LAYERS, ROWS)
    report = check(layers)
    assert report.ok, str(report)
    assert not report.verdicts
    assert check(sources.swap(layers, {"db = np.sum(": "db = 2 * np.sum("})).faults == {"gradient-scaled"}
    assert check(sources.swap(layers, {"g - g.mean(axis=0) - xhat": "g - xhat"})).faults == {"missing-mean-term"}
    dropout = dropouts.dropout({}, "keep")
    for text in (layers, sources.LAYERS):
        right = "\n".join([text, dropout, nets.net(NET_ROWS, "cs231n-2018")])
        report = check(right, "cs231n-2018")
        assert report.ok, str(report)
        assert not report.verdicts
    wrong = nets.net({**NET_ROWS, "loss += 0.5 * self.reg": "loss += self.reg"}, "cs231n-2018")
    assert check("\n".join([layers, dropout, wrong]), "cs231n-2018").faults == {"regularization-scaled"}
    wrong = nets.net({**NET_ROWS, nets.BACKWARD_DROPOUT: ""}, "cs231n-2018")
    assert check("\n".join([layers, dropout, wrong]), "cs231n-2018").faults == {"dropout-backward-never-called"}


@pytest.mark.parametrize("means", ["drop", "keep"])
@pytest.mark.parametrize("argument", ["p", "dropout_ratio", "keep_prob"])
def test_a_dropout_class(argument: str, means: str) -> None:
    text = dropouts.DROPOUT_CLASS.replace("ARGUMENT", argument).replace("KEEP", dropouts.KEEP[means])
    says = {"dropout_ratio": "drop", "keep_prob": "keep"}.get(argument, means)
    report = check(text)
    assert report.faults == (set() if says == means else {"dialect-contradiction"})
    assert [one.name for one in report.functions] == ["Dropout.forward", "Dropout.backward"]
    wrong = text.replace("return dout * self.mask", "return dout")
    assert "mask-not-applied-in-backward" in check(wrong).faults


@pytest.mark.parametrize("name", sources.CLASSES)
def test_layer_classes(name: str) -> None:
    _, text, place, verdict = sources.CLASSES[name]
    text = "import numpy as np\n" + text
    right = check(text)
    assert right.ok, str(right)
    assert [one.name for one in right.functions] == [f"{name}.forward", f"{name}.backward"]
    wrong = check(sources.swap(text, {place: sources.CLASS_FAULTS[name]}))
    assert wrong.faults == {verdict}, str(wrong)


def test_a_class_that_averages_over_the_batch_instead_of_the_loss_is_right() -> None:
    text = "import numpy as np\n" + sources.CLASSES["Affine"][1]
    changes = {
        "np.dot(self.x.T, dout)": "np.dot(self.x.T, dout) / len(dout)",
        "np.sum(dout, axis=0)": "dout.mean(axis=0)",
    }
    report = check(sources.swap(text, changes))
    assert report.ok, str(report)
    assert report.verdicts == {"gradient-scaled", "bias-gradient-averaged"}


@pytest.mark.parametrize(
    "text",
    [
        "def sgd(params, lr, batch_size, more): pass",
        "def sgd(params, lr, batch_size):\n    for one in params: one[:] = one - lr * one.grad / batch_size",
        "def softmax_loss(X, t): return -np.log(np.exp(X)[np.arange(len(t)), t]).mean()",
        "def affine_forward(A, W, b): return W @ A + b",
        "def relu_forward(layer): layer.out = np.maximum(layer.x, 0)",
        "def batchnorm_forward(x, gamma, beta, layer): return x / np.sqrt(x.var(0) + layer.eps)",
        "class Linear:\n    @staticmethod\n    def forward(x, w, b): return x @ w + b, (x, w)\n"
        "    @staticmethod\n    def backward(dout, cache): return dout @ cache[1].T",
        "def softmax_loss(W, X, y, reg): pass",
        "class FullyConnectedNet:\n    def __init__(self, sizes, activation): pass",
        "class FullyConnectedNet:\n    def __init__(self, hidden_dims, input_dim, device): pass",
        "def FullyConnectedNet(hidden_dims, input_dim): pass",
        "class MLP:\n    def __init__(self, input_dim, hidden_dims, num_classes): self.layers = hidden_dims\n"
        "    def loss(self, X, y=None): return self.layers[0](X)",
        "class MLP:\n    def __init__(self, layer_sizes): pass\n    def loss(self, X, y=None): pass",
        "class Linear:\n    def __init__(self, n, m):\n        self.W = np.zeros((m, n)); self.b = np.zeros((m, 1))\n"
        "    def forward(self, x): return np.einsum('ij,bjk->bik', self.W, x)\n    def backward(self, d): return d",
    ],
)
def test_functions_of_other_courses_are_not_accused(text: str) -> None:
    report = check("import numpy as np\n" + text)
    assert {one.state for one in report.functions} == {"not checked"}, str(report)


def test_a_wrong_form_of_a_courses_own_function_is_a_fault() -> None:
    for text in ("def softmax_loss(x, y): return 1.0", "def affine_forward(X, W, b): return X @ W + b"):
        assert check(text).faults & {"wrong-return", "crashed"}, text


def test_a_dropout_that_refuses_to_keep_all_is_right() -> None:
    refusing = dropouts.DRAW + "\n        assert 0 < p < 1"
    for means in ("drop", "keep"):
        assert check(dropouts.dropout({dropouts.DRAW: refusing}, means), means).ok


def test_a_class_that_cannot_be_called_is_not_accused() -> None:
    text = (
        dropouts.DROPOUT_CLASS.replace("ARGUMENT=0.5", "shape, rate").replace("ARGUMENT", "rate").replace("KEEP", "p")
    )
    report = check(text)
    assert not report.faults
    assert [one.state for one in report.functions] == ["not checked", "not checked"]
    assert not report.ok


@pytest.mark.parametrize("means", ["drop", "keep"])
def test_a_forward_that_takes_p_and_training(means: str) -> None:
    text = """
import numpy as np
def dropout_forward(x, ARGUMENT=0.5, is_training=True):
    mask = None
    if is_training:
        mask = (np.random.rand(*x.shape) < KEEP) / KEEP
        x = mask * x
    return x, mask
def dropout_backward(dout, mask, is_training=True):
    return dout * mask
"""
    argument, keep = {"keep": ("keep_prob", "keep_prob"), "drop": ("drop_rate", "(1 - drop_rate)")}[means]
    text = text.replace("ARGUMENT", argument).replace("KEEP", keep)
    assert check(text).ok, str(check(text))
    assert check(text.replace(f"< {keep}", f"> {keep}")).faults == {"dialect-contradiction"}


def test_a_test_mode_that_fails_does_not_hide_the_training_mode() -> None:
    changes = {
        "    mask = None\n": "",
        "< KEEP) / KEEP": "< KEEP) / (1 - KEEP)",
        "(dropout_param, mask)\n\n": "(dropout_param, mask.copy())\n\n",
    }
    report = check(dropouts.dropout(changes, "keep"), "keep")
    assert report.faults == {"crashed", "scaled-by-wrong-probability"}
    assert "in mode 'test': UnboundLocalError" in str(report)


@pytest.mark.parametrize("dialect", thinnet.course.DIALECTS)
def test_the_course_packages_of_the_project_pass(dialect: str, closed_door: None) -> None:
    thinnet.course.activate(dialect)
    package = thinnet.course.DIALECTS[dialect].package
    net, images = ("fc_net", "cnn") if package == "nndl" else ("classifiers.fc_net", "classifiers.cnn")
    of_package = ("optim", images) if dialect in ("cs231n-2017", "nndl") else ()  # the same in all its dialects
    for name in ("layers", net, *of_package):
        report = check_layers(importlib.import_module(f"{package}.{name}"), dialect)
        assert report.ok, str(report)
        assert not report.faults


def test_an_endless_loop_is_stopped_and_the_rest_is_checked() -> None:
    text = dropouts.dropout({dropouts.BACK: "\n        while True: pass"}, "keep")
    report = check_layers(names_of(text), "keep", timeout=1)
    assert [one.state for one in report.functions] == ["right", "wrong"]
    assert report.faults == {"timed-out"}


def test_warnings_of_the_code_are_not_held_against_it() -> None:
    warning = {
        "out = np.maximum(0, x)": "import warnings; warnings.warn('old', DeprecationWarning); out = np.maximum(0, x)"
    }
    assert check(sources.swap(sources.LAYERS, warning)).ok


def test_an_input_that_is_reshaped_in_place_is_told() -> None:
    changes = {"    return out, x\n": "    cache = x.copy(); x.shape = (-1,)\n    return out, cache\n"}
    report = check(sources.swap(sources.LAYERS, changes))
    assert report.faults == {"input-mutated"}
    assert "relu_forward changed the shape of x from (4, 5) to (20,)" in str(report)


def test_numpys_generator_is_left_as_it_was() -> None:
    names = names_of(dropouts.dropout({}, "keep"))
    np.random.seed(3)
    before: Any = np.random.get_state()
    check_layers(names)
    after: Any = np.random.get_state()
    assert all(np.array_equal(one, other) for one, other in zip(before[1:], after[1:], strict=True))


def test_a_namespace_without_layers_is_refused() -> None:
    with pytest.raises(ArgumentError, match="must hold something to check"):
        check_layers({"x": 1})
    with pytest.raises(ArgumentError, match="dialect must be one of"):
        check_layers({"relu_forward": abs}, "cs231n")


def test_every_verdict_has_a_cause_and_a_mend() -> None:
    for name, verdict in VERDICTS.items():
        assert name == verdict.name
        assert verdict.cause
        assert verdict.mend[-1] in ".)", name
        assert verdict.severity in ("fault", "note")


@pytest.mark.parametrize(("means", "keep"), [("drop", "(1 - p)"), ("keep", "p"), (None, "keep_prob")])
def test_a_mend_speaks_of_p_as_the_dialect_does(means: str | None, keep: str) -> None:
    report = check(
        dropouts.dropout({"(np.random.rand(*x.shape) < KEEP)": "(np.random.rand(*x.shape) < 0.5)"}, "keep"), means
    )
    mend = next(one.mend for _, one in report if one.verdict == "wrong-rate")
    assert mend.startswith(f"Keep each unit with probability {keep}, and divide what is kept by it: ")
    line = f"mask = (np.random.rand(*x.shape) < {keep}).astype(x.dtype) / {keep}"
    assert f"{line}; then out = x * mask in training" in mend


def test_every_fault_has_a_planted_one() -> None:
    tables: list[list[Any]] = [dropouts.DROPOUT_FAULTS, nets.NET_FAULTS, nets.LAYERNORM_FAULTS]
    tables += [sources.LAYER_FAULTS, sources.OPTIM_FAULTS, check_images.FAULTS, small_nets.FIRST_FAULTS]
    planted = {row[0] for table in tables for row in table}
    elsewhere = {
        "channels-not-dropped-whole",
        "timed-out",
        "cannot-import",
        "function-missing",
        "dialect-contradiction",
        "misspelled-mode",
    }  # each has its own test
    assert {name for name, one in VERDICTS.items() if one.severity == "fault"} == planted | elsewhere


def test_the_bounds_hold_where_the_truth_is_known() -> None:
    """The exact binomial tails beyond the bounds are smaller than promised."""
    stats = pytest.importorskip("scipy.stats", reason="SciPy computes the exact tails")
    for draws, p in ((1000, 0.3), (500, 0.8), (40, 0.5)):
        counts = [k for k in range(draws + 1) if unlikely(k, draws, p)]
        assert 0 < stats.binom.pmf(counts, draws, p).sum() < 1e-8
    wide = next(k for k in range(501) if differ(500, 1000, 500 - k, 1000))
    assert 2 * stats.norm.sf(wide / np.sqrt(2 * 1000 * 0.25)) < 1e-8
