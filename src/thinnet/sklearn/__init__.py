"""Estimators for scikit-learn: `ThinNetClassifier` and `ThinNetRegressor`, like its MLPs but with dropout.

>>> from sklearn.datasets import load_iris
>>> X, y = load_iris(return_X_y=True)
>>> ThinNetClassifier(random_state=0).fit(X, y).score(X, y) > 0.9
True
"""

from thinnet.errors import require

require("sklearn", extra="sklearn", purpose="thinnet.sklearn")

from thinnet.sklearn.classifier import ThinNetClassifier as ThinNetClassifier  # noqa: E402
from thinnet.sklearn.regressor import ThinNetRegressor as ThinNetRegressor  # noqa: E402

__all__ = ["ThinNetClassifier", "ThinNetRegressor"]
