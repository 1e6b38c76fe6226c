"""Diagnoses a net from the recorded calls of one pass: which output goes where, and which cache comes back."""

import itertools
from collections.abc import Sequence

import numpy as np

from thinnet.check.call_recorder import Call

KINDS = ("affine", "batchnorm", "layernorm", "relu", "dropout")
NORMS = ("batchnorm", "layernorm")

LAYERS = 3  # affine layers in the nets that are built

Diagnosis = tuple[str, str]  # a verdict and its evidence


def diagnose(calls: Sequence[Call], stopped: bool = False) -> Diagnosis | None:
    """Why the gradients of this pass are wrong, or why it stopped, if its calls show it."""
    found = shared_param(calls) if stopped else _dropout_lost(calls) or _dropout_forgotten(calls)
    return found or _taken_from_another(calls, stopped) or _passed_by(calls)


def forwards(calls: Sequence[Call], kind: str) -> list[Call]:
    """The forward calls of one kind of layer."""
    return [call for call in calls if call.name == f"{kind}_forward"]


def backwards(calls: Sequence[Call], kind: str) -> list[Call]:
    """The backward calls of one kind of layer."""
    return [call for call in calls if call.name.startswith(f"{kind}_backward")]


def shared_param(calls: Sequence[Call]) -> Diagnosis | None:
    """One bn_param shared by several layers in one pass."""
    params = [call.param for call in forwards(calls, "batchnorm") if call.param is not None]
    if len(params) < 2 or any(param is not params[0] for param in params):
        return None
    message = f"batchnorm_forward is called for {len(params)} layers, each time with the same dictionary"
    return "bn-param-shared", message


def _taken_from_another(calls: Sequence[Call], stopped: bool) -> Diagnosis | None:
    """Backward with the cache of another layer, or with that of another kind of normalization."""
    for kind, other in (NORMS, NORMS[::-1]):
        for call in backwards(calls, kind):
            if call.cache_given is not None and any(left.cache is call.cache_given for left in forwards(calls, other)):
                return "backward-of-another-layer", f"what {other}_forward left in its cache is given to {call.name}"
    for kind in KINDS:
        caches = [id(call.cache) for call in forwards(calls, kind) if call.cache is not None]
        if len(caches) < len(forwards(calls, kind)) or len(set(caches)) < len(caches):
            continue
        given = [id(call.cache_given) for call in backwards(calls, kind)]
        order = [caches.index(cache) for cache in given if cache in caches]
        wrong = any(later >= earlier for earlier, later in itertools.pairwise(order))
        if stopped:  # all must come in reverse order, starting with the last one
            wrong = order != list(reversed(range(len(caches))))[: len(order)]
        if wrong and len(order) == len(given):
            came = ", ".join(str(i + 1) for i in order)
            times = f"{len(order)} times in a pass, with the caches of layers {came}"
            times = f"once in a pass, with the cache of layer {came}" if len(order) == 1 else times
            message = f"{kind}_backward is called {times}"
            return "cache-of-another-layer", message
    return None


def _passed_by(calls: Sequence[Call]) -> Diagnosis | None:
    """A layer whose dx is not used: the next layer in the backward pass gets the same gradient as this one."""
    back = [call for call in calls if "_backward" in call.name and call.input.size]
    for call, following in itertools.pairwise(back):
        if np.array_equal(call.input, following.input) and not np.array_equal(call.input, np.asarray(call.output)):
            both = f"{call.name} and, after it, {following.name} are given the same gradient"
            return "wrong-gradient", f"{both}: what the first returns as dx is not used"
    return None


def _dropout_lost(calls: Sequence[Call]) -> Diagnosis | None:
    """An output of dropout that is not used; its cache may belong to a second call for the same layer."""
    known = dropout_results(calls)
    if known is None or all(known[0]):
        return None
    results = [*zip(*known, strict=True)]  # for each call, whether its output is used, and whether its cache is
    called, lost = f"dropout_forward is called {len(results)} times in a pass", known[0].count(False)
    if (False, True) in results and (True, False) in results:
        return "dropout-called-twice", f"{called}, {lost} of them for the cache alone"
    return "dropout-result-unused", f"{called}, and no layer uses the result of {lost} of them"


def _dropout_forgotten(calls: Sequence[Call]) -> Diagnosis | None:
    """Layers with dropout in forward but not in backward, in a net that calls the layers' backward functions."""
    first = next((i for i, call in enumerate(calls) if call.name == "affine_forward"), 0)  # X needs no gradient
    there, back = len(forwards(calls[first:], "dropout")), len(backwards(calls, "dropout"))
    if back >= there or not backwards(calls, "affine"):
        return None
    message = f"dropout_forward is called {there} times in a pass, dropout_backward {back or 'never'}"
    return "dropout-backward-never-called", message


def dropout_results(calls: Sequence[Call]) -> tuple[list[bool], list[bool]] | None:
    """For each call of dropout_forward whether a later layer gets its output, and whether backward gets its cache.

    None if the net computes layers in other ways, so that this is unknown.
    """
    dropouts = forwards(calls, "dropout")
    if not dropouts or any(call.output is None for call in dropouts) or len(forwards(calls, "affine")) < LAYERS:
        return None
    later = [call for call in calls if not call.name.endswith(("_backward", "_alt"))]
    used = [any(_same(call, other) for other in later[later.index(call) + 1 :]) for call in dropouts]
    given = [call.cache_given for call in backwards(calls, "dropout")]
    return used, [any(call.cache is cache for cache in given) for call in dropouts]


def mode_at_test(calls: Sequence[Call], kind: str) -> str:
    """In which mode a layer was called at test, if that explains what it did."""
    options = [call.param_before for call in forwards(calls, kind) if call.param_before]
    if any(option.get("test") == "test" for option in options):
        param = "bn_param" if kind == "batchnorm" else "dropout_param"
        return f"; {param} has the key 'test', as from {param}[mode] = mode in place of {param}['mode'] = mode"
    if options and all(option.get("mode") == "train" for option in options):
        return f"; {kind}_forward is called with mode 'train' at test"
    return ""


def _same(call: Call, later: Call) -> bool:
    """Whether a later layer gets this output, or a multiple of it."""
    if call.output is None or call.output.size != later.input.size:
        return False
    output, given = call.output.ravel(), later.input.ravel()
    return bool(np.allclose(given, output * (given @ output) / ((output @ output) or 1)))
