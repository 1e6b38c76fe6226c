"""The rows that an estimator trains on, with their targets and weights, and which are held out to score the net by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils.validation import _check_sample_weight

from thinnet.checks import check_number, nearest, shortened
from thinnet.data.moments import power_of_two
from thinnet.errors import ArgumentError
from thinnet.sklearn.table import Columns
from thinnet.typing import AnyArray, FloatArray, IntArray

MOST_MERGED = 95  # rows, which are one minibatch by default; what their number decides is the same for all up to it


class Sample(NamedTuple):
    """Rows with what belongs to them."""

    X: Any  # (N, D), dense, in compressed rows, or columns of a table
    targets: AnyArray  # (N,) or (N, C)
    weights: FloatArray | None  # (N,), or None where every row counts once

    def take(self, index: IntArray) -> Sample:
        """The rows of these numbers."""
        X = self.X.take(index) if isinstance(self.X, Columns) else self.X[index]
        return Sample(X, self.targets[index], None if self.weights is None else self.weights[index])

    def without_zeros(self) -> Sample:
        """Only the rows whose weight is not zero; ArgumentError where there is none."""
        if self.weights is None or self.weights.all():
            return self
        if not self.weights.any():
            raise ArgumentError(
                "sample_weight, times class_weight, must have at least one number above zero, got zero for every row."
            )
        return self.take(np.flatnonzero(self.weights))

    def times(self, factors: FloatArray | None) -> Sample:
        """With each row's weight multiplied by a factor."""
        if factors is None:
            return self
        factors = _about_one(factors)
        return self._replace(weights=factors if self.weights is None else _about_one(self.weights * factors))

    def merged(self, matrix: Any) -> Sample:
        """Each different row once, in an order of its own, with the sum of its weights.

        Where one minibatch holds all rows, nothing else about them matters: a row of weight 2 is the same as two rows.
        `matrix` is (N, M) numbers, whose rows are equal where those of the sample are.
        """
        targets = self.targets.reshape(len(self.targets), -1)
        keys = [x + y for x, y in zip(sort_keys(matrix), sort_keys(targets), strict=True)]
        equal_rows: dict[bytes, list[int]] = {}
        for number, key in enumerate(keys):
            equal_rows.setdefault(key, []).append(number)
        groups = [equal_rows[key] for key in sorted(equal_rows)]
        first = np.array([group[0] for group in groups])
        each = np.ones(len(keys)) if self.weights is None else self.weights
        weights = np.array([math.fsum(each[group]) for group in groups])
        return self._replace(weights=None).take(first)._replace(weights=weights)

    def weighing_one(self) -> Sample:
        """With weights whose mean is 1, the scale that the loss expects; with none where all are equal."""
        w = self.weights
        if w is None or (w == w[0]).all():
            return self._replace(weights=None)
        return self._replace(weights=w * (len(w) / w.sum()))


def sort_keys(X: Any) -> list[bytes]:
    """For each row a key that depends on its numbers alone; keys are in the order of the rows, element by element.

    Only what is not zero is in it: for each such element its sign, its column, and its bits, all of which are turned
    round where it is negative; then a mark, by which zeros to the end of the row come between the two signs.
    """
    rows = sparse.csr_array(X, dtype=np.float64, copy=True)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    positive = rows.data > 0
    entries = np.empty(rows.nnz, [("sign", "u1"), ("column", ">u8"), ("bits", ">u8")])
    columns, bits = rows.indices.astype(np.uint64), rows.data.view(np.uint64)
    entries["sign"] = np.where(positive, 2, 0)
    entries["column"] = np.where(positive, ~columns, columns)
    entries["bits"] = np.where(positive, bits, ~bits)
    return [entries[start:stop].tobytes() + b"\x01" for start, stop in pairwise(rows.indptr)]


