"""Solver: it trains like a handwritten loop, learns, and is reproducible with a seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from small_training import Foreign, blobs, make_data, make_net, make_solver, model_state
from thinnet import ArgumentError, Dataset, FullyConnectedNet
from thinnet.optim import OPTIMIZERS
from thinnet.spec import NORMALIZATIONS


def trained_both_ways(rule: str, **net_options: Any) -> tuple[Any, Any, list[float], list[float]]:
    """Two equal nets after seven steps, one by a solver and one by just `loss`, the rule and the batch order; and the
    losses of both."""
    net, other = (make_net(dropout=0.3, reg=0.01, **net_options) for _ in range(2))
    options = {"learning_rate": 0.01}
    solver = make_solver(net, optimizer=rule, learning_rate=0.01)
    configs: dict[str, Any] = {name: dict(options) for name in other.params}
    losses = []
    for step in range(7):
        X, y = solver.data.batch("train", solver.order.rows(step), dtype=other.dtype)
        loss, grads = other.loss(X, y, training=True)
        losses.append(loss)
        for name in other.params:
            other.params[name], configs[name] = OPTIMIZERS[rule].rule(other.params[name], grads[name], configs[name])
    return net, other, [solver.step() for _ in range(7)], losses


@pytest.mark.parametrize("rule", OPTIMIZERS)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.usefixtures("without_kernels")
def test_training_is_the_loop_one_would_write(rule: str, normalization: Any) -> None:
    """Bit for bit, even though gradients are written in place and all parameters are updated in one pass."""
    net, other, losses, expected = trained_both_ways(rule, normalization=normalization)
    assert losses == expected
    assert model_state(net) == model_state(other)


@pytest.mark.parametrize("rule", OPTIMIZERS)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_training_is_that_loop_to_rounding_however_it_is_computed(rule: str, normalization: Any) -> None:
    net, other, losses, expected = trained_both_ways(rule, normalization=normalization, dtype=np.float64)
    assert losses == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(net.params.flat, other.params.flat, rtol=0, atol=1e-9)
    np.testing.assert_allclose(net.running.flat, other.running.flat, rtol=0, atol=1e-9)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("loss", ["softmax", "svm"])
def test_a_small_data_set_is_learned_by_heart(normalization: Any, loss: str) -> None:
    X, y = np.random.default_rng(0).standard_normal((30, 5)), np.arange(30) % 3  # labels that do not depend on X
    net = FullyConnectedNet([60], 5, 3, normalization=normalization, loss=loss, seed=0)
    solver = make_solver(net, Dataset(X, y), epochs=150, batch_size=15, learning_rate=0.02)
    history = solver.train()
    assert history.train_accuracy[-1] == 1
    assert np.mean(history.loss[-10:]) < 0.1 * history.loss[0]


def test_weights_of_rows_reach_the_loss() -> None:
    """In a minibatch of all rows, rows of weight zero have no effect."""
    X, y = blobs(40)
    weights = np.where(np.arange(40) < 30, 2.0, 0.0)
    net = make_net()
    expected = net.copy().loss(X, y, weights=weights, training=True)[0]
    solver = make_solver(net, Dataset(X, y, weights=weights), batch_size=40)
    assert solver.step() == pytest.approx(expected, rel=1e-5)
    few = make_net().loss(X[:30], y[:30], training=True)[0]
    assert expected == pytest.approx(few * 2 * 30 / 40, rel=1e-5)


# Steps by hand


def test_a_step_returns_and_records_its_loss_and_evaluates_nothing() -> None:
    solver = make_solver()
    losses = [solver.step() for _ in range(4)]
    assert all(type(loss) is float for loss in losses)
    assert solver.history.loss == losses
    assert (solver.iteration, solver.epoch) == (4, 1)
    assert solver.history.train_accuracy == []


def test_train_goes_on_where_steps_left_off() -> None:
    nets = [make_net(dropout=0.4) for _ in range(2)]
    solvers = [make_solver(net, make_data(val=0)) for net in nets]
    for _ in range(5):
        solvers[0].step()
    for solver in solvers:
        solver.train()
    assert solvers[0].history.loss == solvers[1].history.loss
    assert nets[0].params.flat.tobytes() == nets[1].params.flat.tobytes()
    before = nets[0].params.flat.tobytes()
    with pytest.raises(ArgumentError, match=r"all 4 epochs are done\. Write train\(epochs=10\) for ten more"):
        solvers[0].train()
    assert nets[0].params.flat.tobytes() == before, "there was nothing left to do"
    for solver in solvers:
        solver.train(epochs=2)
    assert len(solvers[0].history.loss) == 6 * solvers[0].state.steps_per_epoch
    assert solvers[0].history.loss == solvers[1].history.loss


# Repeating


def outcome(net_seed: int, **options: Any) -> tuple[list[bytes], tuple[Any, ...]]:
    net = make_net(dropout=0.5, normalization="batchnorm", seed=net_seed)
    history = make_solver(net, **options).train()
    return model_state(net), (history.loss, history.epoch, history.train_accuracy, history.val_accuracy)


@pytest.mark.parametrize("options", [{}, {"sampling": "replacement"}, {"eval_train_rows": 20, "eval_val_rows": 10}])
def test_the_same_seed_gives_the_same_bits(options: dict[str, Any]) -> None:
    assert outcome(3, **options) == outcome(3, **options)


def test_another_seed_gives_other_weights() -> None:
    assert outcome(3)[0] != outcome(4)[0]
    assert outcome(3)[0] != outcome(3, seed=4)[0], "the order of the batches alone"


def test_the_seed_of_the_solver_is_that_of_the_net_unless_given() -> None:
    assert make_solver(make_net(seed=11)).seed == 11
    assert make_solver(make_net(seed=11), seed=12).seed == 12
    seeds = [make_solver(Foreign()).seed for _ in range(2)]
    assert seeds[0] != seeds[1]


def test_evaluation_does_not_change_the_course_of_training() -> None:
    nets = [make_net(normalization="batchnorm", dropout=0.5) for _ in range(2)]
    stepped, trained = make_solver(nets[0], make_data(val=0)), make_solver(nets[1], make_data(val=0))
    for _ in range(stepped.num_iterations):
        stepped.step()
    trained.train()
    assert stepped.history.loss == trained.history.loss
    assert nets[0].params.flat.tobytes() == nets[1].params.flat.tobytes()
