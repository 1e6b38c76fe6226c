"""Thinnet in mixed precision: what is multiplied is rounded to bfloat16."""

from collections.abc import Callable

from contenders import thinnet_net
from job import Job
from thinnet.errors import ArgumentError


def build(job: Job) -> Callable[[], object]:
    """One step of the solver."""
    try:
        return thinnet_net.build(job, precision="bfloat16")
    except ArgumentError as error:  # the machine has no fast products of bfloat16 numbers
        raise ImportError(str(error)) from error
