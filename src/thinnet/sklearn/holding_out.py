"""Which rows early stopping holds out of training to score the net on."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from thinnet.checks import shortened
from thinnet.errors import ArgumentError
from thinnet.typing import AnyArray, IntArray

FEWEST_HELD = 2  # rows; R² of one row is undefined, and the accuracy of one row is meaningless


def split(
    labels: AnyArray | None, num_rows: int, fraction: float, *, seed: int, names: Sequence[Any] = (), fewest: int = 1
) -> tuple[IntArray, IntArray]:
    """The indices of the rows to train on and of those held out: ⌈fraction · N⌉, or as many as can be spared.

    Each class gives rows in proportion to its size and keeps at least one in training, so a class with a single row is
    only trained on. If a row may have several labels, each combination gives rows in proportion, and each label keeps
    one. ArgumentError if fewer than two rows would be held out, or fewer than `fewest` would be left.

    Args:
        labels: (N,) class indices, or (N, C) zeros and ones; None if the targets are not labels.
        names: what the user calls the classes.
    """
    wanted = math.ceil(fraction * num_rows)
    if num_rows < FEWEST_HELD + fewest:
        raise _refusal(
            f"have at least {FEWEST_HELD + fewest} rows, {FEWEST_HELD} of them to score the net on, got {num_rows} and "
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
            f"hold out at least {FEWEST_HELD} rows to score the net on, got validation_fraction={fraction:g} of "
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
    """All rows, shuffled so that each class is spread evenly over the order."""
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
    """For each label, the last of its rows in `order`."""
    backwards = order[::-1]
    if labels.ndim == 1:
        last = np.unique(labels[backwards], return_index=True)[1]
    else:
        has = labels[backwards] > 0
        last = has.argmax(axis=0)[has.any(axis=0)]
    kept: IntArray = backwards[last]
    return kept


def _single(labels: AnyArray | None, names: Sequence[Any]) -> str:
    """Which labels have only one row, for an error message."""
    if labels is None:
        return ""
    counts = np.bincount(labels, minlength=len(names)) if labels.ndim == 1 else (labels > 0).sum(axis=0)
    single = [name for name, count in zip(names, counts, strict=True) if count == 1]
    return f", since there is one row each of {shortened(single)}" if single else ""


def _refusal(expected_and_got: str, first_fix: str = "") -> ArgumentError:
    more = "more rows (those of weight 0 do not count)"
    fixes = f"{first_fix}, give {more}, or" if first_fix else f"Give {more} or"
    return ArgumentError(f"early_stopping must {expected_and_got}. {fixes} set early_stopping=False.")
