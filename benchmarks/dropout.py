"""Dropout alone, forward and backward, compared with a plain copy of the array; each contender in its own process."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

SIZES = (50_000, 1_000_000, 4_000_000, 16_000_000, 64_000_000)
WIDTH = 1000
RATE = 0.5


def thinnet_dropout(x: Any) -> Callable[[], object]:
    """The kernel, forward and backward, into buffers."""
    from thinnet.kernels.dropout import dropout

    out, dx, step = np.empty_like(x), np.empty_like(x), iter(range(10**9))

    def run() -> None:
        number = next(step)
        dropout(x, RATE, seed=0, step=number, out=out)
        dropout(out, RATE, seed=0, step=number, out=dx)

    return run


def course_numpy(x: Any) -> Callable[[], object]:
    """As a student of the courses would write it."""

    def run() -> None:
        mask = (np.random.rand(*x.shape) < 1 - RATE) / (1 - RATE)
        out = (x * mask).astype(x.dtype)
        (out * mask).astype(x.dtype)

    return run


def torch_dropout(x: Any) -> Callable[[], object]:
    """``torch.nn.functional.dropout`` and its backward."""
    import torch

    tensor = torch.from_numpy(x).requires_grad_()
    dout = torch.from_numpy(np.ones_like(x))

    def run() -> None:
        tensor.grad = None
        torch.nn.functional.dropout(tensor, RATE).backward(dout)

    return run


def copy(x: Any) -> Callable[[], object]:
    """Two plain copies: a lower bound for forward and backward."""
    out, dx = np.empty_like(x), np.empty_like(x)

    def run() -> None:
        np.copyto(out, x)
        np.copyto(dx, out)

    return run


CONTENDERS = {"thinnet": thinnet_dropout, "course-style NumPy": course_numpy, "PyTorch": torch_dropout, "copy": copy}


def main(name: str, size: str) -> None:
    """Print the seconds of repeated calls as JSON, or why the contender is missing."""
    x = np.random.default_rng(0).standard_normal((int(size) // WIDTH, WIDTH)).astype(np.float32)
    try:
        run = CONTENDERS[name](x)
        run()
    except ImportError as error:
        print(json.dumps({"missing": str(error)}))
        return
    seconds, until = [], time.perf_counter() + 1.0
    while len(seconds) < 5 or (time.perf_counter() < until and len(seconds) < 200):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
