"""Whether a net calls dropout, where, with which mask, and on the way back too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thinnet.check.probes.net_calls import dropout_results, forwards
from thinnet.check.probes.net_trial import C, Options, P, Trial
from thinnet.check.tap import Call
from thinnet.layers import softmax_loss
from thinnet.typing import AnyArray

ROWS, UNITS, STEPS = 20, (60, 50), 3
LOST = {"dropout-never-called", "dropout-result-unused", "dropout-backward-never-called", "active-at-test"}


def check_dropout(trial: Trial) -> None:
    """Whether dropout is called, where, with which mask, and on the way back too."""
    if trial.dropout is None:
        return
    net = trial.build(UNITS, **{trial.dropout: P})
    X, y = trial.data(ROWS)
    first, second = trial.scores(net, X), trial.scores(net, X)
    if not np.array_equal(first, second):
        told = f"with {trial.setting}, two calls of loss(X) gave different scores"
        trial.unit.find("active-at-test", told + mode_at_test(trial.tap.calls, "dropout"))
        return
    losses = [trial.loss(net, X, y)[0] for _ in range(STEPS)]
    calls = list(trial.tap.calls)
    without = softmax_loss(trial.plain_scores(net, X), y)[0]
    told = f"three losses in training are all {losses[0]:.6g}"
    if np.ptp(losses) == 0 and abs(losses[0] - without) <= 1e-9 * abs(without):
        told = f"with {trial.setting}, {told}, as without dropout"
        used = dropout_results(calls)
        if used and not any(used[0]):
            told += f"; dropout_forward is called {len(used[0])} times a step, and no layer gets what it returns"
            trial.unit.find("dropout-result-unused", told)
        else:
            trial.find_unused("dropout-never-called", told, "dropout_forward", {"mode": "train", "p": P})
        return
    if np.ptp(losses) == 0:
        trial.unit.find("same-mask-every-step", f"with {trial.setting} and no seed, {told}")
    _placement(trial, calls, X)


def check_gradients(trial: Trial, options: Options) -> None:
    """The gradients with dropout, alone or together with a normalization, which many nets write out separately."""
    if trial.dropout and not any(trial.unit.reported(verdict) for verdict in LOST):
        trial.gradients({trial.dropout: P, **options})


def mode_at_test(calls: Sequence[Call], kind: str) -> str:
    """In which mode a layer was called at test, where that explains what it did."""
    options = [call.option for call in forwards(calls, kind) if call.option]
    if any(option.get("test") == "test" for option in options):
        param = "bn_param" if kind == "batchnorm" else "dropout_param"
        return f"; {param} has the key 'test', as from {param}[mode] = mode where {param}['mode'] = mode is meant"
    if options and all(option.get("mode") == "train" for option in options):
        return f"; {kind}_forward is called with mode 'train' at test"
    return ""


def _placement(trial: Trial, calls: Sequence[Call], X: AnyArray) -> None:
    """What the recorded calls of one step tell."""
    forward, unit = forwards(calls, "dropout"), trial.unit
    scores = [call.given for call in calls if call.name == "softmax_loss"][:1]
    zeros = sum(int((given == 0).sum()) for given in scores if given.shape == (ROWS, C))
    if any(call.given.shape[-1:] == (C,) for call in forward):
        unit.find("dropout-on-output-layer", "dropout_forward is called on the scores")
    elif zeros:
        unit.find("dropout-on-output-layer", f"{zeros} of {ROWS * C} scores are zero in training")
    on_input = [call for call in forward if np.array_equal(call.given, X)]
    if on_input:
        unit.find("dropout-on-input", "dropout_forward is called on X itself")
    hidden = [call for call in forward if call.given.shape[-1:] != (C,) and call not in on_input]
    if any((call.given < 0).any() for call in hidden):
        share = float(np.mean([(call.given < 0).mean() for call in hidden]))
        unit.find("dropout-before-relu-or-norm", f"{share:.0%} of what dropout_forward was given is negative")
    if hidden and "dropout_backward" in trial.tap.found and not any(one.name == "dropout_backward" for one in calls):
        told = f"dropout_forward is called {len(hidden)} times a step, dropout_backward never"
        unit.find("dropout-backward-never-called", told)
    p = forward[0].option.get("p") if forward else None
    if isinstance(p, float) and abs(p - (1 - P)) < 1e-9:
        told = f"FullyConnectedNet({trial.setting}) calls dropout_forward with p = {p:g}"
        unit.find("keep-and-drop-swapped", told)
