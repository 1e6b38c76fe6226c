"""The checker on optimizers: how and where Adam counts its steps, and which update line a wrong rule follows."""

from __future__ import annotations

import re

import numpy as np
import pytest

import check_sources as sources
from test_check import check, ids
from thinnet import optim
from thinnet.check.probes.optimizer_rules import MISTAKES, RULES, mistaken, path
from thinnet.check.probes.optimizers import OPTIONS
from thinnet.typing import FloatArray


@pytest.mark.parametrize("how", sources.RIGHT_ADAMS)
def test_right_adams_pass_in_every_order_of_counting(how: str) -> None:
    report = check(sources.swap(sources.OPTIM, sources.RIGHT_ADAMS[how]))
    assert report.ok, str(report)
    assert not report.verdicts


@pytest.mark.parametrize(
    "changes",
    [
        {'"t"': '"iteration"'},
        {sources.COUNT: "    global count\n    count += 1\n    t = count\n", "def adam(": "count = 0\ndef adam("},
    ],
    ids=["by another name", "in a global"],
)
def test_a_step_that_adam_counts_outside_of_t_is_noted(changes: dict[str, str]) -> None:
    report = check(sources.swap(sources.OPTIM, changes))
    assert report.ok, str(report)
    assert report.verdicts == {"step-kept-elsewhere"}
    assert "with t = 5 given" in str(report)


def test_what_is_wrong_with_adams_t_is_told_apart() -> None:
    late = {sources.COUNT: '    t = config["t"]\n    config["t"] += 1\n', 'setdefault("t", 0)': 'setdefault("t", 1)'}
    assert check(sources.swap(sources.OPTIM, late)).faults == {"step-counted-late"}  # correct with an empty config
    unread = {sources.COUNT: "    t = 1\n"}
    assert check(sources.swap(sources.OPTIM, unread)).faults == {"power-forgotten", "step-not-counted"}
    fixed = {"** t)": "** 2)"}
    assert check(sources.swap(sources.OPTIM, fixed)).faults == {"bias-correction-wrong"}
    twice = {'    t = config["t"]\n': '    t = config["t"] + 1\n'}
    assert check(sources.swap(sources.OPTIM, twice)).faults == {"step-counted-twice"}


@pytest.mark.parametrize(("function", "old", "new", "line"), sources.OTHER_RULES, ids=ids(sources.OTHER_RULES))
def test_a_wrong_rule_is_told_by_the_line_that_moves_so(function: str, old: str, new: str, line: str) -> None:
    report = check(sources.swap(sources.OPTIM, {old: new}))
    found = [(name, one.verdict) for name, one in report]
    assert found == [(function, "wrong-update")], str(report)
    assert line in str(report)


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ("(1 - b2) * dw ** 2", "(1 - b2) * dw", "wrong-update"),
        ("(1 - b1 ** t)", "(1 - b2 ** t)", "bias-correction-wrong"),
        (" / (1 - b1 ** t)", "", "bias-correction-missing"),
    ],
)
def test_a_t_that_starts_at_1_is_not_told_beside_a_mistake(old: str, new: str, verdict: str) -> None:
    report = check(sources.swap(sources.OPTIM, {'setdefault("t", 0)': 'setdefault("t", 1)', old: new}))
    assert report.faults == {verdict}, str(report)
    last = '    return w - config["learning_rate"] * mt'
    late = {sources.COUNT: '    t = config["t"]\n', last: f'    config["t"] += 1\n{last}'}
    report = check(sources.swap(sources.OPTIM, {'setdefault("t", 0)': 'setdefault("t", 1)', old: new, **late}))
    assert report.faults == {verdict}, str(report)


def test_two_wrong_lines_are_both_told() -> None:
    two = {"(1 - b1 ** t)": "(1 - b1 * t)", "(1 - b2) * dw ** 2": "dw ** 2"}
    report = check(sources.swap(sources.OPTIM, two))
    assert report.faults == {"bias-correction-wrong", "wrong-update"}
    assert "`v = beta2 * v + dw**2` in place of `v = beta2 * v + (1 - beta2) * dw**2`" in " ".join(str(report).split())


