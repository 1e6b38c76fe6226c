"""Mixed precision: what is rounded and how, where it is refused, and that nothing else in training changes.

If the processor has no AMX, NumPy products of rounded numbers replace it here: slower, but with the same operands.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from thinnet import Dataset, FullyConnectedNet, Solver, cli, load_digits
from thinnet.bfloat16 import BITS, from_bits, rounded, to_bits
from thinnet.callbacks import Callback
from thinnet.errors import ArgumentError, NumericalError
from thinnet.sklearn import ThinNetClassifier
from thinnet.steps import choose
from thinnet.typing import FloatArray

ALL_BITS = st.integers(0, 2**32 - 1)


@pytest.fixture
def anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow mixed precision on any processor, even if it is slow."""
    monkeypatch.setattr(choose, "_check_precision", lambda spec: None)


def data(**options: Any) -> Dataset:
    return load_digits(**options).standardized("feature")


def net(**options: Any) -> FullyConnectedNet:
    given: dict[str, Any] = {"dropout": 0.2, "normalization": "batchnorm", "seed": 0, "precision": "bfloat16"}
    return FullyConnectedNet([70, 30], 64, 10, **{**given, **options})


class TestRounding:
    @settings(max_examples=200)
    @given(arrays(np.uint32, st.integers(0, 40), elements=ALL_BITS))
    def test_each_number_becomes_the_nearest_or_the_even_one_of_two(self, bits: Any) -> None:
        x: FloatArray = bits.view(np.float32)
        for number, half in zip(x.tolist(), to_bits(x).tolist(), strict=True):
            got = float(from_bits(np.array([half], BITS))[0])
            if np.isnan(number):
                assert np.isnan(got)
                continue
            below = [float(from_bits(np.array([at], BITS))[0]) for at in (half - 1, half + 1) if 0 <= at < 2**16]
            near = [other for other in below if np.isfinite(other) and np.sign(other) in (0, np.sign(number))]
            if np.isfinite(got) and np.isfinite(number):
                assert all(abs(got - number) <= abs(other - number) for other in near)
                ties = any(abs(got - number) == abs(other - number) and other != got for other in near)
                assert not ties or half % 2 == 0

    def test_what_fits_stays(self) -> None:
        every = np.arange(2**16, dtype=BITS)
        numbers = ~np.isnan(from_bits(every))
        np.testing.assert_array_equal(to_bits(from_bits(every))[numbers], every[numbers])
        np.testing.assert_array_equal(rounded(np.array([1 / 3], np.float32)), np.array([0.333984375], np.float32))

    def test_every_upper_half_is_rounded_as_a_whole_number(self) -> None:
        ends = np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32)
        bits = (np.arange(2**16, dtype=np.uint32)[:, None] << 16) | ends  # NaN and infinity, too
        x: FloatArray = bits.view(np.float32)
        for y in (x, x.T, x[::7, ::2], x[:0]):
            nan, halves = np.isnan(y), np.rint(np.ascontiguousarray(y).view(np.uint32) / 2**16)
            np.testing.assert_array_equal(np.isnan(rounded(y)), nan)
            np.testing.assert_array_equal(rounded(y).view(np.uint32)[~nan], halves[~nan].astype(np.uint32) << 16)
            np.testing.assert_array_equal(from_bits(to_bits(y)).view(np.uint32), rounded(y).view(np.uint32))


class TestRefusals:
    def test_it_is_refused_by_name_where_it_would_be_slower(self, monkeypatch: pytest.MonkeyPatch) -> None:
        slow = net()
        monkeypatch.setattr("thinnet.products.blocked.amx_usable", lambda: False)
        lacks = {True: "where the processor's AMX cannot be used", False: "on a processor without AMX"}
        for has in lacks if sys.platform == "linux" else ():
            monkeypatch.setattr("thinnet.steps.choose.has_amx", lambda has=has: has)
            wanted = f"precision must be None for training here, got 'bfloat16': it is slower than float32 {lacks[has]}"
            with pytest.raises(ArgumentError, match=wanted):
                Solver(slow, data(), verbose=False)
            with pytest.raises(ArgumentError, match=wanted):
                slow.loss(np.ones((4, 64)), np.zeros(4, int), training=True)
        monkeypatch.setattr(sys, "platform", "darwin")
        with pytest.raises(ArgumentError, match="except on Linux"):
            Solver(slow, data(), verbose=False)
        monkeypatch.setattr("thinnet.kernels.available", lambda: False)
        with pytest.raises(ArgumentError, match="without Numba's kernels"):
            Solver(net(), data(), verbose=False)

    def test_scores_are_computed_anywhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        one = net()
        one.products = "numpy"
        X = np.random.default_rng(0).standard_normal((50, 64)).astype(np.float32)
        fast = one.scores(X)
        one.fused = False
        np.testing.assert_allclose(fast, one.scores(X), atol=0.02 * np.abs(fast).max())
        assert (fast != one.replace(precision=None).scores(X)).any()

    @pytest.mark.parametrize("dtype", ["float64", np.float64])
    def test_it_needs_float32(self, dtype: Any) -> None:
        with pytest.raises(ArgumentError, match="precision must be None with dtype=float64, got 'bfloat16'"):
            net(dtype=dtype)
        assert net().copy(dtype).precision is None
        assert net().copy().precision == "bfloat16"

    @pytest.mark.parametrize(
        ("options", "text"),
        [
            ({"solver": "lbfgs", "precision": "bfloat16"}, "precision must be None with solver='lbfgs'"),
            ({"precision": "float16"}, "precision must be one of None, 'bfloat16', got 'float16'"),
            ({"precision": np.float32}, "precision must be one of None, 'bfloat16', got"),
        ],
    )
    def test_estimators_refuse_what_does_not_fit(self, options: dict[str, Any], text: str) -> None:
        with pytest.raises(ArgumentError, match=text):
            ThinNetClassifier(**options).fit(np.eye(6), [0, 1] * 3)

    def test_what_a_net_prints_says_so(self) -> None:
        assert repr(net()).startswith(
            "FullyConnectedNet 64-70-30-10: 7,190 parameters of float32, products of bfloat16,"
        )
        assert "bfloat16" not in repr(net(precision=None))

    def test_a_model_of_somebody_elses_has_none(self) -> None:
        class Foreign:
            def __init__(self) -> None:
                self.params = {"W": np.zeros((64, 10))}

            def loss(self, X: Any, y: Any = None) -> Any:
                return X @ self.params["W"]

        with pytest.raises(ArgumentError, match="precision must be None unless the model is a FullyConnectedNet"):
            Solver(Foreign(), data(), precision="bfloat16", verbose=False)

    def test_an_unknown_one_is_refused(self) -> None:
        with pytest.raises(ArgumentError, match=re.escape("precision must be one of None, 'bfloat16', got 'float16'")):
            net(precision="float16")
        with pytest.raises(ArgumentError, match="precision must be one of"):
            Solver(net(precision=None), data(), precision="half", verbose=False)  # type: ignore[arg-type]


