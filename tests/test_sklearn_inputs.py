"""Data that is not in memory is refused in plain words wherever rows are given; data in memory is accepted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.exceptions import DataConversionWarning

from thinnet import ArgumentError
from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor

X = np.random.default_rng(0).standard_normal((60, 3))
Y = (X[:, 0] > 0) * 1
FRAME = pl.DataFrame({name: X[:, i] for i, name in enumerate("abc")})
QUICK: dict[str, Any] = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}


class Delayed:
    """A table that a library computes lazily."""

    def compute(self) -> Any:
        return X


class Query(Delayed):
    def to_pandas(self) -> Any:
        return pd.DataFrame(X)

    def __getitem__(self, key: Any) -> Any:
        raise KeyError(key)

    def __len__(self) -> int:
        return 60


class Stream:
    """A table that exports its columns in the Arrow format."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return FRAME.__arrow_c_stream__()


class Interchanged:
    """A table with the dataframe interchange protocol."""

    def __dataframe__(self, **options: Any) -> Any:
        return pd.DataFrame(X).__dataframe__()


LAZY: dict[str, tuple[Callable[[], Any], str]] = {
    "LazyFrame": (FRAME.lazy, r"Compute it first: give X\.collect\(\)\."),
    "Delayed": (Delayed, r"Compute it first: give X\.compute\(\)\."),
    "Query": (Query, r"Compute it first: give X\.to_pandas\(\)\."),
    "generator": (lambda: (row for row in X), r"Give list\(X\); if that does not fit"),
    "map": (lambda: map(list, X), r"Give list\(X\)"),
    "list_iterator": (lambda: iter(X.tolist()), r"Give list\(X\)"),
    "set": (lambda: {1.0, 2.0}, r"Give list\(X\)"),
    "dict": (lambda: {"a": X[:, 0]}, r"Give pandas\.DataFrame\(X\)"),
    "object": (object, r"Convert it to a NumPy array of numbers\.$"),
    "Stream": (lambda: Stream(), r"Compute it first: give pyarrow\.table\(X\)"),
    "Interchanged": (lambda: Interchanged(), r"Compute it first: give pandas\.api\.interchange\.from_dataframe\(X\)"),
}


@pytest.mark.parametrize("kind", LAZY)
@pytest.mark.parametrize("estimator", [ThinNetClassifier, ThinNetRegressor])
def test_what_is_not_in_memory(kind: str, estimator: Any) -> None:
    make, fix = LAZY[kind]
    text = f"X must be an array, a sparse matrix or a data frame in memory, got an? {kind}. {fix}"
    trained = estimator(**QUICK).fit(X, Y)
    calls: list[Callable[[Any], Any]] = [
        lambda rows: estimator(**QUICK).fit(rows, Y), lambda rows: trained.partial_fit(rows, Y), trained.predict,
        lambda rows: trained.score(rows, Y),
    ]  # fmt: skip
    calls += [trained.predict_proba, trained.predict_log_proba] if estimator is ThinNetClassifier else []
    for call in calls:
        with pytest.raises(ArgumentError, match=text):
            call(make())


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("data.csv", r"got the text 'data\.csv'\. If that is a file, read it first: pandas\.read_csv\('data\.csv'\)"),
        (Path("data.csv"), "got the text 'data.csv'"),
        (b"data.csv", "got the text 'data.csv'"),
        ([{"a": 1.0, "b": 2.0}], r"got a list of dicts\. Give pandas\.DataFrame\(list\(X\)\)"),
        (deque([{"a": 1.0, "b": 2.0}]), "got a deque of dicts"),
        (np.array([{"a": 1.0, "b": 2.0}], object), "got an ndarray of dicts"),
    ],
    ids=["a name", "a path", "bytes", "dicts", "dicts in a deque", "dicts in an array"],
)
def test_files_and_dicts_are_no_rows(given: Any, text: str) -> None:
    trained = ThinNetClassifier(**QUICK).fit(pd.DataFrame({"a": X[:, 0], "b": X[:, 1]}), Y)
    for call in (trained.predict, lambda rows: ThinNetRegressor(**QUICK).fit(rows, Y)):
        with pytest.raises(ArgumentError, match=f"X must be an array, .*{text}"):
            call(given)


