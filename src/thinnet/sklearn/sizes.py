"""What "auto" stands for: how large a minibatch is, and how many passes there are, by the number of rows."""

from __future__ import annotations

SMALL_BATCH = 64
STEPS = 3000  # about as many as a small data set needs
FEWEST_PASSES, MOST_PASSES = 12, 200


def auto_batch_size(num_rows: int) -> int:
    """All rows up to about 64, then minibatches of about 64, so that few rows are left over."""
    return num_rows // max(1, round(num_rows / SMALL_BATCH))


def auto_max_iter(num_rows: int, batch_size: int) -> int:
    """Passes for about 3,000 steps, at least 12 and at most 200."""
    return min(max(STEPS * batch_size // num_rows, FEWEST_PASSES), MOST_PASSES)
