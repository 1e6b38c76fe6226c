"""The gradients of large matrices, computed one piece at a time as the optimizer uses them."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import make_classification

from test_steps import SPECS, drawn_batch, drawn_state
from thinnet import Dataset, FullyConnectedNet, Solver
from thinnet.data.rows import RowReader
from thinnet.errors import NumericalError
from thinnet.kernels.optimizers import RULE_KERNELS
from thinnet.optim import FlatOptimizer
from thinnet.parameters import Parameters
from thinnet.products.choose import products
from thinnet.sklearn import ThinNetClassifier
from thinnet.spec import Spec
from thinnet.steps import weight_gradients
from thinnet.steps.base import Gradients
from thinnet.steps.fused import FusedStep
from thinnet.training.net_update import NetUpdate

pytest.importorskip("numba", reason="pieces are made for the kernels")


@pytest.fixture(autouse=True, scope="module")
def small_pieces() -> Any:
    """Treat matrices of small nets as large, with several pieces each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weight_gradients, "LARGE", 100)
        patch.setattr(weight_gradients, "PIECE", 700)
        yield


def assembled(computed: Gradients, params: Parameters) -> Parameters:
    """All gradients, with the late ones in place; each element of those must come exactly once."""
    whole, late = computed.arrays.copy(), computed.late
    if late is not None and late.update is not None:
        velocity, rate_and_momentum = np.zeros_like(whole.flat), np.array([-1, 0], whole.dtype)
        late.update(
            RULE_KERNELS["sgd_momentum"].at(whole.dtype),
            [params.flat.copy(), velocity, velocity[:0]],
            rate_and_momentum,
        )
        assert len(late.pieces) == 0  # type: ignore[arg-type]
        for name, array in Parameters(whole.shapes, order=whole.order, flat=velocity).items():
            assert name in late.names or not array.any()
            whole[name] = array if name in late.names else whole[name]
    elif late is not None:
        for name in late.names:
            whole[name][...] = np.nan
        for start, lines in late.pieces:
            place = whole.flat[start : start + lines.size]
            assert np.isnan(place).all()
            place[:] = lines.reshape(-1)
    return whole


