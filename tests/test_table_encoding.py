"""Columns of numbers and categories encoded as a matrix: what is learned from them, and how other rows are encoded."""

from __future__ import annotations

import pickle
import tracemalloc
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import sparse

from table_columns import KINDS, dense, frame_of, learned, one, pairs_of_tables, tables
from thinnet import ArgumentError
from thinnet.sklearn.table import TableEncoder, read
from thinnet.sklearn.table.encoder import MOST_DENSE
from thinnet.sklearn.table.learned import LearnedCategories, LearnedNumbers
from thinnet.typing import AnyArray


def matrix(encoder: TableEncoder, X: Any) -> AnyArray:
    """The matrix of other rows, as a dense array."""
    found: AnyArray = dense(encoder, encoder.read(X))
    assert found.shape == (len(X), encoder.num_outputs) == (len(X), len(encoder.feature_names_out))
    return found


def fitted(X: Any, **options: Any) -> AnyArray:
    return matrix(learned(X, **options), X)


class TestNumbers:
    def test_missing_ones_are_the_mean_and_have_an_indicator(self) -> None:
        encoder = learned(one([1.0, None, 4.0, 4.0]))
        assert encoder.feature_names_out == ("a", "a: missing")
        np.testing.assert_array_equal(matrix(encoder, one([7.0, None])), [[7, 0], [3, 1]])
        (column,) = encoder.columns
        assert isinstance(column, LearnedNumbers)
        assert (column.fill, column.has_indicator, column.is_empty, column.knots) == (3.0, True, False, None)

    def test_missing_ones_where_training_had_none_are_the_mean(self) -> None:
        np.testing.assert_array_equal(matrix(learned(one([1.0, 3.0])), one([None, 5.0])), [[2], [5]])

    def test_the_mean_is_weighted_and_rows_of_weight_zero_are_not_there(self) -> None:
        columns = read(pd.DataFrame({"a": [1.0, 5.0, 9.0, None], "b": ["x", "y", "z", "y"]}))
        encoder = TableEncoder.learn(columns, np.array([3.0, 1.0, 0.0, 0.0]), knots=None, fewest=1)
        numbers, categories = encoder.columns
        assert isinstance(numbers, LearnedNumbers)
        assert isinstance(categories, LearnedCategories)
        assert (numbers.fill, numbers.has_indicator) == (2.0, False)
        assert (categories.categories, categories.rare) == (("x", "y"), ())

    def test_a_column_without_any_number_says_nothing(self) -> None:
        encoder = learned(one([np.nan, np.nan]), knots=4)
        assert encoder.feature_names_out == ("a",)
        np.testing.assert_array_equal(matrix(encoder, one([3.0, None])), [[0], [0]])

    @pytest.mark.parametrize("size", [1e308, 1e-308, 5e-324, 0.1])
    def test_the_mean_of_huge_and_tiny_numbers(self, size: float) -> None:
        (column,) = learned(one([size] * 7)).columns
        assert isinstance(column, LearnedNumbers)
        assert column.fill == size

    def test_numbers_too_far_apart_are_refused_by_name(self) -> None:
        with pytest.raises(ArgumentError, match=r"apart than 1\.8e308, got -1e\+308 and 1e\+308 in column 'b'"):
            learned(pd.DataFrame({"a": [1, 2], "b": [1e308, -1e308]}))

    def test_the_dtype(self) -> None:
        single = pd.DataFrame({"a": np.array([1, 2], np.float32), "b": ["x", "y"]})
        for X, expected in (
            (single, np.float32),
            (single[["a"]].astype(np.float16), np.float32),
            (single.assign(c=[1.0, 2.0]), np.float64),
            (single.assign(c=[1, 2]), np.float64),
            (single[["b"]], np.float64),
        ):
            for knots in (None, 4):
                assert fitted(X, knots=knots).dtype == expected


