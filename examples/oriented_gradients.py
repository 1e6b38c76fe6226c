r"""Oriented gradients: a fixed transform of small color images that helps any kind of net learn faster.

Source: Dalal and Triggs, "Histograms of oriented gradients for human detection", CVPR 2005, simplified: directions are
assigned by projection instead of by angle, and a square root replaces the normalization of blocks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numba import njit

from thinnet import DataError, Dataset
from thinnet.data.fields import SPLITS
from thinnet.teams import THREAD_POOL, Share, share_out
from thinnet.typing import AnyArray, FloatArray

SIDE = 32  # pixels
PIXELS = SIDE * SIDE
CELL = 4  # side of the square cells that are summed over, in pixels
CELLS = SIDE // CELL
DIRECTIONS = 8
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
RED, GREEN, BLUE = LUMA
NUM_GRADIENTS = DIRECTIONS * CELLS * CELLS
NUM_FEATURES = NUM_GRADIENTS + 3 * CELLS * CELLS

ANGLES = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
COSINES, SINES = np.cos(ANGLES).astype(np.float32), np.sin(ANGLES).astype(np.float32)


def oriented_gradients(X: AnyArray) -> FloatArray:
    r"""Gradients in eight directions, summed over cells of 4 × 4 pixels, and the cells' mean colors.

    With (gx, gy) the differences of a gray pixel's right and left, lower and upper neighbors,

        feature[direction, cell] = √( Σ over the cell of max(0, gx · cos + gy · sin) )

    The transform has no learned parameters.

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

    share_out(THREAD_POOL, X.size, _fill_features, X, out, COSINES, SINES)
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


def readable(images: FloatArray) -> FloatArray:
    """The features of (N, 3, 32, 32) images, computed with NumPy; the fast loops are tested against it."""
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


@njit(inline="always", nogil=True)
def _fill_gray(image: AnyArray, gray: FloatArray) -> None:
    """Fill in the gray image and a one-pixel border that repeats the edge; the corners are not read."""
    for row in range(SIDE):
        for column in range(SIDE):
            p = row * SIDE + column
            gray[row + 1, column + 1] = RED * image[p] + GREEN * image[PIXELS + p] + BLUE * image[2 * PIXELS + p]
    for i in range(1, SIDE + 1):
        gray[0, i], gray[SIDE + 1, i] = gray[1, i], gray[SIDE, i]
    for i in range(1, SIDE + 1):
        gray[i, 0], gray[i, SIDE + 1] = gray[i, 1], gray[i, SIDE]


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})  # reordered sums allow vector instructions
def _fill_features(share: Share, X: AnyArray, out: FloatArray, cosines: FloatArray, sines: FloatArray) -> None:
    """Fill `out`, (N, 704) float32, with the features of the share's images, one at a time to stay in cache."""
    gray = np.empty((SIDE + 2, SIDE + 2), np.float32)
    sums = np.empty((DIRECTIONS, SIDE), np.float32)  # for one row of cells, by pixel column
    zero = np.float32(0)
    _, _, first, end, parts = share
    for i in range(first * X.shape[0] // parts, end * X.shape[0] // parts):
        _fill_gray(X[i], gray)
        for cell_row in range(CELLS):
            sums[:] = zero
            for row in range(cell_row * CELL, (cell_row + 1) * CELL):
                for d in range(DIRECTIONS):
                    for column in range(SIDE):  # contiguous, to allow vector instructions
                        gx = gray[row + 1, column + 2] - gray[row + 1, column]
                        gy = gray[row + 2, column + 1] - gray[row, column + 1]
                        along = gx * cosines[d] + gy * sines[d]
                        sums[d, column] += along if along > zero else zero
            for d in range(DIRECTIONS):
                for cell_column in range(CELLS):
                    total = zero
                    for column in range(cell_column * CELL, (cell_column + 1) * CELL):
                        total += sums[d, column]
                    out[i, (d * CELLS + cell_row) * CELLS + cell_column] = np.sqrt(total)
        for channel in range(3):
            for cell_row in range(CELLS):
                for cell_column in range(CELLS):
                    total = zero
                    for row in range(cell_row * CELL, (cell_row + 1) * CELL):
                        for column in range(cell_column * CELL, (cell_column + 1) * CELL):
                            total += np.float32(X[i, channel * PIXELS + row * SIDE + column])
                    feature = NUM_GRADIENTS + (channel * CELLS + cell_row) * CELLS + cell_column
                    out[i, feature] = total / np.float32(CELL * CELL)
