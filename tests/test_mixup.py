"""Mixup: what is mixed, that the loss is the sum over the parts, and that draws depend only on seed and step."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from small_training import Foreign, make_net, make_solver, model_state
from thinnet import ArgumentError, Dataset, FullyConnectedNet
from thinnet.config import Config
from thinnet.data.mixup import MixedRows
from thinnet.data.rows import RowReader
from thinnet.kernels.losses import inplace_shares_loss
from thinnet.layers import LOSSES, softmax_loss
from thinnet.optim import adam
from thinnet.teams import ENOUGH_FOR_PYTHON, ThreadPool
from thinnet.training.choose import update_of

RNG = np.random.default_rng(0)


def make_data(loss: str = "softmax", weighted: bool = False) -> Dataset:
    rng = np.random.default_rng(7)
    X, fractions = rng.standard_normal((60, 5)), rng.random((60, 3))
    y: Any = fractions.argmax(axis=1) if loss == "softmax" else fractions
    return Dataset(X, y, X[:20], y[:20], weights=rng.random(60) * 2 if weighted else None)


def drawn(seed: int, step: int, alpha: float, count: int) -> tuple[float, Any]:
    """λ and partners by their definition."""
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(3, step)))
    return generator.beta(alpha, alpha), generator.permutation(count)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("normalization", [None, "layernorm"])
def test_the_loss_is_the_sum_of_those_of_both_labels(weighted: bool, normalization: Any) -> None:
    net, other = (make_net(dtype=np.float64, normalization=normalization, label_smoothing=0.1) for _ in range(2))
    data = make_data(weighted=weighted)
    solver = make_solver(net, data, optimizer="sgd", learning_rate=0.1, mixup=0.7, seed=4)
    for step in range(7):
        rows = solver.order.rows(step)
        X, y = data.batch("train", rows, np.float64)
        share, partners = drawn(4, step, 0.7, len(rows))
        w = np.ones(len(rows)) if data.weights is None else data.weights[rows]
        mixed = share * X + (1 - share) * X[partners]
        parts = [
            other.loss(mixed, y, weights=share * w, training=True),
            other.loss(mixed, y[partners], weights=(1 - share) * w[partners], training=True),
        ]
        assert solver.step() == pytest.approx(sum(loss for loss, _ in parts), rel=1e-12)
        for name in other.params:
            other.params[name] -= 0.1 * sum(gradients[name] for _, gradients in parts)
        np.testing.assert_allclose(net.params.flat, other.params.flat, rtol=0, atol=1e-13)


@pytest.mark.parametrize("loss", ["softmax", "logistic", "mse", "poisson"])
@pytest.mark.parametrize("mask", ["element", "batch"])
def test_kernels_and_layers_train_alike(loss: str, mask: Any) -> None:
    """With everything that rows and targets can go through combined."""
    data = make_data(loss, weighted=True)
    smoothing = 0.1 if LOSSES[loss].smooths else 0.0
    options = {"loss": loss, "dropout": 0.3, "normalization": "batchnorm", "label_smoothing": smoothing}
    net, other, plain = (make_net(dtype=np.float64, dropout_mask=mask, **options) for _ in range(3))
    other.fused = False
    how: Any = {"optimizer": "nesterov", "mixup": 0.4}  # Adam would amplify gradients that are zero up to rounding
    losses = make_solver(net, data, **how).train().loss
    assert losses == pytest.approx(make_solver(other, data, **how).train().loss, rel=1e-9)
    np.testing.assert_allclose(net.params.flat, other.params.flat, rtol=0, atol=1e-9)
    assert losses != make_solver(plain, data, optimizer="nesterov").train().loss


def test_images_are_augmented_before_they_are_mixed() -> None:
    data = make_data().augmented(flip="alternating", image_shape=(1, 1, 5))
    solver = make_solver(make_net(dtype=np.float64), data, mixup=1.0, seed=2)
    source: Any = solver._update
    for step in (0, 5):
        rows = solver.order.rows(step)
        X, y = data.augmented_batch(rows, np.float64, seed=2, step=step, epoch=solver.order.epoch(step))
        share, partners = drawn(2, step, 1.0, len(rows))
        mixed = source.source.read(rows, step)
        np.testing.assert_allclose(mixed.X, share * X + (1 - share) * X[partners], rtol=0, atol=1e-15)
        np.testing.assert_allclose(mixed.y, share * np.eye(3)[y] + (1 - share) * np.eye(3)[y[partners]], atol=1e-15)


@pytest.mark.parametrize("wide", [False, True])
def test_kernel_threads_and_numpy_mix_alike(
    wide: bool, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    X, rows = RNG.standard_normal((30, ENOUGH_FOR_PYTHON // 20 if wide else 7)).astype(np.float32), np.arange(25)
    data = Dataset(X, np.arange(30) % 3)

    def read(**options: Any) -> Any:
        reader = RowReader(data, "train", 30, np.float32, **options)
        return MixedRows(reader, 0.5, 1, 30, 3).read(rows, 6).X

    floats = read()
    share, partners = drawn(1, 6, 0.5, 25)
    share32 = np.float32(share)
    np.testing.assert_array_equal(floats, share32 * X[:25] + (1 - share32) * X[partners])
    np.testing.assert_array_equal(read(team=ThreadPool()), floats)
    request.getfixturevalue("without_kernels")
    np.testing.assert_array_equal(read(), floats)


def test_draws_differ_from_step_to_step_and_seed_to_seed() -> None:
    readers = [MixedRows(RowReader(make_data(), "train", 9), 0.3, seed, 9, 3) for seed in (1, 1, 2)]
    draws = [[(share, *order) for share, order in (reader.draw(9, step) for step in range(20))] for reader in readers]
    assert draws[0] == draws[1]
    assert len({*draws[0], *draws[2]}) == 40
    assert all(sorted(order) == list(range(9)) and 0 <= share <= 1 for share, *order in draws[0])


@pytest.mark.parametrize("alpha", [1e-300, 1e-3, 1e6, 1e300])
def test_shares_are_numbers_for_any_alpha(alpha: float) -> None:
    history = make_solver(make_net(), make_data(), mixup=alpha).train()
    assert np.isfinite(history.loss).all()


def test_nothing_is_mixed_without_it_nor_in_evaluation() -> None:
    data = make_data()
    net, other = make_net(), make_net()
    make_solver(net, data, mixup=0).train()
    make_solver(other, data).train()
    assert model_state(net) == model_state(other)
    solver = make_solver(net, data, mixup=0.5)
    assert solver.accuracy("val") == (net.predict(data.batch("val", np.arange(20))[0]) == data.labels("val")).mean()


def test_rows_of_which_none_counts_do_not_make_a_share_of_nothing() -> None:
    data = Dataset(RNG.standard_normal((60, 5)), np.arange(60) % 3, weights=np.arange(60) % 4 == 0)
    assert np.isfinite(make_solver(make_net(), data, mixup=0.5).train().loss).all()


# The loss on probabilities


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("whole", [False, True], ids=["any", "of sum 1"])
def test_the_loss_of_shares_and_its_kernel(weighted: bool, smoothing: float, whole: bool) -> None:
    scores, bias, y = RNG.standard_normal((6, 4)) * 3, RNG.standard_normal(4), RNG.random((6, 4))
    y /= y.sum(axis=1, keepdims=True) if whole else 1
    weights = RNG.random(6) if weighted else None
    targets = (1 - smoothing) * y + smoothing / 4
    powers = np.exp(scores + bias)
    expected = -(targets * np.log(powers / powers.sum(axis=1, keepdims=True))).sum(axis=1)
    loss, dscores = softmax_loss(scores + bias, y, weights, label_smoothing=smoothing)
    assert loss == pytest.approx((expected * (1 if weights is None else weights)).mean(), rel=1e-12)
    for place in np.ndindex(scores.shape):
        moved = []
        for h in (1e-5, -1e-5):
            at = scores + bias
            at[place] += h
            moved.append(softmax_loss(at, y, weights, label_smoothing=smoothing)[0])
        assert dscores[place] == pytest.approx((moved[0] - moved[1]) / 2e-5, abs=1e-9)
    dbias, each = np.empty(4), np.empty(0) if weights is None else weights
    assert inplace_shares_loss(scores, bias, y, each, dbias, smoothing) == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(scores, dscores, rtol=0, atol=1e-14)
    np.testing.assert_allclose(dbias, dscores.sum(axis=0), rtol=0, atol=1e-14)


def test_whole_shares_are_labels() -> None:
    scores, y = RNG.standard_normal((6, 4)), np.array([0, 3, 1, 1, 2, 0])
    for smoothing in (0.0, 0.1):
        (loss, dscores), (other, dother) = (
            softmax_loss(scores, targets, label_smoothing=smoothing) for targets in (y, np.eye(4)[y])
        )
        assert loss == pytest.approx(other, rel=1e-14)
        np.testing.assert_allclose(dscores, dother, rtol=0, atol=1e-16)


@pytest.mark.parametrize(
    "y", [np.full((2, 3), 1.5), np.full((2, 3), np.nan), np.zeros((2, 2)), np.eye(3, dtype=int)[:2], np.zeros((2, 1))]
)
def test_what_are_no_shares_is_refused(y: Any) -> None:
    with pytest.raises(ArgumentError, match="softmax_loss: y"):
        softmax_loss(np.zeros((2, 3)), y)


# Refusals


@pytest.mark.parametrize("alpha", [-0.1, np.nan, np.inf, "1", True])
@pytest.mark.parametrize("make", [make_solver, lambda **options: Config(**options)], ids=["solver", "config"])
def test_an_alpha_outside_its_limits_is_refused(alpha: Any, make: Callable[..., Any]) -> None:
    with pytest.raises(ArgumentError, match=r"mixup must be .*0\.2"):
        make(mixup=alpha)


@pytest.mark.parametrize(
    ("model", "options", "text"),
    [
        (Foreign(), {}, "unless the model is a FullyConnectedNet"),
        (None, {"optimizer": adam}, "and optimizer a name"),
        (FullyConnectedNet([4], 5, 3, loss="svm"), {}, "with loss='svm'"),
    ],
    ids=["foreign", "function", "svm"],
)
def test_what_cannot_be_mixed_is_refused(model: Any, options: dict[str, Any], text: str) -> None:
    with pytest.raises(ArgumentError, match=f"mixup must be 0 .*{text}"):
        make_solver(model, mixup=0.2, **options)


def test_several_processes_are_refused() -> None:
    solver = make_solver(make_net(), make_data(), mixup=0.2)
    several: Any = SimpleNamespace(size=2)
    with pytest.raises(ArgumentError, match=r"mixup must be 0 in several processes, got 0\.2 in 2"):
        update_of(solver.model, solver.data, solver.order, "adam", {}, several, "global", None, 0.2)
