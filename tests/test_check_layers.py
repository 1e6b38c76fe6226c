"""The checker on layers: all wrong gradients, other dtypes, and classes with other names."""

from __future__ import annotations

import pytest

import check_dropouts as dropouts
import check_sources as sources
from test_check import check


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"dx = dout.dot(w.T).reshape(x.shape)": "dx = dout.dot(w.T)", "-1).T.dot(dout)": "-1).T.dot(dout).T"},
            ["shape-changed: dx has shape (4, 6)", "dw has shape (5, 6)"],
        ),
        (
            {"dx = dout.dot(w.T).reshape(x.shape)": "dx = None", "db = np.sum(dout, axis=0)": "db = None"},
            ["unimplemented: dx is None; db is None"],
        ),
        (
            {"return dx, dgamma, dbeta": "return 3 * dx, 2 * dgamma, dbeta[:2]"},
            ["gradient-scaled: dx is 3 times", "dgamma is twice", "shape-changed: dbeta has shape (2,)"],
        ),
        (
            {"return dx, (dout * lhat).sum(axis=0), dout": "return dx.T, (dout * lhat).sum(axis=1), -dout"},
            [
                "shape-changed: dx has shape (5, 6)",
                "wrong-axis: dgamma is summed along the other axis, of shape (6,)",
                "gradient-sign: dbeta is of the wrong sign",
            ],
        ),
    ],
)
def test_all_wrong_gradients_of_a_layer_are_told(changes: dict[str, str], told: list[str]) -> None:
    report = check(sources.swap(sources.LAYERS, changes))
    text = " ".join(f"{one.verdict}: {one.evidence}" for _, one in report)
    assert all(words in text for words in told), text


def test_a_gradient_that_should_be_zero_is_told_without_a_sign() -> None:
    report = check(sources.swap(sources.LAYERS, {"dx = dout * (x > 0)": "dx = dout"}))
    text = str(report)
    assert "lets everything through, even where x is negative" in text
    assert "expected 0" in text
    assert "expected -0\n" not in text


def test_rows_that_are_not_flattened_are_met_with_how_to() -> None:
    report = check(sources.swap(sources.LAYERS, {"out = x.reshape(x.shape[0], -1).dot(w) + b": "out = x.dot(w) + b"}))
    assert next(one.mend for _, one in report if one.verdict == "crashed").count("x.reshape(x.shape[0], -1)") == 1


def test_a_backward_is_not_accused_of_its_forwards_epsilon() -> None:
    report = check(sources.swap(sources.LAYERS, {'bn_param.get("eps", 1e-5)': "1e-3"}))
    assert [name for name, one in report if one.severity == "fault"] == ["batchnorm_forward"]


def test_a_loss_in_an_array_of_one_is_right() -> None:
    one = {"loss = -logp[np.arange(N), y].sum() / N": "loss = -logp[np.arange(N), y].sum(keepdims=True) / N"}
    report = check(sources.swap(sources.LAYERS, one))
    assert report.ok, str(report)
    assert not report.verdicts


@pytest.mark.parametrize(
    "changes",
    [
        {".dot(w) + b": ".dot(w).astype(np.float32) + np.float32(b)"},
        {"np.maximum(0, x)": "np.maximum(0, x.astype(np.float32))"},
    ],
)
def test_a_layer_that_gives_float32_is_noted(changes: dict[str, str]) -> None:
    report = check(sources.swap(sources.LAYERS, changes))
    assert report.ok, str(report)
    assert report.verdicts == {"dtype-changed"}


def test_a_softmax_in_float32_is_not_unstable() -> None:
    single = {"    shifted = x - x": "    x = x.astype(np.float32)\n    shifted = x - x"}
    assert check(sources.swap(sources.LAYERS, single)).ok


@pytest.mark.parametrize("name", ["MyDropout", "Dropout_Layer", "DropoutLayer2", "NumpyDropout", "CustomDropoutModule"])
def test_a_dropout_class_of_another_name(name: str) -> None:
    text = dropouts.DROPOUT_CLASS.replace("ARGUMENT", "p").replace("KEEP", dropouts.KEEP["drop"])
    text = text.replace("class Dropout", f"class {name}")
    report = check(text)
    assert [one.name for one in report.functions] == [f"{name}.forward", f"{name}.backward"]
    assert report.ok, str(report)
    half = check(text.replace("return dout * self.mask", "return np.half(dout * self.mask)"))
    assert half.faults == {"dtype-changed"}, str(half)


@pytest.mark.parametrize(
    ("changes", "backward", "told"),
    [
        ({"axis=1, keepdims=True": "axis=0"}, "layernorm", "dx"),
        ({".dot(w) + b": ".dot(2 * w) + b", "dx = dout.dot(w.T)": "dx = 2 * dout.dot(w.T)"}, "affine", "dx"),
        ({"np.maximum(0, x)": "np.minimum(0, x)", "(x > 0)": "(x < 0)"}, "relu", "dx"),
    ],
)
def test_a_gradient_that_fits_a_wrong_forward_is_not_called_right(
    changes: dict[str, str], backward: str, told: str
) -> None:
    layers = sources.LAYERS.partition("def softmax_loss")[0]
    report = check(sources.swap(layers, changes))
    states = {one.name: one.state for one in report.functions}
    assert (states[f"{backward}_forward"], states[f"{backward}_backward"]) == ("wrong", "not checked"), str(report)
    said = " ".join(str(report).split())
    assert f"{told} matches forward, which is itself wrong" in said
    assert "which is itself wrong fix: Fix forward first" in said
