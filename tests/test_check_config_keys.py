"""The checker on optimizers that read config values under different names than those given."""

from __future__ import annotations

import re

import pytest

import check_sources as sources
from test_check import check
from thinnet.check import Finding

MU, GIVEN = 'config.setdefault("momentum", 0.9)', 'config["momentum"]'
RATE = 'config.setdefault("learning_rate", 1e-2)'
VELOCITY = 'config.get("velocity", np.zeros_like(w))'
# The rule, the changes, and the reported names, each with the right one.
RENAMED: list[tuple[str, dict[str, str], list[tuple[str, str]]]] = [
    ("sgd", {'"learning_rate"': '"lr"'}, [("lr", "learning_rate")]),
    ("sgd", {RATE: "pass", '"learning_rate"': '"lr"'}, [("lr", "learning_rate")]),
    ("sgd_momentum", {'"momentum"': '"mu"'}, [("mu", "momentum")]),
    ("sgd_momentum", {MU: 'mu = config.get("mu", 0.9)', GIVEN: "mu"}, [("mu", "momentum")]),
    ("sgd_momentum", {MU: 'mu = config["mu"] if "mu" in config else 0.9', GIVEN: "mu"}, [("mu", "momentum")]),
    (
        "rmsprop",
        {'"epsilon", 1e-8': '"eps", 1', '"epsilon"': '"eps"', '"decay_rate"': '"rho"'},
        [("rho", "decay_rate"), ("eps", "epsilon")],
    ),
    ("adam", {'"beta1"': '"beta_1"'}, [("beta_1", "beta1")]),
    (
        "adam",
        {'"beta1"': '"b1"', '"beta2"': '"b2"', '"learning_rate"': '"lr"'},
        [("lr", "learning_rate"), ("b1", "beta1"), ("b2", "beta2")],
    ),
]


def told(rule: str, changes: dict[str, str]) -> Finding:
    text = sources.OPTIM
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    [found] = [one for name, one in check(text) if name == rule]
    return found


@pytest.mark.parametrize(("rule", "changes", "names"), RENAMED)
def test_a_value_that_is_read_by_another_name_is_told_with_its_line(
    rule: str, changes: dict[str, str], names: list[tuple[str, str]]
) -> None:
    found = told(rule, changes)
    pattern = r"'(\w+)', which is never given, in place of '(\w+)', in layers\.py, line \d+"
    assert (found.verdict, re.findall(pattern, found.evidence)) == ("wrong-update", names), str(found)
    assert f"Read it under the name that callers use, config['{names[0][1]}']." in found.mend


def test_a_state_that_nobody_starts_is_none_of_these_values() -> None:
    found = told("sgd_momentum", {VELOCITY: 'config["velocity"]'})
    assert found.verdict == "crashed"
    assert "config.setdefault('velocity', np.zeros_like(w))" in found.mend


@pytest.mark.parametrize(
    "changes",
    [
        {VELOCITY: 'config.setdefault("velocity", 0.0)'},
        {VELOCITY: 'config.get("velocity", 0) + 0 * config.setdefault("weight_decay", 0.0)'},
        {VELOCITY: 'dict(config).get("velocity", 0)'},
    ],
)
def test_values_of_its_own_are_not_held_against_a_rule(changes: dict[str, str]) -> None:
    assert check(sources.swap(sources.OPTIM, changes)).ok