@pytest.mark.parametrize("mean", ["vt", 'config["cache"]'])
def test_an_epsilon_inside_of_the_root_is_a_note(mean: str) -> None:
    inside = {f'(np.sqrt({mean}) + config["epsilon"])': f'np.sqrt({mean} + config["epsilon"])'}
    report = check(sources.swap(sources.OPTIM, inside))
    assert report.ok, str(report)
    assert report.verdicts == {"epsilon-inside-root"}
    assert f"sqrt({'vt' if mean == 'vt' else 'cache'} + epsilon)` in place of" in " ".join(str(report).split())


@pytest.mark.parametrize("name", RULES)
def test_the_lines_of_a_rule_are_the_rule_and_no_mistake_in_them_is(name: str) -> None:
    rng = np.random.default_rng(4)
    w: FloatArray = rng.normal(size=(3, 4))
    grads: list[FloatArray] = [rng.normal(size=(3, 4)) for _ in range(3)]
    rule = {"sgd_nesterov_momentum": optim.nesterov}.get(name) or getattr(optim, name)
    right: list[FloatArray] = []
    config, now = dict(OPTIONS[name]), w
    for dw in grads:
        now, config = rule(now, dw, config)
        right.append(now)
    assert np.allclose([*path(RULES[name], w, grads, OPTIONS[name])], right, rtol=1e-12)
    alone = [lines for mistakes, lines in mistaken(name, RULES[name]) if len(mistakes) == 1]
    assert len(alone) >= len(MISTAKES[name])
    for lines in alone:
        assert not np.allclose([*path(lines, w, grads, OPTIONS[name])], right, rtol=1e-4), lines


KEYS = [("sgd_momentum", '"velocity"', '"vel"'), ("rmsprop", '"cache"', '"c"'), ("adam", '"m"', '"moment"')]


@pytest.mark.parametrize(("function", "old", "new"), KEYS, ids=ids(KEYS))
def test_a_state_that_no_notebook_can_give_is_noted(function: str, old: str, new: str) -> None:
    report = check(sources.swap(sources.OPTIM, {old: new}))
    found = [one.evidence for name, one in report if (name, one.verdict) == (function, "state-kept-elsewhere")]
    assert len(found) == 1, str(report)
    assert report.ok


def test_an_epsilon_that_adds_up_is_not_just_inside_of_the_root() -> None:
    adds = {
        "* dw ** 2\n    return w": '* dw ** 2 + config["epsilon"]\n    return w',
        '["cache"]) + config["epsilon"])': '["cache"]))',
    }
    assert "epsilon-inside-root" not in check(sources.swap(sources.OPTIM, adds)).verdicts


def test_a_velocity_of_the_other_sign_is_noted() -> None:
    turned = {
        'v = config["momentum"] * v - config["learning_rate"] * dw\n    next_w = w + v': "v = "
        'config["momentum"] * v + config["learning_rate"] * dw\n    next_w = w - v'
    }
    report = check(sources.swap(sources.OPTIM, turned))
    assert report.ok, str(report)
    assert report.verdicts == {"state-kept-elsewhere"}
    assert "with config['velocity'] given, w[" in str(report)


def test_the_names_of_nndl_are_no_other_names() -> None:
    keys = {'["v"]': '["a"]', '"v",': '"a",', '["m"]': '["v"]', '"m",': '"v",', '"cache"': '"a"'}
    report = check(sources.swap(sources.OPTIM, keys))
    assert report.ok, str(report)
    assert not report.verdicts


def test_a_weight_that_moves_wrong_is_shown_where_it_does() -> None:
    report = check(sources.swap(sources.OPTIM, {"(1 - b1) * dw": "(1 - b1) * np.maximum(dw, 0)"}))
    [(_, found)] = report
    moved, expected = re.findall(r"moves to (\S+), expected (\S+)", found.evidence)[0]
    assert moved != expected, str(report)


def test_half_a_step_is_not_explained_by_something_else() -> None:
    half = {'config["learning_rate"] * dw / (np.sqrt': '0.5 * config["learning_rate"] * dw / (np.sqrt'}
    report = check(sources.swap(sources.OPTIM, half))
    assert [(name, one.verdict) for name, one in report] == [("rmsprop", "wrong-update")]
    assert "in place of" not in str(report)
