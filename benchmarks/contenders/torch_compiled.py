"""PyTorch, compiled, with its fused Adam."""

from collections.abc import Callable

import torch

from contenders.torch_eager import build_step
from job import Job


def build(job: Job) -> Callable[[], object]:
    """The eager step with the net through ``torch.compile``."""
    return build_step(job, torch.compile)
