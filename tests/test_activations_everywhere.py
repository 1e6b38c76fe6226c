"""Every activation in nets, solver, command line, report, checkpoints, ONNX, Monte Carlo dropout and estimators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from sklearn.model_selection import GridSearchCV

from thinnet import ArgumentError, Dataset, FullyConnectedNet, Solver, check_gradients, cli
from thinnet.layers import ACTIVATIONS
from thinnet.nets.monte_carlo import monte_carlo_scores
from thinnet.report import write_report
from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor

RNG = np.random.default_rng(0)
X = RNG.standard_normal((200, 5))
Y = (X @ RNG.standard_normal((5, 3))).argmax(axis=1)
DATA = Dataset(X[:150], Y[:150], X[150:], Y[150:])

each = pytest.mark.parametrize("activation", ACTIVATIONS)
both_masks = pytest.mark.parametrize("mask", ["element", "batch"])


def net_with(activation: str, **options: Any) -> FullyConnectedNet:
    return FullyConnectedNet.for_data(DATA, [30, 20], activation=activation, seed=0, **options)


def session(path: Path) -> Any:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@each
@both_masks
def test_a_solver_learns_and_resumes_to_the_same_bits(activation: str, mask: Any, tmp_path: Path) -> None:
    options: dict[str, Any] = {"batch_size": 25, "learning_rate": 0.01, "verbose": False}
    net = net_with(activation, dropout=0.2, dropout_mask=mask, normalization="batchnorm")
    begun = Solver(net, DATA, epochs=20, checkpoint_dir=tmp_path / "run", **options)
    begun.train()
    assert begun.best_val_accuracy > 0.85
    again = Solver.resume(tmp_path / "run", DATA, epochs=22)
    again.train()
    whole = net_with(activation, dropout=0.2, dropout_mask=mask, normalization="batchnorm")
    Solver(whole, DATA, epochs=22, **options).train()
    assert again.model.activation == activation
    np.testing.assert_array_equal(again.model.params.flat, whole.params.flat)


@each
@both_masks
def test_gradients_are_the_slopes(activation: str, mask: Any) -> None:
    options: dict[str, Any] = {"dropout_mask": mask, "normalization": "batchnorm", "dtype": "float64"}
    net = FullyConnectedNet.for_data(DATA, [7, 6], activation=activation, dropout=0.3, seed=0, **options)
    assert check_gradients(net, X[:12], Y[:12])


@each
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("normalization", [None, "layernorm"])
def test_onnx_runtime_gives_the_nets_scores(activation: str, dtype: str, normalization: Any, tmp_path: Path) -> None:
    net = net_with(activation, dtype=dtype, normalization=normalization)
    net.export_onnx(tmp_path / "net.onnx")
    (scores,) = session(tmp_path / "net.onnx").run(None, {"X": X.astype(dtype)})
    assert scores.dtype == dtype
    precise = dtype == "float64" and activation != "gelu"  # ONNX Runtime has the error function only in float32
    np.testing.assert_allclose(scores, net(X), rtol=0, atol=1e-10 if precise else 5e-6)


@each
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_onnx_runtime_gives_the_scores_of_rows_far_out(activation: str, dtype: str, tmp_path: Path) -> None:
    """Where exp overflows the dtype."""
    net, rows = net_with(activation, dtype=dtype), (X[:20] * 1e5).astype(dtype)
    net.export_onnx(tmp_path / "net.onnx")
    (scores,) = session(tmp_path / "net.onnx").run(None, {"X": rows})
    expected = net(rows)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@each
def test_draws_of_dropout_have_the_mean_of_the_net(activation: str) -> None:
    """Exactly, if only a matrix product follows dropout."""
    net = FullyConnectedNet.for_data(DATA, [50], activation=activation, dropout=0.2, dtype="float64", seed=0)
    draws = monte_carlo_scores(net, X[:4], 4000)
    error = draws.std(axis=0) / np.sqrt(4000)
    assert (error > 0).all()
    assert (np.abs(draws.mean(axis=0) - net(X[:4])) < 5 * error).all()


@each
def test_the_command_line_trains_and_reports(activation: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", X_train=X[:150], y_train=Y[:150], X_val=X[150:], y_val=Y[150:])
    words = ["train", "--data", str(tmp_path / "data.npz"), "--activation", activation, "--epochs", "2", "--quiet"]
    assert cli.main([*words, "--dropout", "0.2", "--output", str(tmp_path / "run")]) == 0
    assert FullyConnectedNet.load(tmp_path / "run" / "net.safetensors").activation == activation
    page = write_report([tmp_path / "run"]).read_text(encoding="utf-8")
    counted = activation == "relu"
    assert ("Units above zero" in page) == counted
    assert ("They are counted only in nets with ReLU" in page) == (not counted)


@each
@pytest.mark.parametrize("kind", [ThinNetClassifier, ThinNetRegressor])
def test_estimators_learn_and_are_exported(activation: str, kind: Any, tmp_path: Path) -> None:
    y = Y if kind is ThinNetClassifier else X[:, 0] + X[:, 1]
    estimator = kind((30,), activation=activation, random_state=0, max_iter=30, warm_start=True).fit(X, y)
    assert estimator.score(X, y) > 0.65
    estimator.export_onnx(tmp_path / "estimator.onnx")
    first = session(tmp_path / "estimator.onnx").run(None, {"X": X})[0]
    if kind is ThinNetClassifier:
        np.testing.assert_array_equal(first, estimator.predict(X))
    else:
        np.testing.assert_allclose(first, estimator.predict(X), rtol=0, atol=1e-6 if activation == "gelu" else 1e-10)
    other = "tanh" if activation != "tanh" else "relu"
    with pytest.raises(
        ArgumentError, match=f"activation must stay '{activation}' when training continues, got '{other}'"
    ):
        estimator.set_params(activation=other).fit(X, y)


def test_a_search_chooses_an_activation() -> None:
    search = GridSearchCV(
        ThinNetClassifier((20,), random_state=0, max_iter=10), {"activation": list(ACTIVATIONS)}, cv=3, n_jobs=1
    ).fit(X, Y)
    assert search.best_params_["activation"] in ACTIVATIONS
    assert search.best_estimator_.net_.activation == search.best_params_["activation"]
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("wrong", ["Tanh", "swish", None, 3])
def test_another_activation_is_refused(wrong: Any) -> None:
    for call in (
        lambda: FullyConnectedNet([3], 2, 2, activation=wrong),
        lambda: ThinNetClassifier(activation=wrong).fit(X, Y),
    ):
        with pytest.raises(
            ArgumentError,
            match=r"activation must be one of 'relu', 'tanh', 'sigmoid', 'gelu', 'silu', 'identity'.*, got",
        ):
            call()
