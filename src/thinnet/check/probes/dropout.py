"""The forward pass of dropout, evaluated by its masks: their rate, scale and independence; and test mode."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from thinnet.check.chance import differ, unlikely
from thinnet.check.p_convention import BEHAVIOR, VERBS, PConvention
from thinnet.check.probes.dropout_calls import FORWARD, RATES, SHAPE, DropoutCall, call_dropout, inputs
from thinnet.check.probes.dropout_shapes import check_counts, check_more_dimensions, check_one_row
from thinnet.check.subject import Stop, Subject
from thinnet.course.dialects import DIALECTS

CALLS = 2
MANY = 40  # calls for each rate, to see whether one draw decides for a whole batch
Calls = dict[float, list[DropoutCall]]
ByRate = dict[float, float]


def check_forward(subject: Subject) -> None:
    """The forward pass in both modes."""
    params: dict[float, dict[str, Any]] = {p: {} for p in RATES}
    calls = {p: [call_dropout(subject, p, "train", param=params[p]) for _ in range(CALLS)] for p in RATES}
    every_call = [call for group in calls.values() for call in group]
    fractions = {p: float(np.mean([call.kept.mean() for call in group])) for p, group in calls.items()}
    behavior = _behaves(fractions)
    if behavior and not subject.convention.means:
        subject.convention = PConvention(behavior, BEHAVIOR)
    last = every_call[-1]
    if not last.uniform and subject.is_half_precision("the output", last.out, last.x * last.kept * last.scale):
        return
    tests = _at_test(subject)
    if not all(np.all(np.isfinite(call.ratio)) for call in (*every_call, *tests.values())):
        raise subject.stop("values-changed", "the output has values that are not finite")
    if _all_or_nothing(subject, every_call):
        return
    if _active(subject, every_call, tests):
        shared = _shared(subject, every_call)
        repeated = _repeated(subject, calls)
        if not repeated and not shared:
            _independent(subject, every_call)
        if not shared:
            _rates(subject, calls, repeated)
        if _one_factor(subject, every_call):
            _scales(subject, calls, tests, fractions)
        if not subject.has_fault:
            check_counts(subject, calls)
        _all_kept(subject)
        _seed(subject)
        if not subject.has_fault:
            if behavior:
                check_one_row(subject, {p: keep_rate(behavior, p) for p in RATES})
            if not subject.of_class:  # the courses' functions take x of any shape
                check_more_dimensions(subject)
    _dtypes(subject, every_call[0].out.dtype, bool(tests))


def _at_test(subject: Subject) -> dict[float, DropoutCall]:
    """The calls in test mode; none if it fails, which is reported but must not hide what is wrong in training."""
    try:
        return {p: call_dropout(subject, p, "test") for p in RATES}
    except Stop:
        last = subject.findings[-1]
        subject.findings[-1] = replace(last, evidence=f"in mode 'test': {last.evidence}")
        return {}


def _behaves(fractions: ByRate) -> str:
    """What p means, judging by the fractions kept: ``"drop"``, ``"keep"`` or ``""``."""
    far = {means: max(abs(part - keep_rate(means, p)) for p, part in fractions.items()) for means in VERBS}
    return next((means for means in VERBS if far[means] < 0.15), "")


def keep_rate(means: str, p: float) -> float:
    """The probability of keeping."""
    return p if means == "keep" else 1 - p


def _active(subject: Subject, trained: list[DropoutCall], tests: dict[float, DropoutCall]) -> bool:
    """Whether anything is dropped in training; reported if not, or if something is dropped at test."""
    for p, call in tests.items():
        lost = int((~call.kept).sum())
        if lost:
            subject.report("active-at-test", f"with p = {p} and mode 'test', {lost} of {call.x.size} outputs are zero")
        elif not call.uniform:
            subject.report("values-changed", f"in test mode the output is not a multiple of the input: {_pair(call)}")
    if any((~call.kept).any() for call in trained):
        return True
    if _one_factor(subject, trained):
        message = f"with p = {RATES[0]} and mode 'train', none of {trained[0].x.size} outputs is zero"
        subject.report("inactive-in-training", message)
    return False


def _all_or_nothing(subject: Subject, calls: list[DropoutCall]) -> bool:
    """Whether one draw decides for the whole batch: only many calls show that it is random."""
    if any(call.kept.any() and not call.kept.all() for call in calls):
        return False
    small = inputs(subject, (4, 5))
    more = [call_dropout(subject, p, "train", small) for p in RATES for _ in range(MANY)]
    kept = sum(bool(call.kept.all()) for call in more)
    if kept in (0, len(more)) or not all(call.kept.all() or not call.kept.any() for call in more):
        return False
    message = f"each of {len(more)} calls kept or dropped all elements of the batch together ({kept} kept them)"
    subject.report("mask-shared-across-batch", message)
    return True


def _shared(subject: Subject, calls: list[DropoutCall]) -> bool:
    """Whether several rows or columns share one draw; by chance this has a probability below 10⁻¹⁰."""
    kept = [call.kept for call in calls]
    lines = {"rows": np.hstack(kept), "columns": np.vstack(kept).T}
    lines = {what: each[np.abs(each.mean(axis=1) - 0.5) < 0.4] for what, each in lines.items()}
    drawn = {what: len(np.unique(each, axis=0)) for what, each in lines.items() if len(each)}
    what = min(drawn, key=lambda what: drawn[what] / len(lines[what]), default="")
    if not what or drawn[what] == len(lines[what]) or sum(drawn.values()) == len(drawn):
        return False  # each has its own draw, or each call keeps all or nothing
    message = f"only {drawn[what]} of {len(lines[what])} {what} have different masks; the others repeat one of these"
    whole = {
        "rows": f"all {SHAPE[0]} rows of the batch lose the same columns",
        "columns": "each row is kept or dropped as a whole",
    }
    subject.report("mask-shared-across-batch", whole[what] if drawn[what] == 1 else message)
    return True


def _repeated(subject: Subject, calls: Calls) -> bool:
    """Whether different inputs get the same mask."""
    same = all((group[0].kept == other.kept).all() for group in calls.values() for other in group[1:])
    if same:
        message = f"{CALLS} calls with different inputs and no seed dropped exactly the same elements"
        subject.report("same-mask-every-call", message)
    return same


def _independent(subject: Subject, calls: list[DropoutCall]) -> None:
    """The fraction kept must be the same for positive and negative, small and large values."""
    for p in RATES:
        x = np.concatenate([call.x.ravel() for call in calls if call.p == p])
        kept = np.concatenate([call.kept.ravel() for call in calls if call.p == p])
        for group, names in ((x > 0, ("positive", "negative")), (np.abs(x) > 1.5, ("large", "small"))):
            first, second = kept[group], kept[~group]
            if differ(int(first.sum()), first.size, int(second.sum()), second.size):
                kept_first = f"{first.mean():.3f} of the {names[0]} values are kept"
                kept_second = f"{second.mean():.3f} of the {names[1]} ones ({first.size} and {second.size} values)"
                subject.report("mask-depends-on-input", f"with p = {p}, {kept_first} and {kept_second}")
    x = inputs(subject)
    first, second = (call_dropout(subject, RATES[0], "train", x).kept for _ in range(2))
    if (first == second).all():
        message = "two calls with the same input drop the same units; calls with different inputs do not"
        subject.report("mask-depends-on-input", message)


def _rates(subject: Subject, calls: Calls, repeated: bool) -> None:
    """The fraction kept must be p or 1 − p, whichever is right, within exact bounds."""
    kept = {p: np.concatenate([call.kept for call in (group[:1] if repeated else group)]) for p, group in calls.items()}

    def fit(means: str) -> bool:
        return not any(unlikely(int(mask.sum()), mask.size, keep_rate(means, p)) for p, mask in kept.items())

    fits, means = [*filter(fit, VERBS)], subject.convention.means
    if means in fits or (not means and fits) or subject.has("mask-depends-on-input"):
        return
    evidence = "; ".join(f"with p = {p}, {(~mask).mean():.3f} of {mask.size} are zero" for p, mask in kept.items())
    if fits:
        _contradiction(subject, evidence, fits[0])
        return
    expected = " and ".join(f"{1 - keep_rate(means, p):.1f}" for p in RATES) if means else "p or 1 - p"
    # The probabilities that a standard normal number is less than p, and less than 1 - p.
    below = [{p: (1 + math.erf(abs(p - one) / math.sqrt(2))) / 2 for p in RATES} for one in (0, 1)]
    of = [{p: kept[p].mean() for p in RATES}, {p: 1 - kept[p].mean() for p in RATES}]
    normal = any(all(abs(share[p] - less[p]) < 0.03 for p in RATES) for share in of for less in below)
    why = ": as many as with np.random.randn, whose numbers are normal, in place of np.random.rand" if normal else ""
    subject.report("wrong-rate", f"{evidence}; expected {expected}{why}")


def _contradiction(subject: Subject, evidence: str, behavior: str) -> None:
    convention = subject.convention
    says = f"{convention.source} says that p is the probability of {VERBS[convention.means]} a unit"
    own = [dialect for dialect in DIALECTS.values() if dialect.package == (convention.course or dialect.package)]
    fitting = " or ".join(dialect.name for dialect in own if dialect.p_means == behavior)
    if convention.given:
        doubt = f"{convention.contrary} says the opposite as well" if convention.contrary else ""
        if convention.course == "nndl" and not doubt:
            doubt = f"in the dialect {fitting} it would be right"
        doubt = f"; {doubt}: is this the right dialect?" if doubt else ""
        subject.report("keep-and-drop-swapped", f"{says}; {evidence}{doubt}")
        return
    subject.report(
        "dialect-contradiction",
        f"{says}, but the code uses it as the probability of {VERBS[behavior]} one: {evidence}. "
        f"If the words are right, the code is wrong; if the code is right, check it with --dialect {fitting}",
        # In some years of nndl the docstring says "drop", but the notebook means "keep".
        severity="note" if convention.contrary or (convention.course == "nndl" and behavior == "keep") else None,
    )


def _one_factor(subject: Subject, calls: list[DropoutCall]) -> bool:
    call = next((call for call in calls if not call.uniform), None)
    if call is None:
        return True
    worst = int(np.argmax(np.abs(np.where(call.kept, call.ratio - call.scale, 0))))
    ratio = call.ratio[call.kept]
    message = f"with p = {call.p}, out / x ranges from {ratio.min():.4g} to {ratio.max():.4g} where it is not zero"
    example = f"x = {call.x.flat[worst]:.4f} became {call.out.flat[worst]:.4f}"
    subject.report("values-changed", f"{message}, instead of being constant", example=example)
    return False


def _scales(subject: Subject, calls: Calls, tests: dict[float, DropoutCall], fractions: ByRate) -> None:
    """The factor must be 1 / keep in training and 1 at test; or 1 and keep, the classic way.

    The probability of keeping is inferred from what the code does, so a swapped p does not count against the scale.
    """
    if subject.has("mask-depends-on-input") and not subject.convention.means:
        return  # it is unknown what the rate should be
    behavior = _behaves(fractions) or subject.convention.means or "keep"
    keep, meant = ({p: keep_rate(one, p) for p in RATES} for one in (behavior, subject.convention.means or behavior))
    inverted, right, ones = {p: 1 / keep[p] for p in RATES}, {p: 1 / meant[p] for p in RATES}, dict.fromkeys(RATES, 1.0)
    train = {p: group[0].scale for p, group in calls.items()}
    quiet = all(call.uniform and call.kept.all() for call in tests.values())
    test = {p: call.scale for p, call in tests.items()} if quiet else {}
    at_test = f"at test x is multiplied by {_list(test)}, expected"
    kept_by, rates = "what is kept is multiplied by", f"for p = {RATES[0]} and {RATES[1]}"
    if not _same(train, ones):
        if not _same(train, inverted) and not _follows_from_the_rate(subject, train, fractions):
            swapped = _same(train, {p: 1 / (1 - q) for p, q in keep.items()})
            why = ", which is 1 / the probability of dropping" if swapped else ""
            message = f"{kept_by} {_list(train)} {rates}{why}; expected {_list(right)}"
            subject.report("scaled-by-wrong-probability", message, example=_pair(calls[RATES[0]][0]))
        if not _same(test, ones):
            subject.report("scaled-at-test", f"{at_test} 1, since training scales already")
    elif test and (_same(test, keep) or _same(test, meant)):
        message = f"in training what is kept is not scaled; at test the output is x times {_list(test)}"
        subject.report("classic-scaling", message)
    elif test and _same(test, {p: 1 - q for p, q in keep.items()}):
        subject.report("scaled-by-wrong-probability", f"{at_test} {_list(keep)}")
    else:
        mean = f"in training the mean of the output is {_list(keep)} times that of the input"
        if keep != meant:  # as the fix says
            mean = f"p is the probability of {VERBS[subject.convention.means]} a unit"
        subject.report("not-scaled-in-training", f"{kept_by} 1 {rates}, expected {_list(right)}: {mean}")
        if not _same(test, ones):
            subject.report("scaled-at-test", f"{at_test} 1")


def _follows_from_the_rate(subject: Subject, train: ByRate, fractions: ByRate) -> bool:
    """Whether the scale is right for the intended p, or for the actual rate, if the rate is at fault."""
    if subject.has("keep-and-drop-swapped") or subject.has("dialect-contradiction"):
        return _same(train, {p: 1 / keep_rate(subject.convention.means, p) for p in RATES})
    return subject.has("wrong-rate") and all(abs(train[p] * fractions[p] - 1) < 0.05 for p in RATES)


def _all_kept(subject: Subject) -> None:
    """With the p that keeps every unit, nothing may be dropped."""
    if not subject.convention.means or subject.findings:
        return
    p = 1.0 if subject.convention.means == "keep" else 0.0
    call, why = subject.attempt(call_dropout, subject, p, "train")
    if not why and not np.allclose(call.ratio, 1):  # some refuse this p, and the nets do not need it
        lost = f"{int((~call.kept).sum())} of {call.x.size} are dropped"
        subject.report("wrong-rate", f"with p = {p:g} every unit must be kept as it is; {lost}")


def _seed(subject: Subject) -> None:
    x = inputs(subject)
    first, second = (call_dropout(subject, RATES[0], "train", x, {"seed": 123}) for _ in range(2))
    if not (first.kept == second.kept).all() and not subject.of_class:
        subject.report("seed-ignored", "two calls with the same dropout_param['seed'] dropped different units")


def _dtypes(subject: Subject, from_double: np.dtype[Any], tests: bool) -> None:
    if from_double != np.float64:
        # A class that computes in float32 throughout does so on purpose.
        meant = subject.of_class and from_double == np.float32
        message = f"a float64 input gives {from_double} in mode train"
        subject.report("dtype-changed", message, severity="note" if meant else None)
        return
    x = inputs(subject, (8, 5)).astype(np.float32)
    changed = {}
    for mode in ("train", "test") if tests else ("train",):
        out, _ = subject.pair(FORWARD, x, {"p": RATES[0], "mode": mode})
        if np.asarray(out).dtype != np.float32:
            changed[mode] = np.asarray(out).dtype
    if changed:
        dtype = next(iter(changed.values()))
        # In training only, it comes from the mask's dtype: this costs time and memory, and is common in right code.
        common = dtype == np.float64 and ([*changed] == ["train"] or subject.has("active-at-test"))
        message = f"a float32 input gives {dtype} in mode {' and '.join(changed)}"
        subject.report("dtype-changed", message, severity="note" if common else "fault")


def _pair(call: DropoutCall) -> str:
    first = int(np.argmax(call.kept))
    return f"x = {call.x.flat[first]:.4f} became {call.out.flat[first]:.4f}"


def _same(first: ByRate, second: ByRate) -> bool:
    return all(abs(first[p] - second[p]) <= 1e-3 * abs(second[p]) for p in first)


def _list(values: dict[float, float]) -> str:
    return " and ".join(f"{value:.4g}" for value in values.values())
