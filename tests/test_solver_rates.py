"""The learning rate and the weight decay of each step: schedules, for named rules and for functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from small_training import make_data, make_net, make_solver
from thinnet import FullyConnectedNet, Solver, runs
from thinnet.config import Config
from thinnet.errors import ArgumentError
from thinnet.optim import OPTIMIZERS
from thinnet.schedules import SCHEDULES, Cosine, EpochDecay, OneCycle
from thinnet.typing import FloatArray


def rates(**options: Any) -> list[float]:
    """The learning rates that a rule given as a function gets, one per step."""
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


@pytest.mark.parametrize("name", ["adamw", "lion"])
@pytest.mark.usefixtures("without_kernels")
def test_weight_decay_has_a_schedule_of_its_own(name: str) -> None:
    """A named rule trains the same net as a function that gets the rate and the decay of each step."""
    schedule, decays = Cosine(floor=0.1), OneCycle(0.5, start=0.2)
    lengths = {"steps_per_epoch": 3, "total_steps": 6}
    told = [
        {"learning_rate": 0.1 * schedule(step, **lengths), "weight_decay": 0.5 * decays(step, **lengths)}
        for step in range(6)
    ]
    seen: list[dict[str, float]] = []

    def rule(w: FloatArray, dw: FloatArray, config: dict[str, Any] | None) -> tuple[FloatArray, dict[str, Any]]:
        assert config is not None
        seen.append({key: config[key] for key in told[0]})
        return OPTIMIZERS[name].rule(w, dw, config)

    by_rule, by_name, without = make_net(), make_net(), make_net()
    options: dict[str, Any] = {"learning_rate": 0.1, "optimizer_options": {"weight_decay": 0.5}, "epochs": 2}
    for net, optimizer, weight_decay_schedule in (
        (by_rule, rule, decays),
        (by_name, name, decays),
        (without, name, None),
    ):
        options |= {"schedule": schedule, "weight_decay_schedule": weight_decay_schedule}
        make_solver(net, make_data(val=0), optimizer=optimizer, **options).train()
    arrays = len(by_rule.params)
    assert seen == [step for step in told for _ in range(arrays)]
    assert by_name.params.flat.tobytes() == by_rule.params.flat.tobytes()
    assert by_name.params.flat.tobytes() != without.params.flat.tobytes()


def test_the_decay_of_an_optimizer_without_one_cannot_be_scheduled() -> None:
    with pytest.raises(
        ArgumentError, match=r"weight_decay_schedule must be None .* got 'cosine'\. Use optimizer='adamw'"
    ):
        make_solver(make_net(), make_data(), optimizer="adam", weight_decay_schedule="cosine")
    with pytest.raises(ArgumentError, match=r"weight_decay_schedule must be one of .* got 'cosin'"):
        make_solver(make_net(), make_data(), optimizer="adamw", weight_decay_schedule="cosin")


def test_a_config_has_the_schedule_of_the_decay(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"learning_rate": 0.02, "optimizer": "adamw", "epochs": 2}
    config = Config(**settings, weight_decay=0.5, weight_decay_schedule="cosine", seed=1)
    runs.start(config, tmp_path / "run", verbose=False)
    data = runs.load(config)
    net = runs.net_of(config, data)
    decay: dict[str, Any] = {"optimizer_options": {"weight_decay": 0.5}, "weight_decay_schedule": "cosine"}
    Solver(net, data, **settings, **decay, verbose=False).train()
    assert FullyConnectedNet.load(tmp_path / "run" / runs.NET).params.flat.tobytes() == net.params.flat.tobytes()
