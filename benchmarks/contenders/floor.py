"""No contender but the floor: the step's matrix products alone, and one pass over the optimizer's memory."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from job import Job
from thinnet.products.choose import products


def build(job: Job, name: str = "numpy", rounded: bool = False) -> Callable[[], object]:
    """All products of forward and backward, then reading and writing what Adam reads and writes."""
    rng = np.random.default_rng(0)
    dims = [job.input_dim, *job.hidden_dims, job.num_classes]
    weights: list[Any] = [rng.standard_normal(pair).astype(np.float32) for pair in pairwise(dims)]
    values: list[Any] = [rng.standard_normal((job.batch_size, dim)).astype(np.float32) for dim in dims]
    outs = [np.empty_like(value) for value in values]
    gradients = [np.empty_like(w) for w in weights]
    size = sum(w.size for w in weights)
    w, m, v, dw = (np.ones(size, np.float32) for _ in range(4))
    matmul = products(name, rounded=rounded).matmul

    def step() -> None:
        for i, weight in enumerate(weights):
            matmul(values[i], weight, outs[i + 1])
        for i in reversed(range(len(weights))):
            matmul(values[i].T, values[i + 1], gradients[i])
            if i:
                matmul(values[i + 1], weights[i].T, outs[i])
        # Four arrays read, three of them written: 28 bytes a parameter, in the fewest passes that NumPy has.
        np.add(w, dw, out=w)
        np.copyto(m, v)
        np.copyto(v, w)

    return step
