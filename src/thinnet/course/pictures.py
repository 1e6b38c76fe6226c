"""Stand-ins for the image functions that the courses' notebooks import, where these are missing today."""

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from thinnet.course.finder import stand_ins
from thinnet.course.saying import say
from thinnet.errors import require
from thinnet.typing import AnyArray, FloatArray

DRAWN = {"kitten": (300, 400), "puppy": (300, 300)}  # the course's pictures: one is wide, the other square


def imread(
    path: Any,
    flatten: bool = False,
    mode: str | None = None,
    as_gray: bool = False,
    pilmode: str | None = None,
    **_: Any,
) -> AnyArray:
    """Read a picture as a uint8 array (H, W, 3); if one of the course's pictures is missing, draw one and say so.

    With `mode`, one of Pillow's modes, convert to that; with `flatten`, to gray levels in floats; imageio calls these
    two `pilmode` and `as_gray`.

    Raises:
        FileNotFoundError: if any other picture is missing.

    >>> imread("notebook_images/puppy.jpg").shape
    [thinnet] notebook_images/puppy.jpg: there is no such file; using a drawn picture instead
    (300, 300, 3)
    """
    name = Path(path).stem if isinstance(path, str | os.PathLike) else ""  # of an open file
    if name in DRAWN and not Path(path).exists():
        say(str(path), "there is no such file; using a drawn picture instead")
        rows, columns = np.ogrid[: DRAWN[name][0], : DRAWN[name][1]]
        rings = 128 + 127 * np.sin(np.hypot(rows - 150, columns - 150) / 12)
        return np.stack([rings, 255 - rings, rings // 2], axis=-1).astype(np.uint8)
    return np.asarray(_pillow().open(path).convert("F" if flatten or as_gray else mode or pilmode or "RGB"))


def bytescale(data: AnyArray, cmin: float | None = None, cmax: float | None = None) -> AnyArray:
    """Scale numbers to uint8: the smallest, or `cmin`, to 0, and the largest, or `cmax`, to 255; uint8 stays unchanged.

    >>> bytescale(np.array([0.0, 0.5, 1.0]))
    array([  0, 128, 255], dtype=uint8)
    """
    data = np.asarray(data)
    if data.dtype == np.uint8:
        return data
    low, high = (data.min() if cmin is None else cmin), (data.max() if cmax is None else cmax)
    scaled = (data - float(low)) * (255 / (float(high - low) or 1))
    return np.asarray((scaled.clip(0, 255) + 0.5).astype(np.uint8))


def toimage(arr: AnyArray, cmin: float | None = None, cmax: float | None = None) -> Any:
    """Convert an array (H, W), (H, W, 3) or (3, H, W) to a Pillow image, scaled by `bytescale`."""
    data = bytescale(arr, cmin, cmax)
    if data.ndim == 3 and data.shape[-1] != 3:
        data = np.moveaxis(data, data.shape.index(3 if 3 in data.shape else 4), -1)
    return _pillow().fromarray(np.ascontiguousarray(data))


def imsave(name: Any, arr: AnyArray, format: str | None = None) -> None:
    """Write a picture to a file, scaled by `bytescale`."""
    toimage(arr).save(name, format)


def imresize(arr: AnyArray, size: Any, interp: str = "bilinear", mode: str | None = None) -> AnyArray:
    """Resize a picture to `size`: (H, W), an integer percentage or a float fraction; uint8, scaled by `bytescale`.

    >>> imresize(np.zeros((4, 6, 3)), (2, 3)).shape, imresize(np.zeros((4, 6)), 0.5).shape
    ((2, 3, 3), (2, 3))
    """
    picture = toimage(arr)
    if isinstance(size, (int, float, np.number)):
        fraction = size / 100 if isinstance(size, (int, np.integer)) else size
        width, height = (int(length * fraction) for length in picture.size)
    else:
        height, width = size
    kinds = _pillow().Resampling
    kind = kinds.BICUBIC if interp == "cubic" else kinds[interp.upper()]
    return np.asarray((picture.convert(mode) if mode else picture).resize((int(width), int(height)), resample=kind))


def resize(image: AnyArray, size: tuple[int, int], preserve_range: bool = False, **options: Any) -> FloatArray:
    """Resize a picture to `size` (H, W); the result is floats, from 0 to 1 for integers unless `preserve_range`."""
    image = np.asarray(image)
    whole = image.dtype.kind in "iu"
    planes = np.moveaxis(np.atleast_3d(image), -1, 0).astype(np.uint8 if whole else np.float32)
    resized = [np.asarray(_pillow().fromarray(plane).resize((size[1], size[0])), np.float64) for plane in planes]
    scale = 255 if whole and not preserve_range else 1
    return np.stack(resized, axis=-1).reshape(*size[:2], *image.shape[2:]) / scale


def _elsewhere_in_scipy(name: str) -> Any:
    """Other names of ``scipy.misc`` that SciPy still has, in another module."""
    if name in ("logsumexp", "comb", "factorial", "factorial2", "factorialk"):
        return getattr(importlib.import_module("scipy.special"), name)
    raise AttributeError(f"SciPy has removed scipy.misc; of it, Thinnet has {', '.join(OF_SCIPY)}, but not {name!r}")


def _pillow() -> Any:
    return require("PIL.Image", extra="course", purpose="reading or resizing a picture")


OF_SCIPY = {function.__name__: function for function in (imread, imresize, imsave, toimage, bytescale)}
MODULES: dict[str, dict[str, Any]] = {
    "imageio": {"imread": imread},
    "imageio.v2": {"imread": imread},
    "skimage": {},
    "skimage.transform": {"resize": resize},
    "scipy.misc": {**OF_SCIPY, "__getattr__": _elsewhere_in_scipy},
}


FINDER = stand_ins(MODULES, empty="scipy.misc")


def install() -> None:
    """Make the modules above importable, ahead of SciPy's own, empty ``scipy.misc``."""
    if FINDER not in sys.meta_path:
        sys.meta_path.insert(0, FINDER)