def test_weights_in_words_are_named() -> None:
    with pytest.raises(ArgumentError, match=r"sample_weight must have shape \(60,\), .* got text such as 'x'"):
        ThinNetClassifier(**QUICK).fit(X, Y, sample_weight=["x"] * 60)


def test_rows_and_targets_are_asked_for() -> None:
    with pytest.raises(ArgumentError, match=r"X must be rows, \(N, D\), got None"):
        ThinNetRegressor(**QUICK).fit(None, Y)
    for rows in (X, pd.DataFrame({"a": ["x", "y"] * 30})):
        with pytest.raises(ArgumentError, match=r"y must be given: .* but the target y is None\. Give a label"):
            ThinNetClassifier(**QUICK).fit(rows, None)


@pytest.mark.parametrize("dtype", ["Int64", "UInt8", "boolean", "int64[pyarrow]", "bool[pyarrow]"])
def test_labels_of_nullable_dtypes_stay_what_they_are(dtype: str) -> None:
    plain = Y.astype(bool) if "bool" in dtype else Y
    for rows in (X, pd.DataFrame({"a": X[:, 0], "b": ["x", "y"] * 30})):
        labels = pd.Series(plain).astype(dtype)
        net = ThinNetClassifier(**QUICK).fit(rows, labels)
        assert net.classes_.dtype.kind == ("b" if "bool" in dtype else "u" if dtype == "UInt8" else "i")
        np.testing.assert_array_equal(net.predict(rows), ThinNetClassifier(**QUICK).fit(rows, plain).predict(rows))
        assert net.score(rows, labels) == net.score(rows, plain)
        parts = ThinNetClassifier(**QUICK).partial_fit(rows, labels, classes=labels.unique())
        np.testing.assert_array_equal(parts.classes_, net.classes_)


def test_large_labels_stay_apart() -> None:
    large = pd.Series([2**53 + 1, 2**53] * 30, dtype="Int64")
    with pytest.warns(DataConversionWarning, match="column-vector"):
        assert ThinNetClassifier(**QUICK).fit(X, large.to_frame()).classes_.tolist() == [2**53, 2**53 + 1]
    net = ThinNetClassifier(**QUICK).fit(X, large)
    assert net.classes_.tolist() == [2**53, 2**53 + 1]
    assert net.score(X, large) == net.score(X, large.to_numpy(np.int64)) < 1


@pytest.mark.parametrize("state", [-1, "a", np.random.default_rng(0), 2**32, 0.5])
def test_a_random_state_that_is_none_is_named(state: Any) -> None:
    with pytest.raises(ArgumentError, match="random_state must be None, an integer from 0 to 4294967295, or a numpy"):
        ThinNetClassifier(**{**QUICK, "random_state": state}).fit(X, Y)


@pytest.mark.parametrize("name", ["y", "sample_weight", "classes"])
def test_other_arguments(name: str) -> None:
    given: dict[str, Any] = {"y": Y, "sample_weight": np.ones(60), "classes": [0, 1]}
    given[name] = (value for value in given[name])
    with pytest.raises(ArgumentError, match=rf"{name} must be an array, .* got a generator\. Give list\({name}\)"):
        ThinNetClassifier(**QUICK).partial_fit(X, **given)
    with pytest.raises(ArgumentError, match=r"y must be an array, .* got a LazyFrame\. .* y\.collect\(\)"):
        ThinNetRegressor(**QUICK).fit(X, FRAME.lazy())


@pytest.mark.parametrize(
    "make",
    [
        np.asarray, np.ndarray.tolist, lambda rows: deque(rows.tolist()), lambda rows: tuple(map(tuple, rows)),
        sparse.csr_array, sparse.coo_matrix, sparse.dok_array, pd.DataFrame, pl.DataFrame, memoryview,
    ],
)  # fmt: skip
def test_what_is_in_memory(make: Any) -> None:
    wanted = ThinNetClassifier(**QUICK).fit(X, Y).predict(X)
    net = ThinNetClassifier(**QUICK).fit(make(X), pd.Series(Y), sample_weight=pl.Series(np.ones(60)))
    np.testing.assert_array_equal(net.predict(make(X)), wanted)
    assert ThinNetClassifier(**QUICK).fit(X, Y, sample_weight=2.0).predict(X).shape == (60,)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_missing_labels_are_refused_by_row(missing: Any) -> None:
    y = np.array(["a", "b", missing, "a", missing], object)
    with pytest.raises(
        ArgumentError, match=r"y must have a label .*, got (None|nan|<NA>) in row 2 \(rows without a label: 2\)"
    ):
        ThinNetClassifier(max_iter=1).fit(np.zeros((5, 2)), y)


