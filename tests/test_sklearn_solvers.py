"""The estimators' solvers and learning rates, ensembles, and trials: temperature and tune."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from thinnet import ArgumentError, schedules
from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor
from thinnet.sklearn.learning_rates import Adaptive, InverseScaling, schedule_for
from thinnet.sklearn.settings import Shape, resolve
from thinnet.typing import AnyArray

Data = tuple[AnyArray, AnyArray]
QUICK: dict[str, Any] = {"hidden_layer_sizes": 16, "max_iter": 15, "random_state": 0}


# Trials: temperature, and tune


def test_a_temperature_makes_probabilities_honest(classes: Data) -> None:
    X, y = np.tile(classes[0], (1, 3)), classes[1].copy()
    y[::3] = np.random.default_rng(0).integers(0, 3, 100)  # noise, which a net memorizes
    options: dict[str, Any] = {**QUICK, "hidden_layer_sizes": 100, "max_iter": 100, "alpha": 0.0, "dropout": 0.0}
    sure = ThinNetClassifier(calibrate=False, **options).fit(X[:200], y[:200])
    honest = ThinNetClassifier(**options).fit(X[:200], y[:200])
    assert sure.temperature_ == 1 < honest.temperature_
    np.testing.assert_array_equal(sure.net_.params.flat, honest.net_.params.flat)
    np.testing.assert_array_equal(sure.predict(X), honest.predict(X))
    assert log_loss(y[200:], honest.predict_proba(X[200:])) < log_loss(y[200:], sure.predict_proba(X[200:]))


@pytest.mark.filterwarnings("ignore:The number of unique classes")
def test_where_no_rows_can_be_spared_there_is_no_temperature_by_itself() -> None:
    X = np.random.default_rng(0).standard_normal((80, 3))
    assert ThinNetClassifier(**QUICK).fit(X, np.arange(80)).temperature_ == 1
    assert ThinNetClassifier(**QUICK).fit(X[:20], np.arange(20) % 2).temperature_ == 1


def test_tune_takes_what_does_best_and_leaves_what_was_given(values: Data) -> None:
    X, y = values
    tuned = ThinNetRegressor(tune=True, **QUICK).fit(X, y)
    assert tuned.best_params_ is not None
    assert "hidden_layer_sizes" not in tuned.best_params_
    again = ThinNetRegressor(**QUICK).set_params(**tuned.best_params_).fit(X, y)
    np.testing.assert_array_equal(tuned.net_.params.flat, again.net_.params.flat)
    given = ThinNetRegressor(tune=True, alpha=0.5, dropout=0.2, numeric_bins=3, **QUICK).fit(X, y)
    assert given.best_params_ == {}


def test_an_ensemble_is_the_mean_of_its_nets(values: Data) -> None:
    X, y = values
    several = ThinNetRegressor(ensemble=3, numeric_bins=None, **QUICK).fit(X, y)
    alone = ThinNetRegressor(numeric_bins=None, **QUICK).fit(X, y)
    np.testing.assert_array_equal(several.net_.params.flat, alone.net_.params.flat)
    scores = np.mean([net.copy(np.float64).scores(X) for net in several.nets_], axis=0)
    np.testing.assert_allclose(several.predict(X), scores[:, 0] * several._y_units.scale + several._y_units.mean)
    assert len({float(net.params.flat[0]) for net in several.nets_}) == 3


# The solvers


def test_lbfgs_finds_the_least_loss_of_a_convex_problem(classes: Data) -> None:
    X, y = classes
    linear: dict[str, Any] = {"hidden_layer_sizes": (), "solver": "lbfgs", "max_iter": 500, "tol": 1e-7}
    net = ThinNetClassifier(alpha=1.0, random_state=1, **linear).fit(X, y)
    theirs = LogisticRegression(C=1.0, tol=1e-8, max_iter=1000).fit((X - X.mean(axis=0)) / X.std(axis=0), y)
    standardized = (X - X.mean(axis=0)) / X.std(axis=0)
    np.testing.assert_allclose(net.predict_proba(X), theirs.predict_proba(standardized), atol=1e-4)
    assert net.loss_curve_ == sorted(net.loss_curve_, reverse=True)
    again = ThinNetClassifier(alpha=1.0, **{**linear, "max_iter": 3})
    with pytest.warns(ConvergenceWarning, match="L-BFGS ended before it had converged"):
        assert again.fit(X, y).n_iter_ == 3


def test_an_adaptive_rate_is_lowered_until_training_ends(classes: Data) -> None:
    options: dict[str, Any] = {"solver": "sgd", "learning_rate": "adaptive", "dropout": 0.0, "calibrate": False}
    net = ThinNetClassifier(tol=0.5, n_iter_no_change=2, max_iter=500, **options).fit(*classes)
    assert net.n_iter_ < 100
    assert net._optimizers[0].options["learning_rate"] == net.settings_.learning_rate_init


def test_learning_rates_by_scikit_learn_s_names() -> None:
    scaling = InverseScaling(0.5, rows_a_pass=8, rows_before=0)
    assert [scaling(step, steps_per_epoch=2, total_steps=9) for step in (0, 1, 2, 4)] == [1, 1, 9**-0.5, 17**-0.5]
    assert isinstance(schedule_for("invscaling", "adam", 0.1, scaling), schedules.Constant)
    assert schedule_for("invscaling", "sgd", 0.1, scaling) is scaling
    adaptive = schedule_for("adaptive", "sgd", 0.1, scaling)
    assert isinstance(adaptive, Adaptive)
    while adaptive.lower():
        pass
    assert 0.1 * adaptive(0, steps_per_epoch=1, total_steps=1) <= 1e-6


def test_rows_that_are_not_shuffled_come_in_their_order(classes: Data) -> None:
    X, y = classes
    options: dict[str, Any] = {**QUICK, "batch_size": 50, "dropout": 0.0}
    order = np.random.default_rng(0).permutation(300)
    unshuffled = ThinNetClassifier(shuffle=False, **options).fit(X, y)
    assert (unshuffled.net_.params.flat != ThinNetClassifier(**options).fit(X, y).net_.params.flat).any()
    assert (
        unshuffled.net_.params.flat
        != ThinNetClassifier(shuffle=False, **options).fit(X[order], y[order]).net_.params.flat
    ).any()


def test_counts_by_a_poisson_loss() -> None:
    generator = np.random.default_rng(0)
    X = generator.uniform(-1, 1, (600, 2))
    y = generator.poisson(np.exp(2 * X[:, 0] + 1))
    net = ThinNetRegressor(loss="poisson", random_state=0).fit(X[:400], y[:400])
    truth = np.exp(2 * X[400:, 0] + 1)
    assert np.corrcoef(net.predict(X[400:]), truth)[0, 1] > 0.95
    assert (net.predict(X) > 0).all()
    assert net.out_activation_ == "exp"
    with pytest.raises(ArgumentError, match="y must be >= 0 with loss='poisson', got -1"):
        net.fit(X, y - 1.0)
    with pytest.raises(ArgumentError, match="loss must be one of 'squared_error', 'poisson', got 'mse'"):
        ThinNetRegressor(loss="mse").fit(X, y)  # type: ignore[arg-type]
    assert ThinNetRegressor(loss="poisson", **QUICK).fit(X, np.zeros(600)).predict(X).max() < 1.5


# What is kept, and what an interruption leaves


class InterruptedIn:
    """A schedule that raises an interrupt in this step."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, step: int, *, steps_per_epoch: int, total_steps: int) -> float:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt
        return 1.0


