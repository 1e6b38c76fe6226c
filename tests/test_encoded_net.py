"""The net of an estimator that encodes its rows takes raw rows, like the net of any other estimator."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from onnx.reference import ReferenceEvaluator

from thinnet import check_gradients
from thinnet.errors import ArgumentError
from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor
from thinnet.typing import AnyArray

QUICK: dict[str, Any] = {"hidden_layer_sizes": (16,), "max_iter": 10, "random_state": 0, "activation": "tanh"}
NUM_ROWS = 150


def raw_rows() -> tuple[AnyArray, AnyArray]:
    X = np.random.default_rng(0).standard_normal((NUM_ROWS, 4)) * 100 + 1000
    return X, (X[:, 0] > 1000) * 1 + (X[:, 1] > 1000)


def table() -> tuple[pd.DataFrame, AnyArray]:
    X, y = raw_rows()
    frame = pd.DataFrame(X, columns=list("abcd")).assign(city=["Ulm", "Bonn", None] * (NUM_ROWS // 3))
    frame.loc[::7, "a"] = np.nan
    return frame, y


@pytest.mark.parametrize("rows", [raw_rows, table])
def test_it_predicts_what_the_estimator_predicts(rows: Any) -> None:
    X, y = rows()
    estimator = ThinNetClassifier(calibrate=False, **QUICK).fit(X, y)
    net = estimator.net_
    assert net.input_dim > X.shape[1]
    for same in (net, net.copy(), net.replace(reg=0.5), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(same.predict(X), estimator.predict(X))
        np.testing.assert_allclose(same.predict_proba(X), estimator.predict_proba(X), atol=1e-5)
    assert np.isfinite(net.loss(X, y)[0])
    np.testing.assert_array_equal(net.loss(X), net.scores(X))
    check_gradients(net, X[:20], y[:20])


def test_what_with_standardization_gives_takes_encoded_rows() -> None:
    X, y = table()
    estimator = ThinNetClassifier(**QUICK).fit(X, y)
    net, encoder = estimator.net_, estimator.encoder_
    assert encoder is not None
    encoded, how = encoder.transform(encoder.read(X)), net.standardization
    assert how is not None
    np.testing.assert_array_equal(net.with_standardization(how).scores(encoded), net.scores(X))
    bare = net.with_standardization(None)
    np.testing.assert_array_equal(bare.scores(how.rows(encoded, np.float32)), net.scores(X))


def test_a_matrix_that_is_sparse_is_taken_too() -> None:
    X = pd.DataFrame({"word": [f"w{i % 300}" for i in range(1500)]})
    estimator = ThinNetClassifier(**QUICK).fit(X, np.arange(1500) % 2)
    assert estimator.encoder_ is not None
    assert estimator.encoder_.is_sparse
    np.testing.assert_array_equal(estimator.net_.predict(X), estimator.predict(X))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_its_onnx_file_takes_raw_rows(tmp_path: Path, dtype: Any) -> None:
    X, y = raw_rows()
    estimator = ThinNetClassifier(**QUICK).fit(X, y)
    estimator.net_.export_onnx(tmp_path / "net.onnx")
    runtime: Any = ReferenceEvaluator(str(tmp_path / "net.onnx"))
    (scores,) = runtime.run(None, {"X": X.astype(dtype)})  # also float32, which this runtime accepts
    np.testing.assert_array_equal(scores.argmax(axis=1), estimator.predict(X.astype(dtype)))


def test_its_onnx_file_of_a_table_has_an_input_for_each_column(tmp_path: Path) -> None:
    X, _ = table()
    regressor = ThinNetRegressor(**QUICK).fit(X, X["b"])
    regressor.net_.export_onnx(tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    given = {name: X[[name]].to_numpy() for name in "abcd"} | {"city": X[["city"]].fillna("").to_numpy()}
    (scores,) = session.run(["scores"], given)
    np.testing.assert_allclose(scores[:, 0] * X["b"].std(ddof=0) + X["b"].mean(), regressor.predict(X), rtol=1e-9)


def test_it_is_not_saved_without_its_encoder(tmp_path: Path) -> None:
    net = ThinNetClassifier(**QUICK).fit(*table()).net_
    with pytest.raises(ArgumentError, match=r"save must .* encoder_\. .* joblib\.dump"):
        net.save(tmp_path / "net.safetensors")
    assert not any(tmp_path.iterdir())
    net.with_standardization(None).save(tmp_path / "net.safetensors")


def test_columns_in_another_order_are_refused() -> None:
    X, y = table()
    net = ThinNetClassifier(**QUICK).fit(X, y).net_
    with pytest.raises(ArgumentError, match="in the order of training"):
        net.predict(X[[*"dcba", "city"]])
