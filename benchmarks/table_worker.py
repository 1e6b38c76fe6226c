"""One contender on one table, in its own process, which reads the splits to run from standard input.

``echo 0 | python table_worker.py CONTENDER TABLE`` prints that it is ready, or what is missing, and then for each split
the measures and the seconds of `fit`. It first fits a few rows, so that loading and compiling code do not count.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, log_loss, r2_score, root_mean_squared_error

import table_contenders
import table_data
from table_lists import CHOOSING, REPORTING


def main(contender: str, name: str) -> None:
    """Answer until the input ends."""
    warnings.simplefilter("ignore")  # some contenders warn that they reached their own limit of epochs
    table = (REPORTING | CHOOSING)[name]
    X, y = table_data.load(table)
    try:
        table_contenders.make(contender, table.regression, 0)
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), flush=True)
        return
    rows = np.arange(200) if table.regression else pd.Series(y).groupby(y).head(25).index
    with contextlib.suppress(Exception):  # if it cannot be fitted at all, the splits will show it
        table_contenders.make(contender, table.regression, 0).fit(X.iloc[rows].reset_index(drop=True), y[rows])
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        try:
            answer = measured(contender, table_data.split(X, y, table.regression, int(line)), int(line))
        except Exception as error:  # any error is this contender's result on this table
            answer = {"failed": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), flush=True)


def measured(contender: str, parts: tuple[Any, Any, Any, Any], seed: int) -> dict[str, float]:
    """Fit, and measure on the test rows."""
    X_train, X_test, y_train, y_test = parts
    regression = y_train.dtype == np.float64
    estimator = table_contenders.make(contender, regression, seed)
    started = time.perf_counter()
    estimator.fit(X_train, y_train)
    answer = {"seconds": time.perf_counter() - started}
    predictions = np.asarray(estimator.predict(X_test))
    if regression:
        answer["r2"] = r2_score(y_test, predictions.ravel())
        return answer | {"rmse": root_mean_squared_error(y_test, predictions.ravel())}
    answer["accuracy"] = accuracy_score(y_test, predictions)
    probabilities = np.asarray(estimator.predict_proba(X_test), np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)  # float32 ones do not sum to exactly 1
    return answer | {"log_loss": log_loss(y_test, probabilities, labels=estimator.classes_)}


if __name__ == "__main__":
    main(*sys.argv[1:])
