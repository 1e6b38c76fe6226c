"""Forward of dropout, evaluated by its masks: their rate, their scale, their independence, and test mode."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from thinnet.check.chance import differ, unlikely
from thinnet.check.p_convention import BEHAVIOR, VERBS, PConvention
from thinnet.check.probes.dropout_calls import FORWARD, RATES, SHAPE, DropoutCall, call_dropout, inputs, param
from thinnet.check.probes.dropout_shapes import check_counts, check_more_dimensions, check_one_row
from thinnet.check.subject import Stop, Subject
from thinnet.course.dialects import DIALECTS

CALLS = 2
MANY = 40  # calls of each rate, to see whether one draw decides for a whole batch


def check_forward(subject: Subject) -> None:
    """The forward pass in both modes."""
    calls = {p: [call_dropout(subject, p, "train") for _ in range(CALLS)] for p in RATES}
    fractions = {p: float(np.mean([call.kept.mean() for call in group])) for p, group in calls.items()}
    if not subject.convention.means and _behaves(fractions):
        subject.convention = PConvention(_behaves(fractions), BEHAVIOR)
    tests = _at_test(subject)
    all_calls = [call for group in calls.values() for call in group]
    if not all(np.all(np.isfinite(call.ratio)) for call in (*all_calls, *tests.values())):
        raise subject.stop("values-changed", "the output has values that are not finite")
    if _all_or_nothing(subject, all_calls):
        return
    if _active(subject, all_calls, tests):
        shared = _shared(subject, all_calls)
        repeated = _repeated(subject, calls)
        if not repeated and not shared:
            _independent(subject, all_calls)
        if not shared:
            _rates(subject, calls, repeated)
        if _one_factor(subject, all_calls):
            _scales(subject, calls, tests, fractions)
        if not subject.has_fault:
            check_counts(subject, calls)
        _all_kept(subject)
        _seed(subject)
        if not subject.has_fault:
            _other_shapes(subject, fractions)
    _dtypes(subject, all_calls[0].out.dtype, bool(tests))


def _other_shapes(subject: Subject, fractions: dict[float, float]) -> None:
    behavior = _behaves(fractions)
    if behavior:
        check_one_row(subject, {p: keep_rate(behavior, p) for p in RATES})
    if not subject.functions.get("__class_adapter__"):  # the courses' functions take x of any shape
        check_more_dimensions(subject)


def _at_test(subject: Subject) -> dict[float, DropoutCall]:
    """The draws of test mode; none where it fails, which is noted and must not hide what is wrong in training."""
    try:
        return {p: call_dropout(subject, p, "test") for p in RATES}
    except Stop:
        last = subject.findings[-1]
        subject.findings[-1] = replace(last, evidence=f"in mode 'test': {last.evidence}")
        return {}


def _behaves(fractions: dict[float, float]) -> str:
    """What p means by the fractions kept: ``"drop"``, ``"keep"`` or ``""``."""
    for means in VERBS:
        if all(abs(fraction - keep_rate(means, p)) < 0.15 for p, fraction in fractions.items()):
            return means
    return ""


def keep_rate(means: str, p: float) -> float:
    """The probability of keeping."""
    return p if means == "keep" else 1 - p


def _active(subject: Subject, trained: list[DropoutCall], tests: dict[float, DropoutCall]) -> bool:
    """Whether anything is dropped in training; and nothing at test."""
    for p, call in tests.items():
        lost = int((~call.kept).sum())
        if lost:
            subject.report("active-at-test", f"with p = {p} and mode 'test', {lost} of {call.x.size} outputs are zero")
        elif not call.uniform:
            subject.report("values-changed", f"in test mode the output is no multiple of the input: {_pair(call)}")
    if any((~call.kept).any() for call in trained):
        return True
    if _one_factor(subject, trained):
        message = f"with p = {RATES[0]} and mode 'train', no output of {trained[0].x.size} is zero"
        subject.report("inactive-in-training", message)
    return False


def _all_or_nothing(subject: Subject, calls: list[DropoutCall]) -> bool:
    """One draw that decides for the whole batch: only many calls show that it is random."""
    if any(call.kept.any() and not call.kept.all() for call in calls):
        return False
    small = inputs(subject, (4, 5))
    more = [call_dropout(subject, p, "train", small) for p in RATES for _ in range(MANY)]
    kept = sum(bool(call.kept.all()) for call in more)
    if kept in (0, len(more)) or not all(call.kept.all() or not call.kept.any() for call in more):
        return False
    subject.report(
        "mask-shared-across-batch",
        f"each of {len(more)} calls kept or dropped all elements of the batch together ({kept} kept them)",
    )
    return True


def _shared(subject: Subject, calls: list[DropoutCall]) -> bool:
    """One draw for a whole row or column; by chance this has a probability below 10⁻¹⁰."""
    if all(call.kept.all() or not call.kept.any() for call in calls):
        return False
    if all((call.kept == call.kept[:1]).all() for call in calls):
        subject.report("mask-shared-across-batch", f"all {SHAPE[0]} rows of the batch lose the same columns")
    elif all((call.kept == call.kept[:, :1]).all() for call in calls):
        subject.report("mask-shared-across-batch", "each row is kept or dropped as a whole")
    else:
        return False
    return True


def _repeated(subject: Subject, calls: dict[float, list[DropoutCall]]) -> bool:
    """Different inputs, the same mask."""
    same = all((group[0].kept == other.kept).all() for group in calls.values() for other in group[1:])
    if same:
        size = SHAPE[0] * SHAPE[1]
        message = f"{CALLS} calls with different inputs and no seed dropped exactly the same of {size} elements"
        subject.report("same-mask-every-call", message)
    return same


def _independent(subject: Subject, calls: list[DropoutCall]) -> None:
    """The fraction kept must be the same for positive and negative, small and large values."""
    for p in RATES:
        x = np.concatenate([call.x.ravel() for call in calls if call.p == p])
        kept = np.concatenate([call.kept.ravel() for call in calls if call.p == p])
        for group, names in ((x > 0, "positive|negative"), (np.abs(x) > 1.5, "large|small")):
            first, second = kept[group], kept[~group]
            if differ(int(first.sum()), first.size, int(second.sum()), second.size):
                one, other = names.split("|")
                subject.report(
                    "mask-depends-on-input",
                    f"with p = {p}, {first.mean():.3f} of the {one} values are kept and {second.mean():.3f} of the "
                    f"{other} ones ({first.size} and {second.size} values)",
                )
    x = inputs(subject)
    if (call_dropout(subject, RATES[0], "train", x).kept == call_dropout(subject, RATES[0], "train", x).kept).all():
        subject.report(
            "mask-depends-on-input", "two calls with the same input drop the same units, with others they do not"
        )


def _rates(subject: Subject, calls: dict[float, list[DropoutCall]], repeated: bool) -> None:
    """The fraction kept is p or 1 − p, whichever is right; by exact bounds."""
    kept = {p: np.concatenate([call.kept for call in (group[:1] if repeated else group)]) for p, group in calls.items()}
    fits = [
        means
        for means in VERBS
        if not any(unlikely(int(mask.sum()), mask.size, keep_rate(means, p)) for p, mask in kept.items())
    ]
    means = subject.convention.means
    if means in fits or (not means and fits) or subject.has("mask-depends-on-input"):
        return
    evidence = "; ".join(f"with p = {p}, {(~mask).mean():.3f} of {mask.size} are zero" for p, mask in kept.items())
    if fits:
        _contradiction(subject, evidence, fits[0])
        return
    expected = " and ".join(f"{1 - keep_rate(means, p):.1f}" for p in RATES) if means else "p or 1 - p"
    subject.report("wrong-rate", f"{evidence}; expected {expected}")


def _contradiction(subject: Subject, evidence: str, behavior: str) -> None:
    convention = subject.convention
    says = f"{convention.source} says that p is the probability of {VERBS[convention.means]} a unit"
    own = [name for name, dialect in DIALECTS.items() if dialect.package == (convention.course or dialect.package)]
    fitting = " or ".join(name for name in own if DIALECTS[name].p_means == behavior)
    if convention.given:
        doubt = (
            f"; {convention.contrary} says the opposite as well: is it the right dialect?"
            if convention.contrary
            else ""
        )
        if convention.course == "nndl" and not doubt:
            doubt = f"; in the dialect {fitting} it would be right: is it the right dialect?"
        subject.report("keep-and-drop-swapped", f"{says}; {evidence}{doubt}")
        return
    subject.report(
        "dialect-contradiction",
        f"{says}, but the code has p as that of {VERBS[behavior]}: {evidence}. "
        f"If the words are right, the code is wrong; if the code is right, check it with --dialect {fitting}",
        # Some years of nndl hand out a docstring that says "drop", while their notebook means "keep".
        severity="note" if convention.contrary or (convention.course == "nndl" and behavior == "keep") else None,
    )


def _one_factor(subject: Subject, calls: list[DropoutCall]) -> bool:
    for call in calls:
        if not call.uniform:
            worst = int(np.argmax(np.abs(np.where(call.kept, call.ratio - call.scale, 0))))
            subject.report(
                "values-changed",
                f"with p = {call.p}, out / x takes values from {call.ratio[call.kept].min():.4g} to "
                f"{call.ratio[call.kept].max():.4g} where it is not zero, instead of one",
                example=f"x = {call.x.flat[worst]:.4f} became {call.out.flat[worst]:.4f}",
            )
            return False
    return True


def _scales(
    subject: Subject,
    calls: dict[float, list[DropoutCall]],
    tests: dict[float, DropoutCall],
    fractions: dict[float, float],
) -> None:
    """The factor in training is 1 / keep, and 1 at test; or 1 and keep, which is the classic way.

    The probability of keeping is taken from what the code does, so that a swapped p is not held against the scale.
    """
    if subject.has("mask-depends-on-input") and not subject.convention.means:
        return  # there is no telling what the rate should be
    behavior = _behaves(fractions) or subject.convention.means or "keep"
    keep = {p: keep_rate(behavior, p) for p in RATES}
    inverted, ones = {p: 1 / keep[p] for p in RATES}, dict.fromkeys(RATES, 1.0)
    train = {p: group[0].scale for p, group in calls.items()}
    quiet = all(call.uniform and call.kept.all() for call in tests.values())
    test = {p: call.scale for p, call in tests.items()} if quiet else {}
    at_test = f"at test x is multiplied by {_list(test)}, expected"
    if not _same(train, ones):
        if not _same(train, inverted) and not _follows_from_the_rate(subject, train, fractions):
            swapped = _same(train, {p: 1 / (1 - q) for p, q in keep.items()})
            why = ", which is 1 / the probability of dropping" if swapped else ""
            subject.report(
                "scaled-by-wrong-probability",
                f"what is kept is multiplied by {_list(train)} for p = {RATES[0]} and {RATES[1]}{why}; "
                f"expected {_list(inverted)}",
                example=_pair(calls[RATES[0]][0]),
            )
        if not _same(test, ones):
            subject.report("scaled-at-test", f"{at_test} 1, since training scales already")
    elif test and _same(test, keep):
        subject.report(
            "classic-scaling", f"training leaves what is kept as it is, the test output is x times {_list(keep)}"
        )
    elif test and _same(test, {p: 1 - q for p, q in keep.items()}):
        subject.report("scaled-by-wrong-probability", f"{at_test} {_list(keep)}")
    else:
        subject.report(
            "not-scaled-in-training",
            f"what is kept is multiplied by 1 for p = {RATES[0]} and {RATES[1]}, expected {_list(inverted)}: the "
            f"mean of the output in training is {_list(keep)} of that of the input",
        )
        if not _same(test, ones):
            subject.report("scaled-at-test", f"{at_test} 1")


def _follows_from_the_rate(subject: Subject, train: dict[float, float], fractions: dict[float, float]) -> bool:
    """Whether the scale is right for the p that was meant, or for the rate that came out, where that is at fault."""
    if subject.has("keep-and-drop-swapped") or subject.has("dialect-contradiction"):
        return _same(train, {p: 1 / keep_rate(subject.convention.means, p) for p in RATES})
    return subject.has("wrong-rate") and all(abs(train[p] * fractions[p] - 1) < 0.05 for p in RATES)


def _all_kept(subject: Subject) -> None:
    """With the p that keeps every unit, nothing may be dropped."""
    if not subject.convention.means or subject.findings:
        return
    p = 1.0 if subject.convention.means == "keep" else 0.0
    try:
        call = call_dropout(subject, p, "train")
    except Stop:  # some refuse it, and the nets do not ask for it
        subject.findings.clear()
        return
    lost = int((~call.kept).sum())
    if lost or not np.allclose(call.ratio, 1):
        subject.report(
            "wrong-rate", f"with p = {p:g} every unit must be kept as it is; {lost} of {call.x.size} are dropped"
        )


def _seed(subject: Subject) -> None:
    x = inputs(subject)
    first, second = (call_dropout(subject, RATES[0], "train", x, seed=123) for _ in range(2))
    if not (first.kept == second.kept).all() and not subject.functions.get("__class_adapter__"):
        subject.report("seed-ignored", "two calls with the same dropout_param['seed'] dropped different units")


def _dtypes(subject: Subject, from_double: np.dtype[Any], tests: bool) -> None:
    if from_double != np.float64:
        # A class that computes in float32 throughout is meant so.
        meant = subject.functions.get("__class_adapter__") and from_double == np.float32
        message = f"a float64 input gives {from_double} in mode train"
        subject.report("dtype-changed", message, severity="note" if meant else None)
        return
    x = inputs(subject, (8, 5)).astype(np.float32)
    changed = {}
    for mode in ("train", "test") if tests else ("train",):
        out, _ = subject.pair(FORWARD, x.copy(), param(RATES[0], mode))
        changed[mode] = np.asarray(out).dtype
    wrong = [mode for mode, dtype in changed.items() if dtype != np.float32]
    if wrong:
        dtype = changed[wrong[0]]
        # In training alone it comes from the dtype of the mask: a matter of speed and memory, and common in right code.
        subject.report(
            "dtype-changed",
            f"a float32 input gives {dtype} in mode {' and '.join(wrong)}",
            severity="note"
            if dtype == np.float64 and (wrong == ["train"] or subject.has("active-at-test"))
            else "fault",
        )


def _pair(call: DropoutCall) -> str:
    kept = np.argwhere(call.kept)
    index = tuple(kept[0]) if len(kept) else (0, 0)
    return f"x = {call.x[index]:.4f} became {call.out[index]:.4f}"


def _same(first: dict[float, float], second: dict[float, float]) -> bool:
    return all(abs(first[p] - second[p]) <= 1e-3 * abs(second[p]) for p in first)


def _list(values: dict[float, float]) -> str:
    return " and ".join(f"{value:.4g}" for value in values.values())
