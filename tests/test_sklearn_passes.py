"""An estimator's epoch: every row counts exactly once."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import numpy as np
import pytest

from thinnet import ArgumentError
from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor
from thinnet.sklearn.training_rows import TrainingRows
from thinnet.typing import AnyArray, FloatArray

X = np.random.default_rng(0).standard_normal((200, 3))


def partial_weights(begun: ThinNetRegressor, y: AnyArray) -> FloatArray:
    """The parameters after one more epoch over as many rows as there are targets."""
    net = copy.deepcopy(begun)
    net.partial_fit(X[: len(y)], y)
    return net.net_.params.flat


@pytest.mark.parametrize(
    ("rows", "batch_size", "normalization"),
    [
        *itertools.product((21, 39, 40, 43), (20,), ("layernorm", "batchnorm", None)),
        *itertools.product((95, 97), ("auto",), ("layernorm", "batchnorm")),
        (5, 2, "layernorm"), (5, 2, "batchnorm"), (3, 1, "layernorm"),
    ],
)  # fmt: skip
def test_each_row_has_influence(rows: int, batch_size: Any, normalization: Any) -> None:
    options: dict[str, Any] = {"batch_size": batch_size, "normalization": normalization, "random_state": 0}
    begun = ThinNetRegressor((8,), dropout=0.0, standardize=False, **options)
    begun.partial_fit([[0.0] * 3, [1.0] * 3], [0.0, 1.0])  # fixes the scale of the targets
    y = X[:rows, 0].copy()
    before = partial_weights(begun, y)
    np.testing.assert_array_equal(partial_weights(begun, y), before)
    for row in range(rows):
        changed = y.copy()
        changed[row] += 1
        assert (partial_weights(begun, changed) != before).any(), row


@pytest.mark.parametrize("learning_rate", ["auto", "one_cycle"])
def test_each_row_has_influence_where_fit_makes_one_pass(learning_rate: str) -> None:
    """Even though the rate of these schedules ends at 0."""
    options: dict[str, Any] = {"batch_size": 20, "dropout": 0.0, "random_state": 0, "learning_rate": learning_rate}
    net = ThinNetClassifier((8,), max_iter=1, **options)
    y = (X[:43, 0] > 0).astype(int)
    before = net.fit(X[:43], y).net_.params.flat
    for row in range(43):
        changed = y.copy()
        changed[row] = 1 - y[row]
        assert (net.fit(X[:43], changed).net_.params.flat != before).any(), row


@pytest.mark.parametrize("batch_size", [20, 43, 100, "auto"])
def test_a_pass_of_fit_reads_every_row_once(batch_size: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read_rows, read = TrainingRows.read, []

    def recording(source: TrainingRows, index: AnyArray, step: int = 0) -> Any:
        read.append(index.copy())
        return read_rows(source, index, step)

    monkeypatch.setattr(TrainingRows, "read", recording)
    net = ThinNetRegressor((4,), batch_size=batch_size, max_iter=3, random_state=0).fit(X[:143], X[:143, 0])
    assert net.t_ == 3 * 143
    steps = len(read) // 3
    passes = [np.concatenate(read[steps * number : steps * (number + 1)]) for number in range(3)]
    for rows in passes:
        np.testing.assert_array_equal(np.sort(rows), np.arange(143))
    sizes = {len(index) for index in read}
    assert max(sizes) - min(sizes) <= 1


def test_the_loss_of_a_pass_is_the_mean_over_its_rows() -> None:
    """At a rate of zero, nothing changes between minibatches."""
    y = np.r_[np.zeros(30), np.ones(11)]
    options: dict[str, Any] = {"dropout": 0.0, "learning_rate": Still(), "max_iter": 2, "random_state": 0}
    options["alpha"] = 0.0
    whole = ThinNetClassifier((8,), batch_size=41, **options).fit(X[:41], y)
    for batch_size in (2, 20, 25, 40):
        parts = ThinNetClassifier((8,), batch_size=batch_size, **options).fit(X[:41], y)
        assert parts.loss_curve_ == pytest.approx(whole.loss_curve_, rel=1e-5)


class Still:
    """A schedule with a rate of zero."""

    def __call__(self, step: int, *, steps_per_epoch: int, total_steps: int) -> float:
        return 0.0


def test_the_penalty_of_a_pass_is_divided_by_the_rows_of_a_minibatch() -> None:
    options: dict[str, Any] = {
        "dropout": 0.0,
        "learning_rate": Still(),
        "max_iter": 1,
        "random_state": 0,
        "batch_size": 20,
    }
    plain = ThinNetRegressor((8,), alpha=0.0, **options).fit(X[:45], X[:45, 0])
    penalized = ThinNetRegressor((8,), alpha=3.0, **options).fit(X[:45], X[:45, 0])
    squares = sum(float(np.sum(W.astype(float) ** 2)) for W in plain.coefs_)
    assert penalized.loss_ - plain.loss_ == pytest.approx(0.5 * 3 * squares / 15, rel=1e-5)  # three batches of 15 rows


@pytest.mark.parametrize("options", [{"batch_size": 2}, {"batch_size": 3}, {"batch_size": 40}])
@pytest.mark.parametrize("rows", [3, 4, 41, 81])
def test_batch_normalization_never_gets_a_single_row(options: dict[str, Any], rows: int) -> None:
    net = ThinNetRegressor((4,), normalization="batchnorm", max_iter=2, random_state=0, **options)
    assert np.isfinite(net.fit(X[:rows], X[:rows, 0]).loss_)


def test_single_rows_are_refused_with_batch_normalization() -> None:
    net = ThinNetRegressor((4,), normalization="batchnorm", batch_size=1)
    with pytest.raises(ArgumentError, match="batch_size must have at least two rows"):
        net.fit(X, X[:, 0])
    with pytest.raises(ArgumentError, match="X must have at least two rows"):
        net.set_params(batch_size=20).partial_fit(X[:1], X[:1, 0])
    assert not hasattr(net, "net_")
