"""The data that an estimator is given: how it is checked, and how it becomes the rows that nets take."""

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Number
from textwrap import shorten
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import is_regressor
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import validate_data

from thinnet.arrays import as_array, check_is_array, check_order, check_unmasked, column_labels, is_finite
from thinnet.checks import shortened
from thinnet.errors import ArgumentError
from thinnet.sklearn import rows
from thinnet.sklearn.sample import MOST_MERGED, Sample, relative_weights
from thinnet.sklearn.table import Columns, TableEncoder, kinds, read
from thinnet.sklearn.table.columns import called, unnamed
from thinnet.sklearn.table.reading import FROM_DTYPE, REFUSED, is_arrow, package_of
from thinnet.standardization import Standardization
from thinnet.targets import check_present, uniform
from thinnet.typing import AnyArray, FloatArray

# Other dtypes become float64. Numbers that are not finite are checked for here, where columns have names.
MATRIX = {"accept_sparse": "csr", "dtype": (np.float64, np.float32, np.uint8), "ensure_all_finite": False}
PIECE_BYTES = 1 << 25  # of a matrix that is built for scoring
MOST_BYTES = 1 << 30  # of a matrix that is built from a table, a dozen numbers for each of the table's, and kept
SHARE_SCALE = 0.5  # for shares and indicators, from 0 to 1, which are centered but all get the same scale
FEWEST = 5  # rows; rarer categories are merged
# What to do with masked elements.
MASKED = {
    "X": "Give X.astype(float).filled(numpy.nan): NaN counts as missing.",
    "y": "Give only the rows that have one: X[~y.mask] and y[~y.mask].",
}
# What to do with targets that are neither text nor numbers, besides times.
NO_TARGETS = {
    "complex numbers": "Complex data not supported: give their real or their imaginary parts.",
    "durations": kinds.FIXES["durations"].format(column="pandas.Series(y)"),
}