LABELS: dict[str, tuple[Any, str]] = {
    "intervals": (pd.cut(pd.Series(X[:, 0]), 3), r"all text or all numbers, got Interval such as .* Convert all to"),
    "periods": (pd.Series(pd.period_range("2020", periods=60)), r"must be all text or all numbers, got Period such as"),
    "lists": ([["a", "b"], ["a"]] * 30, r"one label or value per row, .*, got \['a', 'b'\]\. Convert them to columns"),
    "sets": ([{"a"}] * 60, r"one label or value per row, .*, got \{'a'\}\. Convert them to columns"),
    "signs": (np.where(X > 0, 1, -1), r"or columns of zeros and ones, got several columns of other labels"),
    "null": (pl.Series([None, *[0, 1] * 29, 1]), r"y must have a label for each row, got nan in row 0"),
    "NaN in a list of text": (["a", "b", np.nan] * 20, r"y must have a label .*, got nan in row 2 \(.*label: 20\)"),
    "numbers beside text": (["a", "b", 1] * 20, r"y must be all text or all numbers, got int such as 1 and str"),
    "bytes": (np.array([b"a", b"b"] * 30), r"y must be text or numbers, got bytes such as b'a'\. Decode them: \[label"),
    "complex": (Y * 1j, r"y must be text or numbers, got complex numbers\. .* give their real or"),
    "infinity": (np.array([0.0, 1, np.inf] * 20), r"y must be finite: .*, got inf in row 2\. .* a label of their own"),
    "masked": (np.ma.masked_less(Y, 1), r"y must have no masked elements, .*: X\[~y\.mask\] and y\[~y\.mask\]"),
    "a line less": (Y[1:], r"a label for each row of X, of shape \(60,\) or \(60, C\), got shape \(59,\)"),
    "a row": (Y[None], r"y must have a label for each row of X, .*, got shape \(1, 60\)"),
    "a number": (3, r"y must have a label for each row of X, .*, got shape \(\)"),
}  # fmt: skip


@pytest.mark.parametrize("kind", LABELS)
def test_what_is_mistaken_for_labels(kind: str) -> None:
    labels, text = LABELS[kind]
    with pytest.raises(ArgumentError, match=text):
        ThinNetClassifier(**QUICK).fit(X, labels)


