"""Every loss from arrays to report: training, history, prediction, saving, export, and the command line."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
import pytest

from thinnet import ArgumentError, DataError, Dataset, FullyConnectedNet, Solver, cli
from thinnet.layers import LOSSES
from thinnet.report import write_report
from thinnet.spec import NORMALIZATIONS
from thinnet.typing import AnyArray

RNG = np.random.default_rng(0)
X = RNG.standard_normal((200, 5))
SCORES = X @ RNG.standard_normal((5, 3))
LABELS = SCORES.argmax(axis=1)


class Case(NamedTuple):
    """Targets, the number of outputs they need, and the accuracy or R² of a net that has learned them."""

    loss: str
    y: AnyArray
    outputs: int
    least: float


CASES = {
    "softmax": Case("softmax", LABELS, 3, 0.85),
    "softmax of floats": Case("softmax", LABELS.astype(np.float32), 3, 0.85),
    "softmax of two": Case("softmax", LABELS == 1, 2, 0.85),
    "svm": Case("svm", LABELS.astype(np.uint8), 3, 0.85),
    "mse": Case("mse", SCORES + 2.5, 3, 0.85),
    "mse of a list": Case("mse", SCORES[:, 0] + 0.1, 1, 0.85),
    "mse of a list of whole numbers": Case("mse", np.abs((10 * SCORES[:, 0]).round()) / 1, 1, 0.5),
    "mse of columns of integers": Case("mse", (10 * SCORES).round().astype(int), 3, 0.5),
    "logistic": Case("logistic", (SCORES > 0).astype(int), 3, 0.7),
    "logistic of bools": Case("logistic", SCORES > 0, 3, 0.7),
    "logistic of fractions": Case("logistic", 1 / (1 + np.exp(-SCORES)), 3, 0.7),
    "logistic of a list": Case("logistic", (SCORES[:, 0] > 0).astype(int), 1, 0.85),
    "poisson": Case("poisson", np.exp(SCORES / 4), 3, 0.7),
    "poisson of columns of counts": Case("poisson", (5 * np.exp(SCORES / 4)).round().astype(int), 3, 0.5),
    "poisson of a list of counts": Case("poisson", np.exp(SCORES[:, 0] / 2).round().astype(int), 1, 0.5),
    "logistic of one column": Case("logistic", (SCORES[:, :1] > 0).astype(np.uint8), 1, 0.85),
}
each = pytest.mark.parametrize("name", CASES)


def arrays(case: Case) -> dict[str, AnyArray]:
    splits = {"train": slice(0, 120), "val": slice(120, 160), "test": slice(160, 200)}
    return {f"{kind}_{split}": of[rows] for split, rows in splits.items() for kind, of in (("X", X), ("y", case.y))}


def trained(case: Case, epochs: int = 40, **options: Any) -> tuple[Solver, FullyConnectedNet, Dataset]:
    data = Dataset(**arrays(case))  # type: ignore[arg-type]
    net = FullyConnectedNet.for_data(data, [30], loss=case.loss, seed=0, **options)
    solver = Solver(net, data, epochs=epochs, batch_size=20, learning_rate=0.02, verbose=False)
    solver.train()
    return solver, net, data


@functools.cache
def learned(name: str) -> tuple[Solver, FullyConnectedNet]:
    """A case's solver and net after training, for tests that do not change them."""
    return trained(CASES[name])[:2]


def is_values(case: Case) -> bool:
    return case.loss in ("mse", "poisson")


@each
def test_a_solver_learns_and_records_it(name: str) -> None:
    case, (solver, net) = CASES[name], learned(name)
    assert (net.loss_name, net.num_classes) == (case.loss, case.outputs)
    history = solver.history
    assert solver.state.measure == ("R²" if is_values(case) else "accuracy")
    assert len(history.val_loss) == len(history.val_accuracy) == len(history.epoch) == 41
    assert solver.best_val_accuracy > case.least
    assert min(history.val_loss[1:]) < history.val_loss[0]
    best = history.val_accuracy.index(solver.best_val_accuracy)
    y = case.y[120:160] if case.outputs > 1 or case.loss in ("softmax", "svm") else case.y[120:160].reshape(-1, 1)
    assert net.loss(X[120:160], y)[0] == pytest.approx(history.val_loss[best], rel=1e-5)


