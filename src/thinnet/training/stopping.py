"""When training has stopped improving."""

import math
from collections.abc import Sequence


def since_improvement(scores: Sequence[float], tol: float = 0.0) -> int:
    """How many of the last scores did not exceed the best one before them by more than `tol`.

    Args:
        scores: one for each evaluation; higher is better.
        tol: the least improvement that counts.

    >>> since_improvement([0.5, 0.7, 0.6, 0.7])
    2
    """
    best, since = -math.inf, 0
    for score in scores:
        since = 0 if score > best + tol else since + 1
        best = max(best, score)
    return since
