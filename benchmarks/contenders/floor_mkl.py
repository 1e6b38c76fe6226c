"""The floor with products by Intel MKL."""

from collections.abc import Callable

from contenders import floor
from job import Job
from thinnet.errors import MissingExtraError


def build(job: Job) -> Callable[[], object]:
    """As `floor.build`."""
    try:
        return floor.build(job, "mkl")
    except MissingExtraError as error:
        raise ImportError(str(error)) from error
