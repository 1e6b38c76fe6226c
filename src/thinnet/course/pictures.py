"""Reading and resizing pictures as the courses' notebooks do, where what they import for it is not there today."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from thinnet.course.finder import stand_ins
from thinnet.course.saying import say
from thinnet.errors import require
from thinnet.typing import AnyArray, FloatArray

DRAWN = {"kitten": (300, 400), "puppy": (300, 300)}  # the course's pictures: one is wide, the other square


def imread(path: Any) -> AnyArray:
    """A picture as a uint8 array (H, W, 3); for one of the course's that is not there, a drawn one, which says so.

    Raises:
        FileNotFoundError: if another picture is not there.

    >>> imread("notebook_images/puppy.jpg").shape
    [thinnet] notebook_images/puppy.jpg: it is not there; a drawn picture takes its place
    (300, 300, 3)
    """
    if Path(path).stem in DRAWN and not Path(path).exists():
        say(str(path), "it is not there; a drawn picture takes its place")
        rows, columns = np.ogrid[: DRAWN[Path(path).stem][0], : DRAWN[Path(path).stem][1]]
        rings = 128 + 127 * np.sin(np.hypot(rows - 150, columns - 150) / 12)
        return np.stack([rings, 255 - rings, rings // 2], axis=-1).astype(np.uint8)
    return np.asarray(_pillow().open(path).convert("RGB"))


def imresize(image: AnyArray, size: tuple[int, int]) -> AnyArray:
    """A picture of `size` (H, W), as uint8.

    >>> imresize(np.zeros((4, 6, 3)), (2, 3)).shape
    (2, 3, 3)
    """
    picture = _pillow().fromarray(np.asarray(image).astype(np.uint8))
    return np.asarray(picture.resize((size[1], size[0])))


def resize(image: AnyArray, size: tuple[int, int], **options: Any) -> FloatArray:
    """A picture of `size` (H, W), in floats from 0 to 1 where it was one of integers."""
    whole = np.asarray(image).dtype.kind in "iu"
    scaled = imresize(image if whole else np.asarray(image) * 255, size)
    return np.asarray(scaled / 255)


def _pillow() -> Any:
    return require("PIL.Image", extra="course", purpose="reading or resizing a picture")


MODULES: dict[str, dict[str, Any]] = {
    "imageio": {"imread": imread},
    "imageio.v2": {"imread": imread},
    "skimage": {},
    "skimage.transform": {"resize": resize},
    "scipy.misc": {"imread": imread, "imresize": imresize},
}


FINDER = stand_ins(MODULES, empty="scipy.misc")


def install() -> None:
    """Make the modules above importable, before the empty one is found."""
    if FINDER not in sys.meta_path:
        sys.meta_path.insert(0, FINDER)
