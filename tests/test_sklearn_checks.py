"""All of scikit-learn's estimator checks."""

from __future__ import annotations

from typing import Any

from sklearn.utils.estimator_checks import parametrize_with_checks

from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor


@parametrize_with_checks([ThinNetClassifier(), ThinNetRegressor()])
def test_what_scikit_learn_asks_of_an_estimator(estimator: Any, check: Any) -> None:
    check(estimator)
