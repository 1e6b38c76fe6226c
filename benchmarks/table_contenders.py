"""The estimators that are compared on tables, each with its defaults, on unprepared data frames.

A contender is named by a word; for Thinnet, a setting may follow: ``Thinnet {"alpha": 1.0}``.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

OURS = "Thinnet"


def usual_preparation(scaled: bool = True) -> Any:
    """Impute missing numbers with the mean, scale numbers, and one-hot encode categories."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    imputer = SimpleImputer(keep_empty_features=True)
    numbers = make_pipeline(imputer, StandardScaler()) if scaled else imputer
    categories = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (categories, make_column_selector(dtype_exclude="number")),
    )


def thinnet(regression: bool, seed: int, **setting: Any) -> Any:
    """ThinNetClassifier or ThinNetRegressor, which take data frames as they are."""
    from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor

    return (ThinNetRegressor if regression else ThinNetClassifier)(random_state=seed, **setting)


def mlp(regression: bool, seed: int) -> Any:
    """MLPClassifier or MLPRegressor after the usual preparation."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline

    return make_pipeline(usual_preparation(), (MLPRegressor if regression else MLPClassifier)(random_state=seed))


def boosting(regression: bool, seed: int) -> Any:
    """HistGradientBoosting, which takes missing values and categories itself."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    estimator = (HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier)(random_state=seed)
    return make_pipeline(FunctionTransformer(_marked), estimator)


def forest(regression: bool, seed: int) -> Any:
    """RandomForest after the usual preparation without scaling."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.pipeline import make_pipeline

    estimator = (RandomForestRegressor if regression else RandomForestClassifier)(random_state=seed)
    return make_pipeline(usual_preparation(scaled=False), estimator)


def linear(regression: bool, seed: int) -> Any:
    """LogisticRegression or RidgeCV after the usual preparation."""
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.pipeline import make_pipeline

    return make_pipeline(usual_preparation(), RidgeCV() if regression else LogisticRegression())


def realmlp_small(regression: bool, seed: int) -> Any:
    """RealMLP-TD-S from pytabkit."""
    import pytabkit

    name = "RealMLP_TD_S_Regressor" if regression else "RealMLP_TD_S_Classifier"
    return _realmlp(getattr(pytabkit, name)(random_state=seed, device="cpu"))


def realmlp(regression: bool, seed: int) -> Any:
    """RealMLP-TD from pytabkit."""
    import pytabkit

    name = "RealMLP_TD_Regressor" if regression else "RealMLP_TD_Classifier"
    return _realmlp(getattr(pytabkit, name)(random_state=seed, device="cpu"))


def _realmlp(estimator: Any) -> Any:
    """It handles categories itself, but not missing numbers."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    return make_pipeline(_MeanFill(), FunctionTransformer(_marked), estimator)


def _marked(X: Any) -> Any:
    """The data frame, with non-numeric columns as categories."""
    return X.astype(dict.fromkeys(X.select_dtypes(exclude="number"), "category"))


class _MeanFill:
    """Replaces missing numbers with the mean of the training rows."""

    def fit(self, X: Any, y: Any = None) -> _MeanFill:
        self.means_ = X.mean(numeric_only=True).fillna(0.0)
        return self

    def transform(self, X: Any) -> Any:
        return X.astype(dict.fromkeys(self.means_.index, np.float64)).fillna(self.means_)


CONTENDERS: dict[str, Callable[..., Any]] = {
    OURS: thinnet,
    "MLP": mlp,
    "HistGradientBoosting": boosting,
    "RandomForest": forest,
    "logistic or ridge": linear,
    "RealMLP-TD-S": realmlp_small,
    "RealMLP-TD": realmlp,
}


def make(contender: str, regression: bool, seed: int) -> Any:
    """The estimator with a contender's name."""
    name, setting = parsed(contender)
    return CONTENDERS[name](regression, seed, **setting)


def parsed(contender: str) -> tuple[str, dict[str, Any]]:
    """A contender's word and setting."""
    name, _, setting = contender.partition(" {")
    return name, json.loads("{" + setting) if setting else {}


def made_by(contender: str) -> str | None:
    """The package and its version, or None if not installed: results from other versions are not used."""
    name, _ = parsed(contender)
    if name == OURS:
        return f"thinnet {importlib.metadata.version('thinnet')} {_digest()}"
    package = "pytabkit" if name.startswith("RealMLP") else "scikit-learn"
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return None


def _digest() -> str:
    """A hash of the package's code, which may change between releases without a new version."""
    import thinnet

    files = sorted(Path(thinnet.__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:8]
