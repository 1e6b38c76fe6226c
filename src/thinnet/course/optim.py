"""The courses' optimizers: those of `thinnet.optim`, which also update the given `config` in place."""

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from thinnet.checks import in_shape, merge_options
from thinnet.course.saying import say
from thinnet.optim import OPTIMIZERS, FlatOptimizer
from thinnet.typing import FloatArray

CourseRule: TypeAlias = Callable[..., tuple[FloatArray, dict[str, Any]]]


def course_rule(name: str, native: str, module: str, **renamed: str) -> CourseRule:
    """A course's optimizer ``(w, dw, config=None) -> (next_w, config)``, built on the `native` one of `OPTIMIZERS`.

    If the course's names for state differ, they are given as ``ours="theirs"``; `module` is the optimizer's module.
    Its attribute ``in_place`` does the same, but updates large arrays in pieces.
    """
    rule, kept = OPTIMIZERS[native].rule, OPTIMIZERS[native].state
    theirs_to_ours = {theirs: ours for ours, theirs in renamed.items()}
    taken = {*OPTIMIZERS[native].defaults, *kept}

    def known(config: dict[str, Any]) -> dict[str, Any]:
        # In the configs of some course notebooks, None means "not set yet".
        ours = {theirs_to_ours.get(key, key): value for key, value in config.items() if value is not None}
        for key in ours.keys() - taken:  # the courses' rules ignore these
            _say_unused(native, key)
        return {key: value for key, value in ours.items() if key in taken}

    def optimizer(
        w: FloatArray, dw: FloatArray, config: dict[str, Any] | None = None
    ) -> tuple[FloatArray, dict[str, Any]]:
        config = {} if config is None else config
        next_w, state = rule(w, in_shape(np.asarray(dw), np.shape(w)), known(config))
        config.update({renamed.get(key, key): value for key, value in state.items()})
        return next_w, config

    def in_place(
        w: FloatArray, dw: FloatArray, config: dict[str, Any], flat: dict[Any, FlatOptimizer]
    ) -> tuple[FloatArray, dict[str, Any]]:
        """The same, but changes the arrays in `config` in place. Pass the same `flat` every time, empty at first."""
        given = known(config)
        arrays = {key: given[key] for key in kept if key in given and key != "t"}
        if w.dtype.char not in "fd" or any(np.shape(array) != w.shape for array in arrays.values()):
            return optimizer(w, dw, config)
        kind = w.size, w.dtype
        one = flat[kind] if kind in flat else flat.setdefault(kind, FlatOptimizer(native, None, like=w.ravel()))
        options = {key: value for key, value in given.items() if key not in kept}
        one.options = merge_options("optim_config", OPTIMIZERS[native].defaults, options)
        one.state |= {key: np.ascontiguousarray(array, w.dtype).reshape(-1) for key, array in arrays.items()}
        one.state |= {key: given[key] for key in ("t",) if key in given}
        next_w = w.flatten()
        one.inplace_update(next_w, np.ascontiguousarray(dw, w.dtype).reshape(-1))
        state = {key: value if key == "t" else value.reshape(w.shape) for key, value in one.state.items()}
        config.update({renamed.get(key, key): value for key, value in (one.options | state).items()})
        return next_w.reshape(w.shape), config

    optimizer.__name__ = optimizer.__qualname__ = name
    optimizer.__module__ = module
    optimizer.__doc__ = (rule.__doc__ or "").partition(">>>")[0]  # its examples use the names of `thinnet.optim`
    optimizer.in_place = in_place  # type: ignore[attr-defined]
    return optimizer


@functools.cache  # once
def _say_unused(native: str, key: Any) -> None:
    known = ", ".join(sorted(OPTIMIZERS[native].defaults))
    say(f"optim_config: {key!r}", f"{native} has no such option; left out. It takes {known}")