class TestBins:
    def test_each_bin_says_how_much_of_it_lies_below(self) -> None:
        encoder = learned(one(np.arange(9.0)), knots=4)
        (column,) = encoder.columns
        assert isinstance(column, LearnedNumbers)
        assert column.knots is not None
        assert column.knots.tolist() == [0, 2, 4, 6, 8]
        assert encoder.feature_names_out == ("a", "a: 0 to 2", "a: 2 to 4", "a: 4 to 6", "a: 6 to 8")
        np.testing.assert_array_equal(
            matrix(encoder, one([0, 1, 2, 7, 8]))[:, 1:],
            [[0, 0, 0, 0], [0.5, 0, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0.5], [1] * 4],
        )

    def test_beyond_the_training_rows_the_number_itself_goes_on(self) -> None:
        encoder = learned(one(np.arange(9.0)), knots=4)
        found = matrix(encoder, one([-1.0, 10.0, -1e300, 1e308]))
        np.testing.assert_array_equal(found[:, 0], [-1.0, 10.0, -1e300, 1e308])
        np.testing.assert_array_equal(found[:, 1:], np.repeat([[0.0], [1.0], [0.0], [1.0]], 4, axis=1))

    @pytest.mark.parametrize(
        ("values", "most", "knots"),
        [
            ([3, 3, 3], 4, None),
            ([0, 1, 1], 4, None),
            ([0, 1, 2], 4, [0, 1, 2]),
            ([0] * 98 + [1, 7], 4, [0, 1, 7]),
            ([0] * 95 + [1, 2, 3, 4, 5], 4, None),
            ([0, 0, 0, 0, 1, 2, 3, 4, 5, 6], 2, [0, 1, 6]),
            (list(range(101)), 1, None),
            ([-0.0, 0.0, 1.0], 4, None),
        ],
    )
    def test_few_different_values_make_few_bins(self, values: list[float], most: int, knots: Any) -> None:
        (column,) = learned(one(values), knots=most).columns
        assert isinstance(column, LearnedNumbers)
        assert (None if column.knots is None else column.knots.tolist()) == knots

    def test_weights_move_the_knots_as_repeated_rows_do(self) -> None:
        values, weights = np.array([5.0, 1, 2, 3, 8, 7, 6, 4, 0]), np.array([1.0, 4, 1, 1, 2, 1, 1, 1, 3])
        weighted = TableEncoder.learn(read(one(values)), weights, knots=3, fewest=1).columns[0]
        repeated = learned(one(np.repeat(values, weights.astype(int))), knots=3).columns[0]
        assert isinstance(weighted, LearnedNumbers)
        assert isinstance(repeated, LearnedNumbers)
        np.testing.assert_array_equal(weighted.knots, repeated.knots)
        assert weighted.fill == pytest.approx(repeated.fill, rel=1e-15)

    def test_zeros_of_both_signs_are_one(self) -> None:
        for values in ([-0.0, 0.0, 1.0, 2.0], [0.0, -0.0, 1.0, 2.0]):
            assert learned(one(values), knots=4).feature_names_out == ("a", "a: 0 to 1", "a: 1 to 2")

    def test_missing_ones_are_encoded_as_the_mean(self) -> None:
        encoder = learned(one([0.0, 1.0, 2.0, 5.0, None]), knots=8)
        assert encoder.feature_names_out[-1] == "a: missing"
        np.testing.assert_array_equal(matrix(encoder, one([None, 2.0])), [[2, 1, 1, 0, 1], [2, 1, 1, 0, 0]])

    def test_tiny_and_huge_bins(self) -> None:
        for values in ([0.0, 5e-324, 1e-323, 2e-323], [-8e307, 0.0, 1.0, 8e307]):
            assert np.isfinite(fitted(one(values), knots=2)).all()


