r"""Augmentation: random flips, translations and cutout of training images, different in each step.

An image is first standardized, then flipped, translated, and cut out.  Pixels from outside the image become zero, which
is the mean.  If it were translated first, a pixel would be standardized with the statistics of its new position, and be
divided by almost zero where they hardly vary, as at the borders of handwritten digits.  With the standardization
``"global"`` the order makes no difference.

The result is a pure function of the solver's seed, the step, and the number r of the image among the training rows of
all processes; it does not depend on other rows, threads or processes.  The random numbers are the words of two Philox
counters (see `thinnet.masks`), ``(0, r, step, 2³² − 1)`` and ``(1, r, step, 2³² − 1)``: how far to move down and right,
the center of the square, and whether to flip.  A word w picks number ``w · n >> 32`` of n choices.  Alternating flips
are drawn as if in step 0, and inverted in every other epoch.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from thinnet.checks import check_choice, check_number
from thinnet.data.checking import check_fits
from thinnet.errors import ArgumentError
from thinnet.masks import AUGMENTATION, LOW, philox
from thinnet.typing import AnyArray, IntArray

FLIPS = ("none", "random", "alternating")
PADDING_MODES = ("zeros", "reflect")
COLORS, MOST_CHANNELS = 3, 4  # red, green, blue; and alpha


@dataclass(frozen=True)
class Augmentation:
    """How training images are augmented.

    Args:
        flip: horizontal flips: ``"random"`` with probability ½ in each step; ``"alternating"`` in every second epoch,
            starting with the first or the second, drawn at random for each image; or ``"none"``.
        translate: the most pixels by which images are moved, vertically and horizontally, each distance equally likely.
        padding_mode: what fills the border after a translation: ``"zeros"``, which is the mean after standardization;
            or ``"reflect"``, the image mirrored about the centers of its edge pixels, which are not repeated.
        cutout: the side of a square whose pixels become the mean; its center is a random pixel of the image, so parts
            of it may lie outside. 0 for none.
        image_shape: (channels, height, width), or (height, width), of a row.

    Raises:
        ArgumentError: if an argument is outside its limits.

    Source: Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", arXiv:2404.00498 (2024), for alternating flips;
    DeVries and Taylor, "Improved regularization of convolutional neural networks with cutout", arXiv:1708.04552 (2017).
    """

    flip: str = "none"
    translate: int = 0
    padding_mode: str = "zeros"
    cutout: int = 0
    image_shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for name, choices in (("flip", FLIPS), ("padding_mode", PADDING_MODES)):
            object.__setattr__(self, name, str(check_choice(name, getattr(self, name), choices)))
        for name in ("translate", "cutout"):
            object.__setattr__(self, name, check_number(name, getattr(self, name)))
        if self:
            shape = checked_image_shape(self.image_shape)
            object.__setattr__(self, "image_shape", shape)
            side = min(shape[1:])
            for name, most in (("translate", side - 1), ("cutout", side)):
                if getattr(self, name) > most:
                    raise ArgumentError(
                        f"{name} must be at most {most} for images of {shape[1]} x {shape[2]} pixels, got "
                        f"{getattr(self, name)}. An eighth of the side is usual for translate, a quarter for cutout."
                    )

    def __bool__(self) -> bool:
        """Whether any augmentation is turned on."""
        return self.flip != "none" or self.translate > 0 or self.cutout > 0

    @property
    def image(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        assert self.image_shape is not None
        channels, height, width = self.image_shape
        return channels, height, width

    def flips(self, step: int, epoch: int) -> tuple[bool, int, int]:
        """Whether to flip at all, the step whose draw decides, and the draw, 1 or 0, that means to flip."""
        alternating = self.flip == "alternating"
        return self.flip != "none", 0 if alternating else step, 1 - epoch % 2 if alternating else 1

    def origins(self, rows: IntArray, *, seed: int, step: int, epoch: int) -> IntArray:
        """The source of each pixel of these rows in a step.

        Args:
            rows: (N,) numbers among the training rows of all processes.
            seed, step, epoch: of the minibatch.

        Returns:
            (N, D): the source column of each column of a row, −1 where it becomes the mean.
        """
        seed, step, epoch = check_number("seed", seed), check_number("step", step), check_number("epoch", epoch, "step")
        channels, height, width = self.image
        some, flip_step, flipped = self.flips(step, epoch)
        down, right, middle_y, middle_x = _words(0, rows, step, seed)
        flip = (_below(_words(1, rows, flip_step, seed)[0], 2) == flipped) & some
        y: IntArray = np.arange(height) + _below(down, 2 * self.translate + 1) - self.translate
        x: IntArray = np.arange(width) + _below(right, 2 * self.translate + 1) - self.translate
        if self.padding_mode == "reflect":
            y, x = _reflected(y, height), _reflected(x, width)
        outside = ((y < 0) | (y >= height))[:, :, None] | ((x < 0) | (x >= width))[:, None, :]
        cut = self._in_square(height, middle_y)[:, :, None] & self._in_square(width, middle_x)[:, None, :]
        from_x = np.where(flip, width - 1 - x, x)
        pixels = np.where(outside | cut, -1, y[:, :, None] * width + from_x[:, None, :])[:, None]
        planes = height * width * np.arange(channels)[:, None, None]
        return np.where(pixels < 0, -1, planes + pixels).reshape(len(rows), channels * height * width)

    def _in_square(self, side: int, middle: AnyArray) -> AnyArray:
        """(N, side): whether each line of pixels crosses the cutout square."""
        first = _below(middle, side) - self.cutout // 2
        at = np.arange(side)
        return (at >= first) & (at < first + self.cutout)


def checked_augmentation(augmentation: Any, columns: int) -> Augmentation | None:
    """The augmentation, if it fits rows with this many columns; None if it does nothing.

    Raises:
        ArgumentError: if it does not fit, or is not an Augmentation.
    """
    if not isinstance(augmentation, Augmentation | None):
        raise ArgumentError(
            f"augmentation must be an Augmentation or None, got {augmentation!r}. Write data.augmented(flip='random'), "
            f"for example."
        )
    if not augmentation:
        return None
    check_fits(augmentation.image, columns)
    return augmentation


def checked_image_shape(shape: Any, name: str = "image_shape") -> tuple[int, int, int]:
    """(channels, height, width), from these or from (height, width).

    Raises:
        ArgumentError: if it is neither, or has its channels last.
    """
    if not isinstance(shape, tuple | list) or len(shape) not in (2, 3):
        raise ArgumentError(
            f"{name} must be (channels, height, width) or (height, width), got {shape!r}. Say what shape a row "
            f"had before it was flattened, such as {name}=(3, 32, 32)."
        )
    channels, height, width = (check_number(name, size, "image_shape") for size in (1, *shape)[-3:])
    if width <= MOST_CHANNELS and channels > max(COLORS, width):
        raise ArgumentError(
            f"{name} must be (channels, height, width), got {tuple(shape)}, with the channels last. Move them: "
            f"X = X.reshape(-1, {channels}, {height}, {width}).transpose(0, 3, 1, 2)."
        )
    return channels, height, width


def flip_shape(X: Any, flip: Any) -> tuple[int, int, int] | None:
    """(channels, height, width) of the rows of X if they are to be flipped: from `flip` itself or, if it is True, from
    the axes of X after the first; None if it is False.

    Raises:
        ArgumentError: if that is not the shape of an image, or does not fit these rows.
    """
    if isinstance(flip, bool | np.bool_):
        return checked_image_shape(np.shape(X)[1:], "flip") if flip else None
    shape = checked_image_shape(flip, "flip")
    check_fits(shape, math.prod(np.shape(X)[1:]), name="flip")
    return shape


def flipped(rows: AnyArray, shape: tuple[int, int, int]) -> AnyArray:
    """(N, D) rows of images of this shape, flipped horizontally, as a new array."""
    return rows.reshape(-1, *shape)[..., ::-1].reshape(rows.shape)


def _words(counter: int, rows: IntArray, step: int, seed: int) -> list[AnyArray]:
    """The four words of a counter for each row: (N, 1) uint64 of 32 random bits."""
    row, number = rows.astype(np.uint64)[:, None] & LOW, np.uint64(step) & LOW
    return philox((np.uint64(counter), row, number, np.uint64(AUGMENTATION)), (seed & 0xFFFFFFFF, seed >> 32))


def _below(words: AnyArray, count: int) -> IntArray:
    """Integers from 0 to count − 1."""
    return (words * np.uint64(count) >> np.uint64(32)).astype(np.int64)


def _reflected(at: IntArray, size: int) -> IntArray:
    """Positions outside the range reflected back into it, without repeating the ends."""
    at = np.abs(at)
    return np.where(at >= size, 2 * (size - 1) - at, at)
