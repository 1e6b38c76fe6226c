"""Verdicts from random draws, with bounds that hold exactly, not just asymptotically.

Each comparison wrongly accuses a right implementation with a probability of at most `ALPHA`.  A whole check makes fewer
than a hundred of them, so it is wrong less than once in 10⁶ runs, far less often than once in 10,000.
"""

import math

ALPHA = 1e-8


def unlikely(count: int, draws: int, probability: float) -> bool:
    """Whether `count` successes in `draws` independent draws are nearly impossible with this `probability`.

    Chernoff's bound: P(count/draws at least as far on the same side) ≤ exp(−draws · KL(count/draws ‖ probability)).

    >>> unlikely(3000, 10_000, 0.3), unlikely(3400, 10_000, 0.3)
    (False, True)
    """
    return draws * _divergence(count / draws, probability) > math.log(2 / ALPHA)


def differ(count: int, draws: int, other_count: int, other_draws: int) -> bool:
    """Whether two groups of independent draws cannot plausibly have the same probability (Hoeffding's inequality).

    >>> differ(300, 1000, 310, 1000), differ(300, 1000, 700, 1000)
    (False, True)
    """
    gap = abs(count / draws - other_count / other_draws)
    return 2 * gap * gap / (1 / draws + 1 / other_draws) > math.log(2 / ALPHA)


def _divergence(a: float, b: float) -> float:
    """The Kullback-Leibler divergence of two Bernoulli distributions, with 0 < b < 1."""
    first = a * math.log(a / b) if a else 0.0
    second = (1 - a) * math.log((1 - a) / (1 - b)) if a < 1 else 0.0
    return first + second