@pytest.mark.parametrize("options", [{}, {"tune": True}])
def test_an_interrupted_trial_ends_fit(options: dict[str, Any], classes: Data) -> None:
    schedule: Any = InterruptedIn(3)
    net = ThinNetClassifier(**QUICK, learning_rate=schedule, **options)
    with pytest.raises(KeyboardInterrupt):
        net.fit(*classes)
    assert schedule.left == 0, "nothing was trained after it"


@pytest.mark.parametrize("after", [1, 8])
def test_an_interruption_of_lbfgs_leaves_a_net_that_predicts(
    after: int, classes: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [after]

    def interrupted(*args: Any, **kwargs: Any) -> bool:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return True

    monkeypatch.setattr("thinnet.sklearn.lbfgs.is_finite_step", interrupted)
    with pytest.warns(UserWarning, match="interrupted"):
        net = ThinNetClassifier(solver="lbfgs", ensemble=2, random_state=0).fit(*classes)
    assert (net.n_iter_ > 0) == (after == 8)
    assert len(net.nets_) == 1, "no net is left that was not trained"
    assert net.predict(classes[0]).shape == (300,)


def test_a_trial_that_cannot_be_made_for_want_of_rows_is_none(classes: Data) -> None:
    X, y = classes[0][:101], classes[1][:101] > 0
    options: dict[str, Any] = {**QUICK, "early_stopping": True, "validation_fraction": 0.01}
    assert ThinNetClassifier(**options).fit(X, y).temperature_ == 1
    with pytest.raises(ArgumentError, match="early_stopping must hold out at least 2 rows"):
        ThinNetClassifier(calibrate=True, **options).fit(X, y)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"loss": "poisson"}, "loss must stay"),
        ({"numeric_bins": None}, "numeric_bins must stay 4 when training continues, got None"),
        ({"standardize": False}, "standardize must stay True when training continues, got False"),
        ({"ensemble": 2}, "ensemble must stay 1 when training continues, got 2"),
        ({"categorical_features": np.array([1])}, r"categorical_features must stay 'from_dtype' .*, got \[.*1\)?\]"),
    ],
    ids=str,
)
def test_what_training_that_goes_on_cannot_change(change: dict[str, Any], text: str, values: Data) -> None:
    X, y = values[0], np.abs(values[1])
    net = ThinNetRegressor(warm_start=True, **{**QUICK, "numeric_bins": 4}).fit(X, y)
    before = net.predict(X)
    net.set_params(**change)
    np.testing.assert_array_equal(net.predict(X), before)
    with pytest.raises(ArgumentError, match=text):
        net.fit(X, y)


def test_lbfgs_goes_on_where_adam_ended(classes: Data) -> None:
    net = ThinNetClassifier(warm_start=True, **QUICK).fit(*classes)
    sizes, loss = net.settings_.hidden_layer_sizes, net.loss_
    net.set_params(solver="lbfgs", max_iter=100).fit(*classes)
    assert (net.settings_.hidden_layer_sizes, net.settings_.dropout) == (sizes, 0.0)
    assert net.loss_ < loss


def test_a_schedule_that_ends_is_one_by_name_or_as_an_object() -> None:
    params, shape = ThinNetRegressor().get_params(), Shape(5000, 3, 0)
    rates = ("auto", "cosine", schedules.Cosine(), schedules.OneCycle(), "constant", schedules.Constant())
    decays = [resolve({**params, "learning_rate": rate}, shape).weight_decay for rate in rates]
    assert decays == [1, 1, 1, 1, 0, 0]
