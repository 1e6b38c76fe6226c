"""The sizes of oriented gradients, for the readable transform and for its kernel; Numba is not needed to read them."""

from __future__ import annotations

import numpy as np

SIDE = 32  # pixels
CELL = 4  # pixels on a side of the square cells that are summed over
CELLS = SIDE // CELL
DIRECTIONS = 8
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
NUM_GRADIENTS = DIRECTIONS * CELLS * CELLS
