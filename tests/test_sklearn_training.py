"""The estimators: what they learn, what they refuse, and how training stops, goes on and repeats."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_iris, make_classification, make_friedman1, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from thinnet import ArgumentError, schedules
from thinnet.errors import NumericalError
from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor
from thinnet.sklearn import rows as rows_module
from thinnet.sklearn.options import auto_batch_size, auto_max_iter
from thinnet.sklearn.rows import moments, reader, standardized
from thinnet.typing import AnyArray

Data = tuple[AnyArray, AnyArray]
QUICK: dict[str, Any] = {"hidden_layer_sizes": 16, "max_iter": 15, "random_state": 0}


@pytest.fixture(scope="module")
def classes() -> Data:
    X, y = make_classification(300, 8, n_informative=6, n_classes=3, class_sep=1.5, random_state=0)
    return X, y


@pytest.fixture(scope="module")
def values() -> Data:
    X, y = make_friedman1(300, noise=0.5, random_state=0)
    return X, y


# What they learn


def test_a_classifier_with_names_for_classes() -> None:
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    X_train, X_test, y_train, y_test = train_test_split(X, names, random_state=0, stratify=names)
    net = ThinNetClassifier(random_state=0).fit(X_train, y_train)
    assert net.score(X_test, y_test) > 0.9
    assert list(net.classes_) == ["setosa", "versicolor", "virginica"]
    assert set(net.predict(X_test)) <= set(names)
    probabilities = net.predict_proba(X_test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(net.classes_[probabilities.argmax(axis=1)], net.predict(X_test))
    np.testing.assert_allclose(np.exp(net.predict_log_proba(X_test)), probabilities)


def test_a_regressor_in_the_units_of_the_targets(values: Data) -> None:
    X, y = values
    far = 1e6 + 1e3 * y  # which a net without standardized targets would never reach
    net = ThinNetRegressor(random_state=0).fit(X[:200], far[:200])
    assert net.score(X[200:], far[200:]) > 0.8
    assert net.predict(X).shape == y.shape


def test_several_outputs_keep_their_order_and_scales(values: Data) -> None:
    X, y = values
    both = np.column_stack([1e3 * y, -1e-3 * y])
    net = ThinNetRegressor(random_state=0).fit(X, both)
    predicted = net.predict(X)
    assert predicted.shape == both.shape
    assert net.n_outputs_ == 2
    for column in (0, 1):
        assert np.corrcoef(predicted[:, column], both[:, column])[0, 1] > 0.95
    assert ThinNetRegressor(**QUICK).fit(X, y[:, None]).predict(X).shape == (300, 1)


def test_several_labels_a_row() -> None:
    X, y = make_multilabel_classification(400, 10, n_classes=4, n_labels=2, random_state=0)
    for targets in (y, sparse.csr_array(y)):
        net = ThinNetClassifier(random_state=0).fit(X[:300], targets[:300])
        predicted = net.predict(X[300:])
        assert set(np.unique(predicted)) == {0, 1}
        assert (predicted == y[300:]).mean() > max(y[300:].mean(), 1 - y[300:].mean()) + 0.1
        assert net.out_activation_ == "logistic"
        np.testing.assert_array_equal(predicted, net.predict_proba(X[300:]) > 0.5)


@pytest.mark.parametrize(
    "options",
    [
        {"normalization": "batchnorm", "dropout": 0.5},
        {"normalization": "batchnorm", "dropout": 0.5, "dropout_mask": "batch"},
        {"normalization": "layernorm", "optimizer": "adamw", "optimizer_options": {"weight_decay": 0.1}},
        {"optimizer": "nesterov", "learning_rate_init": 0.02, "schedule": "one_cycle"},
        {"hidden_layer_sizes": (32, 16), "alpha": 0.1, "schedule": schedules.Cosine(warmup=0.1)},
        {"hidden_layer_sizes": (), "learning_rate_init": 0.05},
        {"standardize": False, "batch_size": 20, "normalization": None},
    ],
    ids=str,
)
def test_options_reach_the_net(options: dict[str, Any], classes: Data) -> None:
    X, y = classes
    net = ThinNetClassifier(random_state=0, **{"max_iter": 60, **options}).fit(X[:200], y[:200])
    assert net.score(X[200:], y[200:]) > 0.65
    assert net.net_.normalization == net.normalization == options.get("normalization", "layernorm")
    assert net.net_.dropout == options.get("dropout", net.dropout)
    assert net.net_.dropout_mask == options.get("dropout_mask", "element")
    assert net.n_layers_ == len(options.get("hidden_layer_sizes", (1,))) + 2


def test_coefs_and_intercepts_are_the_net(classes: Data) -> None:
    X, y = classes
    net = ThinNetClassifier((12, 7), normalization=None, standardize=False, max_iter=3, random_state=0).fit(X, y)
    h = X
    for W, b in zip(net.coefs_[:-1], net.intercepts_[:-1], strict=True):
        h = np.maximum(h @ W + b, 0)
    scores = h @ net.coefs_[-1] + net.intercepts_[-1]
    np.testing.assert_array_equal(net.classes_[scores.argmax(axis=1)], net.predict(X))
    assert [W.shape for W in net.coefs_] == [(8, 12), (12, 7), (7, 3)]


def test_results_are_in_the_precision_of_the_rows(classes: Data) -> None:
    X, y = classes
    net = ThinNetClassifier(**QUICK).fit(X, y)
    assert net.predict_proba(X).dtype == np.float64
    assert net.predict_proba(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(net.predict_proba(X), net.predict_proba(X.astype(np.float32)), atol=1e-4)


# What they refuse


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"dropout": 1.0}, r"dropout must be a number in \[0, 1\), got 1\.0\. .* use 0 for no dropout"),
        ({"dropout": "a lot"}, "dropout must be a number"),
        ({"dropout_mask": "row"}, "dropout_mask must be one of 'element', 'batch', got 'row'"),
        ({"alpha": -1}, "alpha must be a number >= 0, got -1. .* use 0 for none"),
        ({"learning_rate_init": 0}, "learning_rate_init must be a number > 0, got 0"),
        ({"max_iter": 0}, "max_iter must be an integer >= 1, got 0. Or use 'auto'"),
        ({"batch_size": "all"}, "batch_size must be an integer >= 1, got 'all' .*Or use 'auto'"),
        ({"n_iter_no_change": 0}, "n_iter_no_change must be an integer >= 1"),
        ({"validation_fraction": 1.0}, r"validation_fraction must be a number in \(0, 1\)"),
        ({"tol": -1e-4}, "tol must be a number >= 0"),
        ({"hidden_layer_sizes": (10, 0)}, "hidden_layer_sizes must be an integer >= 1, got 0"),
        ({"hidden_layer_sizes": "100"}, r"hidden_layer_sizes must be a sequence of integers, got '100'\. Use \(100,\)"),
        ({"normalization": "batch"}, "normalization must be one of .*Did you mean 'batchnorm'"),
        ({"optimizer": "adm"}, "optimizer must be one of .*Did you mean 'adam'"),
        ({"optimizer_options": {"momentum": 0.9}}, "optimizer_options must be a mapping with only the keys 'beta1'"),
        ({"optimizer_options": {"beta1": 1.0}}, "beta1 must be a number in"),
        ({"optimizer_options": 0.9}, "optimizer_options must be a dict or None, got 0.9"),
        ({"schedule": "linear"}, "schedule must be one of 'constant', 'cosine', 'one_cycle', got 'linear'"),
        ({"standardize": "yes"}, "standardize must be True or False, got 'yes'"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_parameters_outside_their_limits(options: dict[str, Any], text: str, classes: Data) -> None:
    for estimator in (ThinNetClassifier(**options), ThinNetRegressor(**options)):
        with pytest.raises(ArgumentError, match=text):
            estimator.fit(*classes)


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (lambda X, y: ThinNetClassifier().fit(X, np.column_stack([y, y])), "y must have one label a row, or columns"),
        (lambda X, y: ThinNetClassifier().partial_fit(X, y), "classes must be given in the first call of partial_fit"),
        (lambda X, y: ThinNetClassifier().partial_fit(X, y, [0, 1]), r"y must hold only the labels \[0, 1\], got .*2"),
        (lambda X, y: _began(X, y).partial_fit(X, y, [0, 1]), r"classes must stay \[0, 1, 2\], got \[0, 1\]"),
        (lambda X, y: _began(X, y).partial_fit(X, np.eye(3, dtype=int)[y]), "y must keep its form"),
        (lambda X, y: _began(X, np.eye(3, dtype=int)[y]).partial_fit(X, np.eye(4)[y]), "y must have 3 columns as befo"),
        (lambda X, y: ThinNetClassifier(early_stopping=True).partial_fit(X, y, [0, 1, 2]), "early_stopping must be Fa"),
        (lambda X, y: ThinNetRegressor(early_stopping=True).partial_fit(X, y), "early_stopping must be False for part"),
        (
            lambda X, y: ThinNetClassifier(class_weight="balanced").partial_fit(X, y, [0, 1, 2]),
            "class_weight must be a dict or None for partial_fit, got 'balanced'. Compute the weights",
        ),
        (
            lambda X, y: _began(X, y).set_params(hidden_layer_sizes=9).partial_fit(X, y),
            r"hidden_layer_sizes must stay \(16,\) where .*got \(9,\)",
        ),
        (
            lambda X, y: _began(X, y).set_params(normalization=None).partial_fit(X, y),
            "normalization must stay 'layernorm",
        ),
        (
            lambda X, y: _began(X, y).set_params(dropout_mask="batch").partial_fit(X, y),
            "dropout_mask must stay 'elemen",
        ),
        (lambda X, y: _values(X, y).partial_fit(X, np.column_stack([y, y])), "y must have 1 columns as before"),
        (lambda X, y: ThinNetClassifier().fit(X, y, -np.ones(300)), "sample_weight must be >= 0, got -1"),
        (
            lambda X, y: ThinNetRegressor().fit(X, y, np.zeros(300)),
            "at least one",
        ),
        (lambda X, y: ThinNetClassifier(dropout_mask="batch").fit(X, y), "'element' with layer normalization"),
    ],
)
def test_what_they_refuse(act: Callable[[AnyArray, AnyArray], Any], text: str, classes: Data) -> None:
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=text):
        act(*classes)


def test_a_rate_that_is_too_large_says_so(values: Data) -> None:
    with pytest.raises(NumericalError, match=r"In step \d+, .* learning rate"):
        ThinNetRegressor(learning_rate_init=1e30, optimizer="sgd", normalization=None, max_iter=3).fit(*values)


def _began(X: AnyArray, y: AnyArray) -> ThinNetClassifier:
    return ThinNetClassifier(**QUICK).partial_fit(X, y, np.unique(y))


def _values(X: AnyArray, y: AnyArray) -> ThinNetRegressor:
    return ThinNetRegressor(**QUICK).partial_fit(X, y)


# The same again, going on, and stopping


def test_a_random_state_fixes_everything(classes: Data) -> None:
    def weights(state: Any) -> AnyArray:
        return ThinNetClassifier(**{**QUICK, "random_state": state}).fit(*classes).net_.params.flat.copy()

    np.testing.assert_array_equal(weights(3), weights(3))
    assert (weights(3) != weights(4)).any()
    np.testing.assert_array_equal(weights(np.random.RandomState(5)), weights(np.random.RandomState(5)))
    assert (weights(None) != weights(None)).any()


def test_a_warm_start_goes_on(classes: Data) -> None:
    X, y = classes
    net = ThinNetClassifier(warm_start=True, **QUICK).fit(X, y)
    first, steps = net.loss_, net.net_.step
    net.fit(X, y)
    assert net.n_iter_ == 30
    assert net.net_.step == 2 * steps
    assert len(net.loss_curve_) == 30
    assert net.loss_ < first
    assert net.loss_curve_[15] < net.loss_curve_[0]
    net.set_params(warm_start=False).fit(X, y)
    assert net.n_iter_ == 15
    assert net.loss_ == first


def test_partial_fits_go_on_where_the_last_one_ended(classes: Data) -> None:
    X, y = classes
    net = ThinNetClassifier(learning_rate_init=0.01, random_state=0)
    for number in range(40):
        part = slice(100 * (number % 3), 100 * (number % 3) + 100)
        net.partial_fit(X[part], y[part], classes=[0, 1, 2] if number == 0 else None)
    assert net.n_iter_ == 40
    assert net._optimizer.state["t"] == net.net_.step == 80  # two minibatches each, one optimizer throughout
    assert net.score(X, y) > 0.8


def test_partial_fit_of_values(values: Data) -> None:
    X, y = values
    net = ThinNetRegressor(learning_rate_init=0.01, random_state=0)
    scores = [net.partial_fit(X, y).score(X, y) for _ in range(30)]
    assert scores[0] < scores[9] < scores[-1]
    assert scores[-1] > 0.8


def test_early_stopping_ends_with_the_best_weights(classes: Data) -> None:
    X, y = classes
    net = ThinNetClassifier(early_stopping=True, n_iter_no_change=5, max_iter=500, random_state=0).fit(X, y)
    scores = net.validation_scores_
    assert scores is not None
    assert len(scores) == net.n_iter_ < 500
    assert net.best_validation_score_ == max(scores) > max(scores[:1])
    assert net.best_loss_ is None
    held = train_test_split(np.arange(300), test_size=0.1, random_state=net._seed % 2**32, stratify=y)[1]
    assert net.score(X[held], y[held]) == pytest.approx(max(scores))


def test_early_stopping_of_values_and_of_several_labels(values: Data) -> None:
    X, y = values
    regressor: Any = ThinNetRegressor(early_stopping=True, random_state=0).fit(X, y, np.arange(300.0))
    assert regressor.best_validation_score_ > 0.5
    labels = np.column_stack([y > y.mean(), X[:, 0] > 0.5]).astype(int)
    classifier: Any = ThinNetClassifier(early_stopping=True, random_state=0).fit(X, labels)
    assert classifier.best_validation_score_ > 0.6


def test_a_constant_rate_stops_where_the_loss_no_longer_falls(classes: Data) -> None:
    options: dict[str, Any] = {"schedule": "constant", "dropout": 0.0, "random_state": 0}
    net = ThinNetClassifier(max_iter=2000, tol=1e-2, **options).fit(*classes)
    assert net.n_iter_ < 500
    assert net.best_loss_ == min(net.loss_curve_)
    with pytest.warns(ConvergenceWarning, match="max_iter=5 iterations were made"):
        ThinNetClassifier(max_iter=5, **options).fit(*classes)


def test_an_interruption_leaves_a_net_that_predicts(classes: Data) -> None:
    class Interrupting:
        def __call__(self, step: int, *, steps_per_epoch: int, total_steps: int) -> float:
            if step == 3 * steps_per_epoch:
                raise KeyboardInterrupt
            return 1.0

    with pytest.warns(UserWarning, match="interrupted"):
        net = ThinNetClassifier(schedule=Interrupting(), random_state=0).fit(*classes)
    assert net.n_iter_ == 3
    assert net.predict(classes[0]).shape == (300,)


def test_what_verbose_prints(classes: Data, capsys: pytest.CaptureFixture[str]) -> None:
    ThinNetClassifier(**{**QUICK, "max_iter": 2, "early_stopping": True}, verbose=True).fit(*classes)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("Iteration 1, loss = ")
    assert ", validation score: 0." in second


def test_what_auto_stands_for() -> None:
    assert [auto_batch_size(n) for n in (1, 64, 100, 128, 190, 50_000)] == [1, 64, 50, 64, 63, 64]
    assert auto_max_iter(10, 10) == 200
    assert auto_max_iter(1_000_000, 64) == 12


# Weights


@pytest.mark.parametrize("estimator", [ThinNetClassifier, ThinNetRegressor])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_a_weight_is_a_repetition_where_a_minibatch_holds_all_rows(
    estimator: Any, container: Any, classes: Data
) -> None:
    X, y = classes[0][:20], classes[1][:20]
    counts = np.random.default_rng(0).integers(0, 4, 20)
    order = np.random.default_rng(1).permutation(counts.sum())
    weighted = estimator(**QUICK).fit(container(X), y, counts)
    repeated = estimator(**QUICK).fit(container(np.repeat(X, counts, axis=0)[order]), np.repeat(y, counts)[order])
    np.testing.assert_array_equal(weighted.net_.params.flat, repeated.net_.params.flat)
    assert (weighted.net_.params.flat != estimator(**QUICK).fit(X, y).net_.params.flat).any()


def test_more_rows_than_are_compared_are_taken_as_they_are(classes: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = np.repeat(classes[0][:10], 2, axis=0), np.repeat(classes[1][:10], 2)
    merged = ThinNetClassifier(**QUICK).fit(X, y)
    monkeypatch.setattr("thinnet.sklearn.base.MOST_MERGED", 19)
    assert (merged.t_, ThinNetClassifier(**QUICK).fit(X, y).t_) == (15 * 10, 15 * 20)


def test_rows_of_no_weight_are_not_there(classes: Data) -> None:
    X, y = classes
    weights = np.r_[np.ones(200), np.zeros(100)]
    nothing = np.r_[X[:200], 1e6 * X[200:]]  # which would change the standardization too
    with_zeros, without = ThinNetClassifier(**QUICK).fit(nothing, y, weights), ThinNetClassifier(**QUICK)
    np.testing.assert_array_equal(with_zeros.net_.params.flat, without.fit(X[:200], y[:200]).net_.params.flat)


@pytest.mark.parametrize("form", ["dense", "sparse"])
def test_weights_move_predictions_in_minibatches(form: str) -> None:
    """Equal rows of which one quarter says 1: their predicted probability is that of the weights."""
    y = np.tile([0, 0, 0, 1], 50)
    X: Any = np.column_stack([np.tile(np.arange(2.0), 100), np.ones(200)])
    X[:, 0] = np.random.default_rng(0).permutation(X[:, 0])
    X = sparse.csr_array(X) if form == "sparse" else X
    for weight, wanted in ((1.0, 0.25), (9.0, 0.75)):
        net = ThinNetClassifier(4, dropout=0.0, random_state=0).fit(X, y, np.where(y == 1, weight, 1.0))
        assert net.predict_proba(X)[:, 1].mean() == pytest.approx(wanted, abs=0.06)


def test_class_weights(classes: Data) -> None:
    X, y = classes
    rare = np.flatnonzero((y == 0) | (np.arange(300) % 4 == 0))
    X, y = X[rare], (y[rare] > 0).astype(int)
    plain = ThinNetClassifier((), random_state=0).fit(X, y)
    balanced = ThinNetClassifier((), random_state=0, class_weight="balanced").fit(X, y)
    assert (balanced.predict(X) == 1).sum() > (plain.predict(X) == 1).sum()
    as_weights = ThinNetClassifier((), random_state=0).fit(X, y, np.where(y == 1, 3.0, 1.0))
    as_classes = ThinNetClassifier((), random_state=0, class_weight={1: 3.0, 0: 1.0}).fit(X, y)
    np.testing.assert_array_equal(as_weights.net_.params.flat, as_classes.net_.params.flat)


# Rows


@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_sparse_rows_are_the_dense_ones(kernels: bool, weighted: bool, request: pytest.FixtureRequest) -> None:
    if not kernels:
        request.getfixturevalue("without_kernels")
    generator = np.random.default_rng(0)
    X = generator.standard_normal((50, 9)) * (generator.random((50, 9)) < 0.3) + 1e3 * (np.arange(9) == 4)
    X[:, 7] = 0
    weights = generator.random(50) if weighted else None
    dense, thin = moments(X, weights), moments(sparse.csr_array(X), weights)
    np.testing.assert_allclose(thin.mean, dense.mean, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(thin.scale, dense.scale, rtol=1e-9)
    mean = np.average(X, axis=0, weights=weights)
    np.testing.assert_allclose(dense.mean, mean)
    np.testing.assert_allclose(
        dense.scale[:4], 1 / np.sqrt(np.average((X - mean)[:, :4] ** 2, axis=0, weights=weights))
    )
    assert dense.scale[7] == 0
    narrow = rows_module.Shift(dense.mean, dense.scale, limit=1.5)
    wanted = np.clip((X - dense.mean) * dense.scale, -1.5, 1.5)
    for form in (X, sparse.csr_array(X)):
        np.testing.assert_allclose(standardized(form, narrow, np.float64), wanted, rtol=1e-12, atol=1e-12)
        chosen = np.array([3, 49, 3])
        np.testing.assert_allclose(reader(form, narrow, 5)(chosen), wanted[chosen], rtol=1e-6, atol=1e-6)


def test_sparse_training_is_dense_training(classes: Data) -> None:
    X, y = np.where(np.abs(classes[0]) < 0.5, 0, classes[0]), classes[1]
    dense = ThinNetClassifier(**QUICK).fit(X, y)
    for form in (sparse.csr_array, sparse.csc_matrix, sparse.coo_array):
        thin = ThinNetClassifier(**QUICK).fit(form(X), y)
        np.testing.assert_allclose(thin.predict_proba(form(X)), dense.predict_proba(X), atol=1e-3)


def test_a_sparse_matrix_with_repeated_elements_is_left_alone(classes: Data) -> None:
    y = classes[1][:4]
    X = sparse.csr_array((np.ones(5), np.array([0, 0, 1, 1, 0]), np.array([0, 2, 3, 4, 5])), shape=(4, 2))
    once = ThinNetClassifier(**QUICK).fit(X.toarray(), y)
    np.testing.assert_allclose(ThinNetClassifier(**QUICK).fit(X, y).predict_proba(X), once.predict_proba(X.toarray()))
    assert X.nnz == 5


def test_bytes_are_kept_as_bytes_and_mean_the_same() -> None:
    generator = np.random.default_rng(0)
    X = generator.integers(0, 256, (200, 12), dtype=np.uint8)
    y = (X[:, 0] > 128).astype(int)
    small, large = ThinNetClassifier(**QUICK).fit(X, y), ThinNetClassifier(**QUICK).fit(X.astype(float), y)
    np.testing.assert_allclose(small.predict_proba(X), large.predict_proba(X.astype(float)), atol=1e-3)
    assert ThinNetClassifier(random_state=0).fit(X, y).score(X, y) > 0.9


def test_a_constant_column_says_nothing_and_an_outlier_no_more_than_its_limit(classes: Data) -> None:
    X, y = classes
    X = np.column_stack([X, np.full(300, 0.1)])
    net = ThinNetClassifier(**QUICK).fit(X, y)
    changed = X.copy()
    changed[:, -1] = 1e9
    np.testing.assert_array_equal(net.predict_proba(changed), net.predict_proba(X))
    far, farther = X[:5].copy(), X[:5].copy()
    far[:, 0], farther[:, 0] = 1e3, 1e6
    np.testing.assert_array_equal(net.predict_proba(far), net.predict_proba(farther))


def test_many_rows_come_in_pieces(classes: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = classes
    net = ThinNetClassifier(**QUICK).fit(X, y)
    whole = net.predict_proba(X)
    monkeypatch.setattr(rows_module, "ROWS_AT_ONCE", 7)
    np.testing.assert_allclose(net.predict_proba(X), whole, rtol=1e-12)
    np.testing.assert_allclose(ThinNetClassifier(**QUICK).fit(X, y).predict_proba(X), whole, atol=1e-4)


def test_nothing_warns(values: Data) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ThinNetRegressor(**QUICK).fit(*values).predict(values[0])
