"""Thinnet with one mask for the whole batch: the step runs on the thinned network."""

from collections.abc import Callable

from contenders import thinnet_net
from job import Job


def build(job: Job) -> Callable[[], object]:
    """One step of the Solver's update, on the kept units alone."""
    return thinnet_net.build(job, dropout_mask="batch")
