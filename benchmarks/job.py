"""What every contender of a benchmark receives: the shape of a net and the same data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Job:
    """One training step to time: affine → batch normalization → ReLU → dropout per hidden layer, Adam, float32."""

    hidden_dims: tuple[int, ...] = (500, 500, 500)
    batch_size: int = 100
    dropout: float = 0.5
    input_dim: int = 3072
    num_classes: int = 10
    num_rows: int = 20_000
    learning_rate: float = 1e-3

    def images(self) -> tuple[Any, Any]:
        """Random uint8 rows and labels: a step takes as long on noise as on images."""
        generator = np.random.default_rng(0)
        X = generator.integers(0, 256, (self.num_rows, self.input_dim), np.uint8)
        return X, generator.integers(self.num_classes, size=self.num_rows)

    def floats(self) -> tuple[Any, Any]:
        """The same rows as centered float32, as users of other libraries would prepare them."""
        X, y = self.images()
        return X.astype(np.float32) - X.mean(axis=0, dtype=np.float64).astype(np.float32), y

    def batches(self) -> Any:
        """Row numbers of batches, without end."""
        generator = np.random.default_rng(1)
        while True:
            order = generator.permutation(self.num_rows)
            for start in range(0, self.num_rows - self.batch_size + 1, self.batch_size):
                yield order[start : start + self.batch_size]
