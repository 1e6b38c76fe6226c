"""FullyConnectedNet: scores, gradients, initial values, penalty, dropout and normalization.

A net is run on its own layers first.  Where something is wrong, it is run once more on right layers: what is gone then
follows from the layers, which have verdicts of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from thinnet.check.probes.net_dropout import check_dropout, check_gradients
from thinnet.check.probes.net_normalization import check_normalization
from thinnet.check.probes.net_penalty import check_penalty
from thinnet.check.probes.net_plain import check_initial_values, check_plain
from thinnet.check.probes.net_trial import FAILURES, Options, P, Trial, arguments_of
from thinnet.check.tap import right_layers
from thinnet.check.unit import Unit


def check(unit: Unit) -> None:
    """The net on its own layers; where something is wrong, on right ones too."""
    owner = unit.functions[unit.owns[0]]
    if not isinstance(owner, type):
        raise unit.stop("not-checked", f"it is a {type(owner).__name__}, expected a class")
    arguments = arguments_of(owner)
    if "device" in arguments or ("input_dim" not in arguments and "hidden" not in "".join(arguments[:1])):
        raise unit.stop("not-checked", f"its constructor takes ({', '.join(arguments)}), which is of another course")
    judge(unit, partial(Trial, unit, owner, arguments), _probes)


def judge(
    unit: Unit,
    trial_on: Callable[[Mapping[str, Callable[..., Any]]], Trial],
    probes_of: Callable[[Trial], list[Callable[[Trial], None]]],
) -> None:
    """Run a net's probes on its own layers; where something is wrong, on right ones too."""
    trial = trial_on({})
    found = trial.run(probes_of(trial))
    faults = [one for one in found if one.severity == "fault" or one.verdict == "not-checked"]
    gone = []
    if faults and trial.tap.found:
        right = trial_on(right_layers(unit.reading.means))
        again = right.run(probes_of(right))
        names, old_names = {one.verdict for one in again}, {one.verdict for one in found}
        if not names & FAILURES or old_names & FAILURES:
            gone = [one for one in faults if one.verdict not in names]
            hidden = [one for one in again if one.verdict not in old_names]  # by a layer that failed
            found = [one for one in found if one not in gone] + hidden
    unit.findings += found
    if gone:
        told = "; ".join(one.evidence for one in gone[:2])
        unit.find("follows-from-layers", f"with right layers in their place this is gone: {told}")


def _probes(trial: Trial) -> list[Callable[[Trial], None]]:
    """The probes in order.  What a normalization is at fault for is looked at once, and not with dropout again."""
    sound: list[Options] = [{}]

    def normalized(trial: Trial, options: Options) -> None:
        if check_normalization(trial, options):
            sound.append(options)

    def combined(trial: Trial, options: Options) -> None:
        if options in sound:
            for more in ({}, {trial.dropout: P} if trial.dropout else {}):
                check_penalty(trial, {**options, **more})
            check_gradients(trial, options)

    probes: list[Callable[[Trial], None]] = [check_plain, check_initial_values, check_dropout]
    probes.append(partial(combined, options={}))
    probes += [partial(normalized, options=options) for options in trial.normalizations]
    probes += [partial(combined, options=options) for options in trial.normalizations]
    return probes