MISTAKEN: dict[str, tuple[Any, Any, str]] = {
    "a row of a frame": (pd.DataFrame(X).iloc[0], Y, r"X must be two-dimensional.*got a Series of 3 elements"),
    "a column": (FRAME["a"], Y, r"got a Series of 60 elements\. Give X\.to_frame\(\)"),
    "a column of text": (pd.Series(["x", "y"] * 30), Y, "got a Series of 60 elements"),
    "two columns of one name": (pd.DataFrame(X, columns=["a", "b", "a"]), Y, "got 'a' 2 times"),
    "text under one name": (pd.DataFrame([["x", "y"]] * 60, columns=["a", "a"]), Y, "got 'a' 2 times"),
    "hundreds of digits": ([[10**400]] * 60, Y, r"X must hold numbers within float64, got others \(int too large"),
    "a large fraction": (
        [[Fraction(10**400)]] * 60,
        Y,
        r"X must hold numbers within float64, got others \(integer div",
    ),
    "no columns": (pd.DataFrame(index=range(60)), Y, r"X must have at least one column, got shape \(60, 0\)"),
    "words": (X, ["low", "high"] * 30, "y must be numbers, got the text 'low'. Use ThinNetClassifier"),
    "words in an array": (FRAME, np.array(["1", "2b"] * 30), "y must be numbers, got the text '2b'"),
    "words beside a table": (pd.DataFrame({"a": ["x", "y"] * 30}), ["low", "high"] * 30, "got the text 'low'"),
    "no value": (X, [None, *Y[1:]], r"y must have a value for each row, got None in row 0 \(rows without a value: 1\)"),
    "NaN": (X, [0.5, np.nan, *Y[2:]], r"y must have a value for each row, got nan in row 1"),
    "complex": (X, Y * 1j, "y must be numbers, got complex numbers"),
    "infinity": (
        X,
        np.where(np.eye(60, 2, -5) > 0, -np.inf, 0),
        r"y must be finite: .*, got -inf in row 5\. .*fill them in",
    ),
    "a number that signals": (
        X,
        [Decimal("sNaN"), *map(Decimal, range(59))],
        "a value for each row, got sNaN in row 0",
    ),
    "a value that is a large fraction": (
        X,
        [Fraction(-(10**400)), *range(59)],
        r"y must be finite: .*, got -inf in row 0",
    ),
    "a large Decimal": (X, [*map(Decimal, range(59)), Decimal("1e400")], r"y must be finite: .*, got inf in row 59"),
    "no number": (X, [Decimal("NaN"), *map(Decimal, range(59))], "y must have a value for each row, got NaN in row 0"),
    "cubes": (X, np.zeros((60, 2, 2)), r"y must have a value for each row of X, .*, got shape \(60, 2, 2\)"),
    "complex rows": (X * 1j, Y, r"numbers or categories in column 0, got complex numbers\. Complex data not supported"),
    "complex objects": ((X * 1j).astype(object), Y, "got complex numbers. Complex data not supported"),
    "records": (pd.DataFrame(X).to_records(), Y, r"got a recarray of records\. Give pandas\.DataFrame\(X\)"),
    "dates": (
        np.full((60, 2), np.datetime64("2020")),
        Y,
        r"pandas\.to_datetime\(pandas\.DataFrame\(X\)\[0\]\)\.dt\.year, f",
    ),
    "unequal rows": (
        [[1.0, 2.0], [3.0]] * 30,
        Y,
        "X must be an array, got a list that .* Make all rows the same length",
    ),
    "one row": ([1.0, None, 2.0], Y, r"X must be two-dimensional, .* got a list of 3 elements\. .*\[X\] is one row"),
    "a scalar": (3.0, Y, r"X must be two-dimensional, \(N, D\), got 3\.0\."),
    "masked": (
        np.ma.masked_less((9 * X).astype(int), 0),
        Y,
        r"got some\. Give X\.astype\(float\)\.filled\(numpy\.nan\)",
    ),
    "a word for nothing": (
        X,
        ["0.5", "nan"] * 30,
        r"y must have a value .*, got nan in row 1 \(rows without a value: 30",
    ),
    "a word for infinity": (X, ["0.5", "-inf"] * 30, r"y must be finite: .*, got -inf in row 1\."),
    "NA": (FRAME, pd.Series([1.0, pd.NA] * 30, dtype=object), r"y must have a value .*got <NA> in row 1 .*value: 30"),
}


@pytest.mark.parametrize("kind", MISTAKEN)
def test_what_is_mistaken_for_rows_or_values(kind: str) -> None:
    rows, values, text = MISTAKEN[kind]
    with pytest.raises(ArgumentError, match=text):
        ThinNetRegressor(**QUICK).fit(rows, values)


def test_numbers_that_are_spelled_are_values() -> None:
    spelled = [f"{value}" for value in Y]
    assert np.array_equal(
        ThinNetRegressor(**QUICK).fit(X, np.array(spelled, object)).predict(X),
        ThinNetRegressor(**QUICK).fit(X, Y.astype(float)).predict(X),
    )


@pytest.mark.parametrize("number", [Decimal, Fraction])
def test_exact_numbers_are_values(number: Any) -> None:
    net = ThinNetRegressor(**QUICK).fit(X, [number(float(value)) for value in X[:, 0]])
    assert np.array_equal(net.predict(X), ThinNetRegressor(**QUICK).fit(X, X[:, 0]).predict(X))


def test_missing_numbers_of_an_array_of_objects() -> None:
    rows = pd.DataFrame(X).astype("Float64").mask(X > 1).to_numpy(dtype=object, na_value=pd.NA)
    net = ThinNetClassifier(**QUICK).fit(rows, Y)
    plain = ThinNetClassifier(**QUICK).fit(np.where(X > 1, np.nan, X), Y)
    assert np.allclose(net.predict_proba(rows), plain.predict_proba(rows))


