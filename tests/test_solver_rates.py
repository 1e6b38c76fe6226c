"""The learning rate of each step: schedules, for named rules and for functions."""

from __future__ import annotations

from typing import Any

import pytest

from small_training import make_data, make_net, make_solver
from thinnet import FullyConnectedNet
from thinnet.optim import OPTIMIZERS
from thinnet.schedules import SCHEDULES, Cosine, EpochDecay, OneCycle
from thinnet.typing import FloatArray


def rates(**options: Any) -> list[float]:
    """The learning rates that a rule given as a function sees, one a step."""
    seen: list[float] = []

    def rule(w: FloatArray, dw: FloatArray, config: dict[str, Any] | None) -> tuple[FloatArray, dict[str, Any]]:
        config = config or {}
        config.setdefault("learning_rate", 0.5)
        seen.append(config["learning_rate"])
        return w, config

    make_solver(FullyConnectedNet([], 5, 3, seed=0), optimizer=rule, epochs=3, **options).train()
    assert seen[::2] == seen[1::2], "W and b have the same rate"
    return seen[::2]


def test_a_schedule_multiplies_the_learning_rate_of_each_step() -> None:
    schedule = OneCycle(floor=0.1)
    factors = [schedule(step, steps_per_epoch=3, total_steps=9) for step in range(9)]
    assert rates(schedule=schedule, learning_rate=0.25) == [0.25 * factor for factor in factors]


def test_a_decay_multiplies_after_each_epoch_the_rules_own_default_too() -> None:
    expected = [0.5 * 0.8**epoch for epoch in (0, 0, 0, 1, 1, 1, 2, 2, 2)]
    assert rates(schedule=EpochDecay(0.8), learning_rate=0.5) == expected
    assert rates(schedule=EpochDecay(0.8), learning_rate=None) == expected
    assert rates(learning_rate=None) == [0.5] * 9
    assert rates() == [1e-3] * 9


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.usefixtures("without_kernels")
def test_the_flat_pass_follows_the_schedule_as_the_rule_does(name: str) -> None:
    schedule = Cosine(warmup=0.3)
    results = []
    for rule in (name, OPTIMIZERS[name].rule):
        net = make_net()
        make_solver(net, make_data(val=0), optimizer=rule, learning_rate=0.1, schedule=schedule).train()
        results.append(net.params.flat.tobytes())
    assert results[0] == results[1]


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_may_be_named(name: str) -> None:
    named, given = (rates(schedule=schedule, learning_rate=0.25) for schedule in (name, SCHEDULES[name]()))
    assert named == given
