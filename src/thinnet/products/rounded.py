"""Products of numbers rounded to bfloat16, if the processor has no instructions for them: slower than float32."""

from thinnet.bfloat16 import rounded
from thinnet.products.base import Products
from thinnet.typing import AnyArray, FloatArray


class RoundedProducts:
    """Rounds both factors first, then lets `inner` multiply."""

    def __init__(self, inner: Products) -> None:
        self._inner, self.name, self.team = inner, inner.name, inner.team

    def matmul(self, a: AnyArray, b: AnyArray, out: FloatArray) -> None:
        """out = a · b, in float32."""
        self._inner.matmul(rounded(a), rounded(b), out)
