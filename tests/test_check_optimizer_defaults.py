"""The checker on what an optimizer does where config leaves out options."""

from __future__ import annotations

from check_sources import OPTIM, swap
from test_check import check

RULE = """
import numpy as np


def sgd_momentum(w, dw, config=None):
    if config is None:
        config = {}
    config.setdefault("learning_rate", 1e-2)
    config.setdefault("momentum", 0.9)
    v = config["momentum"] * config.get("velocity", np.zeros_like(w)) - config["learning_rate"] * dw
    config["velocity"] = v
    return w + v, config
"""
NONE = "    if config is None:\n        config = {}\n"


def test_a_rule_must_take_the_default_of_its_own_config() -> None:
    assert not check(RULE).verdicts
    report = check(RULE.replace(NONE, ""))
    assert report.faults == {"default-missing"}
    assert "with config = None, which is its default, it fails: AttributeError" in str(report)


def test_a_rule_that_always_asks_for_a_config_is_not_wrong_for_taking_only_full_ones() -> None:
    report = check(RULE.replace("config=None", "config").replace(NONE, "").replace("config.setdefault", "config.get"))
    assert (report.ok, report.verdicts) == (True, {"default-missing"}), str(report)
    assert "with no 'learning_rate' in config it fails: KeyError" in str(report)


IN_OTHER_WORDS = {
    '    config.setdefault("momentum", 0.9)\n': '    if "momentum" not in config:\n        config["momentum"] = 0.9\n',
    'config.setdefault("learning_rate", 1e-2)': 'config["learning_rate"] = config.get("learning_rate", 1e-2)',
}


def test_defaults_may_be_given_in_other_words() -> None:
    rule = swap(RULE, IN_OTHER_WORDS)
    assert not check(rule).verdicts
    report = check(rule.replace("= 0.9", "= 0.09"))
    assert (report.ok, report.verdicts) == (True, {"default-odd"}), str(report)
    told = "where config has no 'momentum' it takes 0.09, the courses' is 0.9, in layers.py, line 10"
    assert told in " ".join(str(report).split())


def test_defaults_out_of_range_are_noted_with_their_lines() -> None:
    report = check(RULE.replace("0.9)", "0.09)").replace("1e-2)", "0)"))
    assert (report.ok, report.verdicts) == (True, {"default-odd"}), str(report)
    ((_, found),) = report
    assert [part.partition(", in ")[0] for part in found.evidence.split("; ")] == [
        "where config has no 'learning_rate' it takes 0, the courses' is 0.01",
        "where config has no 'momentum' it takes 0.09, the courses' is 0.9",
    ]
    assert not check(RULE.replace("0.9)", "0.95)").replace("1e-2)", "1e-4)")).verdicts


def test_options_that_are_overwritten_explain_a_wrong_step() -> None:
    report = check(RULE.replace('config.setdefault("learning_rate", 1e-2)', 'config["learning_rate"] = 1e-2'))
    assert report.verdicts == {"input-mutated"}, str(report)
    assert "config.setdefault(key, value) in place of config[key] = value, for every option" in " ".join(
        str(report).split()
    )


def test_betas_with_each_others_default_are_noted() -> None:
    report = check(swap(OPTIM, {'"beta1", 0.9)': '"beta1", 0.999)', '"beta2", 0.999)': '"beta2", 0.9)'}))
    assert (report.ok, report.verdicts) == (True, {"default-odd"}), str(report)
    assert "where config has no 'beta1' it takes 0.999, the courses' is 0.9" in " ".join(str(report).split())
