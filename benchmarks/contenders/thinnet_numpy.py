"""Thinnet with NumPy's products."""

from collections.abc import Callable

from contenders import thinnet_net
from job import Job


def build(job: Job) -> Callable[[], object]:
    """One step of the solver."""
    return thinnet_net.build(job, products="numpy")