def checked_weights(sample_weight: Any, X: Any) -> FloatArray | None:
    """The (N,) weights of the rows, or None where every row counts once."""
    if sample_weight is None:
        return None
    try:
        np.asarray(sample_weight, np.float64)
    except (ValueError, TypeError) as error:
        raise ArgumentError(
            f"sample_weight must be a number for each row, got others: {error}. Convert them."
        ) from None
    weights: FloatArray = _check_sample_weight(sample_weight, X, dtype=np.float64, copy=True)
    if weights.min() < 0:
        raise ArgumentError(f"sample_weight must be >= 0, got {weights.min():g}. Use 0 to leave a row out.")
    return _about_one(weights)


def _about_one(weights: FloatArray) -> FloatArray:
    """The same weights, relative to each other, the largest about 1, so that no sum or product overflows."""
    return weights * power_of_two(weights.max())


FEWEST_HELD = 2  # rows; R² of one row is not defined, and the accuracy of one row tells nothing


def split(
    labels: AnyArray | None, num_rows: int, fraction: float, *, seed: int, names: Sequence[Any] = (), fewest: int = 1
) -> tuple[IntArray, IntArray]:
    """The numbers of the rows to train on and of those held out, ⌈fraction · N⌉ where that many can be spared.

    Each class gives rows in proportion to its size, and keeps at least one in training: a class of a single row is
    trained on alone. Where a row may have several labels, the same holds for each combination, and each label.
    ArgumentError if fewer than two rows would be held out, or less than `fewest` be left.

    Args:
        labels: (N,) numbers of classes, or (N, C) zeros and ones; None where targets are not labels.
        names: what the user calls the classes.

    >>> train, held = split(np.array([0, 0, 0, 0, 1, 1, 1, 1, 2]), 9, 0.4, seed=0)
    >>> [int(row) for row in train if row == 8], len(held)
    ([8], 4)
    """
    wanted = math.ceil(fraction * num_rows)
    if num_rows < FEWEST_HELD + fewest:
        raise _refusal(
            f"have at least {FEWEST_HELD + fewest} rows, {FEWEST_HELD} of them to score the net by, got {num_rows} and "
            f"validation_fraction={fraction:g}"
        )
    if num_rows - wanted < fewest:
        raise _refusal(
            f"leave at least {fewest} of {num_rows} rows to train on, got validation_fraction={fraction:g}, which "
            f"holds {wanted} out",
            "Lower validation_fraction",
        )
    if wanted < FEWEST_HELD:
        enough = math.ceil(100 * min(FEWEST_HELD / num_rows, 0.5)) / 100
        raise _refusal(
            f"hold out at least {FEWEST_HELD} rows to score the net by, got validation_fraction={fraction:g} of "
            f"{num_rows}, which is {wanted}",
            f"Raise validation_fraction to {enough:g}",
        )
    order = _order(labels, num_rows, np.random.default_rng(seed))
    spared = order if labels is None else order[~np.isin(order, _kept(labels, order))]
    if len(spared) < FEWEST_HELD:
        raise _refusal(
            f"hold out at least {FEWEST_HELD} rows, and leave one of each label in training, got {len(spared)} that "
            f"can be spared{_single(labels, names)}; validation_fraction={fraction:g} would hold out {wanted}"
        )
    held = np.sort(spared[:wanted])
    return np.setdiff1d(np.arange(num_rows), held), held


def _order(labels: AnyArray | None, num_rows: int, generator: np.random.Generator) -> IntArray:
    """All rows, shuffled so that of each class as many come early as late."""
    shuffled = generator.permutation(num_rows)
    if labels is None:
        return shuffled
    _, classes, counts = np.unique(labels[shuffled], axis=0, return_inverse=True, return_counts=True)
    classes = classes.ravel()
    by_class = np.argsort(classes, kind="stable")
    ranks = np.empty(num_rows)  # of each row among those of its class
    ranks[by_class] = np.arange(num_rows) - np.repeat(np.cumsum(counts) - counts, counts)
    when = (ranks + generator.random(len(counts))[classes]) / counts[classes]
    return shuffled[np.argsort(when, kind="stable")]


def _kept(labels: AnyArray, order: IntArray) -> IntArray:
    """For each label the last of its rows in `order`."""
    backwards = order[::-1]
    if labels.ndim == 1:
        last = np.unique(labels[backwards], return_index=True)[1]
    else:
        has = labels[backwards] > 0
        last = has.argmax(axis=0)[has.any(axis=0)]
    kept: IntArray = backwards[last]
    return kept


