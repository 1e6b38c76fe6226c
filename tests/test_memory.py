"""Memory use: almost none for a training step, and little for predicting many images."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from thinnet import Dataset, FullyConnectedNet, Solver, kernels


@pytest.mark.skipif(not kernels.available(), reason="Numba is not installed; the layers allocate what they return")
def test_a_step_of_the_solver_allocates_nothing_but_crumbs() -> None:
    """Less than a thousandth of the net, without the order of rows, which is drawn once per epoch."""
    generator = np.random.default_rng(0)
    data = Dataset(generator.integers(0, 256, (600, 500), np.uint8), generator.integers(10, size=600))
    net = FullyConnectedNet([1000, 1000], 500, 10, dropout=0.5, normalization="batchnorm", seed=0)
    solver = Solver(net, data, optimizer="adam", batch_size=100, epochs=3, verbose=False)
    solver.step()
    peaks = []
    tracemalloc.start()
    try:
        for _ in range(4):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            solver.step()
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    # In some steps, the interpreter also caches numbers, tuples and other small objects, so take the minimum.
    assert min(peaks) < net.params.flat.nbytes / 1000 + 8000, f"{peaks} bytes"


@pytest.mark.parametrize("fused", [True, False])
def test_predicting_many_images_takes_bounded_memory(fused: bool) -> None:
    """Far less than the images would need as floats."""
    X = np.random.default_rng(0).integers(0, 256, (10_000, 1000), np.uint8)
    net = FullyConnectedNet([50], input_dim=1000, num_classes=10, normalization="batchnorm", dropout=0.5, seed=0)
    net.fused = fused
    net.predict(X[:10])
    tracemalloc.start()
    try:
        assert net.predict(X).shape == (10_000,)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.25 * 4 * X.size, f"{peak:,} bytes"
