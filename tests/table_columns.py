"""Table columns in the forms in which users have them, for testing `thinnet.sklearn.table`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from hypothesis import strategies as st

from thinnet.sklearn.table import Columns, TableEncoder, read
from thinnet.sklearn.table.columns import Categories

NUMBERS = [0.5, -2.0, 3.0, 0.0, 1e6, None]
TEXT = ["red", "blue", "green", "", "ä b", None]


def frame_of(kind: str, columns: dict[str, list[Any]]) -> Any:
    """The same table as a pandas or Polars frame, with or without special dtypes, or as an array of objects."""
    if kind == "pandas":
        return pd.DataFrame(columns)
    if kind == "pandas objects":
        return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
    if kind == "pandas nullable":
        return pd.DataFrame(columns).convert_dtypes()
    if kind == "polars":
        return pl.DataFrame(columns, strict=False)
    array = np.empty((len(next(iter(columns.values()))), len(columns)), object)
    for i, values in enumerate(columns.values()):
        array[:, i] = values
    return array


KINDS = ["pandas", "pandas objects", "pandas nullable", "polars", "array"]


def one(values: Any, name: str = "a") -> pd.DataFrame:
    """A frame with one column."""
    return pd.DataFrame({name: values})


def learned(X: Any, *, knots: int | None = None, fewest: int = 1, categorical: Any = "from_dtype") -> TableEncoder:
    """An encoder fitted to rows with equal weights."""
    return TableEncoder.learn(read(X, categorical), None, knots=knots, fewest=fewest)


def dense(encoder: TableEncoder, columns: Columns) -> Any:
    """The matrix as an array."""
    matrix = encoder.transform(columns)
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


@st.composite
def pairs_of_tables(draw: Any) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Two tables with the same one to four columns of numbers or text, with missing values."""
    pools = draw(st.lists(st.sampled_from([NUMBERS, TEXT]), min_size=1, max_size=4))

    def table() -> dict[str, list[Any]]:
        num_rows = draw(st.integers(1, 12))
        rows = [st.lists(st.sampled_from(pool), min_size=num_rows, max_size=num_rows) for pool in pools]
        return {f"c{i}": draw(column) for i, column in enumerate(rows)}

    return table(), table()


def tables() -> Any:
    """Tables as in `pairs_of_tables`, one at a time."""
    return pairs_of_tables().map(lambda pair: pair[0])


def are_categories(columns: Columns) -> tuple[bool, ...]:
    """Which columns are categorical."""
    return tuple(isinstance(column, Categories) for column in columns)
