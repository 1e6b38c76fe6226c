"""Estimators on unprocessed data frames: text, categories, bools, missing values, dates."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.compose import make_column_selector
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from thinnet.errors import ArgumentError
from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor
from thinnet.typing import AnyArray

QUICK: dict[str, Any] = {"hidden_layer_sizes": 32, "max_iter": 60, "random_state": 0}
BOTH = pytest.mark.parametrize("estimator", [ThinNetClassifier, ThinNetRegressor])


def people(num_rows: int = 300, missing: bool = True) -> tuple[pd.DataFrame, AnyArray]:
    """A table with mixed columns, and targets of 0 and 1 that depend on them."""
    generator = np.random.default_rng(0)
    age = generator.uniform(20, 70, num_rows)
    job = generator.choice(["cook", "nurse", "pilot"], num_rows, p=[0.5, 0.3, 0.2])
    married = generator.random(num_rows) < 0.5
    rooms = generator.integers(1, 6, num_rows)
    y = ((age > 45) ^ (job == "nurse")) * 1
    frame = pd.DataFrame(
        {
            "age": age,
            "job": job.astype(object),
            "married": married,
            "rooms": pd.array(rooms, dtype="Int64"),
            "city": pd.Categorical(generator.choice(["Ulm", "Bonn"], num_rows)),
        }
    )
    if missing:
        for column in ("age", "job", "rooms", "city"):
            frame.loc[generator.random(num_rows) < 0.1, column] = None if column == "job" else pd.NA
        frame["age"] = frame["age"].astype(float)
    return frame, y


@BOTH
def test_a_frame_is_taken_as_it_comes(estimator: Any) -> None:
    X, y = people()
    net = estimator(**QUICK).fit(X[:200], y[:200])
    assert net.score(X[200:], y[200:]) > (0.7 if estimator is ThinNetClassifier else 0.1)
    assert list(net.feature_names_in_) == list(X.columns)
    assert net.n_features_in_ == 5
    assert "job=cook" in net.encoder_.feature_names_out
    assert net.net_.input_dim == net.encoder_.num_outputs
    again = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(again.predict(X), net.predict(X))
    for other in (X.astype({"job": "category"}), X.astype({"job": "string"}), X.convert_dtypes()):
        np.testing.assert_array_equal(net.predict(other), net.predict(X))


@BOTH
def test_pandas_and_polars_are_the_same(estimator: Any) -> None:
    X, y = people()
    same = pl.DataFrame({name: X[name].astype(object).where(X[name].notna(), None).tolist() for name in X})
    np.testing.assert_array_equal(
        estimator(**QUICK).fit(same, y).predict(same), estimator(**QUICK).fit(X, y).predict(X)
    )


def test_numbers_alone_stay_as_they_are() -> None:
    X, y = people(missing=False)
    numbers = X[["age", "married"]]
    net = ThinNetClassifier(numeric_bins=None, **QUICK).fit(numbers, y)
    array = ThinNetClassifier(numeric_bins=None, **QUICK).fit(numbers.to_numpy(float), y)
    assert net.encoder_ is None
    np.testing.assert_array_equal(net.net_.params.flat, array.net_.params.flat)


@BOTH
@pytest.mark.parametrize("bins", [None, 4])
def test_missing_numbers_of_an_array(estimator: Any, bins: Any) -> None:
    X = np.random.default_rng(0).standard_normal((300, 3))
    y = (X[:, 0] > 0) * 1
    holes = X.copy()
    holes[np.random.default_rng(1).random(X.shape) < 0.1] = np.nan
    net = estimator(numeric_bins=bins, **QUICK).fit(holes, y)
    frame = estimator(numeric_bins=bins, **QUICK).fit(pd.DataFrame(holes), y)
    np.testing.assert_array_equal(net.predict(holes), frame.predict(pd.DataFrame(holes)))
    assert net.score(holes, y) > 0.4
    assert [learned.has_indicator for learned in net.encoder_.columns] == [True] * 3


def test_a_number_missing_where_none_was_in_training_is_the_mean() -> None:
    X, y = np.random.default_rng(0).standard_normal((100, 2)), np.arange(100) % 2
    for weights in (None, np.arange(1.0, 101.0)):
        net = ThinNetClassifier(numeric_bins=None, **QUICK).fit(X, y, weights)
        hole, mean = X.copy(), X.copy()
        hole[:, 1], mean[:, 1] = np.nan, np.average(X[:, 1], weights=weights)
        np.testing.assert_allclose(net.predict_proba(hole), net.predict_proba(mean), rtol=1e-9)
        assert net.predict_proba(hole.astype(np.float32)).dtype == np.float32
    plain = ThinNetClassifier(numeric_bins=None, standardize=False, **QUICK).fit(X, y)
    with pytest.raises(ArgumentError, match="no missing numbers in column 1, since training had none"):
        plain.predict(hole)


def test_categories_unknown_rare_and_missing_at_prediction() -> None:
    X, y = people(missing=False)
    X.loc[:2, "job"] = "astronaut"
    net: Any = ThinNetClassifier(**QUICK).fit(X, y)
    (learned,) = (each for each in net.encoder_.columns if each.name == "job")
    assert learned.categories == ("cook", "nurse", "pilot")
    assert learned.rare == ("astronaut",)
    other = X.assign(job="astronaut")
    for job in ("juggler", None):
        np.testing.assert_array_equal(net.predict_proba(X.assign(job=job)), net.predict_proba(other))


@pytest.mark.parametrize("job", ["Nurse", "nurse ", "NURSE"])
def test_categories_that_differ_in_capitals_or_spaces_are_told(job: str) -> None:
    X, y = people(missing=False)
    net = ThinNetClassifier(**QUICK).fit(X, y)
    with pytest.warns(UserWarning, match=rf"X holds {job!r} in column 'job', while training had only 'nurse'\. Spell"):
        net.predict(X[:1].assign(job=job))
    with pytest.warns(UserWarning, match=r"X holds '[A-Z]+' and 2 more in column 'job', while") as caught:
        net.predict(X.assign(job=X["job"].str.upper()))
    assert len(caught) == 1
    both = X.assign(job=np.where(np.arange(300) % 2, job, X["job"]))
    ThinNetClassifier(**QUICK).fit(both, y).predict(both)


def test_columns_of_such_categories_are_told_at_once() -> None:
    letters = pd.DataFrame({name: [name, "x", "x", "x"] * 10 for name in "abcdefg"})
    net = ThinNetClassifier(**QUICK).fit(letters, np.arange(40) % 2)
    with pytest.warns(UserWarning, match="while training had only") as caught:
        net.predict(letters.replace("x", "X"))
    (told,) = (str(each.message) for each in caught)
    assert told.startswith("X holds 'X' in column 'a', while training had only 'x'; 'X' in column 'b', while")
    assert told.endswith("; and others in 2 more columns. Spell them as in training.")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"born": pd.Timestamp("2001-01-01")}, "column 'born'.*date"),
        ({"born": [date(2001, 1, 1)] * 300}, "column 'born'.*date"),
        ({"age": np.inf}, "infinity.* column 'age'"),
        ({"tags": [["a"]] * 300}, "column 'tags'.*list"),
    ],
    ids=str,
)
def test_columns_that_cannot_be_taken_are_named(change: dict[str, Any], text: str) -> None:
    X, y = people()
    with pytest.raises(ArgumentError, match=text):
        ThinNetClassifier(**QUICK).fit(X.assign(**change), y)
    net = ThinNetClassifier(**QUICK).fit(X, y)
    if set(change) <= set(X.columns):
        with pytest.raises(ArgumentError, match=text):
            net.predict(X.assign(**change))


def test_columns_of_another_kind_or_name_at_prediction() -> None:
    X, y = people()
    net = ThinNetClassifier(**QUICK).fit(X, y)
    with pytest.raises(ValueError, match=r"numbers in column 'age'.*'old'"):
        net.predict(X.assign(age="old"))
    with pytest.raises(ValueError, match="feature names"):
        net.predict(X.rename(columns={"age": "years"}))
    with pytest.raises(ValueError, match="feature names"):
        net.predict(X[["age", "job"]])


def test_categorical_features_names_columns_of_numbers() -> None:
    X, y = people(missing=False)
    numbers = pd.DataFrame({"rooms": X["rooms"].astype(int), "age": X["age"]})
    net: Any = ThinNetClassifier(categorical_features=["rooms"], **QUICK).fit(numbers, y)
    assert "rooms=3" in net.encoder_.feature_names_out
    array = ThinNetClassifier(categorical_features=[0], **QUICK).fit(numbers.to_numpy(), y)
    np.testing.assert_array_equal(array.predict(numbers.to_numpy()), net.predict(numbers))
    with pytest.raises(ArgumentError, match=r"categorical_features must be.*'room'.*Did you mean 'rooms'"):
        ThinNetClassifier(categorical_features=["room"], **QUICK).fit(numbers, y)
    with pytest.raises(ArgumentError, match=r"categorical_features must be .*for a sparse X"):
        ThinNetClassifier(categorical_features=[0], **QUICK).fit(sparse.csr_array(numbers.to_numpy()), y)


def test_arrays_and_lists_with_text() -> None:
    X, y = people()
    objects = X.astype(object).where(X.notna(), None).to_numpy()
    net = ThinNetClassifier(**QUICK).fit(objects, y)
    assert net.score(objects, y) > 0.7
    np.testing.assert_array_equal(
        ThinNetClassifier(**QUICK).fit(objects.tolist(), y).predict(objects), net.predict(objects)
    )


AMOUNTS = [-(1234.5**2), *(1000.25 + 37.5 * np.arange(29))]
SPELLED: dict[str, Callable[[float], str]] = {
    "plain": "{:.2f}".format,
    "thousands": "${:,.2f}".format,
    "signs before signs": lambda amount: f"{'-' if amount < 0 else ''}€{abs(amount):.2f}",
    "commas": lambda amount: f"{amount:.2f}".replace(".", ","),
    "points and commas": lambda amount: f"{amount:,.2f}".translate({44: ".", 46: ","}),
    "percent": "{:.2f} %".format,
    "exponents": "{:.9e}".format,
    "units": lambda amount: f" {amount:.2f} sqft",
}


@pytest.mark.parametrize("form", [pd.DataFrame, pl.DataFrame, lambda columns: pd.DataFrame(columns).to_numpy()])
@pytest.mark.parametrize("spelling", SPELLED)
def test_numbers_written_as_text_are_told_with_what_makes_numbers_of_them(spelling: str, form: Any) -> None:
    written = [*map(SPELLED[spelling], AMOUNTS), "n/a", None]
    X, y = form({"price": written}), np.arange(32) % 2
    net = ThinNetClassifier(**QUICK, dropout=0.0)
    with pytest.warns(
        UserWarning, match=r"X holds numbers .*text in column .*, such as .* in categorical_feat"
    ) as told:
        net.fit(X, y)
    assert len(told) == 1
    assert told[0].filename == __file__
    fix = str(told[0].message).partition("Convert them to numbers: ")[2].partition(", for example.")[0]
    np.testing.assert_allclose(eval(fix, {"X": X, "pandas": pd})[:30], AMOUNTS)
    net.predict(X)
    net.set_params(categorical_features=[0]).fit(X, y)


def test_numbers_beside_words_are_told() -> None:
    mixed = [*map(float, AMOUNTS), "n/a", None, np.nan, "12.5"]
    X = pd.DataFrame({"price": pd.Series(mixed, dtype=object)})
    with pytest.warns(
        UserWarning, match=r"X holds numbers beside text in column 'price', such as 'n/a'.* Or name"
    ) as told:
        ThinNetClassifier(**QUICK).fit(X, np.arange(len(mixed)) % 2)
    fix = str(told[0].message).partition("Convert them to numbers: ")[2].partition(", for example.")[0]
    np.testing.assert_array_equal(eval(fix, {"X": X, "pandas": pd}), [*AMOUNTS, np.nan, np.nan, np.nan, 12.5])


def test_a_number_that_is_text_in_other_rows_is_told() -> None:
    X = pd.DataFrame({"code": [1, "1", 2.0, "b"] * 8})
    with pytest.warns(UserWarning, match=r"X holds 1 in column 'code' as a number and as text, .*\[str\(value\) for"):
        ThinNetClassifier(**QUICK).fit(X, np.arange(32) % 2)
    ThinNetClassifier(**QUICK).fit(X.replace("1", "c"), np.arange(32) % 2)


@pytest.mark.parametrize("form", [pd.DataFrame, lambda columns: pd.DataFrame(columns).to_numpy()])
def test_columns_that_spell_alike_are_told_at_once(form: Any) -> None:
    price, day = [f"{amount:.2f}" for amount in AMOUNTS], [f"2020-01-{i:02d}" for i in range(1, 31)]
    X = form({"a": price, "b": day, **{f"c{i}": price for i in range(22)}, "z": day})
    with pytest.warns(UserWarning, match="written as text") as told:
        ThinNetClassifier(**QUICK).fit(X, np.arange(30) % 2)
    numbers, dates = (str(each.message) for each in told)
    assert {each.filename for each in told} == {__file__}
    assert " in column 'a', " in numbers or " in column 0, " in numbers
    assert re.search(r"and likewise in ('c0', 'c1'|2, 3), .* and 2 more; these", numbers)
    assert re.search(r"in column ('b'|1), .*, and likewise in ('z'|24); these columns are read as categories\.", dates)
    assert numbers.endswith("Or name those that do hold categories in categorical_features.")


def test_dates_written_as_text_are_told() -> None:
    for written in ("2020-01-{:02d}", "{}/1/2020", "2020.1.{} 12:30", "{:02d}-01-20"):
        X = pd.DataFrame({"day": [written.format(day) for day in range(1, 29)]})
        with pytest.warns(
            UserWarning, match=r"X holds dates .*text in column 'day', .*: pandas\.to_datetime.*Or name it"
        ):
            ThinNetRegressor(**QUICK).fit(X, np.arange(28.0))


@pytest.mark.parametrize("written", ["%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y 10:15", "%m/%d/%Y", "%Y-%m-%d"])
def test_what_is_told_about_dates_makes_the_right_dates_of_them(written: str) -> None:
    days = pd.date_range("2024-12-05", periods=50)
    X = pd.DataFrame({"day": days.strftime(written)})
    with pytest.warns(UserWarning, match="written as text") as told:
        ThinNetRegressor(**QUICK).fit(X, np.arange(50.0))
    fix = re.search(r"pandas\.to_datetime\(.*?\)\.dt(?=\.year, for example)", str(told[0].message))
    assert fix
    np.testing.assert_array_equal(eval(fix[0], {"X": X, "pandas": pd}).normalize(), days)


def test_what_is_told_about_numbers_with_a_true_minus_keeps_it() -> None:
    numbers = np.arange(-20, 20) + 0.5
    X = pd.DataFrame({"balance": [f"{number} €".replace("-", "\N{MINUS SIGN}") for number in numbers]})
    with pytest.warns(UserWarning, match="written as text") as told:
        ThinNetClassifier(**QUICK).fit(X, np.arange(40) % 2)
    fix = str(told[0].message).partition("Convert them to numbers: ")[2].partition(", for example.")[0]
    np.testing.assert_array_equal(eval(fix, {"X": X, "pandas": pd}), numbers)


@pytest.mark.parametrize(
    "written",
    ["{:05d}", "id{}", "#{}", "10.0.{0}.{0}", "1.{0}.{0}", "{0}-{0}", "{}:30", "({})", "5 and {}", "{} {}", "a"],
)
def test_text_that_spells_no_numbers_is_not_told(written: str) -> None:
    words = [written.format(number, "abc"[number % 3]) for number in range(40)]
    net = ThinNetClassifier(**QUICK)
    for column in (words, pd.Categorical([f"{number}.5" for number in range(40)]), ["1", "2"] * 20):
        net.fit(pd.DataFrame({"column": column}), np.arange(40) % 2)


@pytest.mark.parametrize("empty", [np.nan, None, pd.NA])
def test_a_column_that_is_empty_in_the_first_part_is_told(empty: Any) -> None:
    first = pd.DataFrame({"later": [empty] * 20, "x": np.arange(20.0), "last": [empty] * 20})
    net = ThinNetRegressor(**QUICK)
    with pytest.warns(
        UserWarning, match=r"no value in 'later', 'last' in the first call of partial_fit.*Begin with rows"
    ) as told:
        net.partial_fit(first, np.arange(20.0))
    assert (len(told), told[0].filename) == (1, __file__)
    net.partial_fit(first.assign(later=1.0), np.arange(20.0))
    ThinNetRegressor(**QUICK).fit(first, np.arange(20.0))


def test_all_ways_of_training_take_frames() -> None:
    X, y = people()
    stopped: Any = ThinNetClassifier(early_stopping=True, **QUICK).fit(X, y)
    assert len(stopped.validation_scores_) == stopped.n_iter_
    parts = ThinNetClassifier(**QUICK)
    for _ in range(30):
        parts.partial_fit(X, y, classes=[0, 1])
    warm = ThinNetClassifier(warm_start=True, **QUICK).fit(X, y).fit(X, y)
    several = ThinNetClassifier(ensemble=3, **QUICK).fit(X, y)
    tuned = ThinNetClassifier(tune=True, **QUICK).fit(X, y)
    lbfgs = ThinNetClassifier(solver="lbfgs", **{**QUICK, "max_iter": 200}).fit(X, y)
    for net in (stopped, parts, warm, several, tuned, lbfgs):
        assert net.score(X, y) > 0.65
    mean, spread = several.predict_proba(X, return_std=True)
    assert mean.shape == spread.shape == (300, 2)


def test_a_weight_is_a_repetition_in_a_frame_too() -> None:
    X, y = people(20)
    counts = np.random.default_rng(0).integers(0, 4, 20)
    options = {**QUICK, "numeric_bins": 4}
    rows = np.random.default_rng(1).permutation(np.repeat(np.arange(20), counts))
    weighted = ThinNetClassifier(**options).fit(X, y, counts)
    repeated = ThinNetClassifier(**options).fit(X.iloc[rows], y[rows])
    np.testing.assert_array_equal(weighted.net_.params.flat, repeated.net_.params.flat)


def test_searches_and_pipelines_take_frames() -> None:
    X, y = people()
    assert cross_val_score(ThinNetClassifier(**QUICK), X, y, cv=3).mean() > 0.7
    search = GridSearchCV(make_pipeline(ThinNetClassifier(**QUICK)), {"thinnetclassifier__dropout": [0.0, 0.3]}, cv=2)
    assert search.fit(X, y).best_score_ > 0.6
    assert make_column_selector(dtype_include="category")(X) == ["city"]


def test_many_categories_are_never_dense() -> None:
    generator = np.random.default_rng(0)
    words = generator.integers(0, 3000, 20_000)
    X = pd.DataFrame({"word": [f"w{word}" for word in words], "x": generator.standard_normal(20_000)})
    net: Any = ThinNetClassifier(hidden_layer_sizes=8, max_iter=2, random_state=0, numeric_bins=None).fit(X, words % 2)
    assert sparse.issparse(net._inputs.matrix(net._inputs.encoder.read(X)))
    assert net.predict(X).shape == (20_000,)


@BOTH
@pytest.mark.parametrize("bins", [None, 5])
def test_a_table_in_an_onnx_file(estimator: Any, bins: Any, tmp_path: Path) -> None:
    X, y = people()
    net = estimator(numeric_bins=bins, ensemble=2, **QUICK).fit(X, y)
    net.export_onnx(tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    feed = {
        name: (X[name].astype(object).where(X[name].notna(), "") if name in ("job", "city") else X[name].astype(float))
        .to_numpy(copy=True)
        .reshape(-1, 1)
        for name in X
    }
    feed["job"][0], feed["age"][1] = "juggler", np.nan
    changed = X.copy()
    changed.loc[0, "job"], changed.loc[1, "age"] = "juggler", np.nan
    found = session.run(None, feed)
    if estimator is ThinNetClassifier:
        np.testing.assert_array_equal(found[0], net.predict(changed))
        np.testing.assert_allclose(found[1], net.predict_proba(changed), rtol=1e-9, atol=1e-12)
    else:
        np.testing.assert_allclose(found[0], net.predict(changed), rtol=1e-9)


def test_an_array_with_bins_in_an_onnx_file(tmp_path: Path) -> None:
    X = np.random.default_rng(0).standard_normal((200, 3))
    y = X[:, 0] * X[:, 1]
    net = ThinNetRegressor(numeric_bins=6, **QUICK).fit(X, y)
    net.export_onnx(tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"X": 3 * X})[0], net.predict(3 * X), rtol=1e-9)
