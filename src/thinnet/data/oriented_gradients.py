r"""Oriented gradients: a fixed transform of small color images that nets of any kind learn faster from.

Source: Dalal and Triggs, "Histograms of oriented gradients for human detection", CVPR 2005, simplified: directions are
shared out by projection instead of by angle, and a square root takes the place of the normalization of blocks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from thinnet import kernels
from thinnet.data.dataset import ROWS_AT_ONCE, SPLITS, Dataset
from thinnet.errors import DataError
from thinnet.kernels.cells import CELL, CELLS, DIRECTIONS, LUMA, NUM_GRADIENTS, SIDE
from thinnet.teams import THREAD_POOL, over_rows
from thinnet.typing import AnyArray, FloatArray

NUM_FEATURES = NUM_GRADIENTS + 3 * CELLS * CELLS

_ANGLES = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
COSINES, SINES = np.cos(_ANGLES).astype(np.float32), np.sin(_ANGLES).astype(np.float32)


def oriented_gradients(X: AnyArray) -> FloatArray:
    r"""Gradients in eight directions, summed over cells of 4 × 4 pixels, beside the cells' mean colors.

    With (gx, gy) the differences of a gray pixel's right and left, lower and upper neighbors,

        feature[direction, cell] = √( Σ over the cell of max(0, gx · cos + gy · sin) )

    Nothing in it is learned.

    Args:
        X: (N, 3072) images of 3 × 32 × 32, channel by channel, of any real dtype.

    Returns:
        (N, 704) float32: 8 × 8 × 8 gradients (direction, row, column), then 3 × 8 × 8 colors.

    Raises:
        DataError: if `X` has another shape.

    >>> oriented_gradients(np.zeros((2, 3072), np.uint8)).shape
    (2, 704)
    """
    if X.ndim != 2 or X.shape[1] != 3 * SIDE * SIDE:
        raise DataError(
            f"X must have shape (N, 3072), images of 3 x 32 x 32 pixels, got {X.shape}. Flatten each image."
        )
    out = np.empty((len(X), NUM_FEATURES), np.float32)
    if kernels.available():
        from thinnet.kernels.oriented_gradients import fill_features

        over_rows(
            lambda start, stop: fill_features(X[start:stop], out[start:stop], COSINES, SINES),
            len(X),
            X.size,
            THREAD_POOL,
        )
        return out
    for start in range(0, len(X), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        out[part] = _features(X[part].astype(np.float32).reshape(-1, 3, SIDE, SIDE))
    return out


def with_oriented_gradients(data: Dataset) -> Dataset:
    """The same data set with its images transformed, not standardized.

    Raises:
        DataError: if the images are not 3 × 32 × 32.
    """
    changed: dict[str, Any] = {
        f"X_{split}": oriented_gradients(getattr(data, f"X_{split}")) for split in SPLITS if data.num_rows(split)
    }
    none, one = np.zeros((), np.float32), np.ones((), np.float32)
    return replace(data, **changed, image_shape=None, shift=none, scale=one)


def _features(images: FloatArray) -> FloatArray:
    """The features of (N, 3, 32, 32) images."""
    gray = np.einsum("c,ncij->nij", LUMA, images)
    padded = np.pad(gray, ((0, 0), (1, 1), (1, 1)), mode="edge")
    gx = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    gy = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    along = [np.maximum(gx * c + gy * s, 0) for c, s in zip(COSINES, SINES, strict=True)]
    gradients = np.sqrt(_cells(np.stack(along, axis=1)))
    colors = _cells(images) / CELL**2
    return np.concatenate([gradients, colors], axis=1).reshape(len(images), -1)


def _cells(planes: FloatArray) -> FloatArray:
    """Sums over the cells of (N, K, 32, 32) planes: (N, K, 8, 8)."""
    sums: FloatArray = planes.reshape(*planes.shape[:2], CELLS, CELL, CELLS, CELL).sum(axis=(3, 5))
    return sums
