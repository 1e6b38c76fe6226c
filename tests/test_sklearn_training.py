"""The estimators: what they learn, what they refuse, and how training stops, continues and repeats."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from thinnet import ArgumentError, schedules
from thinnet.errors import NumericalError
from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor
from thinnet.sklearn.holding_out import split
from thinnet.sklearn.settings import Shape, auto_batch_size, auto_max_iter, resolve
from thinnet.typing import AnyArray

Data = tuple[AnyArray, AnyArray]
QUICK: dict[str, Any] = {"hidden_layer_sizes": 16, "max_iter": 15, "random_state": 0}


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
    far = 1e6 + 1e3 * y  # a net without standardized targets would never get there
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
        {"normalization": "layernorm", "solver": "adam", "weight_decay": 0.1},
        {"solver": "sgd", "learning_rate_init": 0.02, "learning_rate": "one_cycle"},
        {"hidden_layer_sizes": (32, 16), "alpha": 0.1, "learning_rate": schedules.Cosine(warmup=0.1)},
        {"hidden_layer_sizes": (), "learning_rate_init": 0.05},
        {"standardize": False, "batch_size": 20, "normalization": None},
    ],
    ids=str,
)
def test_options_reach_the_net(options: dict[str, Any], classes: Data) -> None:
    X, y = classes
    net = ThinNetClassifier(random_state=0, **{"max_iter": 60, **options}).fit(X[:200], y[:200])
    assert net.score(X[200:], y[200:]) > 0.65
    normalized = "layernorm" if options.get("hidden_layer_sizes") != () else None
    assert net.net_.normalization == net.settings_.normalization == options.get("normalization", normalized)
    assert net.net_.dropout == options.get("dropout", net.settings_.dropout)
    assert net.net_.dropout_mask == options.get("dropout_mask", "element")
    assert net.n_layers_ == len(options.get("hidden_layer_sizes", (1,))) + 2


def test_coefs_and_intercepts_are_the_net(classes: Data) -> None:
    X, y = classes
    net = ThinNetClassifier(
        (12, 7), numeric_bins=None, normalization=None, standardize=False, max_iter=3, random_state=0
    ).fit(X, y)
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
        ({"alpha": -1}, "alpha must be a finite number >= 0, got -1. .* use 0 for none"),
        ({"learning_rate_init": 0}, "learning_rate_init must be a finite number > 0, got 0"),
        ({"max_iter": 0}, "max_iter must be an integer >= 1, got 0. Or use 'auto'"),
        ({"batch_size": "all"}, "batch_size must be an integer >= 1, got 'all' .*Or use 'auto'"),
        ({"n_iter_no_change": 0}, "n_iter_no_change must be an integer >= 1"),
        ({"validation_fraction": 1.0}, r"validation_fraction must be a number in \(0, 1\)"),
        ({"tol": -1e-4}, "tol must be a finite number >= 0"),
        ({"hidden_layer_sizes": (10, 0)}, r"hidden_layer_sizes\[1\] must be an integer >= 1, got 0"),
        (
            {"hidden_layer_sizes": "100"},
            r"hidden_layer_sizes must be a sequence of integers, got '100'\. Write \[100\] for one hidden layer",
        ),
        ({"normalization": "batch"}, "normalization must be one of .*Did you mean 'batchnorm'"),
        ({"solver": "adm"}, "solver must be one of .*Did you mean 'adam'"),
        ({"beta_1": 1.0}, "beta_1 must be a number in"),
        ({"momentum": -0.1}, "momentum must be a number in"),
        ({"max_fun": 0}, "max_fun must be an integer >= 1"),
        ({"power_t": "half"}, "power_t must be a finite number"),
        ({"power_t": -1}, "power_t must be a finite number >= 0, got -1"),
        (
            {"categorical_features": "form_dtype"},
            r"got 'form_dtype'\. Write \['form_dtype'\] for the column of that name",
        ),
        ({"shuffle": "no"}, "shuffle must be True or False, got 'no'"),
        (
            {"learning_rate": "linear"},
            "learning_rate must be one of 'auto', 'invscaling', 'adaptive', 'constant'.*'lin",
        ),
        (
            {"learning_rate": 0.01},
            r"learning_rate must be the name of a schedule, .*Give the number as learning_rate_init=0\.01",
        ),
        ({"solver": "lbfgs", "dropout": 0.5}, r"dropout must be 0\.0 with solver='lbfgs', got 0\.5"),
        (
            {"solver": "lbfgs", "normalization": "batchnorm"},
            "normalization must be None or 'layernorm' with",
        ),
        ({"ensemble": 0}, "ensemble must be an integer >= 1, got 0"),
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
        (lambda X, y: ThinNetClassifier(calibrate=True).fit(X[:3], y[:3]), "calibrate must be False .* a fifth out"),
        (lambda X, y: ThinNetRegressor(tune=True).fit(X[:3], y[:3]), "tune must be False .*got tune=True and 3 rows"),
        (lambda X, y: ThinNetClassifier(tune=True).partial_fit(X, y, [0, 1, 2]), "partial_fit does not support tune"),
        (lambda X, y: ThinNetClassifier().fit(X, np.column_stack([y, y])), "y must have one label per row, or columns"),
        (lambda X, y: ThinNetClassifier().partial_fit(X, y), "classes must be given in the first call of partial_fit"),
        (lambda X, y: ThinNetClassifier().partial_fit(X, y, [0, 1]), r"y must hold only the labels \[0, 1\], got .*2"),
        (lambda X, y: _began(X, y).partial_fit(X, y, [0, 1]), r"classes must stay \[0, 1, 2\], got \[0, 1\]"),
        (
            lambda X, y: _began(X, y).partial_fit(X, np.eye(3, dtype=int)[y]),
            "y must have one label per row as before, got several",
        ),
        (lambda X, y: _began(X, np.eye(3, dtype=int)[y]).partial_fit(X, np.eye(4)[y]), "y must have 3 columns as befo"),
        (lambda X, y: ThinNetClassifier(early_stopping=True).partial_fit(X, y, [0, 1, 2]), "partial_fit does not"),
        (lambda X, y: ThinNetRegressor(early_stopping=True).partial_fit(X, y), "partial_fit does not"),
        (
            lambda X, y: ThinNetClassifier(class_weight="balanced").partial_fit(X, y, [0, 1, 2]),
            "class_weight must be a dict or None for partial_fit, got 'balanced'. Compute the weights",
        ),
        (
            lambda X, y: _began(X, y).set_params(hidden_layer_sizes=9).partial_fit(X, y),
            r"hidden_layer_sizes must stay \(16,\) when .*got \(9,\)",
        ),
        (
            lambda X, y: _began(X, y).set_params(normalization=None).partial_fit(X, y),
            "normalization must stay 'layernorm",
        ),
        (
            lambda X, y: _began(X, y).set_params(dropout_mask="batch").partial_fit(X, y),
            "dropout_mask must stay 'elemen",
        ),
        (lambda X, y: _values(X, y).partial_fit(X, np.c_[y, y]), r"y must have shape \(N,\) as before, got"),
        (lambda X, y: _values(X, y[:, None]).partial_fit(X, y), r"y must have shape \(N, 1\) as before, got"),
        (
            lambda X, y: ThinNetClassifier().fit(X, X[:, 0]),
            r"y must be labels, .*continuous\. Use ThinNetRegressor for",
        ),
        (lambda X, y: ThinNetClassifier().fit(X, X[:, :2]), r"such as .*type: continuous-multioutput\. Use ThinNetReg"),
        (lambda X, y: ThinNetClassifier().partial_fit(X, y, 3), r"classes must be all labels .*got 3\. Give np"),
        (
            lambda X, y: ThinNetClassifier().fit(X, dict(enumerate(y))),
            r"y must be an array, .* Give list\(y\.values\(\)\)",
        ),
        (
            lambda X, y: ThinNetClassifier(n for n in (5, 5)).fit(X, y),
            "hidden_layer_sizes must be a sequence of integers, got a generator. Convert it to a tuple",
        ),
        (
            lambda X, y: ThinNetClassifier(normalization="batchnorm").fit(X, y, np.arange(300) == 3),
            "X must have at least two rows in training with batch normalization, got 1",
        ),
        (lambda X, y: ThinNetClassifier().fit(X, y, -np.ones(300)), "sample_weight must be >= 0, got -1"),
        (
            lambda X, y: ThinNetRegressor().fit(X, y, np.zeros(300)),
            "at least one",
        ),
        (
            lambda X, y: ThinNetClassifier(dropout_mask="batch", normalization="layernorm").fit(X, y),
            "'element' with layer normalization",
        ),
    ],
)
def test_what_they_refuse(act: Callable[[AnyArray, AnyArray], Any], text: str, classes: Data) -> None:
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=text):
        act(*classes)


def test_a_rate_that_is_too_large_says_so(values: Data) -> None:
    with pytest.raises(NumericalError, match=r"In step \d+, .* learning rate"):
        ThinNetRegressor(learning_rate_init=1e30, solver="sgd", momentum=0, normalization=None, max_iter=3).fit(*values)


def _began(X: AnyArray, y: AnyArray) -> ThinNetClassifier:
    net = ThinNetClassifier(**QUICK)
    net.partial_fit(X, y, np.unique(y))
    return net


def _values(X: AnyArray, y: AnyArray) -> ThinNetRegressor:
    net = ThinNetRegressor(**QUICK)
    net.partial_fit(X, y)
    return net


# Repeating, continuing, and stopping


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
    assert net.n_iter_ == 15
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
    assert net._optimizers[0].state["t"] == net.net_.step == 80  # two minibatches each, one optimizer throughout
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
    held = split(y, 300, 0.1, seed=net._seed)[1]
    assert len(held) == 30
    assert net.score(X[held], y[held]) == pytest.approx(max(scores))


def test_early_stopping_of_values_and_of_several_labels(values: Data) -> None:
    X, y = values
    regressor: Any = ThinNetRegressor(early_stopping=True, random_state=0).fit(X, y, np.arange(300.0))
    assert regressor.best_validation_score_ > 0.5
    labels = np.column_stack([y > y.mean(), X[:, 0] > 0.5]).astype(int)
    classifier: Any = ThinNetClassifier(early_stopping=True, random_state=0).fit(X, labels)
    assert classifier.best_validation_score_ > 0.6


def test_a_constant_rate_stops_where_the_loss_no_longer_falls(classes: Data) -> None:
    options: dict[str, Any] = {"learning_rate": "constant", "dropout": 0.0, "random_state": 0}
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
        net = ThinNetClassifier(learning_rate=Interrupting(), calibrate=False, random_state=0).fit(*classes)
    assert net.n_iter_ == 3
    assert net.predict(classes[0]).shape == (300,)


def test_what_verbose_prints(classes: Data, capsys: pytest.CaptureFixture[str]) -> None:
    ThinNetClassifier(**{**QUICK, "max_iter": 2, "early_stopping": True}, verbose=True).fit(*classes)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("Iteration 1, loss = ")
    assert ", validation score: 0." in second


def test_what_auto_stands_for() -> None:
    numbers = (1, 64, 97, 100, 128, 190, 2999, 3000, 19_999, 20_000, 500_000)
    assert [auto_batch_size(n, grows=True) for n in numbers] == [1, 64, 49, 50, 64, 64, 64, 131, 129, 1000, 1025]
    assert [auto_batch_size(n, grows=False) for n in (97, 3000, 20_000)] == [49, 64, 65]
    for fast, small in ((True, 50), (False, 100)):
        passes = [auto_max_iter(n, fast=fast) for n in (1, 2000, 8000, 500_000)]
        assert passes == [small, small, 25, 12]


@pytest.mark.parametrize(
    ("shape", "rate", "alpha", "max_iter", "sizes"),
    [
        (Shape(1000, 64, 3), 0.01, 1.0, 50, (100,)),
        (Shape(1000, 64, 10), 0.01, 1.0, 50, (256,)),
        (Shape(1000, 64, 0), 0.005, 1.0, 100, (100,)),
        (Shape(8000, 64, 10), 0.01, 16 * 130 / 8000, 25, (256, 256)),
        (Shape(8000, 64, 0), 0.01, 16 * 130 / 8000, 25, (100,)),
        (Shape(40_000, 64, 0), 0.02, 16 * 1026 / 40_000, 12, (100,)),
    ],
)
def test_the_rule_in_the_documentation(
    shape: Shape, rate: float, alpha: float, max_iter: int, sizes: tuple[int, ...]
) -> None:
    params = ThinNetClassifier().get_params()
    found = resolve(params, shape)
    assert (found.learning_rate_init, found.alpha, found.max_iter) == (rate, alpha, max_iter)
    assert (found.hidden_layer_sizes, found.numeric_bins) == (sizes, 8)
    for careful in (  # the rate does not end at zero, or more rows will come
        resolve({**params, "learning_rate": "constant"}, shape),
        resolve(params, shape._replace(whole=False)),
    ):
        assert careful.learning_rate_init == 0.005
        assert careful.batch_size < 80
        assert careful.max_iter == auto_max_iter(shape.num_rows, fast=False)


def test_nothing_warns(values: Data) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ThinNetRegressor(**QUICK).fit(*values).predict(values[0])
