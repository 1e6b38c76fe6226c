"""Large tables: their matrix, which is many times larger, is never all in float64, and not kept if very large."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor, inputs

QUICK: dict[str, Any] = {"max_iter": 2, "random_state": 0}


def make_table(num_rows: int) -> tuple[pd.DataFrame, Any]:
    """Columns of numbers, some missing, mixed with categories."""
    generator = np.random.default_rng(0)
    X = pd.DataFrame(generator.normal(size=(num_rows, 3)), columns=list("abc"))
    X.insert(1, "color", generator.choice(["red", "green", "blue"], num_rows))
    X.loc[::7, "b"] = np.nan
    X["whole"] = generator.integers(0, 5, num_rows)
    return X, (X["a"] > 0).to_numpy(int)


@pytest.mark.parametrize("kind", [ThinNetClassifier, ThinNetRegressor])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_matrix_that_is_not_kept_gives_the_same_bits(
    kind: Any, early_stopping: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = make_table(300)
    kept = kind((8,), early_stopping=early_stopping, **QUICK).fit(X, y)
    monkeypatch.setattr(inputs, "MOST_BYTES", 0)
    anew = kind((8,), early_stopping=early_stopping, **QUICK).fit(X, y)
    for mine, theirs in zip(anew.coefs_, kept.coefs_, strict=True):
        assert_array_equal(mine, theirs)
    assert_array_equal(anew.predict(X), kept.predict(X))


@pytest.mark.parametrize(("most", "times"), [(inputs.MOST_BYTES, 1.5), (0, 0.8)], ids=["kept", "anew"])
def test_memory_while_a_table_is_trained_on(most: int, times: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MOST_BYTES", most)
    monkeypatch.setattr(inputs, "PIECE_BYTES", 1 << 20)
    X = np.random.default_rng(0).normal(size=(20_000, 12))
    net = ThinNetRegressor((8,), **QUICK)
    net.fit(X[:2000], X[:2000, 0])  # so that loading and compiling do not count
    tracemalloc.start()
    net.fit(X, X[:, 0])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    matrix = 4 * len(X) * net._inputs.num_outputs
    assert matrix > 8 * X.nbytes
    assert peak < times * matrix
