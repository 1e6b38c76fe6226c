"""Dropout with one mask per batch: the thinned step compared with the full computation, and the update."""

from __future__ import annotations

import importlib
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinnet import Dataset, FullyConnectedNet, Solver, check_gradients, kernels
from thinnet.errors import ArgumentError
from thinnet.layers import dropout_backward, dropout_forward
from thinnet.masks import keep_mask, keep_units
from thinnet.optim import OPTIMIZERS, FlatOptimizer
from thinnet.parameters import Order, Parameters
from thinnet.thinning import KeptUnits, Thinning

ORDERS: tuple[Order, ...] = ("C", "F")


def batch(rows: int = 12, features: int = 9, classes: int = 4) -> tuple[Any, Any]:
    generator = np.random.default_rng(5)
    return generator.standard_normal((rows, features)), generator.integers(classes, size=rows)


def thinned_net(**options: Any) -> FullyConnectedNet:
    given = {"hidden_dims": [8, 7], "input_dim": 9, "num_classes": 4, "dropout": 0.5, "weight_scale": 0.5, "seed": 2}
    return FullyConnectedNet(**{**given, "dtype": np.float64, "dropout_mask": "batch", **options})


def kept_of(net: FullyConnectedNet, step: int) -> list[Any]:
    """Which units of each layer are kept, by the definition of the masks."""
    hidden = [keep_units(net.dropout, dim, seed=net.seed, step=step, layer=i) for i, dim in enumerate(net.hidden_dims)]
    return [np.ones(net.input_dim, bool), *hidden, np.ones(net.num_classes, bool)]


class TestMask:
    def test_every_row_drops_the_units_that_the_first_row_of_an_element_mask_drops(self) -> None:
        x = np.random.default_rng(0).standard_normal((6, 70))
        out, cache = dropout_forward(x, 0.3, seed=4, step=9, layer=2, mask="batch")
        keep = keep_mask(0.3, (1, 70), seed=4, step=9, layer=2)[0]
        np.testing.assert_array_equal(keep, keep_units(0.3, 70, seed=4, step=9, layer=2))
        np.testing.assert_array_equal(out, np.where(keep, x * (1 / 0.7), 0))
        np.testing.assert_array_equal(dropout_backward(x, cache), out)

    def test_the_mask_is_the_same_for_every_part_of_a_batch(self) -> None:
        x = np.ones((6, 40))
        whole, _ = dropout_forward(x, 0.5, seed=1, mask="batch")
        part, _ = dropout_forward(x[4:], 0.5, seed=1, first_row=4, mask="batch")
        np.testing.assert_array_equal(whole[4:], part)

    def test_one_row_of_keep_serves_all_rows(self) -> None:
        keep = np.array([[True, False, True]])
        out, cache = dropout_forward(np.ones((4, 3)), 0.5, keep=keep)
        np.testing.assert_array_equal(out, np.tile([2.0, 0, 2], (4, 1)))
        np.testing.assert_array_equal(dropout_backward(np.ones((4, 3)), cache), out)

    def test_an_unknown_mask_is_refused(self) -> None:
        with pytest.raises(
            ArgumentError, match=r"mask must be one of 'element', 'batch', got 'btach'. Did you mean 'ba"
        ):
            dropout_forward(np.ones((2, 2)), 0.5, mask="btach")  # type: ignore[arg-type]


def copying_kernel(wanted: bool) -> Any:
    """The kernel that copies parts of buffers, or None."""
    if not wanted:
        return None
    if not kernels.available():
        pytest.skip("Numba is not installed")
    return importlib.import_module("thinnet.kernels.thinning").copy_kept


