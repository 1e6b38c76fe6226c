"""The same net when the penalty has brought most of its weights to zero."""

from collections.abc import Callable

from contenders import thinnet_penalized
from job import Job


def build(job: Job) -> Callable[[], object]:
    """One step of the solver, late in training."""
    return thinnet_penalized.build(job, steps_before=4000)
