"""Functions, classes, files and the like given in place of rows: the error says what they are and what to write."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO, StringIO
from typing import Any

import numpy as np
import pandas as pd
import pytest

from thinnet import ArgumentError, DataError, Dataset, FullyConnectedNet
from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor

X = np.arange(12.0).reshape(6, 2)
Y = np.arange(6) % 2
NO_ROWS: dict[str, tuple[Any, str]] = {
    "a class of frames": (
        pd.DataFrame,
        r"got the class DataFrame\. Create an object of it first: DataFrame\(\.\.\.\)\.$",
    ),
    "a class of arrays": (np.ndarray, "got the class ndarray"),
    "a class of numbers": (int, "got the class int"),
    "a module": (pd, r"got the module pandas\. Give the rows themselves\.$"),
    "a function": (pd.read_csv, r"got the function read_csv\. Give what it returns: write read_csv\(\.\.\.\)\.$"),
    "a method": (X.copy, "got the function copy"),
    "a function of NumPy's": (np.mean, "got the function mean"),
    "an open file": (StringIO("1,2"), r"got an open file\. Read it first: pandas\.read_csv\("),
    "a file of bytes": (BytesIO(b"1,2"), "got an open file"),
}
QUICK: dict[str, Any] = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}
TAKEN: dict[str, Callable[[Any], Any]] = {
    "X of fit": lambda given: ThinNetClassifier(**QUICK).fit(given, Y),
    "y of fit": lambda given: ThinNetRegressor(**QUICK).fit(X, given),
    "sample_weight of fit": lambda given: ThinNetRegressor(**QUICK).fit(X, Y, given),
    "X of a Dataset": lambda given: Dataset(given, Y),
    "y of a Dataset": lambda given: Dataset(X, given),
    "X of scores": lambda given: FullyConnectedNet([3], 2, 2, seed=0).scores(given),
    "y of loss": lambda given: FullyConnectedNet([3], 2, 2, seed=0).loss(X, given),
}


@pytest.mark.parametrize("taken", TAKEN)
@pytest.mark.parametrize("kind", NO_ROWS)
def test_what_is_no_rows(kind: str, taken: str) -> None:
    given, text = NO_ROWS[kind]
    with pytest.raises((ArgumentError, DataError), match=rf"must be an array.* in memory, {text}"):
        TAKEN[taken](given)


def test_a_single_missing_target() -> None:
    with pytest.raises(DataError, match="y_train must have a label or a value for each row, got None"):
        Dataset(X, np.array(None, object))