@each
def test_predictions_are_labels_values_or_ones_and_zeros(name: str) -> None:
    case, (_, net) = CASES[name], learned(name)
    scores = net(X)
    assert scores.shape == (200, case.outputs)
    np.testing.assert_array_equal(scores, net.scores(X))
    predicted = net.predict(X)
    if case.loss in ("softmax", "svm"):
        np.testing.assert_array_equal(predicted, scores.argmax(axis=1))
    elif is_values(case):
        np.testing.assert_array_equal(predicted, np.exp(scores) if case.loss == "poisson" else scores)
    else:
        np.testing.assert_array_equal(predicted, (scores > 0).astype(int))
    if case.loss in ("svm", "mse", "poisson"):
        with pytest.raises(ArgumentError, match=rf"'softmax' or 'logistic' for probabilities, got '{case.loss}'"):
            net.predict_proba(X)
    else:
        shares = net.predict_proba(X)
        assert shares.shape == scores.shape
        assert shares.min() >= 0
        assert shares.max() <= 1
        if case.loss == "softmax":
            np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
        else:
            np.testing.assert_array_equal(shares > 0.5, predicted == 1)


@each
def test_files_keep_the_loss_and_what_it_predicts(name: str, tmp_path: Path) -> None:
    _, net = learned(name)
    net.save(tmp_path / "net.safetensors")
    again = FullyConnectedNet.load(tmp_path / "net.safetensors")
    assert again.config() == net.config()
    np.testing.assert_array_equal(again.predict(X), net.predict(X))
    net.export_onnx(tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    scores = session.run(["scores"], {"X": X.astype(np.float32)})[0]
    np.testing.assert_allclose(scores, net(X), rtol=1e-4, atol=1e-4)


@each
def test_the_command_line_trains_and_reports(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    np.savez(tmp_path / "data.npz", **arrays(case))  # type: ignore[arg-type]
    run = tmp_path / "run"
    words = ["--data", str(tmp_path / "data.npz"), "--loss", case.loss, "--epochs", "40", "--learning-rate", ".02"]
    words += ["--batch-size", "20", "--hidden-dims", "30", "--seed", "0"]
    assert cli.main(["train", *words, "--output", str(run), "--quiet"]) == 0
    result = json.loads((run / "result.json").read_text())
    assert result["measure"] == ("R²" if is_values(case) else "accuracy")
    assert result["val_accuracy"] > case.least
    assert result["test_accuracy"] is not None
    assert len(result["history"]["val_loss"]) == len(result["history"]["epoch"]) == 41
    net = FullyConnectedNet.load(run / "net.safetensors")
    assert (net.loss_name, net.num_classes) == (case.loss, case.outputs)
    assert cli.main(["resume", str(run), "--quiet"]) == 0
    page = write_report([run]).read_text(encoding="utf-8")
    assert "Validation loss" in page
    assert ("not one class per row" in page) == (LOSSES[case.loss].targets != "labels")
    assert "Confusions" in page or LOSSES[case.loss].targets != "labels"


@pytest.mark.parametrize(
    ("name", "loss"), [("softmax", "softmax"), ("mse", "mse"), ("mse of a list", "mse"), ("softmax of two", "softmax")]
)
def test_a_loss_is_taken_that_suits_the_data(name: str, loss: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", **arrays(CASES[name]))  # type: ignore[arg-type]
    words = ["train", "--data", str(tmp_path / "data.npz"), "--epochs", "1", "--output", str(tmp_path / "run")]
    assert cli.main([*words, "--quiet"]) == 0
    assert FullyConnectedNet.load(tmp_path / "run" / "net.safetensors").loss_name == loss


@pytest.mark.parametrize(
    ("loss", "y", "text"),
    [
        (
            "logistic",
            LABELS,
            "y_train must hold numbers from 0 to 1, since the net's loss is 'logistic', got 0.0 to 2.0",
        ),
        (
            "poisson",
            SCORES,
            r"y_train must hold numbers >= 0, since the net's loss is 'poisson', got -.* Use loss='mse' for values",
        ),
        ("softmax", SCORES, "y_train must hold labels, since the net's loss is 'softmax', got values such as"),
        ("svm", SCORES > 0, "y_train must hold labels, since the net's loss is 'svm'"),
        ("mse", LABELS - 1, r"Number the classes from 0: .*; for regression give values, such as y.astype\(float\)"),
        (
            "softmx",
            LABELS,
            "loss must be one of 'softmax', 'svm', 'mse', 'logistic', 'poisson', got 'softmx'. Did you mean 'softmax'",
        ),
    ],
)
def test_targets_that_do_not_suit_a_loss_are_refused(loss: str, y: AnyArray, text: str) -> None:
    with pytest.raises((ArgumentError, DataError), match=text):
        trained(Case(loss, y, 3, 0))


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
def test_evaluating_never_changes_a_net(loss: str, fused: bool, normalization: Any) -> None:
    solver, net, data = trained(CASES[loss], epochs=2, normalization=normalization, dropout=0.25)
    net.fused = fused
    rows, y = data.batch("val", None, net.dtype)

    def numbers() -> tuple[bytes, bytes, int]:
        return net.params.flat.tobytes(), net.running.flat.tobytes(), net.step

    before = numbers()
    calls: list[Callable[[], Any]] = [
        lambda: net.loss(rows, y),
        lambda: net.loss(rows),
        lambda: net.scores(rows),
        lambda: net(rows),
    ]
    calls += [lambda: net.predict(rows), lambda: solver.accuracy("val"), lambda: solver.evaluate("train")]
    calls += [lambda: net.predict_proba(rows)] if loss in ("softmax", "logistic") else []
    for call in calls:
        call()
        assert numbers() == before


SMOOTHING = [name for name, row in LOSSES.items() if row.smooths]


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("mask", ["element", "batch"])
@pytest.mark.parametrize("loss", SMOOTHING)
def test_labels_are_smoothed_in_training_alone(loss: str, mask: Any, fused: bool) -> None:
    options: dict[str, Any] = {"dropout": 0.25, "dropout_mask": mask, "dtype": "float64"}
    solver, net, data = trained(CASES[loss], epochs=2, label_smoothing=0.2, **options)
    rows, y = data.batch("val", None, net.dtype)
    plain = net.replace(label_smoothing=0, dropout=0)
    smooth = net.replace(dropout=0)
    smooth.fused = plain.fused = fused
    assert smooth.loss(rows, y)[0] == net.loss(rows, y)[0] == plain.loss(rows, y)[0]
    assert net.loss(rows, y)[0] == pytest.approx(solver.evaluate("val").loss, rel=1e-9)
    targets, smoothed = y.astype(np.float64) if y.ndim == 2 else y, {"label_smoothing": 0.2}
    expected, dscores = LOSSES[loss].function(net(rows), targets, **smoothed)
    got, gradients = smooth.loss(rows, y, training=True)
    assert got == pytest.approx(expected, rel=1e-9)
    assert got > smooth.loss(rows, y)[0]
    np.testing.assert_allclose(gradients["b2"], dscores.sum(axis=0), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("loss", SMOOTHING)
def test_smoothing_is_part_of_a_net_and_of_its_files(loss: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", **arrays(CASES[loss]))  # type: ignore[arg-type]
    words = ["train", "--data", str(tmp_path / "data.npz"), "--loss", loss, "--epochs", "2", "--seed", "0", "--quiet"]
    for run, e in (("run", ".25"), ("plain", "0")):
        assert cli.main([*words, "--label-smoothing", e, "--output", str(tmp_path / run)]) == 0
    net, plain = (FullyConnectedNet.load(tmp_path / run / "net.safetensors") for run in ("run", "plain"))
    assert (net.label_smoothing, net.config()["label_smoothing"], plain.label_smoothing) == (0.25, 0.25, 0)
    assert ", label smoothing 0.25" in repr(net)
    assert "smoothing" not in repr(plain)
    assert not np.array_equal(net.params.flat, plain.params.flat)
    assert "label_smoothing = 0.25" in (tmp_path / "run" / "config.toml").read_text()
    old = {key: value for key, value in net.config().items() if key != "label_smoothing"}
    assert FullyConnectedNet.from_config(old).label_smoothing == 0


@pytest.mark.parametrize("loss", LOSSES)
def test_smoothing_is_refused_where_there_is_nothing_to_smooth(loss: str) -> None:
    with pytest.raises(ArgumentError, match=r"label_smoothing must be a number in \[0, 1\), got 1"):
        FullyConnectedNet([], 2, 2, loss=loss, label_smoothing=1)
    if loss not in SMOOTHING:
        text = rf"label_smoothing must be 0 with loss='{loss}', got 0.1. Leave it out, or use loss='softmax' or 'logis"
        with pytest.raises(ArgumentError, match=text):
            FullyConnectedNet([], 2, 2, loss=loss, label_smoothing=0.1)
        with pytest.raises(ArgumentError, match="label_smoothing must be 0"):
            FullyConnectedNet([], 2, 2, label_smoothing=0.1).replace(loss=loss)
