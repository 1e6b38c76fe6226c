"""Read-only arrays: training copies them first, and leaves memory-mapped files unchanged."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from small_training import make_data, make_net, make_solver, trained_on
from thinnet import FullyConnectedNet, Solver
from thinnet.optim import OPTIMIZERS, FlatOptimizer
from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor

X = np.random.default_rng(0).standard_normal((90, 4))
Y = (X[:, 0] > 0) * 1


def frozen(parameters: Any) -> Any:
    """Make the buffer and every view of it read-only, like arrays of a memory-mapped file."""
    for array in (parameters.flat, *parameters.values()):
        array.setflags(write=False)
    return parameters.flat


@pytest.mark.parametrize("estimator", [ThinNetClassifier, ThinNetRegressor])
@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop"])
@pytest.mark.parametrize(
    "options", [{}, {"normalization": "batchnorm", "dropout_mask": "batch"}, {"normalization": "batchnorm"}]
)
def test_an_estimator_mapped_from_a_file_trains_on(
    estimator: Any, solver: str, options: dict[str, Any], tmp_path: Path
) -> None:
    net = estimator((8,), solver=solver, learning_rate="cosine", max_iter=2, warm_start=True, random_state=0, **options)
    path = tmp_path / "net.joblib"
    joblib.dump(net.fit(X, Y), path)
    before = path.read_bytes()
    trainings: tuple[Callable[[Any], Any], ...] = (lambda model: model.partial_fit(X, Y), lambda model: model.fit(X, Y))
    for mode in ("r", "r+", "c"):
        for train in trainings:
            wanted = train(joblib.load(path))
            found = train(joblib.load(path, mmap_mode=mode))
            np.testing.assert_array_equal(found.predict(X), wanted.predict(X))
            np.testing.assert_array_equal(found.net_.params.flat, wanted.net_.params.flat)
            assert path.read_bytes() == before


def test_workers_get_estimators_that_train_on() -> None:
    net = ThinNetClassifier((8,), random_state=0, max_iter=2).fit(X, Y)
    wanted = trained_on(copy.deepcopy(net), X, Y)
    for found in joblib.Parallel(n_jobs=2, max_nbytes=1)(joblib.delayed(trained_on)(net, X, Y) for _ in range(2)):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("normalization", [None, "batchnorm"])
@pytest.mark.parametrize("rule", ["sgd", "adam", "function"])
@pytest.mark.parametrize("mask", ["element", "batch"])
@pytest.mark.parametrize("kernels", [True, False])
def test_a_solver_trains_a_net_of_read_only_arrays(
    normalization: Any, rule: str, mask: Any, kernels: bool, request: pytest.FixtureRequest
) -> None:
    if not kernels:
        request.getfixturevalue("without_kernels")
    options: dict[str, Any] = {"dropout": 0.3, "normalization": normalization, "dropout_mask": mask, "reg": 0.01}
    update: Any = (lambda w, dw, config: (w - 0.1 * dw, config)) if rule == "function" else rule
    net, other = make_net(**options), make_net(**options)
    kept = [frozen(net.params), frozen(net.running)]
    before = [array.copy() for array in kept]
    solvers = [make_solver(each, optimizer=update, optimizer_options=None) for each in (net, other)]
    frozen(net.params)  # again, after the solver is created
    histories = [solver.train() for solver in solvers]
    assert histories[0].loss == histories[1].loss
    np.testing.assert_array_equal(net.params.flat, other.params.flat)
    np.testing.assert_array_equal(net.running.flat, other.running.flat)
    for array, values in zip(kept, before, strict=True):
        np.testing.assert_array_equal(array, values)


def test_resuming_into_a_net_of_read_only_arrays(tmp_path: Path) -> None:
    make_solver(make_net(), checkpoint_dir=tmp_path / "run", epochs=2).train()
    net = make_net()
    frozen(net.params)
    frozen(net.running)
    wanted = Solver.resume(tmp_path / "run", make_data(), epochs=3, checkpoint_every=10**6).train()
    found = Solver.resume(tmp_path / "run", make_data(), model=net, epochs=3)
    assert found.train().loss == wanted.loss


def test_assigning_to_read_only_parameters_keeps_views_and_buffer_together() -> None:
    net = make_net(normalization="batchnorm")
    vectors = net.params.vectors
    file = frozen(net.params)
    net.params["W1"] = np.ones((5, 12))
    assert (file[:60] != 1).all()
    assert (net.params.flat[:60] == 1).all()
    assert net.params["W1"].base is net.params.flat
    assert all(
        new.base is net.params.flat and new is not old for new, old in zip(net.params.vectors, vectors, strict=True)
    )
    frozen(net.params)
    net.params = {name: np.zeros_like(array) for name, array in net.params.items()}
    assert not net.params.flat.any()


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("kernels", [True, False])
def test_the_state_of_an_optimizer_is_copied(name: str, kernels: bool, request: pytest.FixtureRequest) -> None:
    if not kernels:
        request.getfixturevalue("without_kernels")
    w, other, dw = np.ones(50), np.ones(50), np.arange(50.0)
    one, two = (FlatOptimizer(name, None, like=w) for _ in range(2))
    arrays = [value for value in one.state.values() if isinstance(value, np.ndarray)]
    for array in arrays:
        array.setflags(write=False)
    for _ in range(3):
        one.inplace_update(w, dw)
        two.inplace_update(other, dw)
    np.testing.assert_array_equal(w, other)
    assert not any(array.any() for array in arrays)


def test_reading_copies_nothing(tmp_path: Path) -> None:
    net = FullyConnectedNet([6], 4, 2, seed=0)
    flat = frozen(net.params)
    net.scores(X)
    net.save(tmp_path / "net.safetensors")
    assert net.params.flat is flat
