"""About 1,500 random inputs: only documented errors are raised, and no code runs from a file.

`make faults` runs the same checks on many more.
"""

from __future__ import annotations

import pickle
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fuzzing
from fuzzing import checkpoints, data, nets
from fuzzing.commands import Commands, random_line
from thinnet import layers

RANDOM = st.randoms(use_true_random=False)


@settings(max_examples=300)
@given(rng=RANDOM)
def test_batches_of_cifar10(rng: Random) -> None:
    data.check_pickle(data.random_pickle(rng))


@settings(max_examples=300)
@given(rng=RANDOM)
def test_idx_files(rng: Random) -> None:
    data.check_idx(data.random_idx(rng))


@settings(max_examples=300)
@given(rng=RANDOM)
def test_checkpoints(rng: Random) -> None:
    checkpoints.check_checkpoint(*checkpoints.random_checkpoint(rng))


@pytest.fixture(scope="module")
def commands() -> Commands:
    return Commands()


@settings(max_examples=300)
@given(rng=RANDOM)
def test_command_lines(commands: Commands, rng: Random) -> None:
    commands.check(random_line(rng))


def test_the_checks_take_what_is_valid(commands: Commands) -> None:
    """Otherwise the tests above would pass with readers that refuse everything."""
    assert all(data.check_pickle(data.cifar_batch(protocol)) for protocol in range(2, 6))
    assert data.check_idx(data.VALID_IDX)
    for kind in ("net", "run"):
        valid = checkpoints.valid_checkpoint(kind)
        assert checkpoints.check_checkpoint(kind, valid)
        assert checkpoints.with_new_digest(valid) == valid
    assert commands.check(["experiment", "dropout"])
    assert not commands.check([])


def test_the_watch_sees_code_that_runs() -> None:
    with pytest.raises(AssertionError, match="exec"), fuzzing.no_code():
        exec("pass")
    with pytest.raises(AssertionError, match="find_class"), fuzzing.no_code():
        pickle.loads(pickle.dumps(print))


@settings(max_examples=150)
@given(net=nets.NETS, rows=st.integers(2, 40), step=st.integers(0, 2**32 - 1), fused=st.booleans())
def test_nets(net: Any, rows: int, step: int, fused: bool) -> None:
    nets.check_net(net, rows, step, fused)


@settings(max_examples=150)
@given(
    rows=st.integers(2, 50),
    columns=st.integers(1, 70),
    scale=st.sampled_from((1e-3, 1.0, 1e3)),
    shift=st.sampled_from((0.0, -5.0, 100.0)),
    name=st.sampled_from(("affine", "relu", "batchnorm", "layernorm")),
    seed=st.integers(0, 2**32),
)
def test_layers_in_float32(rows: int, columns: int, scale: float, shift: float, name: str, seed: int) -> None:
    """Forward and backward match float64 up to the effect of rounding x."""
    rng = np.random.default_rng(seed)
    x = (shift + scale * rng.standard_normal((rows, columns))).astype(np.float32)
    layer = layers.LAYERS[name]
    sizes = {"N": rows, "D": columns, "M": 3}
    rest = [rng.standard_normal([sizes[c] for c in letters.split()]) for letters in [*layer.inputs.values()][1:]]
    arrays: list[Any] = [x, *rest, *(np.ones(columns) for _ in layer.buffers)]
    dout = rng.standard_normal((rows, sizes[layer.output[-1]]))
    results: list[list[Any]] = []
    for dtype in (np.float32, np.float64):
        out: Any
        out, cache = layer.forward(*(a.astype(dtype) for a in arrays))
        gradients = layer.backward(dout.astype(dtype), cache)
        results.append([out, *(gradients if isinstance(gradients, tuple) else (gradients,))])
    spread = max(float(x.std(axis=0 if name == "batchnorm" else 1).min()), 3e-3) if "norm" in name else 1.0
    bound = 1e-5 * (1 + float(np.abs(x).max()) / spread)
    for got, wanted in zip(results[0], results[1], strict=True):
        assert got.dtype == np.float32
        assert np.abs(got - wanted).max(initial=0) <= bound * max(float(np.abs(wanted).max(initial=0)), 1 / spread)