@given(
    spec=SPECS,
    rows=st.sampled_from([3, 17, 40]),
    half=st.booleans(),
    weighted=st.booleans(),
)
def test_the_pieces_are_the_whole_gradient(spec: Spec, rows: int, half: bool, weighted: bool) -> None:
    spec = spec.replace(precision="bfloat16") if half and spec.dtype == np.float32 else spec
    batch, step = drawn_batch(spec, rows, 7, weighted), FusedStep(spec, products(rounded=bool(spec.precision)), rows)
    wanted = step.compute(drawn_state(spec), batch).whole(drawn_state(spec).params)
    computed = step.compute(drawn_state(spec), batch, may_be_late=True)
    large = [name for name, array in wanted.items() if array.ndim == 2 and array.size >= 100]
    assert large == ([] if computed.late is None else sorted(computed.late.names))
    scale = max(float(np.abs(wanted.flat).max()), 1e-3)
    got = assembled(computed, drawn_state(spec).params)
    np.testing.assert_allclose(got.flat, wanted.flat, rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.parametrize("shape", [(3, 100), (33, 17), (1, 130), (100, 701), (1000, 10)])
def test_pieces_are_blocks_of_rows(shape: tuple[int, int]) -> None:
    heights = [rows for rows, _ in weight_gradients._pieces(*shape)]
    assert sum(heights) == shape[0]
    assert all(height % weight_gradients.ROWS == 0 for height in heights[:-1])
    assert max(heights) * shape[1] <= 700 + weight_gradients.ROWS * shape[1]


def trained(**changes: Any) -> tuple[FullyConnectedNet, list[float]]:
    """A net, and its losses, after some steps."""
    generator = np.random.default_rng(0)
    data = Dataset(generator.normal(size=(60, 12)), generator.integers(3, size=60))
    options = {"normalization": "batchnorm", "dropout": 0.5, "dtype": "float64", "seed": 0}
    net = FullyConnectedNet([40, 30], 12, 3, **options | changes.pop("net", {}))
    net.fused = changes.pop("fused")
    solver = Solver(net, data, epochs=4, batch_size=20, verbose=False, **changes)
    solver.train()
    return net, solver.history.loss


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A list that grows with each step whose large gradients come in pieces."""
    steps: list[Any] = []
    late = weight_gradients.WeightGradients.late

    def recorded(self: Any, matrices: Any) -> Any:
        steps.append(matrices)
        return late(self, matrices)

    monkeypatch.setattr(weight_gradients.WeightGradients, "late", recorded)
    return steps


@pytest.mark.parametrize(
    ("changes", "in_pieces"),
    [
        ({}, True),
        ({"optimizer": "sgd_momentum"}, True),
        ({"optimizer": "adamw", "optimizer_options": {"weight_decay": 0.3}, "net": {"reg": 0.2}}, True),
        ({"net": {"reg": 0.2}}, True),
        ({"net": {"dropout_mask": "batch"}}, False),
    ],
    ids=str,
)
def test_training_by_pieces_is_training_as_it_reads(changes: dict[str, Any], in_pieces: bool, made: list[Any]) -> None:
    (got, losses), (wanted, expected) = (trained(**changes, fused=fused) for fused in (True, False))
    assert len(made) == (len(losses) if in_pieces else 0)
    np.testing.assert_allclose(losses, expected, rtol=1e-8)
    np.testing.assert_allclose(got.params.flat, wanted.params.flat, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("reg", [0.0, 0.2])
def test_the_penalty_is_that_of_weights_before_they_decay(reg: float, made: list[Any]) -> None:
    generator = np.random.default_rng(0)
    data = Dataset(generator.normal(size=(20, 12)), generator.integers(3, size=20))
    flats = []
    for fused in (True, False):
        net = FullyConnectedNet([40, 30], 12, 3, reg=reg, dtype="float64", seed=0)
        net.fused = fused
        optimizer = FlatOptimizer("adam", {"learning_rate": 0.1}, like=net.params.flat)
        reader = RowReader(data, "train", 20, np.float64)
        update = NetUpdate(net, reader, optimizer, 20, weight_decay=0.5)
        for step in range(3):
            update(np.arange(20), {"learning_rate": 1.0}, step)
        flats.append(net.params.flat)
    assert len(made) == (0 if reg else 3)
    np.testing.assert_allclose(flats[0], flats[1], rtol=1e-7, atol=1e-10)


def test_what_is_not_finite_stops_before_any_weight_changes() -> None:
    generator = np.random.default_rng(0)
    X = generator.normal(size=(40, 12)).astype(np.float32)
    X[7, 3] = 3e38
    net = FullyConnectedNet([40, 30], 12, 3, seed=0)
    net.params["W1"] = 10 * net.params["W1"]
    before = net.params.flat.copy()
    solver = Solver(net, Dataset(X, generator.integers(3, size=40)), epochs=1, batch_size=40, verbose=False)
    with pytest.raises(NumericalError):
        solver.train()
    np.testing.assert_array_equal(net.params.flat, before)


@pytest.mark.posix
@pytest.mark.parametrize("saving", [False, True])
def test_an_interruption_waits_until_all_pieces_are_used(
    saving: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: Any
) -> None:
    """With a checkpoint folder it waits for the end of the step and of saving, as usual."""
    wanted = FullyConnectedNet([40, 30], 12, 3, seed=0)
    generator = np.random.default_rng(0)
    data = Dataset(generator.normal(size=(40, 12)), generator.integers(3, size=40))
    options: dict[str, Any] = {"epochs": 3, "batch_size": 20, "verbose": False}
    wanted.products = "numpy"
    Solver(wanted, data, **options).step()
    pieces = weight_gradients.WeightGradients._pieces

    def interrupted(self: Any, late: Any) -> Any:
        made = pieces(self, late)
        yield next(made)
        signal.raise_signal(signal.SIGINT)
        yield from made

    monkeypatch.setattr(weight_gradients.WeightGradients, "_pieces", interrupted)
    net = FullyConnectedNet([40, 30], 12, 3, seed=0)
    net.products = "numpy"
    solver = Solver(net, data, **options, checkpoint_dir=tmp_path if saving else None)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored in the background of a shell
    try:
        with pytest.raises(KeyboardInterrupt):
            solver.train()
    finally:
        signal.signal(signal.SIGINT, before)
    assert net.step == 1
    np.testing.assert_array_equal(net.params.flat, wanted.params.flat)
    assert any(tmp_path.iterdir()) == saving
    assert ("finishing this step" in capfd.readouterr().err) == saving


def test_the_first_gradient_of_sparse_rows_is_not_late(made: list[Any]) -> None:
    X, y = make_classification(80, 20, random_state=0)
    X[np.abs(X) < 1] = 0
    rows = X, sparse.csr_array(X)
    one, other = (
        ThinNetClassifier(hidden_layer_sizes=(30, 20), max_iter=3, normalization=None, random_state=0).fit(some, y)
        for some in rows
    )
    names = {name for late in made for name, _, _ in late}
    assert names == {"W1", "W2"}
    assert "W1" not in {name for name, _, _ in made[-1]}
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=1e-3)
