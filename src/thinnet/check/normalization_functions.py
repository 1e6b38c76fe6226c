"""Adapts normalization with separate arguments, such as eps and momentum, to a course's with a dictionary of them."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from thinnet.check import class_calls as calls
from thinnet.check.classes import EPS, EPSILON, RUNNING
from thinnet.check.subject import CannotCall, parameters, usual_value

WITH_TEST_MODE = {**RUNNING, "momentum": re.compile("momentum|decay", re.IGNORECASE), "mode": calls.MODE_ARGUMENTS}
KNOWN = {"eps": EPSILON, **WITH_TEST_MODE}  # what may follow x, gamma and beta


def plain_functions(namespace: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """A namespace in which ``batchnorm_forward(x, gamma, beta, running_mean, ..., eps)`` takes a course's bn_param.

    If it already does, or takes unknown arguments, the namespace is returned unchanged.
    """
    function: Any = namespace.get(f"{kind}_forward")
    first, names = parameters(function)[:3], parameters(function)[3:]
    roles = {name: next((role for role, known in KNOWN.items() if known.search(name)), "") for name in names}
    rest = {*roles.values()} - {"eps"}
    if len(first) < 3 or rest not in (set(), {*WITH_TEST_MODE}):
        return namespace

    own = {f"bn_param[{role!r}]": name for name, role in roles.items() if role in RUNNING}
    own["bn_param has no "] = "there is no new "
    own["into bn_param in"] = (
        f"into {' and '.join(f'{name}[:]' for name in own.values() if name in roles)}, or return them, in"
    )

    def forward(x: Any, gamma: Any, beta: Any, param: dict[str, Any]) -> tuple[Any, Any]:
        training, momentum = param.get("mode", "train") == "train", param.get("momentum", 0.9)
        old = {key: np.array(param.get(key, np.zeros_like(gamma))) for key in RUNNING}
        if not training and not rest:
            raise CannotCall(f"{kind}_forward has no test mode with running statistics among its arguments")
        kept, given = {key: value.copy() for key, value in old.items()}, dict[str, Any]()
        for name, role in roles.items():
            usual = usual_value(function, name)
            of_new = isinstance(usual, float) and usual < 0.5  # sometimes the weight of the new statistics
            if role == "momentum":
                own["with momentum 0.8"] = f"with {name} = {0.2 if of_new else 0.8:g}"
            values = {**kept, "eps": EPS, "momentum": 1 - momentum if of_new else momentum}
            given[name] = values[role] if role in values else calls.mode_value(name, training, function, usual)
        result = calls.call(function, x, gamma, beta, **given)
        out, cache, *new = result if isinstance(result, tuple) and len(result) > 1 else (result, None)
        if new and [*map(np.size, new)] != [gamma.size] * 2:
            raise CannotCall(f"{kind}_forward returns more than an output, a cache and the running statistics")
        kept = dict(zip(RUNNING, new, strict=True)) if new else kept
        if training and rest and all(np.array_equal(kept[key], old[key]) for key in RUNNING):
            raise CannotCall(f"it is not clear where {kind}_forward leaves the running statistics")
        if not rest:  # everything else can be judged
            batch = {"running_mean": x.mean(axis=0), "running_var": x.var(axis=0)}
            kept = {key: momentum * old[key] + (1 - momentum) * batch[key] for key in RUNNING}
        param |= kept
        return out, cache

    return {**namespace, f"{kind}_forward": forward, "__class_adapter__": True, "__own_names__": own}
