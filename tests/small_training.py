"""A training run so small that tests can do many: data, net and solver, and a model that is not ours."""

from __future__ import annotations

from typing import Any

import numpy as np

from thinnet import Dataset, FullyConnectedNet, Solver
from thinnet.typing import AnyArray, FloatArray


def blobs(rows: int = 60, seed: int = 0, spread: float = 1.0) -> tuple[FloatArray, AnyArray]:
    """Three overlapping clusters of points in five dimensions."""
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=rows)
    centers = np.random.default_rng(99).standard_normal((3, 5))
    return (centers[y] + spread * rng.standard_normal((rows, 5))).astype(np.float32), y


def make_data(rows: int = 60, val: int = 30) -> Dataset:
    """`rows` points of the clusters for training, and `val` others for validation."""
    return Dataset(*blobs(rows), *(blobs(val, seed=1) if val else (None, None)))


def make_net(**options: Any) -> FullyConnectedNet:
    return FullyConnectedNet([12], input_dim=5, num_classes=3, **{"seed": 0, **options})


def make_solver(net: Any = None, data: Any = None, **options: Any) -> Solver:
    defaults = {"optimizer": "adam", "batch_size": 20, "epochs": 4, "verbose": False}
    return Solver(net or make_net(), data or make_data(), **{**defaults, **options})


class Foreign:
    """A linear classifier that is not ours: a mapping of parameters, and `loss`."""

    def __init__(self, shape: tuple[int, ...] = (5,)) -> None:
        self.params: dict[str, FloatArray] = {"W": np.zeros((5, 3)), "b": np.zeros(3)}
        self.bn_params = [{"running_mean": np.zeros(1)}]
        self.shape = shape

    def loss(self, X: AnyArray, y: AnyArray | None = None) -> Any:
        assert X.shape[1:] == self.shape
        rows = X.reshape(len(X), -1)
        scores = rows @ self.params["W"] + self.params["b"]
        if y is None:
            return scores
        self.bn_params[0]["running_mean"] += 1
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        p = powers / powers.sum(axis=1, keepdims=True)
        loss = -np.log(p[np.arange(len(y)), y]).mean()
        p[np.arange(len(y)), y] -= 1
        return loss, {"W": rows.T @ p / len(y), "b": p.sum(axis=0) / len(y)}


def model_state(model: Any) -> list[bytes]:
    """Parameters and running statistics, bit for bit."""
    more = model.running.values() if isinstance(model, FullyConnectedNet) else model.bn_params[0].values()
    return [array.tobytes() for array in (*model.params.values(), *more)]


def trained_on(estimator: Any, X: AnyArray, y: AnyArray) -> AnyArray:
    """The parameters of an estimator after another epoch; in this module so that other processes can import it."""
    estimator.partial_fit(X, y)
    parameters: AnyArray = estimator.net_.params.flat
    return parameters
