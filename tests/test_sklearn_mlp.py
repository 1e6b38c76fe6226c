"""scikit-learn's own tests of MLPClassifier and MLPRegressor, run with our estimators.

Tests that cannot pass are expected to fail, each with a reason.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from sklearn.neural_network.tests import test_mlp as theirs

from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor

OURS = {theirs.MLPClassifier: ThinNetClassifier, theirs.MLPRegressor: ThinNetRegressor}

# The name of a test, or its prefix, and why it cannot pass.
PRIVATE = "it reads or sets what is private to their class"
PRECISION = "nets are of float32 whatever X is, and predicted values of float64"
COSINE = "the default learning rate ends by itself, with nothing to warn of"
NOISE = "it needs a net without dropout: with it, the loss falls less evenly"
REASONS = {
    "test_fit": PRIVATE,
    "test_gradient": PRIVATE,
    "test_learning_rate_warmstart": PRIVATE,
    "test_adaptive_learning_rate": PRIVATE,
    "test_n_iter_no_change": PRIVATE,
    "test_mlp_param_dtypes-float64": PRECISION,
    "test_mlp_param_dtypes-float32-ThinNetRegressor": PRECISION,
    "test_mlp_warm_start_no_convergence-ThinNetClassifier-adam": COSINE,
    "test_mlp_warm_start_no_convergence-ThinNetRegressor-adam": COSINE,
    "test_multilabel_classification": NOISE,
    "test_partial_fit_regression": NOISE,
    "test_lbfgs_classification_maxfun1": "L-BFGS converges sooner, since columns are standardized",
    "test_nonfinite_params": "columns are standardized, so that numbers of 1e308 are trained on",
    "test_early_stopping_stratified": "the only row of a class stays in training, and the error has other words",
    "test_minimum_input_sample_size": "the error has other words",
    "test_mlp_loading_from_joblib_partial_fit": "its only column is constant, and so says nothing",
    "test_mlp_diverging_loss": "an error says where numbers became infinite, and why",
}
NOT_RUN = "test_n_iter_no_change_inf"  # it trains for 3,000 epochs before it reads a private attribute


def _cases() -> list[Any]:
    """Each of their tests with each combination of its parameters; only fixtures remain as arguments."""
    cases = []
    for name, test in vars(theirs).items():
        if name.startswith("test_") and inspect.isfunction(test):
            cases += [pytest.param(test, kwargs, id=_id(name, kwargs)) for kwargs in _arguments(test)]
    return cases


def _arguments(test: Callable[..., None]) -> list[dict[str, Any]]:
    combinations: list[dict[str, Any]] = [{}]
    for mark in getattr(test, "pytestmark", []):
        if mark.name == "parametrize":
            names = [name.strip() for name in mark.args[0].split(",")]
            values = [value if len(names) > 1 else (value,) for value in mark.args[1]]
            combinations = [
                {**dict(zip(names, value, strict=True)), **rest} for rest in combinations for value in values
            ]
    return [
        {name: OURS.get(value, value) if isinstance(value, type) else value for name, value in each.items()}
        for each in combinations
    ]


def _id(name: str, kwargs: dict[str, Any]) -> str:
    shown = [getattr(value, "__name__", value) for value in kwargs.values()]
    return "-".join([name, *(value for value in shown if isinstance(value, str))])


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("test", "kwargs"), _cases())
def test_theirs(
    test: Any, kwargs: dict[str, Any], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, reason in REASONS.items():
        if request.node.callspec.id.startswith(name):
            if request.node.callspec.id == NOT_RUN:
                pytest.xfail(reason)
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    for each in OURS:
        monkeypatch.setattr(theirs, each.__name__, OURS[each])
    fixtures = {"global_random_seed": 42}
    for name in inspect.signature(test).parameters:
        if name not in kwargs:
            kwargs = {**kwargs, name: fixtures.get(name) or request.getfixturevalue(name)}
    test(**kwargs)
