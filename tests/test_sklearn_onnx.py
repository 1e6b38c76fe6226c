"""Whole estimators as ONNX graphs: ONNX Runtime on raw rows, compared with the estimators' predictions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator
from sklearn.exceptions import NotFittedError

from thinnet.errors import ArgumentError, MissingExtraError
from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor
from thinnet.typing import AnyArray

QUICK: dict[str, Any] = {"hidden_layer_sizes": (16, 8), "max_iter": 20, "random_state": 0}


def raw_rows() -> AnyArray:
    """Columns of different scales and offsets: a time in seconds, a constant, one with an outlier, tiny numbers."""
    generator = np.random.default_rng(0)
    X = generator.standard_normal((400, 6))
    X[:, 1] = 1e6 + X[:, 1]
    X[:, 2] = 1.7e9 + np.round(10 * X[:, 2])
    X[:, 3] = 0.1
    X[0, 4] = 1e5
    X[:, 5] *= 1e-12
    return X


def run(path: Path, X: AnyArray) -> dict[str, AnyArray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"X": X}), strict=True))


@pytest.mark.parametrize("normalization", [None, "batchnorm", "layernorm"])
@pytest.mark.parametrize(
    "names", [[0, 1, 2], ["no", "perhaps", "yes"], [-1.0, 0.0, 7.0], np.array([3, 4, 5], np.uint8)], ids=str
)
def test_labels_and_probabilities_of_raw_rows(tmp_path: Path, normalization: Any, names: Any) -> None:
    X = raw_rows()
    y = np.asarray(names)[(X[:, 0] > 0) * 1 + (X[:, 1] > 1e6)]
    net = ThinNetClassifier(normalization=normalization, **QUICK).fit(X, y)
    net.export_onnx(tmp_path / "net.onnx")
    X[:5, 3] = 1e9  # constant in training, but not here
    out = run(tmp_path / "net.onnx", X)
    assert (net.predict(X) == y).mean() > 0.6  # chance is about 0.5
    np.testing.assert_array_equal(out["label"], net.predict(X))
    np.testing.assert_allclose(out["probabilities"], net.predict_proba(X), rtol=1e-9, atol=1e-12)
    assert list(out) == ["label", "probabilities"]
    assert run(tmp_path / "net.onnx", X[:1])["label"].shape == (1,)


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_the_net_alone_takes_raw_rows_too(tmp_path: Path, name: str) -> None:
    X = raw_rows()[:, :2].astype(name)
    y = (X[:, 0] > 0) * 1 + (X[:, 1] > 1e6)
    net = ThinNetClassifier(numeric_bins=None, **QUICK).fit(X, y)
    net.net_.export_onnx(tmp_path / "net.onnx")
    runtime: Any = ReferenceEvaluator(str(tmp_path / "net.onnx"))
    (scores,) = runtime.run(None, {"X": X})
    np.testing.assert_array_equal(net.classes_[scores.argmax(axis=1)], net.predict(X))
    np.testing.assert_array_equal(net.net_.predict(X), net.predict(X))
    assert (net.predict(X) == y).mean() > 0.6


def test_a_net_is_there_after_fit_only() -> None:
    with pytest.raises(NotFittedError, match="not fitted yet"):
        _ = ThinNetRegressor().net_


@pytest.mark.parametrize("options", [{"standardize": False}, {"hidden_layer_sizes": ()}, {"dropout": 0.0}], ids=str)
def test_other_nets_and_bools(tmp_path: Path, options: dict[str, Any]) -> None:
    X = raw_rows()[:, :1]
    net = ThinNetClassifier(**{**QUICK, **options}).fit(X, X[:, 0] > 0)
    net.export_onnx(tmp_path / "net.onnx")
    out = run(tmp_path / "net.onnx", X)
    np.testing.assert_array_equal(out["label"], net.predict(X))
    np.testing.assert_allclose(out["probabilities"], net.predict_proba(X), rtol=1e-9, atol=1e-12)


def test_labels_that_are_objects(tmp_path: Path) -> None:
    X = raw_rows()
    y = np.where(X[:, 0] > 0, "a long name", "é").astype(object)
    net = ThinNetClassifier(**QUICK).fit(X, y)
    net.export_onnx(tmp_path / "net.onnx")
    np.testing.assert_array_equal(run(tmp_path / "net.onnx", X)["label"], net.predict(X))


def test_several_labels_of_raw_rows(tmp_path: Path) -> None:
    X = raw_rows()
    Y = np.column_stack([X[:, 0] > 0, X[:, 1] > 1e6]).astype(int)
    net = ThinNetClassifier(**QUICK).fit(X, Y)
    net.export_onnx(tmp_path / "net.onnx")
    out = run(tmp_path / "net.onnx", X)
    np.testing.assert_array_equal(out["label"], net.predict(X))
    np.testing.assert_allclose(out["probabilities"], net.predict_proba(X), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("outputs", [0, 1, 3])
@pytest.mark.parametrize("normalization", [None, "batchnorm", "layernorm"])
def test_values_of_raw_rows_in_their_own_units(tmp_path: Path, outputs: int, normalization: Any) -> None:
    X = raw_rows()
    columns = np.column_stack([1e6 + 5 * X[:, 0], X[:, 1] - 1e6, np.full(400, 3.0)])
    y = columns[:, :outputs] if outputs else columns[:, 0]
    net = ThinNetRegressor(normalization=normalization, **QUICK).fit(X, y)
    net.export_onnx(tmp_path / "net.onnx")
    value = run(tmp_path / "net.onnx", X)["value"]
    assert value.shape == y.shape
    np.testing.assert_allclose(value, net.predict(X), rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("estimator", [ThinNetClassifier, ThinNetRegressor])
def test_what_cannot_be_written_leaves_nothing_behind(
    tmp_path: Path, estimator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.onnx"
    with pytest.raises(NotFittedError):
        estimator().export_onnx(path)
    X = raw_rows()
    net = estimator(**QUICK).fit(X, (X[:, 0] > 0) * 1)
    with pytest.raises(OSError, match="folder"):
        net.export_onnx(tmp_path / "missing" / "net.onnx")
    with pytest.raises(ArgumentError, match="path"):
        net.export_onnx(7)
    monkeypatch.setattr("thinnet.nets.onnx_export.MOST_BYTES", 1000)
    with pytest.raises(ArgumentError, match=r"less than 2 GiB, got [\d,]+ bytes"):
        net.export_onnx(path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r'pip install "thinnet\[onnx\]"'):
        net.export_onnx(path)
    assert not list(tmp_path.iterdir())
