"""The kernel of `thinnet.data.augmentation`: gather rows, standardize and shift their pixels in one pass."""

from typing import Any

import numpy as np
from numba import uint64

from thinnet.kernels.compile import inline, inner, kernel
from thinnet.kernels.philox import philox
from thinnet.kernels.share import bounds, in_parts
from thinnet.masks import AUGMENTATION
from thinnet.typing import AnyArray, FloatArray, IntArray

BLOCK = 8  # pixels flipped together: a loop of fixed length is vectorized, even in short lines
Image = tuple[int, int, int]  # channels, height, width
Draws = tuple[  # how rows are augmented
    int,  # the row number of X's first row
    tuple[Any, Any],  # the seed's two words
    int,  # the step
    tuple[bool, int, int],  # `Augmentation.flips`
    tuple[int, bool, int],  # the maximum translation in pixels, whether borders are reflected, the cutout's side
    Image,
]


@kernel()
def augmented_rows(share: Any, *arguments: Any) -> None:
    """`thinnet.data.Dataset.augmented_batch` for the rows `rows` of X, each built in a scratch line and written once.

    `plain` and `flipped` are the shift and scale for an image and for its mirror image. `scratch` has a line for each
    part in the dtypes of X and of `out`.
    """
    in_parts(share, _augmented_rows, arguments)


@inner()
def _augmented_rows(
    X: AnyArray,
    rows: IntArray,
    draws: Draws,
    plain: tuple[FloatArray, FloatArray],
    flipped: tuple[FloatArray, FloatArray],
    out: FloatArray,
    scratch: tuple[AnyArray, FloatArray],
    part: int,
    parts: int,
) -> None:
    first_row, keys, step, (some, flip_step, side), (translate, reflect, cutout), image = draws
    _, height, width = image
    pixels, line = scratch[0][part, 0, : X.shape[1]], scratch[1][part, 0, : X.shape[1]]
    for i in range(*bounds(rows.size, part, parts)):
        source, row = X[rows[i]], first_row + rows[i]
        down, right, middle_y, middle_x = philox(0, row, step, AUGMENTATION, keys[0], keys[1])
        flip, _, _, _ = philox(1, row, flip_step, AUGMENTATION, keys[0], keys[1])
        dy, dx = _below(down, 2 * translate + 1) - translate, _below(right, 2 * translate + 1) - translate
        if some and _below(flip, 2) == side:
            _flip(source, pixels, width)
            _move(pixels, *flipped, line, image, dy, dx, reflect)
        else:
            for j in range(pixels.shape[0]):
                pixels[j] = source[j]
            _move(pixels, *plain, line, image, dy, dx, reflect)
        if cutout:
            _cut(line, image, _below(middle_y, height) - cutout // 2, _below(middle_x, width) - cutout // 2, cutout)
        for j in range(line.shape[0]):
            out[i, j] = line[j]


@inline()
def _below(word: Any, count: int) -> Any:
    """An integer from 0 to count − 1, from 32 random bits."""
    return np.int64((uint64(word) * uint64(count)) >> uint64(32))


@inline()
def _flip(source: AnyArray, out: AnyArray, width: int) -> None:
    in_blocks = width - width % BLOCK
    for start in range(0, out.shape[0], width):
        for first in range(0, in_blocks, BLOCK):
            # An unsigned index cannot be negative, so no pixel needs a test for indexing from the array's end.
            to, last = uint64(start + first), uint64(start + width - 1 - first)
            for b in range(BLOCK):
                out[to + uint64(b)] = source[last - uint64(b)]
        for x in range(in_blocks, width):
            out[start + x] = source[start + width - 1 - x]


@inner()
def _move(
    pixels: AnyArray,
    shift: FloatArray,
    scale: FloatArray,
    line: FloatArray,
    image: Image,
    dy: int,
    dx: int,
    reflect: bool,
) -> None:
    """line[c, y, x] = pixels[c, y + dy, x + dx], standardized; outside the image, zero or reflected."""
    channels, height, width = image
    size, offset = height * width, dy * width + dx
    for c in range(channels):
        # First all of it as one run of pixels, which is fast, but wrong at the borders.
        low, high = c * size + max(0, offset), (c + 1) * size + min(0, offset)
        run, means, scales, to = pixels[low:high], shift[low:high], scale[low:high], line[low - offset : high - offset]
        for j in range(high - low):
            to[j] = (run[j] - means[j]) * scales[j]
        for y in range(height):
            first, last = (width - dx, width) if dx > 0 else (0, -dx)
            if not 0 <= y + dy < height:
                first, last = 0, width
            start, origin = (c * height + y) * width, (c * height + _reflected(y + dy, height)) * width
            if reflect:
                for x in range(first, last):
                    at = uint64(origin + _reflected(x + dx, width))
                    line[uint64(start + x)] = (pixels[at] - shift[at]) * scale[at]
            else:
                for x in range(first, last):
                    line[uint64(start + x)] = 0


@inline()
def _reflected(at: int, size: int) -> int:
    at = -at if at < 0 else at
    return 2 * (size - 1) - at if at >= size else at


@inline()
def _cut(line: FloatArray, image: Image, top: int, left: int, side: int) -> None:
    """Set the part of a square that lies within the image to zero."""
    channels, height, width = image
    for c in range(channels):
        for y in range(max(0, top), min(height, top + side)):
            for x in range(max(0, left), min(width, left + side)):
                line[(c * height + y) * width + x] = 0
