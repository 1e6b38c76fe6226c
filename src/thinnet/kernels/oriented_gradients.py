"""The kernel of `thinnet.data.oriented_gradients`: an image at a time, in the fastest cache."""

from __future__ import annotations

import numpy as np

from thinnet.kernels.cells import CELL, CELLS, DIRECTIONS, LUMA, NUM_GRADIENTS, SIDE
from thinnet.kernels.compile import inline, reordering_kernel
from thinnet.typing import AnyArray, FloatArray

_PIXELS = SIDE * SIDE
_RED, _GREEN, _BLUE = LUMA[0], LUMA[1], LUMA[2]


@inline()
def _fill_gray(image: AnyArray, gray: FloatArray) -> None:
    """The gray image with a border of one pixel that repeats the edge."""
    for row in range(SIDE):
        for column in range(SIDE):
            p = row * SIDE + column
            gray[row + 1, column + 1] = _RED * image[p] + _GREEN * image[_PIXELS + p] + _BLUE * image[2 * _PIXELS + p]
    gray[0, :] = gray[1, :]
    gray[SIDE + 1, :] = gray[SIDE, :]
    gray[:, 0] = gray[:, 1]
    gray[:, SIDE + 1] = gray[:, SIDE]


@reordering_kernel()
def fill_features(X: AnyArray, out: FloatArray, cosines: FloatArray, sines: FloatArray) -> None:
    """Fill `out`, (N, 704) float32, with the features of the images in X."""
    gray = np.empty((SIDE + 2, SIDE + 2), np.float32)
    sums = np.empty((DIRECTIONS, SIDE), np.float32)  # of one row of cells, pixel column by pixel column
    zero = np.float32(0)
    for i in range(X.shape[0]):
        _fill_gray(X[i], gray)
        for cell_row in range(CELLS):
            sums[:] = zero
            for row in range(cell_row * CELL, (cell_row + 1) * CELL):
                for d in range(DIRECTIONS):
                    for column in range(SIDE):  # contiguous, so that it becomes vector instructions
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
                            total += np.float32(X[i, channel * _PIXELS + row * SIDE + column])
                    feature = NUM_GRADIENTS + (channel * CELLS + cell_row) * CELLS + cell_column
                    out[i, feature] = total / np.float32(CELL * CELL)
