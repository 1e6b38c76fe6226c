"""The exponential average of the weights: its values, that it is evaluated and returned, and that training goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from small_training import Foreign, make_data, make_net, make_solver, model_state
from thinnet import ArgumentError, Callback, FullyConnectedNet, NumericalError, Solver, runs
from thinnet.config import Config
from thinnet.optim import adam
from thinnet.spec import NORMALIZATIONS
from thinnet.subnormal import settled
from thinnet.teams import ENOUGH_FOR_PYTHON, ONE_THREAD, ThreadPool
from thinnet.training.averaging import WeightAverage
from thinnet.training.evaluation import Evaluation
from thinnet.training.state import TrainingState
from thinnet.typing import FloatArray


class Weights(Callback):
    """Records parameters and running statistics after each step."""

    def __init__(self) -> None:
        self.steps: list[FloatArray] = []

    def on_step(self, state: TrainingState) -> None:
        self.steps.append(everything(state.model))


def everything(net: Any) -> FloatArray:
    return np.concatenate([net.params.flat, net.running.flat]).astype(np.float64)


def average(steps: list[FloatArray], decay: float) -> FloatArray:
    """The average by its definition."""
    kept = steps[0]
    for t, new in enumerate(steps[1:], start=1):
        d = min(decay, (1 + t) / (10 + t))
        kept = d * kept + (1 - d) * new
    return kept


@pytest.mark.parametrize(
    ("normalization", "mask"),
    [*((name, "element") for name in NORMALIZATIONS), (None, "batch"), ("batchnorm", "batch")],
)
@pytest.mark.parametrize("decay", [0.5, 0.999])
def test_the_net_ends_with_the_average_of_the_weights_of_all_steps(normalization: Any, mask: Any, decay: float) -> None:
    weights = Weights()
    net = make_net(normalization=normalization, dropout=0.3, dropout_mask=mask, dtype=np.float64)
    make_solver(net, make_data(val=0), epochs=8, ema_decay=decay, learning_rate=0.01, callbacks=[weights]).train()
    assert len(weights.steps) == 24
    np.testing.assert_allclose(everything(net), average(weights.steps, decay), rtol=0, atol=1e-13)
    assert np.abs(everything(net) - weights.steps[-1]).max() > 1e-3


@pytest.mark.parametrize("optimizer", ["adam", adam])
def test_what_is_evaluated_and_kept_is_the_average_and_training_does_not_notice(optimizer: Any) -> None:
    net = make_net(normalization="batchnorm", dtype=np.float64)
    weights, shown = Weights(), []

    class Watched(Solver):
        def evaluate(self, split: str) -> Evaluation:
            shown.append((self.iteration, everything(self.model)))
            return super().evaluate(split)

    options: dict[str, Any] = {"optimizer": optimizer, "batch_size": 20, "epochs": 6, "verbose": False}
    solver = Watched(net, make_data(), ema_decay=0.9, callbacks=[weights], **options)
    history = solver.train()
    raw = Weights()
    plain = Solver(
        make_net(normalization="batchnorm", dtype=np.float64), make_data(), callbacks=[raw], **options
    ).train()
    assert history.loss == plain.loss
    np.testing.assert_array_equal(weights.steps, raw.steps)
    assert len(shown) == 14
    for step, seen in shown:
        np.testing.assert_allclose(seen, average(weights.steps[:step], 0.9), rtol=0, atol=1e-13)
    best = int(np.argmax(history.val_accuracy))
    np.testing.assert_array_equal(everything(net), shown[2 * best + 1][1])
    assert solver.accuracy("val") == solver.best_val_accuracy


@pytest.mark.parametrize("none", [None, 0, 0.0])
def test_no_average_is_the_weights_themselves(none: Any) -> None:
    net, other = make_net(), make_net()
    make_solver(net, ema_decay=none).train()
    make_solver(other).train()
    assert model_state(net) == model_state(other)


def test_further_training_begins_a_new_average_at_the_weights_that_the_net_has() -> None:
    weights, net = Weights(), make_net(dtype=np.float64)
    solver = make_solver(net, make_data(val=0), epochs=2, ema_decay=0.9, callbacks=[weights])
    solver.train()
    net.params["b1"] = np.full(12, 7.0)
    weights.steps.clear()
    solver.train(epochs=3)
    np.testing.assert_allclose(everything(net), average(weights.steps, 0.9), rtol=0, atol=1e-13)
    assert (weights.steps[0][60:72] > 6).all()


def test_steps_by_hand_are_averaged_too() -> None:
    solver = make_solver(make_net(dtype=np.float64), make_data(val=0), ema_decay=0.9)
    steps = []
    for _ in range(5):
        solver.step()
        steps.append(everything(solver.model))
    assert solver.state.average is not None
    np.testing.assert_allclose(solver.state.average.params.flat, average(steps, 0.9), rtol=0, atol=1e-14)


def test_whoever_interrupts_an_evaluation_has_the_weights_that_are_trained_and_may_go_on() -> None:
    class Impatient(Solver):
        interrupted = False

        def evaluate(self, split: str) -> Evaluation:
            if self.iteration == 6 and split == "val" and not self.interrupted:
                self.interrupted = True
                raise KeyboardInterrupt
            return super().evaluate(split)

    weights, net, other = Weights(), make_net(dtype=np.float64), make_net(dtype=np.float64)
    options: dict[str, Any] = {"batch_size": 20, "verbose": False, "epochs": 4, "ema_decay": 0.9, "seed": 3}
    solver = Impatient(net, make_data(), callbacks=[weights], **options)
    with pytest.raises(KeyboardInterrupt):
        solver.train()
    np.testing.assert_array_equal(everything(net), weights.steps[-1])
    whole = Solver(other, make_data(), **options).train()
    assert solver.train().loss == whole.loss
    assert model_state(net) == model_state(other)


def explode(state: TrainingState) -> None:
    if state.iteration == 8:
        state.model.params["W1"][0, 0] = np.inf


def test_what_is_not_finite_leaves_the_last_good_average_and_none_of_itself() -> None:
    class Explode(Callback):
        on_step = staticmethod(explode)

    net = make_net(dtype=np.float64)
    solver = make_solver(net, ema_decay=0.9, callbacks=[Explode()])
    with pytest.raises(NumericalError, match="finite"):
        solver.train()
    assert np.isfinite(everything(net)).all()
    assert solver.accuracy("val") == solver.best_val_accuracy
    solver.callbacks.clear()
    solver.train()
    assert np.isfinite(everything(net)).all()
    assert np.isfinite(solver.history.loss).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", [1, 8, ENOUGH_FOR_PYTHON // 8])
def test_kernel_threads_and_numpy_give_the_same_bits(dtype: Any, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No subnormal numbers, and NaN is kept."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    net = FullyConnectedNet([width], 7, 2, dtype=dtype, normalization="batchnorm", seed=1)
    averages = [WeightAverage(net, 0.999, team) for team in (ONE_THREAD, ThreadPool(), ONE_THREAD)]
    rng = np.random.default_rng(width)
    for _ in range(3):
        new = rng.standard_normal(net.params.flat.size).astype(dtype)
        new[::5] = np.finfo(dtype).tiny
        new[3] = np.nan
        net.params.flat[:] = new
        for average, net.fused in zip(averages, (True, True, False), strict=True):
            average.update()
    kept = [average.params.flat for average in averages]
    assert len({result.tobytes() for result in kept}) == 1
    np.testing.assert_array_equal(kept[0], settled(kept[0]))
    assert np.flatnonzero(np.isnan(kept[0])).tolist() == [3]


@pytest.mark.parametrize("decay", [1, 1.5, -0.1, np.nan, "0.9", True])
@pytest.mark.parametrize("make", [make_solver, lambda **options: Config(**options)], ids=["solver", "config"])
def test_a_decay_outside_its_limits_is_refused(decay: Any, make: Callable[..., Any]) -> None:
    with pytest.raises(ArgumentError, match=r"ema_decay must be .*0\.999"):
        make(ema_decay=decay)


def test_weights_of_other_models_are_not_averaged() -> None:
    with pytest.raises(ArgumentError, match="ema_decay must be None unless the model is a FullyConnectedNet"):
        make_solver(Foreign(), ema_decay=0.9)


@pytest.mark.parametrize("word", ["use_ema", "ema_momentum", "model_ema_decay"])
def test_the_words_of_other_libraries_lead_to_it(word: str) -> None:
    with pytest.raises(ArgumentError, match="ema_decay"):
        make_solver(**{word: 0.9})


def test_a_config_says_it_too(tmp_path: Path) -> None:
    config = Config(data="digits", epochs=2, ema_decay=0.9, seed=1)
    runs.start(config, tmp_path / "run", log=lambda text: None, verbose=False, progress=False)
    data = runs.load(config)
    solver = Solver(runs.net_of(config, data), data, epochs=2, ema_decay=0.9, verbose=False)
    solver.train()
    saved = FullyConnectedNet.load(tmp_path / "run" / runs.NET)
    assert saved.params.flat.tobytes() == solver.model.params.flat.tobytes()
