"""Detects when training has stopped improving."""

import math
from collections.abc import Sequence

from thinnet.history import History


def compared(history: History, measure: str) -> list[float]:
    """The validation scores that training compares: higher is better.

    They are the recorded ones, except for R² if all targets are equal: it is then 1 or 0, which does not show progress,
    so the negative loss is used.
    """
    constant = measure == "R²" and set(history.val_accuracy) <= {0.0, 1.0} and history.val_loss
    return [-loss for loss in history.val_loss] if constant else history.val_accuracy


def since_improvement(scores: Sequence[float], tol: float = 0.0) -> int:
    """How many of the last scores did not exceed the best one before them by more than `tol`.

    Args:
        scores: one for each evaluation; higher is better.
        tol: the smallest improvement that counts.

    >>> since_improvement([0.5, 0.7, 0.6, 0.7])
    2
    """
    best, since = -math.inf, 0
    for score in scores:
        since = 0 if score > best + tol else since + 1
        best = max(best, score)
    return since
