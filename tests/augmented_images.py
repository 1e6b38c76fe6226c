"""Small images for augmentation tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from thinnet import Dataset
from thinnet.typing import AnyArray

SEED = 2**40 + 7
HOW: dict[str, Any] = {"flip": "alternating", "translate": 1, "padding_mode": "reflect", "cutout": 2}


def images(rows: int, shape: tuple[int, ...], dtype: Any = np.uint8) -> AnyArray:
    return (np.random.default_rng(0).random((rows, *shape)) * 255).astype(dtype)


def make_data(rows: int = 30, shape: tuple[int, ...] = (3, 4, 5), dtype: Any = np.uint8, **options: Any) -> Dataset:
    X, y = images(rows, shape, dtype), np.arange(rows) % 3
    return Dataset(X, y, X[:9], y[:9], X[:6], y[:6]).standardized("feature").augmented(**options)
