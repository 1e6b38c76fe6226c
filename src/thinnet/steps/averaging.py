"""The exponential average of weights, readably, and the truth for the kernel."""

from typing import Any

from thinnet.subnormal import settled
from thinnet.teams import Share
from thinnet.typing import FloatArray


def inplace_average(share: Share, average: FloatArray, w: FloatArray, portion: Any) -> None:
    """average += portion · (w − average), without subnormal numbers; see `thinnet.subnormal`."""
    piece = slice(share.first * w.size // share.parts, share.end * w.size // share.parts)
    average[piece] = settled(average[piece] + portion * (w[piece] - average[piece]))
