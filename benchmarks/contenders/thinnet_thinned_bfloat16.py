"""Thinnet with one mask a batch, in mixed precision."""

from collections.abc import Callable

from contenders import thinnet_net
from job import Job
from thinnet.errors import ArgumentError


def build(job: Job) -> Callable[[], object]:
    """One step of the solver on the thinned network."""
    try:
        return thinnet_net.build(job, "batch", "bfloat16")
    except ArgumentError as error:  # the machine has no fast products of bfloat16 numbers
        raise ImportError(str(error)) from error
