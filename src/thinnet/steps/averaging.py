"""The exponential average of weights, readably, and the truth for the kernel."""

from typing import Any

from thinnet.subnormal import settled
from thinnet.typing import FloatArray


def inplace_average(average: FloatArray, w: FloatArray, share: Any) -> None:
    """average += share · (w − average), without subnormal numbers; see `thinnet.subnormal`."""
    average[:] = settled(average + share * (w - average))