class TestCategories:
    def test_one_column_each(self) -> None:
        encoder = learned(one(["b", "c", "a", "b"]))
        assert encoder.feature_names_out == ("a=a", "a=b", "a=c")
        np.testing.assert_array_equal(matrix(encoder, one(["c", "a"])), [[0, 0, 1], [1, 0, 0]])

    def test_two_need_one_column_which_says_the_less_frequent(self) -> None:
        assert learned(one(["no", "no", "yes"])).feature_names_out == ("a=yes",)
        assert learned(one(["no", "yes", "yes"])).feature_names_out == ("a=no",)
        encoder = learned(one(["no", "yes", "yes"]))
        np.testing.assert_array_equal(matrix(encoder, one(["no", "yes", "new", None])), [[1], [0], [0], [0]])

    def test_rare_ones_are_merged_and_unknown_ones_are_rare(self) -> None:
        encoder = learned(one(list("aaabbbcd")), fewest=3)
        assert encoder.feature_names_out == ("a=a", "a=b", "a: rare")
        (column,) = encoder.columns
        assert isinstance(column, LearnedCategories)
        assert (column.categories, column.rare, column.has_missing) == (("a", "b"), ("c", "d"), False)
        np.testing.assert_array_equal(
            matrix(encoder, one(["b", "c", "new", None])), [[0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]]
        )

    def test_unknown_ones_are_zeros_where_none_is_rare(self) -> None:
        np.testing.assert_array_equal(matrix(learned(one(list("abc"))), one(["new", None])), np.zeros((2, 3)))

    def test_missing_ones_are_a_category_where_training_had_them(self) -> None:
        encoder = learned(one(["a", None, "b", "b"]), fewest=2)
        assert encoder.feature_names_out == ("a=b", "a: rare", "a: missing")
        found = matrix(encoder, one([None, "new", "a", "b"]))
        np.testing.assert_array_equal(found, np.eye(3)[[2, 1, 1, 0]])

    @pytest.mark.parametrize(("values", "fewest"), [(["a", "a"], 1), ([None, None], 1), (["a", "b"], 3)], ids=str)
    def test_one_place_is_one_constant_column(self, values: list[Any], fewest: int) -> None:
        X = one(np.array(values, object))
        np.testing.assert_array_equal(fitted(X, fewest=fewest), [[1], [1]])

    @pytest.mark.filterwarnings("ignore:X holds 1 in column .a. as a number and as text")
    def test_equal_numbers_are_one_category_and_text_another(self) -> None:
        X = one(np.array([1, True, 1.0, "1", 0.5, None], object))
        encoder = learned(X)
        assert encoder.feature_names_out == ("a=0.5", "a=1", "a='1'", "a: missing")
        assert matrix(encoder, X).argmax(axis=1).tolist() == [1, 1, 1, 2, 0, 3]
        rounded = learned(one(np.array([Decimal("0.1"), 0.1, 2], object)), categorical=["a"])
        assert rounded.feature_names_out == ("a=2",)

    @pytest.mark.parametrize(
        "values",
        [
            [3, 1, 2],
            [3.0, 1.0, 2.0],
            np.array([3, 1, 2], object),
            pd.Categorical([3, 1, 2]),
            pd.array([3, 1, 2], "Int8"),
            pl.Series([3, 1, 2]),
            pl.Series([3.0, 1.0, 2.0]),
        ],
    )
    def test_numbers_of_any_dtype_are_the_same_categories(self, values: Any) -> None:
        def table(given: Any) -> Any:
            return pl.DataFrame({"a": given}) if isinstance(given, pl.Series) else one(given)

        encoder = learned(one([1, 2, 3]), categorical=["a"])
        np.testing.assert_array_equal(matrix(encoder, table(values)), [[0, 0, 1], [1, 0, 0], [0, 1, 0]])
        assert learned(table(values), categorical=["a"]).feature_names_out == encoder.feature_names_out

    @pytest.mark.parametrize("kind", KINDS)
    def test_text_of_any_dtype_is_the_same_categories(self, kind: str) -> None:
        encoder = learned(pd.DataFrame({"a": pd.Categorical(["x", None, "y"], ["z", "y", "x"])}))
        np.testing.assert_array_equal(matrix(encoder, frame_of(kind, {"a": ["y", "x", None]})), np.eye(3)[[1, 0, 2]])
        others = pl.DataFrame({"a": pl.Series(["y", None], dtype=pl.Enum(["y"]))})
        np.testing.assert_array_equal(matrix(encoder, others), np.eye(3)[[1, 2]])

    def test_the_order_of_a_dtype_and_what_it_does_not_use_say_nothing(self) -> None:
        values = ["x", "y", "y", "z"]
        plain = learned(one(values))
        for order in (["z", "y", "x", "w"], ["a", "x", "z", "y"]):
            X = one(pd.Categorical(values, order))
            assert learned(X).feature_names_out == plain.feature_names_out
            np.testing.assert_array_equal(fitted(X), fitted(one(values)))

    @pytest.mark.parametrize(
        ("train", "later", "text"),
        [
            (["x", "y"], [1, 2], r"text in column 'a', as in training, got 1, which is a number"),
            (["1", "2"], [1, 2], r"text in column 'a'"),
            ([1, 2], ["1", "2"], r"a number in column 'a', as in training, got '1', which is text"),
            (np.array(["x", 1], object), np.array([b"x"], object), r"a number or text in column 'a'.*got b'x'"),
        ],
        ids=str,
    )
    def test_another_kind_of_value_is_refused_by_name(self, train: Any, later: Any, text: str) -> None:
        encoder = learned(one(train), categorical=["a"])
        with pytest.raises(ArgumentError, match=text):
            matrix(encoder, one(later))

    def test_what_no_row_has_is_not_refused(self) -> None:
        encoder = learned(one(["x", "y", "z"]))
        some = read(one(np.array([1, "x"], object)))[np.array([1])]
        np.testing.assert_array_equal(encoder.transform(some), [[1, 0, 0]])
        np.testing.assert_array_equal(matrix(encoder, one(pd.Categorical(["x"], [1, "x"]))), [[1, 0, 0]])


