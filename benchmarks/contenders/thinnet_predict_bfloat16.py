"""Thinnet: the same predictions in mixed precision."""

from collections.abc import Callable

from contenders import thinnet_predict
from job import Job


def build(job: Job) -> Callable[[], object]:
    """One call of ``predict``."""
    return thinnet_predict.build(job, "bfloat16")
