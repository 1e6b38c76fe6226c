"""The exponential average of weights, in readable form: the reference for the kernel."""

from typing import Any

from thinnet.subnormal import settled
from thinnet.teams import Share
from thinnet.typing import FloatArray


def inplace_average(share: Share, average: FloatArray, w: FloatArray, portion: Any) -> None:
    """average += portion · (w − average), without subnormal numbers; see `thinnet.subnormal`."""
    _, _, first, end, parts = share
    piece = slice(first * w.size // parts, end * w.size // parts)
    average[piece] = settled(average[piece] + portion * (w[piece] - average[piece]))
