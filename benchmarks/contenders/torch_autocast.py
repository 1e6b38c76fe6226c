"""PyTorch, eager, with bfloat16 autocast and its fused Adam."""

from collections.abc import Callable
from functools import partial

import torch

from contenders.torch_eager import build_step
from job import Job


def build(job: Job) -> Callable[[], object]:
    """The eager step, its forward pass in mixed precision."""
    return build_step(job, lambda net: net, partial(torch.autocast, "cpu", torch.bfloat16))