class TestGatherAndScatter:
    @pytest.mark.parametrize("by_kernel", [True, False])
    @given(
        dims=st.lists(st.integers(1, 9), min_size=2, max_size=4),
        order=st.sampled_from(ORDERS),
        data=st.data(),
        dtype=st.sampled_from([np.float32, np.float64]),
    )
    @settings(max_examples=60)
    def test_the_part_is_what_indexing_gives(
        self, by_kernel: bool, dims: list[int], order: Order, data: Any, dtype: Any
    ) -> None:
        pairs = list(itertools.pairwise(dims))
        shapes: dict[str, tuple[int, ...]] = {f"W{i}": pair for i, pair in enumerate(pairs, 1)}
        shapes |= {f"b{i}": (pair[1],) for i, pair in enumerate(pairs, 1)}
        kept, keeps = KeptUnits(dims), [np.ones(dim, bool) for dim in dims]
        for level, dim in enumerate(dims):
            for _ in range(2):  # earlier selections leave no trace
                keeps[level] = np.array(data.draw(st.lists(st.booleans(), min_size=dim, max_size=dim)))
                kept.select(level, keeps[level])
        thinning = Thinning(kept, shapes, order, copying_kernel(by_kernel))
        whole = Parameters(shapes, dtype, order)
        whole.flat[:] = np.arange(whole.flat.size)
        thin = Parameters(thinning.shapes(), dtype, order)
        assert thin.flat.size == thinning.size()
        thinning.gather(whole.flat, thin.flat)
        for i in range(1, len(dims)):
            np.testing.assert_array_equal(thin[f"W{i}"], whole[f"W{i}"][np.ix_(keeps[i - 1], keeps[i])])
            np.testing.assert_array_equal(thin[f"b{i}"], whole[f"b{i}"][keeps[i]])
        np.testing.assert_array_equal(whole.flat[thinning.positions()], thin.flat)
        back = np.full_like(whole.flat, -1)
        thinning.scatter(thin.flat, back)
        expected = np.full_like(back, -1)
        expected[thinning.positions()] = thin.flat
        np.testing.assert_array_equal(back, expected)


class TestStep:
    @pytest.mark.parametrize("fused", [True, False])
    def test_dropped_units_have_no_gradients(self, fused: bool) -> None:
        net = thinned_net(normalization="batchnorm", reg=0.1)
        net.fused = fused
        for step in range(3):
            _, gradients = net.loss(*batch(), training=True)
            keeps = kept_of(net, step)
            for i in range(1, net.num_layers + 1):
                assert not gradients[f"W{i}"][~keeps[i - 1]].any()
                assert not gradients[f"W{i}"][:, ~keeps[i]].any()
                assert not gradients[f"b{i}"][~keeps[i]].any()

    def test_gradients_agree_with_numerical_ones(self) -> None:
        net = thinned_net(normalization="batchnorm", reg=0.3)
        report = check_gradients(net, *batch())  # raises if they differ
        assert max(report.errors.values()) < 1e-6

    def test_a_layer_without_any_kept_unit_is_no_error(self) -> None:
        net = thinned_net(hidden_dims=[2, 2], dropout=0.999, normalization="batchnorm")
        loss, gradients = net.loss(*batch(), training=True)
        assert loss == pytest.approx(np.log(4))
        assert not gradients["W1"].any()
        assert gradients["b3"].any()

    def test_a_mask_chosen_later_holds(self) -> None:
        X, y = batch()
        later, sooner = thinned_net(dropout_mask="element").replace(dropout_mask="batch"), thinned_net()
        (one, gradients), (other, expected) = later.loss(X, y, training=True), sooner.loss(X, y, training=True)
        assert one == pytest.approx(other, rel=1e-12)
        for name, dw in gradients.items():
            np.testing.assert_allclose(dw, expected[name], rtol=1e-9, atol=1e-12)


# Each rule in the nets' usual dtype; in the other, one rule without state and one with full state. The rules use the
# same code for whole arrays and for parts, and test_optim.py tests them in both dtypes.
RULES = pytest.mark.parametrize(
    ("name", "dtype"), [*((name, np.float32) for name in OPTIMIZERS), ("sgd", np.float64), ("adamw", np.float64)]
)


