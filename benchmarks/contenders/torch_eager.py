"""PyTorch, eager, with its fused Adam."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from job import Job


def build(job: Job) -> Callable[[], object]:
    """One step: index the rows, forward, backward, fused Adam."""
    return build_step(job, lambda net: net)


def build_step(
    job: Job, compiled: Callable[[Any], Any], precision: Callable[[], AbstractContextManager[Any]] = nullcontext
) -> Callable[[], object]:
    """The step of a net that goes through `compiled` first, its forward pass within `precision`."""
    torch.manual_seed(0)
    X, y = (torch.from_numpy(array) for array in job.floats())
    layers: list[Any] = []
    fan_in = job.input_dim
    for dim in job.hidden_dims:
        layers += [torch.nn.Linear(fan_in, dim), torch.nn.BatchNorm1d(dim), torch.nn.ReLU()]
        layers += [torch.nn.Dropout(job.dropout)]
        fan_in = dim
    net = torch.nn.Sequential(*layers, torch.nn.Linear(fan_in, job.num_classes))
    optimizer = torch.optim.Adam(net.parameters(), lr=job.learning_rate, fused=True)
    forward, loss_of, batches = compiled(net), torch.nn.CrossEntropyLoss(), job.batches()

    def step() -> float:
        rows = torch.from_numpy(next(batches))
        with precision():
            loss = loss_of(forward(X[rows]), y[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step
