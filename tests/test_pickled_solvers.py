"""A solver can be pickled in the middle of training, and continues from there, even in another process."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from thinnet import Dataset, FullyConnectedNet, Solver
from thinnet.steps.choose import fast_precision

NETS: list[dict[str, Any]] = [
    {},
    {"normalization": "batchnorm"},
    {"dropout_mask": "batch"},
    {"precision": fast_precision()},
    {"dropout_mask": "batch", "precision": fast_precision()},
]


def solver_of(net: dict[str, Any], fused: bool = True) -> Solver:
    generator = np.random.default_rng(0)
    data = Dataset(generator.standard_normal((60, 400)), generator.integers(3, size=60))
    model = FullyConnectedNet([350, 20], 400, 3, dropout=0.5, seed=0, **net)  # one matrix is large
    model.fused = fused
    solver = Solver(model, data, batch_size=20, verbose=False)
    solver.step()
    return solver


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("net", NETS, ids=str)
def test_it_goes_on_with_the_same_bits(net: dict[str, Any], fused: bool) -> None:
    one = solver_of(net, fused)
    other = pickle.loads(pickle.dumps(one))
    assert [one.step() for _ in range(3)] == [other.step() for _ in range(3)]
    np.testing.assert_array_equal(one.model.params.flat, other.model.params.flat)


def test_it_goes_on_in_another_process() -> None:
    solvers = [solver_of(net) for net in NETS]
    code = "import pickle, sys; print([solver.step() for solver in pickle.load(sys.stdin.buffer)])"
    given = pickle.dumps(solvers)
    done = subprocess.run([sys.executable, "-c", code], input=given, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().strip() == str([solver.step() for solver in solvers])