def _single(labels: AnyArray | None, names: Sequence[Any]) -> str:
    """Which labels have but one row, for a message."""
    if labels is None:
        return ""
    counts = np.bincount(labels, minlength=len(names)) if labels.ndim == 1 else (labels > 0).sum(axis=0)
    single = [name for name, count in zip(names, counts, strict=True) if count == 1]
    return f", since there is one row each of {shortened(single)}" if single else ""


def _refusal(expected_and_got: str, first_fix: str = "") -> ArgumentError:
    more = "more rows (those of weight 0 do not count)"
    fixes = f"{first_fix}, give {more}, or" if first_fix else f"Give {more} or"
    return ArgumentError(f"early_stopping must {expected_and_got}. {fixes} set early_stopping=False.")


BALANCED = "balanced"


def factors(class_weight: Any, classes: Sequence[Any], targets: AnyArray) -> FloatArray | None:
    """The (N,) factors of the rows' weights, by scikit-learn's rules; None where there are none.

    ``"balanced"`` is N / (classes present · rows of the class). Labels that a dict leaves out weigh 1. Where a row may
    have several labels, a list has one of these for each of them, over 0 and 1, and their factors are multiplied.
    `targets` are (N,) numbers of labels, or (N, C) zeros and ones.

    >>> factors({"b": 3}, ["a", "b"], np.array([0, 1, 1]))
    array([1., 3., 3.])
    >>> factors("balanced", ["a", "b"], np.array([0, 1, 1, 1]))
    array([2.        , 0.66666667, 0.66666667, 0.66666667])
    """
    if class_weight is None:
        return None
    if targets.ndim == 1:
        return _of_one("class_weight", class_weight, classes, targets)
    several = [class_weight] * targets.shape[1] if _is_balanced(class_weight) else class_weight
    if not isinstance(several, list | tuple) or len(several) != targets.shape[1]:
        came = f"{len(several)} elements" if isinstance(several, list | tuple) else repr(class_weight)
        raise ArgumentError(
            f"class_weight must be None, 'balanced' or a list of {targets.shape[1]} dicts, one for each column of y, "
            f"got {came}. Write [{{0: 1, 1: 2}}, ...], for example."
        )
    product = np.ones(len(targets))
    for column, weights in enumerate(several):
        if weights is not None:
            product *= _of_one(f"class_weight[{column}]", weights, (0, 1), targets[:, column].astype(np.int64))
    return product


def _is_balanced(weights: Any) -> bool:
    return isinstance(weights, str) and weights == BALANCED


def _of_one(name: str, given: Any, classes: Sequence[Any], numbers: IntArray) -> FloatArray:
    """The factors that one label of each row gives."""
    if _is_balanced(given):
        counts = np.bincount(numbers, minlength=len(classes))
        return (len(numbers) / (np.count_nonzero(counts) * np.maximum(counts, 1)))[numbers]
    if not isinstance(given, Mapping):
        question = f"{nearest(given, (BALANCED,))} " if isinstance(given, str) else ""
        raise ArgumentError(
            f"{name} must be None, 'balanced' or a dict from label to weight, got {given!r}. {question.lstrip()}Write "
            f"{{{classes[-1]!r}: 2.0}}, for example."
        )
    weights = {label: check_number(f"{name}[{label!r}]", weight, "class_weight") for label, weight in given.items()}
    known = set(classes)
    unknown = [label for label in weights if label not in known]
    if unknown and len(weights) - len(unknown) < len(known):  # one for a label that these rows happen to lack is right
        raise ArgumentError(
            f"{name} must have weights for the labels {', '.join(map(repr, classes))}, got {unknown[0]!r}: "
            f"{given[unknown[0]]!r}, while {next(label for label in classes if label not in weights)!r} has none. "
            f"Write labels as they are in y, such as {{{classes[-1]!r}: 2.0}}."
        )
    return np.array([weights.get(label, 1.0) for label in classes])[numbers]
