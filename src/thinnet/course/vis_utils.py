"""A grid of images, as the courses' notebooks show weights."""

import math

import numpy as np

from thinnet.errors import ArgumentError
from thinnet.typing import AnyArray, FloatArray


def visualize_grid(Xs: AnyArray, ubound: float = 255.0, padding: int = 1) -> FloatArray:
    """Lay images out in a square grid, each stretched to the range from 0 to `ubound`.

    Args:
        Xs: (N, H, W, C) images.
        ubound: the largest value of the result.
        padding: empty pixels between images.

    Returns:
        A float array (G, G', C): the grid, filled row by row; pixels outside the images are 0.

    Raises:
        ArgumentError: if `Xs` does not have four axes, or has no images.

    >>> visualize_grid(np.arange(16.0).reshape(4, 2, 2, 1)).shape
    (5, 5, 1)
    """
    if np.ndim(Xs) != 4 or not len(Xs):
        raise ArgumentError(f"Xs must have shape (N, H, W, C) with N > 0, got {np.shape(Xs)}.")
    count, height, width, channels = Xs.shape
    side = math.ceil(math.sqrt(count))
    grid = np.zeros((side * (height + padding) - padding, side * (width + padding) - padding, channels))
    for number, image in enumerate(Xs):
        row, column = divmod(number, side)
        top, left = row * (height + padding), column * (width + padding)
        low, high = float(image.min()), float(image.max())
        stretched = ubound * (image - low) / (high - low if high > low else 1)
        grid[top : top + height, left : left + width] = stretched
    return grid
