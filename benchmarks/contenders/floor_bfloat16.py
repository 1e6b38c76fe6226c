"""The floor with products of numbers rounded to bfloat16."""

from collections.abc import Callable

from contenders import floor
from job import Job
from thinnet.products import blocked


def build(job: Job) -> Callable[[], object]:
    """As `floor.build`."""
    if not blocked.amx_usable():
        raise ImportError("the processor has no AMX")
    return floor.build(job, rounded=True)