class TestOtherRows:
    def test_a_column_is_read_as_what_it_was(self) -> None:
        encoder = learned(pd.DataFrame({"a": ["x", "y", "z"], "b": [1.0, 2.0, 3.0]}))
        nothing = pd.DataFrame({"a": [None], "b": [None]}, dtype=object)
        np.testing.assert_array_equal(matrix(encoder, nothing), [[0, 0, 0, 2]])
        np.testing.assert_array_equal(matrix(encoder, pl.DataFrame({"a": [None], "b": [None]})), [[0, 0, 0, 2]])
        with pytest.raises(ArgumentError, match="numbers in column 'b', got 'many'"):
            encoder.read(pd.DataFrame({"a": ["x"], "b": ["many"]}))
        with pytest.raises(ArgumentError, match="categories in column 'a', as in training, got numbers"):
            encoder.transform(read(pd.DataFrame({"a": [1.0], "b": [2.0]})))
        with pytest.raises(ArgumentError, match="numbers in column 'b', as in training, got categories"):
            encoder.transform(read(pd.DataFrame({"a": ["x"], "b": ["y"]})))

    def test_another_number_of_columns(self) -> None:
        encoder = learned(pd.DataFrame({"a": [1], "b": [2]}))
        for action in (lambda: encoder.read(one([1])), lambda: encoder.transform(read(one([1])))):
            with pytest.raises(ArgumentError, match="X must have 2 columns, as in training, got 1"):
                action()

    def test_an_array_after_a_frame_has_the_names_of_the_frame(self) -> None:
        encoder = learned(pd.DataFrame({"size": [1, 2], "color": ["x", "y"]}))
        with pytest.raises(ArgumentError, match="in column 'size'"):
            encoder.read(np.array([["big", "x"]], object))

    def test_rows_are_taken(self) -> None:
        columns = read(pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", "y", "z"]}))
        some = columns[np.array([2, 0])]
        assert some.shape == (2, 2)
        encoder = TableEncoder.learn(columns, None, knots=None, fewest=1)
        np.testing.assert_array_equal(encoder.transform(some), encoder.transform(columns)[[2, 0]])


class TestSparse:
    def many(self, num_rows: int, num_categories: int) -> pd.DataFrame:
        generator = np.random.default_rng(0)
        text = np.array([f"word {i}" for i in range(num_categories)], object)
        numbers = np.where(generator.random(num_rows) < 0.1, np.nan, generator.standard_normal(num_rows))
        return pd.DataFrame({"a": numbers, "b": text[generator.integers(num_categories, size=num_rows)], "c": 1.0})

    def test_many_columns_with_little_in_them_are_a_sparse_matrix(self) -> None:
        X = self.many(3000, 600)
        encoder = learned(X, knots=4)
        assert encoder.is_sparse
        found = encoder.transform(encoder.read(X))
        assert isinstance(found, sparse.csr_array)
        assert found.has_canonical_format
        assert found.dtype == np.float64
        parts = [fitted(X[[name]], knots=4) for name in "abc"]
        np.testing.assert_array_equal(found.toarray(), np.hstack(parts))

    def test_few_or_well_filled_columns_are_dense(self) -> None:
        assert not learned(one([f"word {i}" for i in range(MOST_DENSE)])).is_sparse
        assert learned(one([f"word {i}" for i in range(MOST_DENSE + 1)])).is_sparse
        numbers = {str(i): np.arange(9.0) for i in range(MOST_DENSE + 1)}
        assert not learned(pd.DataFrame(numbers), knots=4).is_sparse

    def test_single_precision(self) -> None:
        X = self.many(600, 500).astype({"a": np.float32, "c": np.float32})
        encoder = learned(X)
        assert encoder.transform(encoder.read(X)).dtype == np.float32

    def test_a_column_of_20_000_categories_takes_little_memory(self) -> None:
        X = self.many(50_000, 20_000)
        columns = read(X)
        tracemalloc.start()
        try:
            encoder = TableEncoder.learn(columns, None, knots=8, fewest=1)
            found = encoder.transform(columns)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert found.shape[1] > 15_000
        assert peak < 40e6, f"{peak} bytes"  # a dense matrix would be 8e9


class TestOfAnyTable:
    @given(tables(), st.sampled_from([None, 1, 4]), st.integers(1, 3), st.randoms(use_true_random=False))
    def test_the_order_of_rows_and_columns_changes_nothing_else(
        self, table: dict[str, list[Any]], knots: int | None, fewest: int, random: Any
    ) -> None:
        X = frame_of("pandas objects", table)
        rows, names = list(range(len(X))), list(X.columns)
        random.shuffle(rows)
        random.shuffle(names)
        encoder, other = (learned(frame, knots=knots, fewest=fewest) for frame in (X, X.iloc[rows][names]))
        found = pd.DataFrame(matrix(encoder, X), columns=list(encoder.feature_names_out))
        assert np.isfinite(found).all(axis=None)
        assert sorted(encoder.feature_names_out) == sorted(other.feature_names_out)
        order = list(other.feature_names_out)
        np.testing.assert_array_equal(matrix(other, X.iloc[rows][names]), found.iloc[rows][order])

    @given(tables(), st.sampled_from([None, 4]), st.integers(1, 3))
    def test_every_form_of_a_table_gives_the_same(
        self, table: dict[str, list[Any]], knots: int | None, fewest: int
    ) -> None:
        assume(all(any(value is not None for value in values) for values in table.values()))  # else only dtypes tell
        expected = fitted(frame_of("array", table), knots=knots, fewest=fewest)
        for kind in KINDS:
            np.testing.assert_array_equal(fitted(frame_of(kind, table), knots=knots, fewest=fewest), expected)

    @given(pairs_of_tables(), st.sampled_from([None, 4]), st.integers(1, 3))
    def test_other_rows_have_numbers_too_each_its_own(self, pair: Any, knots: int | None, fewest: int) -> None:
        table, other = pair
        assume(all(any(value is not None for value in values) for values in table.values()))  # values show the kind
        encoder = learned(frame_of("array", table), knots=knots, fewest=fewest)
        X = frame_of("array", other)
        found = matrix(encoder, X)
        assert np.isfinite(found).all()
        for i in range(len(X)):
            np.testing.assert_array_equal(matrix(encoder, X[i : i + 1]), found[i : i + 1])

    @given(tables(), st.sampled_from([None, 4]), st.integers(1, 3), st.sampled_from([2, 3, 4, 5]))
    def test_a_pickle_is_the_same(self, table: dict[str, list[Any]], knots: Any, fewest: int, protocol: int) -> None:
        X = frame_of("pandas", table)
        encoder = learned(X, knots=knots, fewest=fewest)
        again = pickle.loads(pickle.dumps(encoder, protocol))
        assert again.feature_names_out == encoder.feature_names_out
        np.testing.assert_array_equal(matrix(again, X), matrix(encoder, X))
        with pytest.raises(AttributeError):
            encoder.columns = ()  # type: ignore[misc]
