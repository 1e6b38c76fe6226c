"""The values that an optimizer takes where config has none: the courses' notebooks and Solver give only some."""

from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

from thinnet.check.probes.optimizer_keys import Asked
from thinnet.check.subject import Subject, signature
from thinnet.optim import OPTIMIZERS

# The range of values with which a rule works; within it, a default other than the courses' is a choice.
USUAL: dict[str, Callable[[float], bool]] = {
    "learning_rate": lambda value: 0 < value <= 1,
    "epsilon": lambda value: 0 <= value <= 1e-3,
    **dict.fromkeys(("momentum", "decay_rate", "beta2"), lambda value: 0.5 <= value < 1),
    "beta1": lambda value: 0.5 <= value <= 0.99,  # 0.999 is beta2's
}


def check_defaults(subject: Subject, steps: Callable[[Any], Any], options: Mapping[str, Any]) -> None:
    """Take each of the options out of config, and then config itself, and see what `steps` does without it."""
    defaults = OPTIMIZERS.get(subject.own, OPTIMIZERS["nesterov"]).defaults
    optional = [parameter.default for parameter in signature(subject.functions[subject.own]).values()][2:] == [None]
    failing, odd = dict[str, str](), []
    for key in options:
        config = Asked({name: value for name, value in options.items() if name != key})
        _, why = subject.attempt(steps, config)
        line, taken = config.taken.get(key, ("", None))
        if why:
            failing[f"no {key!r} in config"] = why
        elif isinstance(taken, Real) and not USUAL[key](float(taken)):
            odd.append(f"where config has no {key!r} it takes {taken:g}, the courses' is {defaults[key]:g}, {line}")
    if optional and not failing and (why := subject.attempt(steps, None)[1]):
        failing["config = None, which is its default,"] = why
    if odd:
        subject.report("default-odd", "; ".join(odd))
    for what, why in [*failing.items()][:1]:
        subject.report("default-missing", f"with {what} it fails: {why}", severity=None if optional else "note")
