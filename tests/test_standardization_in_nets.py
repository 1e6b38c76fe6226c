"""Nets that include their data's standardization: they take raw rows, and standardize them exactly once."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from safetensors.numpy import load_file

from test_checksummed import forged
from thinnet import ArgumentError, CheckpointError, Dataset, FullyConnectedNet, Solver, check_gradients, cli
from thinnet.data.dataset import STANDARDIZATIONS
from thinnet.nets.monte_carlo import monte_carlo_scores
from thinnet.report import write_report
from thinnet.standardization import Standardization
from thinnet.typing import AnyArray

RNG = np.random.default_rng(0)
SIGNAL = RNG.standard_normal((200, 4))
OFFSETS = np.array([0.0, 1.7e9, -3e5, 1e-3])  # in float32, the second column would be noise
X = SIGNAL * [1.0, 1.0, 50.0, 1e-6] + OFFSETS
Y = (SIGNAL @ RNG.standard_normal((4, 3))).argmax(axis=1)


def data_of(X: AnyArray = X, method: str = "feature") -> Dataset:
    return Dataset(X[:120], Y[:120], X[120:160], Y[120:160], X[160:], Y[160:]).standardized(method)


def trained(data: Dataset, **options: Any) -> FullyConnectedNet:
    options = {"loss": "softmax", "normalization": "batchnorm", "dropout": 0.2, **options}
    net = FullyConnectedNet.for_data(data, [20], seed=0, **options)
    Solver(net, data, epochs=10, batch_size=20, learning_rate=0.02, verbose=False).train()
    return net


@pytest.mark.parametrize("method", STANDARDIZATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.uint8])
def test_a_loaded_net_predicts_on_raw_rows_to_the_bit(method: str, dtype: str, kind: Any, tmp_path: Path) -> None:
    raw = X if kind == np.float64 else (SIGNAL * 30 + 128).astype(kind)
    data = data_of(raw, method)
    net = trained(data, dtype=dtype)
    rows, y = data.batch("test", dtype=dtype)
    net.save(tmp_path / "net", standardization=data.standardization)
    again = FullyConnectedNet.load(tmp_path / "net")
    assert (again.standardization is None) == (method == "none")
    for call in ("scores", "__call__", "predict", "predict_proba", "loss"):
        np.testing.assert_array_equal(getattr(again, call)(raw[160:]), getattr(net, call)(rows))
    assert again.loss(raw[160:], y)[0] == net.loss(rows, y)[0]
    again.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "net").read_bytes(), "what it carries is saved with it"
    losses = [one.loss(x, y, training=True, step=3)[0] for one, x in ((again, raw[160:]), (net, rows))]
    assert losses[0] == losses[1]
    np.testing.assert_array_equal(monte_carlo_scores(again, raw[160:], 3), monte_carlo_scores(net, rows, 3))


def test_it_holds_for_many_rows_and_images_and_lists() -> None:
    data = data_of()
    net, raw = trained(data), trained(data).with_standardization(data.standardization)
    many = np.tile(X, (20, 1))
    np.testing.assert_array_equal(raw(many), np.tile(raw(X), (20, 1)))
    np.testing.assert_array_equal(raw(X[:3].reshape(3, 2, 2)), raw(X[:3]))
    np.testing.assert_array_equal(raw(X[:3].tolist()), raw(X[:3]))
    assert raw(X[:0]).shape == (0, 3)
    assert net.params is not raw.params
    assert (raw.predict(X[160:]) == Y[160:]).mean() > 0.8, "the wide column has not become noise"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("limit", [np.inf, 1.5])
@pytest.mark.parametrize("loss", ["softmax", "mse", "logistic"])
def test_onnx_runtime_takes_raw_rows(dtype: str, limit: float, loss: str, tmp_path: Path) -> None:
    y = Y if loss == "softmax" else (SIGNAL[:, :2] > 0).astype(float)
    data = Dataset(X[:120], y[:120], X[120:], y[120:]).standardized()
    how = data.standardization
    assert how is not None
    net = trained(data, dtype=dtype, loss=loss).with_standardization(Standardization(how.mean, how.scale, limit))
    net.export_onnx(tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {"X": X})
    assert scores.dtype == dtype
    np.testing.assert_allclose(scores, net(X), rtol=0, atol=1e-5 if dtype == "float32" else 1e-10)


def test_copies_of_every_kind_carry_it() -> None:
    data = data_of()
    net = trained(data).with_standardization(data.standardization)
    copies = [net.copy(), copy.deepcopy(net), pickle.loads(pickle.dumps(net)), net.replace(dropout=0.1)]
    for other in copies:
        np.testing.assert_array_equal(other(X), net(X))
    np.testing.assert_allclose(net.copy("float64")(X), net(X), rtol=1e-4, atol=1e-5)
    assert "raw rows, standardized by the net" in repr(net)
    assert net.with_standardization(None).standardization is None
    assert net.with_standardization(None).params is net.params
    assert FullyConnectedNet.from_config(net.config()).standardization is None, "a config holds arguments alone"
    assert check_gradients(net.copy("float64"), X[:10], Y[:10])


def test_a_solver_refuses_a_net_that_would_standardize_twice(tmp_path: Path) -> None:
    data = data_of()
    net = trained(data)
    net.save(tmp_path / "net", data.standardization)
    again = FullyConnectedNet.load(tmp_path / "net")
    before = again.params.flat.copy()
    for other in (data, data_of(method="none"), data_of(X[::-1])):
        with pytest.raises(ArgumentError, match=r"standardized twice\. Train net\.with_standardization\(None\)"):
            Solver(again, other, verbose=False)
    Solver(net, data, epochs=2, verbose=False, checkpoint_dir=tmp_path / "run").train()
    with pytest.raises(ArgumentError, match=r"Train net\.with_standardization\(None\)"):
        Solver.resume(tmp_path / "run", data, model=again)
    np.testing.assert_array_equal(again.params.flat, before)
    with pytest.raises(ArgumentError, match=r"standardization must be None for a net that has one, got another"):
        again.save(tmp_path / "twice", data.standardization)
    assert not (tmp_path / "twice").exists()
    Solver(again.with_standardization(None), data, epochs=1, verbose=False).train()
    assert not np.array_equal(again.params.flat, before), "it has the same parameters"


def test_training_goes_on_with_what_a_net_carries(tmp_path: Path) -> None:
    """On new rows, standardized like the first ones."""
    data = data_of()
    how = data.standardization
    assert how is not None
    more = Dataset(X[120:], Y[120:], shift=how.mean, scale=how.scale)
    np.testing.assert_array_equal(more.batch("train")[0], np.concatenate([data.batch(s)[0] for s in ("val", "test")]))


@pytest.mark.parametrize(
    ("standardization", "text"),
    [
        ("feature", r"must be a Standardization or None, got a str\. Give data\.standardization"),
        ((np.zeros(4), np.ones(4)), r"must be a Standardization or None, got a tuple"),
        (Standardization(np.zeros(3), np.ones(3)), r"finite mean for each of the net's 4 inputs, got .* shape \(3,\)"),
        (Standardization(np.zeros(4), np.ones(())), r"finite scale for each of the net's 4 inputs, got .* shape \(\)"),
        (Standardization(np.full(4, np.nan), np.ones(4)), r"finite mean for each"),
        (Standardization(np.zeros(4), np.ones(4), np.nan), r"a limit > 0, got nan"),
        (Standardization(np.zeros(4), np.ones(4), 0.0), r"a limit > 0, got 0\.0"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_written(standardization: Any, text: str, tmp_path: Path) -> None:
    net = FullyConnectedNet([5], 4, 3, seed=0)
    for call in (net.with_standardization, lambda how: net.save(tmp_path / "net", how)):
        with pytest.raises(ArgumentError, match=text):
            call(standardization)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("limit", [np.inf, 2.0])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_rows_that_are_not_finite_are_refused(wrong: float, limit: float) -> None:
    net = FullyConnectedNet([5], 4, 3, seed=0)
    net = net.with_standardization(Standardization(np.ones(4), np.ones(4), limit))
    rows = np.zeros((1500, 4))
    rows[1300, 2] = wrong
    for call in (net, net.predict, net.predict_proba):
        with pytest.raises(ArgumentError, match=r"X must hold numbers that are finite .* in row 1300, column 2"):
            call(rows)


def test_numbers_beyond_the_nets_dtype_are_refused_by_column() -> None:
    net = FullyConnectedNet([5], 4, 3, seed=0)
    net = net.with_standardization(Standardization(np.zeros(4), np.array([1, 1e-200, 1, 1.0])))
    rows = np.zeros((2, 4))
    rows[1, 1] = 1e200
    assert np.isfinite(net(rows)).all(), "standardized, it is an ordinary number"
    rows[1, 3] = 1e200
    with pytest.raises(ArgumentError, match=r"X must hold numbers that stay within float32, .* in column 3"):
        net(rows)


def test_a_file_whose_standardization_does_not_fit_is_refused(tmp_path: Path) -> None:
    net = trained(data_of()).with_standardization(data_of().standardization)
    net.save(tmp_path / "net")
    arrays = load_file(tmp_path / "net")
    state = {"config": net.config(), "step": 0, "fused": True, "standardization": {"limit": None}}
    narrow = {name: a.astype(np.float32) for name, a in arrays.items() if name.startswith("standardization")}
    mean, scale = "standardization/mean", "standardization/scale"
    cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({**state, "standardization": {}}, arrays),
        ({**state, "standardization": {"limit": -1}}, arrays),
        ({**state, "standardization": {"limit": "wide"}}, arrays),
        ({name: state[name] for name in ("config", "step", "fused")}, arrays),
        (state, {name: a for name, a in arrays.items() if name != mean}),
        (state, {**arrays, **narrow}),
        (state, {**arrays, scale: arrays[scale][:3]}),
        (state, {**arrays, mean: arrays[mean] * np.nan}),
    ]
    for wrong, given in cases:
        (tmp_path / "wrong").write_bytes(forged(json.dumps(wrong), given))
        with pytest.raises(CheckpointError, match="its contents do not fit together"):
            FullyConnectedNet.load(tmp_path / "wrong")
    (tmp_path / "right").write_bytes(forged(json.dumps(state), arrays))
    np.testing.assert_array_equal(FullyConnectedNet.load(tmp_path / "right")(X), net(X))


@pytest.mark.parametrize("method", STANDARDIZATIONS)
def test_the_net_of_a_run_predicts_on_raw_rows(method: str, tmp_path: Path) -> None:
    """The report, whose rows are already standardized, counts the same correct answers."""
    raw = SIGNAL * 3 + 20
    arrays = {"X_train": raw[:120], "y_train": Y[:120], "X_test": raw[120:], "y_test": Y[120:]}
    np.savez(tmp_path / "data.npz", **arrays)
    words = ["--standardization", method, "--epochs", "20", "--batch-size", "20", "--learning-rate", ".02", "--quiet"]
    words += ["--data", str(tmp_path / "data.npz"), "--output", str(tmp_path / "run"), "--seed", "0"]
    assert cli.main(["train", *words]) == 0
    net = FullyConnectedNet.load(tmp_path / "run" / "net.safetensors")
    right = int((net.predict(raw[120:]) == Y[120:]).sum())
    page = write_report([tmp_path / "run"]).read_text(encoding="utf-8")
    assert f"{right} of 80 answers are right" in page
    net.export_onnx(tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {"X": raw if method != "none" else raw.astype(np.float32)})
    np.testing.assert_allclose(scores, net(raw), rtol=1e-4, atol=1e-4)
