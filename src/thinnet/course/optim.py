"""The courses' optimizers: those of `thinnet.optim`, with the state left in the given `config` too."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from thinnet.checks import in_shape
from thinnet.course.kernel import say
from thinnet.optim import OPTIMIZERS
from thinnet.typing import FloatArray

CourseRule: TypeAlias = Callable[..., tuple[FloatArray, dict[str, Any]]]


def course_rule(name: str, native: str, **renamed: str) -> CourseRule:
    """A course's optimizer ``(w, dw, config=None) -> (next_w, config)``, on the one of `OPTIMIZERS` called `native`.

    The course's names for state, where they differ, are given as ``ours="theirs"``.
    """
    rule = OPTIMIZERS[native].rule
    theirs_to_ours = {theirs: ours for ours, theirs in renamed.items()}

    def optimizer(
        w: FloatArray, dw: FloatArray, config: dict[str, Any] | None = None
    ) -> tuple[FloatArray, dict[str, Any]]:
        config = {} if config is None else config
        # None stands for "not yet" in the configs of some course notebooks.
        ours = {theirs_to_ours.get(key, key): value for key, value in config.items() if value is not None}
        known = known_options(native, ours, OPTIMIZERS[native].state)
        next_w, state = rule(w, in_shape(np.asarray(dw), np.shape(w)), known)
        config.update({renamed.get(key, key): value for key, value in state.items()})
        return next_w, config

    optimizer.__name__ = optimizer.__qualname__ = name
    optimizer.__doc__ = rule.__doc__
    optimizer.native = native  # type: ignore[attr-defined]
    return optimizer


def known_options(native: str, config: Mapping[str, Any], state: Sequence[str] = ()) -> dict[str, Any]:
    """What one of our rules takes of a config; the courses' rules look at nothing else, and so it is only said once."""
    defaults = OPTIMIZERS[native].defaults
    takes = {*defaults, *state}
    for key in config.keys() - takes:
        _say_unused(native, key, ", ".join(sorted(defaults)))
    return {key: value for key, value in config.items() if key in takes}


@functools.cache
def _say_unused(native: str, key: Any, known: str) -> None:
    say(f"optim_config: {key!r}", f"{native} has no such option, and takes {known}; left out")
