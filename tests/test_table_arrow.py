"""Columns that pandas stores in Arrow memory are treated like those in its own memory."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from table_columns import are_categories, dense, learned, one
from thinnet import ArgumentError, DataError, Dataset
from thinnet.sklearn import ThinNetClassifier
from thinnet.sklearn.table import read

NUMERIC: dict[str, tuple[Any, list[Any]]] = {
    "integers": (pa.int64(), [1, None, 3]),
    "bytes": (pa.uint8(), [1, 2, 3]),
    "bools": (pa.bool_(), [True, None, False]),
    "floats": (pa.float64(), [1.5, None, 3.0]),
    "single floats": (pa.float32(), [1.5, None, 3.0]),
    "decimals": (pa.decimal128(5, 2), [Decimal("1.5"), None, Decimal(3)]),
}
TEXTUAL: dict[str, Any] = {
    "text": pa.string(),
    "long text": pa.large_string(),
    "a dictionary": pa.dictionary(pa.int32(), pa.string()),
}
REFUSED: dict[str, tuple[Any, Any, str]] = {
    "days": (pa.date32(), datetime.date(2024, 1, 1), "dates"),
    "timestamps": (pa.timestamp("us"), datetime.datetime(2024, 1, 1), "dates"),
    "timestamps with a zone": (pa.timestamp("us", "UTC"), datetime.datetime(2024, 1, 1), "dates"),
    "durations": (pa.duration("us"), datetime.timedelta(1), "durations"),
    "times": (pa.time64("us"), datetime.time(1), "times of day"),
    "lists": (pa.list_(pa.int64()), [1], "lists"),
    "structs": (pa.struct([("a", pa.int64())]), {"a": 1}, "dicts"),
}


def column(dtype: Any, values: list[Any]) -> pd.DataFrame:
    return one(pd.array(values, pd.ArrowDtype(dtype)))


@pytest.mark.parametrize("name", NUMERIC)
def test_numbers(name: str) -> None:
    dtype, values = NUMERIC[name]
    X, plain = column(dtype, values), one(np.array(values, object))
    assert are_categories(read(X)) == (False,)
    for categorical in ("from_dtype", ["a"]):
        encoder = learned(X, categorical=categorical)
        assert encoder.feature_names_out == learned(plain, categorical=categorical).feature_names_out
        for rows in (X, plain):
            found = dense(encoder, encoder.read(rows))
            np.testing.assert_array_equal(found, dense(encoder, encoder.read(plain)))
            assert np.isfinite(found).all()


@pytest.mark.parametrize("name", TEXTUAL)
def test_text(name: str) -> None:
    X = column(TEXTUAL[name], ["b", None, "a", "b"])
    encoder = learned(X)
    assert encoder.feature_names_out == ("a=a", "a=b", "a: missing")
    for rows in (X, one(["b", None, "a", "b"]), one(pd.Categorical(["b", None, "a", "b"]))):
        np.testing.assert_array_equal(dense(encoder, encoder.read(rows)), np.eye(3)[[1, 2, 0, 1]])


def test_a_column_of_nothing() -> None:
    assert are_categories(read(column(pa.null(), [None, None]))) == (True,)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_neither_is_refused_by_name(name: str) -> None:
    dtype, value, what = REFUSED[name]
    with pytest.raises(ArgumentError, match=rf"in column 'a', got {what}\."):
        read(column(dtype, [value, value]))


def test_tables_of_arrow() -> None:
    numbers = np.arange(12.0)
    net = ThinNetClassifier(max_iter=1).fit(pa.table({"a": numbers, "b": numbers}), [0, 1] * 6)  # two equal columns
    assert net.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(
        ArgumentError, match=r"categories in column 'b', got dates\. Replace them with columns of the parts"
    ):
        net.fit(pa.table({"a": numbers, "b": [datetime.date(2024, 1, 1)] * 12}), [0, 1] * 6)


@pytest.mark.parametrize("name", REFUSED)
def test_an_arrow_table_is_read_column_by_column(name: str) -> None:
    dtype, value, what = REFUSED[name]
    table = pa.table({"size": np.arange(60.0), "when": pa.array([value] * 60, dtype)})
    for rows in (table, table.to_batches()[0]):
        with pytest.raises(ArgumentError, match=f"X must hold numbers or categories in column 'when', got {what}"):
            ThinNetClassifier().fit(rows, np.arange(60) % 2)
    with pytest.raises(
        DataError, match=r"X_train must be (an array, got a Table without numbers in 'when'\.|real numb)"
    ):
        Dataset(table, np.arange(60) % 2)
