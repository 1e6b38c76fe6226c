"""How well a model does on rows of a data set."""

from __future__ import annotations

from typing import Any

import numpy as np

from thinnet.data.dataset import ROWS_AT_ONCE, Dataset
from thinnet.errors import NumericalError
from thinnet.parallel import Ranks
from thinnet.training.updates import model_batch
from thinnet.typing import AnyArray, FloatArray, IntArray


def accuracy(model: Any, data: Dataset, split: str, rows: IntArray, ranks: Ranks) -> float:
    """The fraction of rows that are classified rightly; R² where targets are not labels.

    `rows` are numbers among all processes' rows. A score that is NaN or infinite in any process is an error in all.
    """
    _, own = data.held(split, rows)
    error, scored = None, []
    try:
        for start in range(0, len(own), ROWS_AT_ONCE):
            X, y = model_batch(model, data, split, own[start : start + ROWS_AT_ONCE])
            scored.append((model.loss(X), y))
    except NumericalError as caught:
        error = caught
    ranks.raise_first(error)
    if np.issubdtype(getattr(data, f"y_{split}").dtype, np.integer):
        right = sum(int((scores.argmax(axis=1) == y).sum()) for scores, y in scored)
        return ranks.sum(right)[0] / len(rows)
    return _r_squared(scored, len(rows), ranks)


def _r_squared(scored: list[tuple[FloatArray, AnyArray]], num_rows: int, ranks: Ranks) -> float:
    """1 − Σ (y − score)² / Σ (y − mean of y)² over all rows and columns."""
    sums = ranks.gather(sum((y.sum(axis=0, dtype=np.float64) for _, y in scored), start=np.zeros(())))
    mean = sum(sums[1:], start=sums[0]) / num_rows
    residual = sum(float(np.square(y - scores).sum(dtype=np.float64)) for scores, y in scored)
    total = sum(float(np.square(y - mean).sum()) for _, y in scored)
    residual, total = ranks.sum(residual, total)
    return 1 - residual / total if total else 0.0
