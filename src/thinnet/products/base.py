"""What every way to multiply matrices offers."""

from __future__ import annotations

from typing import Protocol

from thinnet.typing import FloatArray


class Products(Protocol):
    """Products of matrices of one float dtype, written into arrays that are there."""

    name: str

    def matmul(self, a: FloatArray, b: FloatArray, out: FloatArray) -> None:
        """out = a · b; any of the three may be the transpose of what lies in memory row by row."""
        ...