class Meddling(Callback):
    """Changes a weight between two steps."""

    def on_step(self, state: Any) -> None:
        state.model.params["W1"][20] *= np.float32(1.25)


@pytest.mark.usefixtures("anywhere")
class TestTraining:
    def solver(self, **options: Any) -> Solver:
        one = net(**{name: options.pop(name) for name in ("precision", "dropout_mask") if name in options})
        return Solver(one, data(), epochs=2, batch_size=50, verbose=False, seed=3, **options)

    @pytest.mark.parametrize("dropout_mask", ["element", "batch"])
    def test_it_learns_and_two_runs_are_equal_to_the_last_bit(self, dropout_mask: str) -> None:
        nets = []
        for _ in range(2):
            solver = self.solver(dropout_mask=dropout_mask, learning_rate=0.01)
            assert solver.train().val_accuracy[-1] > 0.85
            nets.append(solver.model.params.flat.tobytes())
        assert nets[0] == nets[1]

    def test_steps_one_by_one_are_those_of_training(self) -> None:
        whole, by_hand = self.solver(), self.solver()
        losses = whole.train().loss
        np.testing.assert_array_equal(losses, [by_hand.step() for _ in losses])

    def test_weights_that_others_change_are_seen(self) -> None:
        changed, by_hand = self.solver(callbacks=[Meddling()]), self.solver()
        losses = changed.train().loss
        for loss in losses:
            assert by_hand.step() == loss
            by_hand.model.params["W1"][20] *= np.float32(1.25)

    def test_training_that_goes_on_begins_with_the_weights_that_are_there(self) -> None:
        """The best weights were restored at the end, and the user may have changed them since."""
        going_on, by_hand = self.solver(), self.solver()
        for solver in (going_on, by_hand):
            solver.train()
            solver.model.params["W1"][20] *= np.float32(1.25)
        before = len(going_on.history.loss)
        losses = going_on.train(epochs=1).loss[before:]
        by_hand.state.total_steps = going_on.state.total_steps
        np.testing.assert_array_equal(losses, [by_hand.step() for _ in losses])

    def test_the_solver_can_train_so_a_net_that_is_not(self) -> None:
        built, told = self.solver(), self.solver(precision=None)
        told = Solver(told.model, data(), epochs=2, batch_size=50, verbose=False, seed=3, precision="bfloat16")
        built.train(), told.train()
        assert told.model.precision is None
        assert built.history.loss == told.history.loss

    def test_it_is_resumed_to_the_same_bits(self, tmp_path: Path) -> None:
        whole = self.solver()
        whole.train()
        stopped = self.solver(checkpoint_dir=tmp_path, checkpoint_every=3)
        with pytest.raises(KeyboardInterrupt), stopped._saving.held():  # type: ignore[union-attr]
            stopped._loop.run(stopped.step, lambda loss: self._end(stopped, loss))
        again = Solver.resume(tmp_path, data())
        again.train()
        assert again.model.precision == "bfloat16"
        assert again.model.params.flat.tobytes() == whole.model.params.flat.tobytes()

    def _end(self, solver: Solver, loss: float) -> None:
        solver._after_step(loss)
        if solver.iteration == 7:
            raise KeyboardInterrupt

    def test_what_is_not_finite_is_named(self) -> None:
        rows = np.random.default_rng(0).standard_normal((60, 64)).astype(np.float32)
        rows[7, 3] = 1e38
        wide = net(normalization=None, weight_scale=10.0)
        solver = Solver(wide, Dataset(rows, np.arange(60) % 10), batch_size=60, verbose=False)
        with pytest.raises(NumericalError, match="inputs up to 1e\\+38; standardize them"):
            solver.train()

    def test_estimators_take_it(self) -> None:
        X, y = data().X_train, data().y_train
        one = ThinNetClassifier((70,), max_iter=10, precision="bfloat16", random_state=0).fit(X, y)
        assert one.net_.precision == "bfloat16"
        assert one.score(X, y) > 0.9

    def test_the_command_takes_it(self, tmp_path: Path) -> None:
        command = [
            "train",
            "--precision",
            "bfloat16",
            "--epochs",
            "1",
            "--seed",
            "1",
            "--output",
            str(tmp_path / "run"),
        ]
        assert cli.main(command) == 0
        assert FullyConnectedNet.load(tmp_path / "run" / "net.safetensors").precision == "bfloat16"