class TestUpdate:
    @RULES
    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.usefixtures("computed_by")
    def test_the_part_takes_the_rule_and_the_rest_stays(self, name: str, order: Order, dtype: Any) -> None:
        generator = np.random.default_rng(3)
        shapes = {"W1": (5, 40), "b1": (40,), "W2": (40, 3)}
        kept = KeptUnits((5, 40, 3))
        thinning, params = Thinning(kept, shapes, order), Parameters(shapes, dtype, order)
        params.flat[:] = generator.standard_normal(params.flat.size)
        optimizer = FlatOptimizer(name, {"learning_rate": 0.1}, like=params.flat)
        rule, config = OPTIMIZERS[name].rule, dict(optimizer.options)
        arrays = [key for key in optimizer.state if key != "t"]
        expected, state = params.flat.copy(), {key: np.zeros_like(params.flat) for key in arrays}
        for step in range(4):
            kept.select(1, generator.random(40) < 0.5)
            positions = thinning.positions()
            dw = generator.standard_normal(len(positions)).astype(dtype)
            pieces = {key: state[key][positions] for key in arrays} | ({"t": step} if "t" in optimizer.state else {})
            expected[positions], new = rule(expected[positions], dw, {**config, **pieces})
            for key in arrays:
                state[key][positions] = new[key]
            optimizer.inplace_update(params.flat, dw, thinning=thinning)
            rtol = 1e-5 if dtype == np.float32 else 1e-12
            np.testing.assert_allclose(params.flat, expected, rtol=rtol, atol=rtol)
            for key in arrays:
                np.testing.assert_allclose(optimizer.state[key], state[key], rtol=rtol, atol=rtol)

    @RULES
    def test_the_same_numbers_become_zero_as_in_the_whole(self, name: str, dtype: Any) -> None:
        """With gradients as small as the weights, some numbers of either dtype end up small enough to become zero."""
        kept, generator = KeptUnits((40, 30)), np.random.default_rng(0)
        whole, part = (Parameters({"W1": (40, 30)}, dtype) for _ in range(2))
        lowest = np.log10(np.finfo(dtype).tiny)
        whole.flat[:] = part.flat[:] = 10 ** generator.uniform(lowest, 0, 1200)
        dw = (10 ** generator.uniform(lowest, 0, 1200)).astype(dtype)
        kept.select(1, generator.random(30) < 0.5)
        thinning = Thinning(kept, part.shapes)
        positions = thinning.positions()
        FlatOptimizer(name, None, like=whole.flat).inplace_update(whole.flat, dw)
        FlatOptimizer(name, None, like=part.flat).inplace_update(part.flat, dw[positions], thinning=thinning)
        np.testing.assert_array_equal(part.flat[positions], whole.flat[positions])
        assert name != "sgd" or (part.flat[positions] == 0).any()

    def test_a_gradient_of_another_size_is_refused(self) -> None:
        params = Parameters({"W1": (2, 2)}, np.float32)
        thinning = Thinning(KeptUnits((2, 2)), params.shapes)
        optimizer = FlatOptimizer("adam", {}, like=params.flat)
        with pytest.raises(ArgumentError, match=r"dw must be a contiguous array of shape \(4,\) and dtype float32"):
            optimizer.inplace_update(params.flat, np.zeros(3, np.float32), thinning=thinning)


class TestTraining:
    def data(self) -> Dataset:
        X = np.random.default_rng(0).standard_normal((300, 9)).astype(np.float32)
        return Dataset(X, (X[:, 0] + X[:, 1] > 0).astype(int), X[:100], (X[:100, 0] + X[:100, 1] > 0).astype(int))

    def train(self, fused: bool = True, **options: Any) -> tuple[FullyConnectedNet, Solver]:
        net = thinned_net(hidden_dims=[30, 20], num_classes=2, normalization="batchnorm", **options)
        net.fused = fused
        solver = Solver(net, self.data(), learning_rate=0.01, batch_size=20, verbose=False)
        solver.train()
        return net, solver

    def test_a_thinned_net_learns(self) -> None:
        assert self.train()[1].best_val_accuracy > 0.9

    def test_two_runs_are_equal_to_the_last_bit(self) -> None:
        assert self.train()[0].params.flat.tobytes() == self.train()[0].params.flat.tobytes()

    def test_kernels_and_layers_train_the_same_net(self) -> None:
        np.testing.assert_allclose(
            self.train()[0].params.flat, self.train(fused=False)[0].params.flat, rtol=1e-6, atol=1e-8
        )

    def test_without_numba_it_trains_the_same_net(self, request: pytest.FixtureRequest) -> None:
        expected = self.train()[0].params.flat
        request.getfixturevalue("without_kernels")
        np.testing.assert_allclose(self.train()[0].params.flat, expected, rtol=1e-6, atol=1e-8)

    def test_weights_of_dropped_units_are_not_updated(self) -> None:
        net = thinned_net(hidden_dims=[30, 20], num_classes=2)
        before = net.params.copy()
        Solver(net, self.data(), optimizer="adam", batch_size=20, verbose=False).step()
        keep = kept_of(net, step=0)[1]
        np.testing.assert_array_equal(net.params["W1"][:, ~keep], before["W1"][:, ~keep])
        assert (net.params["W1"][:, keep] != before["W1"][:, keep]).any(axis=0).sum() > 5