@pytest.mark.skipif(not hasattr(pl, "Int128"), reason="this version of Polars has no integers of 128 bits")
def test_integers_of_128_bits() -> None:
    with pytest.raises(ArgumentError, match=r"y must be an array, got a Series that cannot be one \(.*128.*\)\. "):
        ThinNetClassifier(**QUICK).fit(X, pl.Series(Y, dtype=pl.Int128))
    wide = pl.DataFrame({"a": pl.Series([2**100, *range(59)], dtype=pl.Int128), "b": X[:, 0]})
    assert ThinNetClassifier(**QUICK).fit(wide, Y).predict(wide).shape == (60,)


@pytest.mark.parametrize("categorical", [None, [0]])
def test_sparse_rows_for_a_net_that_was_trained_on_dense_ones(categorical: list[int] | None) -> None:
    rows = np.tile(np.rint(X), (4, 1))  # enough rows for bins
    net = ThinNetClassifier(**QUICK, numeric_bins=4, categorical_features=categorical).fit(rows, np.tile(Y, 4))
    assert np.array_equal(net.predict_proba(sparse.csr_array(rows)), net.predict_proba(rows))


@pytest.mark.parametrize(
    "names",
    [[0, 1, 2], pd.MultiIndex.from_tuples([("g", "a"), ("g", "b"), ("h", "c")]), pd.date_range("2020", periods=3)],
    ids=["numbers", "pairs", "dates"],
)
@pytest.mark.parametrize("text", [False, True])
def test_columns_in_another_order(names: Any, text: bool) -> None:
    rows = pd.DataFrame(X, columns=names)
    rows = rows.assign(**{"3": ["x", "y"] * 30}).set_axis([0, 1, 2, 3], axis=1) if text else rows
    net = ThinNetClassifier(**QUICK).fit(rows, Y)
    with pytest.raises(ArgumentError, match=r"X must have its columns in the order of training, .*, got .*\. Give X\["):
        net.predict(rows.iloc[:, [2, 1, 0, *range(3, rows.shape[1])]])
    assert net.predict(rows.to_numpy()).shape == (60,)
    if not text:  # names that are not text are not compared
        assert np.array_equal(net.predict(rows.set_axis([7, 8, 9], axis=1)), net.predict(rows))


@pytest.mark.parametrize("kind", [set, frozenset])
def test_sets_are_no_rows(kind: Any) -> None:
    with pytest.raises(ArgumentError, match=r"X must be two-dimensional, \(N, D\), got shape \(60,\)"):
        ThinNetClassifier(**QUICK).fit([kind(row) for row in X], Y)


def test_bools_written_as_numbers_are_no_categorical_features() -> None:
    with pytest.raises(ArgumentError, match=r"got \[0, 0, 1\], which repeats numbers\. Give each once, or a bool"):
        ThinNetClassifier(**QUICK, categorical_features=[0, 0, 1]).fit(X, Y)


class Refusing:
    """A tensor that refuses conversion to NumPy."""

    shape = (60, 3)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("call detach first")


def test_tensors_that_refuse_to_be_arrays() -> None:
    net = ThinNetClassifier(**QUICK)
    for name, rows, labels in (("X", Refusing(), Y), ("y", X, Refusing())):
        with pytest.raises(
            ArgumentError,
            match=rf"{name} must be an array, got a Refusing .*\(call detach first\)\. Convert it to a NumPy array",
        ):
            net.fit(rows, labels)


class Variables(dict[str, Any]):
    """A data set of several arrays, which NumPy cannot convert to one."""

    def to_pandas(self) -> Any: ...

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError


def test_several_arrays_are_no_rows() -> None:
    with pytest.raises(ArgumentError, match=r"in memory, got a Variables\. Compute it first: give X\.to_pandas\(\)"):
        ThinNetClassifier(**QUICK).fit(Variables(a=X[:, 0]), Y)


@pytest.mark.parametrize("package", ["pandas", "polars", "sparse"])
def test_a_column_named_without_a_list_is_not_left_out_silently(package: str) -> None:
    frame = pd.DataFrame({"zip": np.arange(60) % 7, "size": X[:, 0]})
    rows = {"pandas": frame, "polars": pl.DataFrame(frame), "sparse": sparse.csr_array(frame.to_numpy())}[package]
    with pytest.raises(ArgumentError, match=r"categorical_features must be 'from_dtype'.* got 'zip'"):
        ThinNetClassifier(categorical_features="zip", **QUICK).fit(rows, Y)
