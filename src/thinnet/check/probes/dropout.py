"""Forward of dropout, judged by its masks: their rate, their scale, their independence, and test mode."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from thinnet.check.chance import differ, unlikely
from thinnet.check.findings import BEHAVIOR, VERBS, Reading
from thinnet.check.probes.draws import FORWARD, RATES, SHAPE, Draw, draw, inputs, param
from thinnet.check.probes.dropout_shapes import check_counts, check_more_dimensions, check_one_row
from thinnet.check.unit import Stop, Unit
from thinnet.course.dialects import DIALECTS

CALLS = 2
MANY = 40  # calls of each rate, to see whether one draw decides for a whole batch


def check_forward(unit: Unit) -> None:
    """The forward pass in both modes."""
    draws = {p: [draw(unit, p, "train") for _ in range(CALLS)] for p in RATES}
    fractions = {p: float(np.mean([one.kept.mean() for one in group])) for p, group in draws.items()}
    if not unit.reading.means and _behaves(fractions):
        unit.reading = Reading(_behaves(fractions), BEHAVIOR)
    tests = _at_test(unit)
    everything = [one for group in draws.values() for one in group]
    if not all(np.all(np.isfinite(one.ratio)) for one in (*everything, *tests.values())):
        raise unit.stop("values-changed", "the output has values that are not finite")
    if _all_or_nothing(unit, everything):
        return
    if _active(unit, everything, tests):
        shared = _shared(unit, everything)
        repeated = _repeated(unit, draws)
        if not repeated and not shared:
            _independent(unit, everything)
        if not shared:
            _rates(unit, draws, repeated)
        if _one_factor(unit, everything):
            _scales(unit, draws, tests, fractions)
        if not any(one.severity == "fault" for one in unit.findings):
            check_counts(unit, draws)
        _all_kept(unit)
        _seed(unit)
        if not any(one.severity == "fault" for one in unit.findings):
            _other_shapes(unit, fractions)
    _dtypes(unit, everything[0].out.dtype, bool(tests))


def _other_shapes(unit: Unit, fractions: dict[float, float]) -> None:
    does = _behaves(fractions)
    if does:
        check_one_row(unit, {p: keep_rate(does, p) for p in RATES})
    if not unit.functions.get("__class_adapter__"):  # the courses' functions take x of any shape
        check_more_dimensions(unit)


def _at_test(unit: Unit) -> dict[float, Draw]:
    """The draws of test mode; none where it fails, which is noted and must not hide what is wrong in training."""
    try:
        return {p: draw(unit, p, "test") for p in RATES}
    except Stop:
        last = unit.findings[-1]
        unit.findings[-1] = replace(last, evidence=f"in mode 'test': {last.evidence}")
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


def _active(unit: Unit, trained: list[Draw], tests: dict[float, Draw]) -> bool:
    """Whether anything is dropped in training; and nothing at test."""
    for p, one in tests.items():
        lost = int((~one.kept).sum())
        if lost:
            unit.find("active-at-test", f"with p = {p} and mode 'test', {lost} of {one.x.size} outputs are zero")
        elif not one.uniform:
            unit.find("values-changed", f"in test mode the output is no multiple of the input: {_pair(one)}")
    if any((~one.kept).any() for one in trained):
        return True
    if _one_factor(unit, trained):
        told = f"with p = {RATES[0]} and mode 'train', no output of {trained[0].x.size} is zero"
        unit.find("inactive-in-training", told)
    return False


def _all_or_nothing(unit: Unit, draws: list[Draw]) -> bool:
    """One draw that decides for the whole batch: only many calls show that it is random."""
    if any(one.kept.any() and not one.kept.all() for one in draws):
        return False
    small = inputs(unit, (4, 5))
    more = [draw(unit, p, "train", small) for p in RATES for _ in range(MANY)]
    kept = sum(bool(one.kept.all()) for one in more)
    if kept in (0, len(more)) or not all(one.kept.all() or not one.kept.any() for one in more):
        return False
    unit.find(
        "mask-shared-across-batch",
        f"each of {len(more)} calls kept or dropped all elements of the batch together ({kept} kept them)",
    )
    return True


def _shared(unit: Unit, draws: list[Draw]) -> bool:
    """One draw for a whole row or column; by chance this has a probability below 10⁻¹⁰."""
    if all(one.kept.all() or not one.kept.any() for one in draws):
        return False
    if all((one.kept == one.kept[:1]).all() for one in draws):
        unit.find("mask-shared-across-batch", f"all {SHAPE[0]} rows of the batch lose the same columns")
    elif all((one.kept == one.kept[:, :1]).all() for one in draws):
        unit.find("mask-shared-across-batch", "each row is kept or dropped as a whole")
    else:
        return False
    return True


def _repeated(unit: Unit, draws: dict[float, list[Draw]]) -> bool:
    """Different inputs, the same mask."""
    same = all((group[0].kept == other.kept).all() for group in draws.values() for other in group[1:])
    if same:
        size = SHAPE[0] * SHAPE[1]
        told = f"{CALLS} calls with different inputs and no seed dropped exactly the same of {size} elements"
        unit.find("same-mask-every-call", told)
    return same


def _independent(unit: Unit, draws: list[Draw]) -> None:
    """The fraction kept must be the same for positive and negative, small and large values."""
    for p in RATES:
        x = np.concatenate([one.x.ravel() for one in draws if one.p == p])
        kept = np.concatenate([one.kept.ravel() for one in draws if one.p == p])
        for group, words in ((x > 0, "positive|negative"), (np.abs(x) > 1.5, "large|small")):
            first, second = kept[group], kept[~group]
            if differ(int(first.sum()), first.size, int(second.sum()), second.size):
                one, other = words.split("|")
                unit.find(
                    "mask-depends-on-input",
                    f"with p = {p}, {first.mean():.3f} of the {one} values are kept and {second.mean():.3f} of the "
                    f"{other} ones ({first.size} and {second.size} values)",
                )
    x = inputs(unit)
    if (draw(unit, RATES[0], "train", x).kept == draw(unit, RATES[0], "train", x).kept).all():
        unit.find("mask-depends-on-input", "two calls with the same input drop the same units, with others they do not")


def _rates(unit: Unit, draws: dict[float, list[Draw]], repeated: bool) -> None:
    """The fraction kept is p or 1 − p, whichever is right; by exact bounds."""
    kept = {p: np.concatenate([one.kept for one in (group[:1] if repeated else group)]) for p, group in draws.items()}
    fits = [
        means
        for means in VERBS
        if not any(unlikely(int(one.sum()), one.size, keep_rate(means, p)) for p, one in kept.items())
    ]
    means = unit.reading.means
    if means in fits or (not means and fits) or unit.reported("mask-depends-on-input"):
        return
    evidence = "; ".join(f"with p = {p}, {(~one).mean():.3f} of {one.size} are zero" for p, one in kept.items())
    if fits:
        _contradiction(unit, evidence, fits[0])
        return
    expected = " and ".join(f"{1 - keep_rate(means, p):.1f}" for p in RATES) if means else "p or 1 - p"
    unit.find("wrong-rate", f"{evidence}; expected {expected}")


def _contradiction(unit: Unit, evidence: str, does: str) -> None:
    reading = unit.reading
    says = f"{reading.source} says that p is the probability of {VERBS[reading.means]} a unit"
    own = [name for name, dialect in DIALECTS.items() if dialect.package == (reading.course or dialect.package)]
    fitting = " or ".join(name for name in own if DIALECTS[name].p_means == does)
    if reading.given:
        doubt = f"; {reading.contrary} says the opposite as well: is it the right dialect?" if reading.contrary else ""
        if reading.course == "nndl" and not doubt:
            doubt = f"; in the dialect {fitting} it would be right: is it the right dialect?"
        unit.find("keep-and-drop-swapped", f"{says}; {evidence}{doubt}")
        return
    unit.find(
        "dialect-contradiction",
        f"{says}, but the code has p as that of {VERBS[does]}: {evidence}. If the words are right, the code is wrong; "
        f"if the code is right, check it with --dialect {fitting}",
        # Some years of nndl hand out a docstring that says "drop", while their notebook means "keep".
        severity="note" if reading.contrary or (reading.course == "nndl" and does == "keep") else None,
    )


def _one_factor(unit: Unit, draws: list[Draw]) -> bool:
    for one in draws:
        if not one.uniform:
            worst = int(np.argmax(np.abs(np.where(one.kept, one.ratio - one.scale, 0))))
            unit.find(
                "values-changed",
                f"with p = {one.p}, out / x takes values from {one.ratio[one.kept].min():.4g} to "
                f"{one.ratio[one.kept].max():.4g} where it is not zero, instead of one",
                example=f"x = {one.x.flat[worst]:.4f} became {one.out.flat[worst]:.4f}",
            )
            return False
    return True


def _scales(
    unit: Unit, draws: dict[float, list[Draw]], tests: dict[float, Draw], fractions: dict[float, float]
) -> None:
    """The factor in training is 1 / keep, and 1 at test; or 1 and keep, which is the classic way.

    The probability of keeping is taken from what the code does, so that a swapped p is not held against the scale.
    """
    if unit.reported("mask-depends-on-input") and not unit.reading.means:
        return  # there is no telling what the rate should be
    does = _behaves(fractions) or unit.reading.means or "keep"
    keep = {p: keep_rate(does, p) for p in RATES}
    inverted, ones = {p: 1 / keep[p] for p in RATES}, dict.fromkeys(RATES, 1.0)
    train = {p: group[0].scale for p, group in draws.items()}
    quiet = all(one.uniform and one.kept.all() for one in tests.values())
    test = {p: one.scale for p, one in tests.items()} if quiet else {}
    at_test = f"at test x is multiplied by {_list(test)}, expected"
    if not _same(train, ones):
        if not _same(train, inverted) and not _follows_from_the_rate(unit, train, fractions):
            swapped = _same(train, {p: 1 / (1 - q) for p, q in keep.items()})
            why = ", which is 1 / the probability of dropping" if swapped else ""
            unit.find(
                "scaled-by-wrong-probability",
                f"what is kept is multiplied by {_list(train)} for p = {RATES[0]} and {RATES[1]}{why}; "
                f"expected {_list(inverted)}",
                example=_pair(draws[RATES[0]][0]),
            )
        if not _same(test, ones):
            unit.find("scaled-at-test", f"{at_test} 1, since training scales already")
    elif test and _same(test, keep):
        unit.find("classic-scaling", f"training leaves what is kept as it is, the test output is x times {_list(keep)}")
    elif test and _same(test, {p: 1 - q for p, q in keep.items()}):
        unit.find("scaled-by-wrong-probability", f"{at_test} {_list(keep)}")
    else:
        unit.find(
            "not-scaled-in-training",
            f"what is kept is multiplied by 1 for p = {RATES[0]} and {RATES[1]}, expected {_list(inverted)}: the "
            f"mean of the output in training is {_list(keep)} of that of the input",
        )
        if not _same(test, ones):
            unit.find("scaled-at-test", f"{at_test} 1")


def _follows_from_the_rate(unit: Unit, train: dict[float, float], fractions: dict[float, float]) -> bool:
    """Whether the scale is right for the p that was meant, or for the rate that came out, where that is at fault."""
    if unit.reported("keep-and-drop-swapped") or unit.reported("dialect-contradiction"):
        return _same(train, {p: 1 / keep_rate(unit.reading.means, p) for p in RATES})
    return unit.reported("wrong-rate") and all(abs(train[p] * fractions[p] - 1) < 0.05 for p in RATES)


def _all_kept(unit: Unit) -> None:
    """With the p that keeps every unit, nothing may be dropped."""
    if not unit.reading.means or unit.findings:
        return
    p = 1.0 if unit.reading.means == "keep" else 0.0
    try:
        one = draw(unit, p, "train")
    except Stop:  # some refuse it, and the nets do not ask for it
        unit.findings.clear()
        return
    lost = int((~one.kept).sum())
    if lost or not np.allclose(one.ratio, 1):
        unit.find("wrong-rate", f"with p = {p:g} every unit must be kept as it is; {lost} of {one.x.size} are dropped")


def _seed(unit: Unit) -> None:
    x = inputs(unit)
    first, second = (draw(unit, RATES[0], "train", x, seed=123) for _ in range(2))
    if not (first.kept == second.kept).all() and not unit.functions.get("__class_adapter__"):
        unit.find("seed-ignored", "two calls with the same dropout_param['seed'] dropped different units")


def _dtypes(unit: Unit, from_double: np.dtype[Any], tests: bool) -> None:
    if from_double != np.float64:
        # A class that computes in float32 throughout is meant so.
        meant = unit.functions.get("__class_adapter__") and from_double == np.float32
        told = f"a float64 input gives {from_double} in mode train"
        unit.find("dtype-changed", told, severity="note" if meant else None)
        return
    x = inputs(unit, (8, 5)).astype(np.float32)
    changed = {}
    for mode in ("train", "test") if tests else ("train",):
        out, _ = unit.pair(FORWARD, x.copy(), param(RATES[0], mode))
        changed[mode] = np.asarray(out).dtype
    wrong = [mode for mode, dtype in changed.items() if dtype != np.float32]
    if wrong:
        dtype = changed[wrong[0]]
        # In training alone it comes from the dtype of the mask: a matter of speed and memory, and common in right code.
        unit.find(
            "dtype-changed",
            f"a float32 input gives {dtype} in mode {' and '.join(wrong)}",
            severity="note"
            if dtype == np.float64 and (wrong == ["train"] or unit.reported("active-at-test"))
            else "fault",
        )


def _pair(one: Draw) -> str:
    kept = np.argwhere(one.kept)
    index = tuple(kept[0]) if len(kept) else (0, 0)
    return f"x = {one.x[index]:.4f} became {one.out[index]:.4f}"


def _same(first: dict[float, float], second: dict[float, float]) -> bool:
    return all(abs(first[p] - second[p]) <= 1e-3 * abs(second[p]) for p in first)


def _list(values: dict[float, float]) -> str:
    return " and ".join(f"{value:.4g}" for value in values.values())