@dataclass(frozen=True)
class Inputs:
    """How rows become what the nets take."""

    encoder: TableEncoder | None  # turns the columns of a table into a matrix; None if the rows already are one
    is_table: bool  # whether the rows hold more than an array of numbers could
    standardization: Standardization  # of the columns of the matrix
    has_means: bool  # whether it knows the columns' means
    bins: int | None  # the most bins that a column of numbers is encoded into
    categorical: Any  # categorical_features; a list if there are several

    @property
    def num_outputs(self) -> int:
        """How many columns the matrix has."""
        return len(self.standardization.mean)

    def makes_sparse(self, given: Any) -> bool:
        """Whether the matrix of these rows is sparse."""
        return sparse.issparse(given) if self.encoder is None else self.encoder.is_sparse

    def takes_much(self, num_rows: int) -> bool:
        """Whether the matrix of this many rows of a table, dense in float32, is too large to be kept."""
        return self.encoder is not None and not self.encoder.is_sparse and 4 * num_rows * self.num_outputs > MOST_BYTES

    def pieces(self, given: Any) -> Iterator[tuple[int, Any]]:
        """The same rows as matrices of a few megabytes, one after the other, each with the index of its first row."""
        num_rows = given.shape[0]
        at_once = num_rows if self.encoder is None else max(1, PIECE_BYTES // (8 * self.num_outputs))
        for start in range(0, num_rows, at_once):
            yield start, self.matrix(given if at_once >= num_rows else given[start : start + at_once])

    def matrix(self, given: Any) -> Any:
        """Rows from `checked` as a matrix of numbers, dense or sparse, not yet standardized."""
        if self.encoder is None:
            return self._filled(given)
        if sparse.issparse(given):
            given = given.toarray()
        return self.encoder.transform(given if isinstance(given, Columns) else self.encoder.read(given))

    def _filled(self, X: Any) -> Any:
        """Replace missing numbers, in columns that had none in training, with the columns' means."""
        if sparse.issparse(X) or not _has_missing(X):
            return X
        missing = np.isnan(X)
        if not self.has_means:
            raise ArgumentError(
                f"X must hold no missing numbers in column {int(missing.any(axis=0).argmax())}, since training had "
                f"none and standardize=False, so nothing can take their place. Fill them in, or set standardize=True."
            )
        return np.where(missing, self.standardization.mean, X).astype(X.dtype)


def checked(estimator: Any, X: Any, before: Inputs | None = None) -> Any:
    """Rows, checked against those of training `before`, if any: `Columns` if they hold more than numbers, else a
    matrix."""
    if X is None:
        raise ArgumentError("X must be rows, (N, D), got None. Give an array, a sparse matrix or a data frame.")
    check_in_memory(X=X)
    _check_columns(X)
    fresh = before is None
    if is_table(X, estimator.categorical_features if fresh else None) or (before is not None and before.is_table):
        validate_data(estimator, X, reset=fresh, skip_check_array=True)
        given: Any = _columns(estimator, X, before)
    else:
        try:
            given = validate_data(estimator, X, reset=fresh, **MATRIX)
        except OverflowError as error:  # from an integer or a fraction with hundreds of digits
            raise ArgumentError(f"X must hold numbers within float64, got others ({error}). Scale them.") from None
    if sparse.issparse(given):
        given = _canonical(given)
    elif not isinstance(given, Columns) and _has_missing(given):
        names = getattr(estimator, "feature_names_in_", None)
        for i, column in enumerate(given.T):
            kinds.check_finite(column, called(unnamed(i) if names is None else str(names[i]), i))
    if fresh:
        estimator._labels = column_labels(X)
    check_order("X", column_labels(X), getattr(estimator, "_labels", []))  # scikit-learn checks only text labels
    return given


def checked_beside(estimator: Any, y: Any, sample_weight: Any, num_rows: int) -> tuple[AnyArray, FloatArray | None]:
    """The targets and the weights, checked, for this many rows."""
    if isinstance(sample_weight, str | Mapping):
        raise ArgumentError(
            f"sample_weight must have a number for each row, got {sample_weight!r}. To weight classes, give "
            f"class_weight to the classifier."
        )
    check_in_memory(y=y, sample_weight=sample_weight)
    return _checked_targets(estimator, y, num_rows), relative_weights(sample_weight, num_rows)


def checked_classes(classes: Any) -> AnyArray:
    """The distinct labels among all that may ever appear, sorted."""
    check_in_memory(classes=classes)
    labels = plain(classes, "classes").ravel()
    if not labels.size or not np.ndim(classes):
        raise ArgumentError(f"classes must be all labels that will ever appear, got {classes!r}. Give np.unique(y).")
    check_present("classes", labels, ArgumentError, "a label", "give them a label of their own")
    different: AnyArray = unique_labels(labels)
    return different


def check_in_memory(**given: Any) -> None:
    """Raise ArgumentError, with the fix, if a value is not an array, sparse matrix or frame, or has masked elements."""
    for name, value in given.items():
        check_unmasked(name, value, fix=MASKED.get(name, ""))
        check_is_array(name, value, "an array, a sparse matrix or a data frame in memory")


def _check_columns(X: Any) -> None:
    """Reject a single column or row of a frame, and frames with duplicate column names."""
    if type(X).__name__ == "Series":
        raise ArgumentError(
            f"X must be two-dimensional, (N, D), got a Series of {len(X)} elements. Give X.to_frame() if it is a "
            f"column; for row i of a data frame, give frame[i : i + 1]."
        )
    is_line = isinstance(X, list | tuple) and len(X) and isinstance(X[0], Number | str | None)
    if is_line or isinstance(X, Number) or getattr(X, "shape", None) == ():
        raise ArgumentError(
            f"X must be two-dimensional, (N, D), got {f'a list of {len(X)} elements' if is_line else repr(X)}. Reshape "
            f"your data: [X] is one row, [[x] for x in X] one column."
        )
    names = Counter(map(str, column_labels(X)))
    if names and max(names.values()) > 1:
        name, times = names.most_common(1)[0]
        raise ArgumentError(
            f"X must have a different name for each column, got {name!r} {times} times. Rename the columns, or remove "
            f"the duplicates."
        )


def plain(y: Any, name: str = "y") -> AnyArray:
    """Targets as an array. Objects that are all numbers or bools, such as pandas' nullable integers, get that dtype;
    ArgumentError if they are neither these nor text.
    """
    array = _as_objects(y)
    if array.dtype.kind not in "OS" or not array.size:
        return array
    if "lists" in kinds.kinds_in(array.flat):
        raise ArgumentError(
            f"{name} must have one label or value per row, or a column for each label, got "
            f"{shorten(repr(array[0]), 40)}. Convert them to columns: "
            f"sklearn.preprocessing.MultiLabelBinarizer().fit_transform({name}), for example."
        )
    numbers = uniform(name, array)
    if numbers.dtype.kind == "S":
        raise ArgumentError(
            f"{name} must be text or numbers, got bytes such as {numbers.item(0)!r}. Decode them: [label.decode() for "
            f"label in {name}]."
        )
    return numbers if numbers.dtype.kind in "biuf" else array


def _as_objects(y: Any) -> AnyArray:
    """Targets as an array; a list with text in it as objects, since NumPy would turn all of it, even NaN, into text."""
    try:
        array: AnyArray = y.toarray() if sparse.issparse(y) else as_array("y", y)
    except ArgumentError:  # for lists of unequal lengths
        if not isinstance(y, list | tuple):
            raise
        return np.array([*y, None], object)[:-1]
    return np.array(y, object) if isinstance(y, list | tuple) and array.dtype.kind == "U" else array


def _checked_targets(estimator: Any, y: Any, num_rows: int) -> AnyArray:
    """Targets as `plain` returns them; ArgumentError for a wrong number of rows, missing, infinite or complex ones,
    and in regression for text that is not numbers and for times, which NumPy would turn into large numbers."""
    if y is None:
        raise ArgumentError(
            f"y must be given: {type(estimator).__name__} requires y to be passed, but the target y is None. Give a "
            f"label or a value for each row."
        )
    values = is_regressor(estimator)
    what, instead = ("a value", "fill them in") if values else ("a label", "give them a label of their own")
    targets = _as_objects(y)
    if targets.ndim not in (1, 2) or len(targets) != num_rows or not targets.size:
        raise ArgumentError(
            f"y must have {what} for each row of X, of shape ({num_rows},) or ({num_rows}, C), got shape "
            f"{targets.shape}. Give X and y with the same number of rows."
        )
    check_present("y", targets, ArgumentError, what, instead)
    found = kinds.kinds_in(targets.flat) if targets.dtype.kind == "O" else {REFUSED.get(targets.dtype.kind, "")}
    for wrong in sorted(found & ({"complex numbers"} | (kinds.TIMES if values else set()))):
        fix = NO_TARGETS.get(wrong, "Convert them to numbers, such as the days since a fixed date.")
        raise ArgumentError(f"y must be {'numbers' if values else 'text or numbers'}, got {wrong}. {fix}")
    targets = plain(targets)
    if values and targets.dtype.kind in "OU":
        try:
            targets = targets.astype(object).astype(np.float64)
        except ValueError as error:
            raise ArgumentError(
                f"y must be numbers, got the text {str(error).partition(': ')[2]}. Use ThinNetClassifier if these are "
                f"classes, or convert them to numbers, such as with pandas.to_numeric."
            ) from None
        check_present("y", targets, ArgumentError, what, instead)
    if targets.dtype.kind == "f" and (infinite := np.isinf(targets)).any():
        row = int(infinite.argmax()) // (targets.size // len(targets))
        raise ArgumentError(
            f"y must be finite: Input y contains infinity or a value too large for dtype('float64'), got "
            f"{targets[infinite][0]} in row {row}. Remove such rows, or {instead}."
        )
    return targets


def _columns(estimator: Any, X: Any, before: Inputs | None) -> Any:
    """The columns of a table; if training had only numbers, a matrix, or an error that names a column."""
    names = getattr(estimator, "feature_names_in_", None)
    if before is None:
        return read(X, estimator.categorical_features, names)
    if before.is_table and before.encoder is not None:
        return before.encoder.read(X.toarray() if sparse.issparse(X) else X)
    return np.column_stack([column.values for column in read(X, None, names)]).astype(np.float64)


def is_table(X: Any, categorical_features: Any) -> bool:
    """Whether X holds more than an array of numbers could."""
    is_text = isinstance(categorical_features, str)
    names_columns = categorical_features != FROM_DTYPE if is_text else categorical_features is not None
    if sparse.issparse(X) and names_columns:
        raise ArgumentError(
            f"categorical_features must be {FROM_DTYPE!r} or None for a sparse X, got {categorical_features!r}. Give a "
            f"data frame, or columns of zeros and ones."
        )
    if sparse.issparse(X) or names_columns:
        return names_columns
    package = package_of(X)
    if package == "pandas":
        return X.empty or not all(isinstance(dtype, np.dtype) and dtype.kind in "biuf" for dtype in X.dtypes)
    if package == "polars":
        odd = [dtype for dtype in X.dtypes if not dtype.is_numeric() or "128" in str(dtype)]
        return X.is_empty() or bool(odd) or any(X.null_count().row(0))
    try:
        array = np.asarray(X)
    except (ValueError, TypeError, RuntimeError):  # the error comes when it is read
        return True
    found = kinds.kinds_in(each for each in array.flat if each is not None) if array.dtype.kind == "O" else set()
    known = {kinds.NUMBER} if is_arrow(X) else {kinds.NUMBER, "dicts"}  # scikit-learn wants its own message for these
    return array.dtype.kind not in "biufO" or bool(found - known)


def learn(estimator: Any, sample: Sample, *, incremental: bool) -> Inputs:
    """Learn from the training rows how rows become what the nets take.

    A column that is constant in them says nothing and is left out, by a scale of 0, unless more rows will come.
    """
    given, encoder, bins = sample.X, None, estimator.settings_.numeric_bins
    is_columns = isinstance(given, Columns)
    if is_columns or (not sparse.issparse(given) and (bins or _has_missing(given))):
        columns = given if is_columns else read(given, None, getattr(estimator, "feature_names_in_", None))
        few = incremental or columns.shape[0] <= MOST_MERGED  # no category is rare, or more rows will come
        encoder = TableEncoder.learn(columns, sample.weights, knots=bins, fewest=1 if few else FEWEST)
        given = columns
        empty = [learned.name for learned in encoder.columns if learned.is_empty]
        if empty and incremental:  # easy to miss for a user who continues with other rows
            warnings.warn(
                f"X has no value in {shortened(empty)} in the first call of partial_fit, which fixes how each column "
                f"is read, so it will be ignored from now on. Begin with rows that have values there.",
                stacklevel=6,
            )
    standardization = _standardization(estimator, given, encoder, sample.weights, incremental)
    has_means, categorical = bool(estimator.standardize), np.asarray(estimator.categorical_features).tolist()
    return Inputs(encoder, is_columns, standardization, has_means=has_means, bins=bins, categorical=categorical)


def _standardization(
    estimator: Any, given: Any, encoder: TableEncoder | None, weights: FloatArray | None, incremental: bool
) -> Standardization:
    if not estimator.standardize:
        size = given.shape[1] if encoder is None else encoder.num_outputs
        return Standardization(np.zeros(size), np.ones(size))
    # Column by column: the matrix of all of them may be many times larger than the table.
    blocks = [(None, given)] if encoder is None else encoder.blocks(given)
    learned = [rows.moments(block, weights, where=name) for name, block in blocks]
    mean, scale = (np.concatenate([getattr(each, name) for each in learned]) for name in ("mean", "scale"))
    if encoder is not None:
        scale = np.where(encoder.is_measured | (scale == 0), scale, SHARE_SCALE)
    scale = np.where(scale == 0, 1.0, scale) if incremental else scale
    return Standardization(mean, scale, rows.LIMIT)


def comparable(given: Any) -> Any:
    """A matrix of numbers whose rows are equal where the given ones are."""
    if not isinstance(given, Columns):
        return given
    return TableEncoder.learn(given, None, knots=None, fewest=1).transform(given)


def _has_missing(X: AnyArray) -> bool:
    return X.dtype.kind == "f" and not is_finite(X)  # infinite numbers are rejected first


def _canonical(X: Any) -> Any:
    """A sparse matrix without duplicate entries or missing numbers; the caller's own is not changed."""
    wrong = ~np.isfinite(X.data)
    if wrong.any():
        first = int(wrong.argmax())
        raise ArgumentError(
            f"X must hold finite numbers if it is sparse, got {X.data[first]} in column {X.indices[first]}. Fill it "
            f"in, or give a dense array or a data frame, in which numbers may be missing."
        )
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X
