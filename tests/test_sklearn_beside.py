"""Arguments other than rows: targets, their scores, weights, and the list of all classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import DataConversionWarning

from test_sklearn_inputs import QUICK, X, Y
from thinnet import ArgumentError, DataError, Dataset
from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor

BESIDE: dict[str, tuple[Any, str]] = {
    "masked": (np.ma.masked_less(X[:, 0], 0), "y must have no masked elements"),
    "dates": (pd.date_range("2020", periods=60), "y must be numbers, got dates.* the days since a fixed date"),
    "durations": (pd.to_timedelta(range(60), "D"), r"y must be numbers, got durations.* of days or seconds: pandas\.S"),
    "missing": (
        pd.Series([1.0, None] * 30, dtype="Float64"),
        r"y must have a value .* in row 1 \(rows without a value: 30",
    ),
    "complex": (X[:, 0] * 1j, "y must be numbers, got complex numbers"),
    "none": (None, "y must be given: ThinNetRegressor requires y"),
    "a generator": ((value for value in X[:, 0]), "y must be an array, .* in memory, got a generator"),
    "a row less": (X[1:, 0], r"y must have a value for each row of X, .*, got shape \(59,\)"),
    "nothing": (np.empty((60, 0)), r"y must have a value for each row of X, .*, got shape \(60, 0\)"),
    "one of two": (np.where(np.eye(60, 2, -5) > 0, np.nan, 0), r"got nan in row 5 \(rows without a value: 2\)"),
}


@pytest.mark.parametrize("kind", BESIDE)
def test_scores_take_what_training_takes(kind: str) -> None:
    values, text = BESIDE[kind]
    net = ThinNetRegressor(**QUICK).fit(X, X[:, 0])
    for call in (net.fit, net.score):
        with pytest.raises(ArgumentError, match=text):
            call(X, values)


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_scores_of_targets_of_any_size(scale: float) -> None:
    nets = [ThinNetRegressor(**QUICK).fit(X, X[:, 0] * factor) for factor in (1, scale)]
    assert nets[1].score(X, X[:, 0] * scale) == pytest.approx(nets[0].score(X, X[:, 0]))


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        (np.ones(60) * 1j, r"got complex numbers of shape \(60,\)"),
        (np.full(60, np.datetime64("2020")), "got dates"),
        (pd.Series(pd.to_timedelta(range(60), unit="s")), "got durations"),
        ([10**400] * 60, "got numbers beyond float64"),
        (np.ones((60, 1)), r"must have shape \(60,\), one number for each row of X, got float64 of shape \(60, 1\)"),
        (np.full(60, np.nan), "must be >= 0, got nan"),
        (np.zeros(60), "must have at least one number above zero, got zero for every row"),
        (np.full(60, np.inf), "must hold finite numbers, got inf in row 0"),
        ("balanced", "must have a number for each row, got 'balanced'. To weight classes, give class_weight to the"),
        ({0: 1, 1: 2}, r"must have a number for each row, got \{0: 1, 1: 2\}\. To weight classes, give class_weight"),
    ],
    ids=["complex", "dates", "durations", "hundreds of digits", "a column", "NaN", "zero", "infinity", "text", "dict"],
)
def test_weights_that_are_no_numbers(weights: Any, text: str) -> None:
    net = ThinNetClassifier(**QUICK).fit(X, Y)
    for call in (net.fit, net.score):
        with pytest.raises(ArgumentError, match=f"sample_weight .*{text}"):
            call(X, Y, sample_weight=weights)


@pytest.mark.parametrize("scale", [1, 1e300])
def test_values_are_no_labels_whatever_their_size(scale: float) -> None:
    with pytest.raises(ArgumentError, match=r"y must be labels, got numbers such as .*: Unknown label type"):
        ThinNetClassifier(**QUICK).fit(X, X[:, 0] * scale)


@pytest.mark.parametrize(
    ("classes", "text"),
    [
        ([], "classes must be all labels that will ever appear, got \\[\\]"),
        ([0, np.nan], "classes must have a label for each row, got nan in row 1"),
        ([0, "1"], "classes must be all text or all numbers, got str such as '1' and int such as 0"),
        (np.array(["2020", "2021"], "M8[Y]"), r"y must hold only the labels \[datetime\.date.*, got 1"),
    ],
    ids=["none", "NaN", "mixed", "dates"],
)
def test_classes_that_labels_cannot_be_among(classes: Any, text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        ThinNetClassifier(**QUICK).partial_fit(X, Y, classes=classes)


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="this version of NumPy has no text of any length")
def test_labels_of_text_of_any_length() -> None:
    labels = np.array(["no", "yes"], np.dtypes.StringDType())[Y]
    net = ThinNetClassifier(**QUICK).fit(X, labels)
    assert [*net.classes_] == ["no", "yes"]
    assert net.score(X, labels) == net.score(X, labels.tolist())
    assert Dataset(X, labels).class_names == ("no", "yes")


def test_sparse_weights_and_rows_are_told_what_is_taken_in_their_place() -> None:
    weights = sparse.csr_matrix(np.ones(len(Y)))
    text = r"must be a dense array, got a sparse csr_matrix\. Give {0}\.toarray\(\), or {0}\.toarray\(\)\.ravel\(\)"
    with pytest.raises(ArgumentError, match="sample_weight " + text.format("sample_weight")):
        ThinNetClassifier(**QUICK).fit(X, Y, sample_weight=weights)
    with pytest.raises(DataError, match="weights " + text.format("weights")):
        Dataset(X, Y, weights=weights)
    with pytest.raises(DataError, match=r"X_train must be a dense array, .* Use thinnet\.sklearn, which takes it as"):
        Dataset(sparse.csr_matrix(X), Y)


@pytest.mark.parametrize("options", [{}, {"ensemble": 2}, {"loss": "poisson"}])
def test_predictions_have_the_shape_of_the_targets(options: dict[str, Any]) -> None:
    values = X[:, 0] - X[:, 0].min()
    frame = pd.DataFrame({"y": values})
    for y in (values, values[:, None], frame, np.column_stack([values, values])):
        net = ThinNetRegressor(**QUICK, dropout=0.2, **options).fit(X, y)
        mean, spread = net.predict(X, return_std=True)
        assert net.predict(X).shape == mean.shape == spread.shape == np.shape(y)


def test_how_to_save_an_estimator_is_told() -> None:
    for name in ("save", "load"):
        with pytest.raises(AttributeError, match=rf"no attribute '{name}'\. Write joblib\.dump\(estimator, path\)"):
            getattr(ThinNetRegressor(), name)


def test_labels_are_a_line_as_those_of_other_classifiers_are() -> None:
    with pytest.warns(DataConversionWarning, match="column-vector"):
        net = ThinNetClassifier(**QUICK).fit(X, Y[:, None])
    assert net.predict(X).shape == (60,)


def test_classes_as_zeros_and_a_one_are_several_labels_with_a_warning() -> None:
    one_hot, given = np.eye(2)[Y], ThinNetClassifier(**QUICK)
    for y in (one_hot, pd.get_dummies(pd.Series(np.where(Y, "a", "b")))):
        with pytest.warns(UserWarning, match=r"If each row has one class, give .* np\.asarray\(y\)\.argmax\(axis=1\)"):
            given.fit(X, y)
    one_hot[0] = 1  # a row with both classes, so there is no warning
    given.fit(X, one_hot)


def test_numbers_with_a_mask_of_their_own_are_counted_as_missing() -> None:
    for y in (pd.array([1, None] * 30, dtype="Int64"), pd.Series([1, None] * 30, dtype="Int64")):
        for taken in (lambda y=y: ThinNetRegressor(**QUICK).fit(X, y), lambda y=y: Dataset(X, y)):
            with pytest.raises((ArgumentError, DataError), match=r"^y.*, got (<NA>|nan) in row 1"):
                taken()


N = len(X)
INDEXES: dict[str, pd.Index] = {
    "range": pd.RangeIndex(N),
    "text": pd.Index([f"row {i}" for i in range(N)]),
    "dates": pd.date_range("2020", periods=N, tz="UTC"),
    "several": pd.MultiIndex.from_product([range(N // 4), range(4)]),
    "missing": pd.Index([np.nan, *range(N - 1)]),
}
ORDER = np.random.default_rng(0).permutation(N)


@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)
def test_labels_of_rows_in_another_order_are_told_of(index: pd.Index) -> None:
    rows, labels = pd.DataFrame(X, index).iloc[ORDER], pd.Series(Y, index)
    net = ThinNetClassifier(**QUICK).fit(rows, labels.loc[rows.index])  # in matching order, so there is no warning
    text = r"y has the index labels of X in another order, .* give y\.loc\[X\.index\]; if not, y\.to_numpy\(\)"
    for call in (net.fit, net.score):
        with pytest.warns(UserWarning, match=text) as warned:
            call(rows, labels)
        assert warned[0].filename == __file__
    with pytest.warns(UserWarning, match="sample_weight has the index labels of X in another order"):
        net.fit(rows, labels.iloc[ORDER], pd.Series(np.ones(N), index))
    with pytest.warns(UserWarning, match=text):
        ThinNetRegressor(**QUICK).fit(rows, labels)


@pytest.mark.parametrize(
    ("rows", "beside"),
    [
        (INDEXES["range"], pd.Index(np.arange(N) + 1)),
        (INDEXES["range"], pd.Index(np.arange(N) + 0.0)),
        (INDEXES["several"], INDEXES["range"]),
        (pd.date_range("2020", periods=N), pd.date_range("2020", periods=N).astype(str)),
        (pd.date_range("2020", periods=N), pd.date_range("2020", periods=N).as_unit("s")),
        (INDEXES["text"], pd.CategoricalIndex(INDEXES["text"])),
        (pd.Index([0, 1] * (N // 2)), pd.Index([1, 0] * (N // 2))),
    ],
    ids=str,
)
def test_other_labels_of_rows_say_nothing(rows: pd.Index, beside: pd.Index) -> None:
    ThinNetClassifier(**QUICK).fit(pd.DataFrame(X, rows), pd.Series(Y, beside))
