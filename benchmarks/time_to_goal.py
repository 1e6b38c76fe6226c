"""Seconds of training to 55% accuracy on CIFAR-10's validation images: one contender per process, real images.

``python time_to_goal.py CONTENDER SEED`` prints ``{"seconds": ..., "accuracy": ...}``. Loading does not count.
Before the clock starts, Thinnet compiles its kernels and PyTorch takes its first steps on a few rows.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

import cifar10_speed
from thinnet import load_cifar10

GOAL = cifar10_speed.GOAL


def thinnet(seed: int) -> tuple[float, float]:
    """The example ``cifar10_speed``."""
    data = load_cifar10(num_test=0)
    recipe = cifar10_speed.Recipe()
    cifar10_speed.one_run(recipe, data.first(500), seed)
    run = cifar10_speed.one_run(recipe, data, seed)
    return run.seconds, run.val_accuracy


def torch_same_recipe(seed: int) -> tuple[float, float]:
    """The same transform by the same code, then the same net and training in PyTorch."""
    data, recipe = load_cifar10(num_test=0), cifar10_speed.Recipe()
    cifar10_speed.prepared(data.first(500))

    def arrays(data: Any) -> tuple[Any, ...]:
        features = cifar10_speed.prepared(data)
        return *features.batch("train"), *features.batch("val")

    arguments = {"hidden": recipe.hidden_dims, "rate": recipe.learning_rate, "size": recipe.batch_size}
    _torch(arrays, data.first(500), seed, epochs=1, **arguments)
    return _torch(arrays, data, seed, epochs=recipe.epochs, **arguments)


def torch_on_pixels(seed: int) -> tuple[float, float]:
    """A good recipe on the pixels: [500, 500], AdamW, one cycle up to 4e-3 in 3 epochs, batches of 1000."""
    data = load_cifar10(num_test=0)

    def arrays(data: Any) -> tuple[Any, ...]:
        features = data.standardized("global")
        return *features.batch("train"), *features.batch("val")

    arguments = {"hidden": (500, 500), "rate": 4e-3, "size": 1000}
    _torch(arrays, data.first(2000), seed, epochs=1, **arguments)
    return _torch(arrays, data, seed, epochs=3, **arguments)


def _torch(
    arrays: Any, data: Any, seed: int, *, hidden: Any, rate: float, size: int, epochs: int
) -> tuple[float, float]:
    import torch

    torch.manual_seed(seed)
    started = time.perf_counter()
    X, y, X_val, y_val = (torch.from_numpy(array) for array in arrays(data))
    net = torch_net(X.shape[1], hidden)
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.01, fused=True)
    steps = len(X) // size
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=max(epochs * steps, 2))
    for _ in range(epochs):
        order = torch.randperm(len(X))
        for i in range(steps):
            rows = order[i * size : (i + 1) * size]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(X[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
    net.eval()
    with torch.no_grad():
        accuracy = (net(X_val).argmax(dim=1) == y_val).float().mean().item()
    return time.perf_counter() - started, accuracy


def torch_net(fan_in: int, hidden: Sequence[int], dropout: float = 0.0) -> Any:
    """Layers with batch normalization and ReLU, initialized like ours."""
    import torch

    layers: list[Any] = []
    for dim in hidden:
        linear = torch.nn.Linear(fan_in, dim)
        torch.nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        layers += [linear, torch.nn.BatchNorm1d(dim), torch.nn.ReLU(), torch.nn.Dropout(dropout)]
        fan_in = dim
    return torch.nn.Sequential(*layers, torch.nn.Linear(fan_in, 10))


def course_numpy(seed: int) -> tuple[float, float]:
    """The second course's recipe in course-style NumPy, until the end of the epoch in which the goal is reached."""
    import contenders.course_numpy as course
    from job import Job

    data = load_cifar10(num_test=0).standardized("mean")
    (X, y), (X_val, y_val) = data.batch("train"), data.batch("val")

    class Real(Job):
        def floats(self) -> tuple[Any, Any]:
            return X, y

    step, score = course.build_with_scores(Real(num_rows=len(X)))
    started = time.perf_counter()
    for _ in range(20):
        for _ in range(len(X) // 100):
            step()
        accuracy = float(np.mean(score(X_val).argmax(axis=1) == y_val))
        if accuracy >= GOAL:
            break
    return time.perf_counter() - started, accuracy


CONTENDERS = {
    "Thinnet, `examples/cifar10_speed.py`": thinnet,
    "PyTorch, the same transform and recipe": torch_same_recipe,
    "PyTorch, on pixels, one cycle over 3 epochs": torch_on_pixels,
    "course-style NumPy, the second course's recipe": course_numpy,
}


def main(name: str, seed: str) -> None:
    """Run one contender with one seed."""
    try:
        seconds, accuracy = CONTENDERS[name](int(seed))
    except ImportError as error:
        print(json.dumps({"missing": str(error)}))
        return
    print(json.dumps({"seconds": seconds, "accuracy": accuracy}))


if __name__ == "__main__":
    main(*sys.argv[1:])
