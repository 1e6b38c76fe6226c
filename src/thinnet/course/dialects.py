"""The courses' dialects: what ``p`` means, what the net's arguments are called, and which dialect is in force."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from thinnet.checks import check_choice
from thinnet.errors import DialectError
from thinnet.layers.dropout import SCALINGS, Scaling

Draw = Literal["rand", "rand-below", "binomial"]
DRAWS: tuple[Draw, ...] = get_args(Draw)


@dataclass(frozen=True)
class Dialect:
    """One course's way of writing dropout.

    Attributes:
        name: the name for `thinnet.course.activate`.
        years: the course and its years, for display.
        p_means: whether ``p`` is the probability of dropping or of keeping a unit.
        dropout_argument: the net's argument for p.
        none: the values of p for which the net has no dropout layers. In nndl, 1 is not one of them: it keeps every
            unit, but masks are still drawn, which the course's recorded results require.
        normalization_argument: the net's argument for normalization.
        normalization_default: its default.
    """

    name: str
    years: str
    p_means: Literal["drop", "keep"]
    dropout_argument: str
    none: tuple[float, ...]
    normalization_argument: str
    normalization_default: bool | None

    @property
    def package(self) -> str:
        """The course's package with the layers and nets: ``"cs231n"`` or ``"nndl"``."""
        return self.name.partition("-")[0]

    @property
    def dropout_default(self) -> float:
        """The default of the net's argument for p."""
        return self.none[0]

    def allows(self, p: Any) -> bool:
        """Whether `p` is a valid probability in this dialect."""
        try:
            number = math.nan if isinstance(p, str) else float(p)
        except (TypeError, ValueError):
            return False
        return 0 <= number < 1 if self.p_means == "drop" else 0 < number <= 1

    def takes(self, arguments: Mapping[str, Any]) -> bool:
        """Whether the net accepts those of `arguments` that are for dropout and normalization, with these values.

        >>> [name for name, dialect in DIALECTS.items() if dialect.takes({"dropout": 1, "normalization": None})]
        ['cs231n-2018']
        """
        own = {self.dropout_argument, self.normalization_argument}
        p = arguments.get(self.dropout_argument, self.dropout_default)
        return not (ARGUMENTS - own) & arguments.keys() and (p in self.none or self.allows(p))

    def rate(self, p: Any, arguments: Mapping[str, Any] | None = None) -> float:
        """The dropout rate that `p` stands for; `arguments` are those passed to the net, if it was, for the error.

        >>> DIALECTS["cs231n-2017"].rate(0.25), DIALECTS["nndl"].rate(0.25)
        (0.25, 0.75)
        """
        dropping = self.p_means == "drop"
        if not self.allows(p):
            verbs = ("dropping", "keeping") if dropping else ("keeping", "dropping")
            name = "p" if arguments is None else self.dropout_argument
            course = [other for other in DIALECTS.values() if other.package == self.package and other.allows(p)]
            others = [other.name for other in course if other.takes(arguments or {})]
            fix = "See thinnet.course.DIALECTS for the other dialects."
            if others:
                fix = f"If it must mean {verbs[1]} one, run thinnet course run --dialect {' or '.join(others)}."
            raise DialectError(
                f"{name} must be a number in {'[0, 1)' if dropping else '(0, 1]'}, got {p!r}. In the dialect "
                f"{self.name} it is the probability of {verbs[0]} a unit. Write {0 if dropping else 1} for no dropout. "
                f"{fix}"
            )
        return float(p) if dropping else 1 - float(p)


DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        Dialect("cs231n-2017", "CS231n, 2016 and 2017", "drop", "dropout", (0,), "use_batchnorm", False),
        Dialect("cs231n-2018", "CS231n, 2018 to 2020", "keep", "dropout", (1,), "normalization", None),
        Dialect("cs231n-2021", "CS231n, 2021 to 2026", "keep", "dropout_keep_ratio", (1,), "normalization", None),
        Dialect("nndl", "ECE C247, today", "keep", "dropout", (0,), "use_batchnorm", False),
        Dialect("nndl-2020", "ECE C247, 2020", "keep", "dropout", (1,), "use_batchnorm", False),
        Dialect("nndl-drop", "ECE C247, 2018, 2019, 2022 and others", "drop", "dropout", (0,), "use_batchnorm", False),
    )
}

# The net's arguments for p and normalization, in all dialects.
ARGUMENTS = {
    name for dialect in DIALECTS.values() for name in (dialect.dropout_argument, dialect.normalization_argument)
}


@dataclass(frozen=True)
class Activation:
    """The dialect in force, how dropout is scaled in it, and how its masks are drawn."""

    dialect: Dialect
    scaling: Scaling = "inverted"
    draw: Draw = "rand"


_active: Activation | None = None


def set_active(dialect: str, scaling: Scaling, draw: Draw | None = None) -> None:
    """Put a dialect in force for the whole process; see `thinnet.course.activate`."""
    global _active
    known = DIALECTS[check_choice("dialect", dialect, tuple(DIALECTS))]
    check_choice("scaling", scaling, SCALINGS)
    if draw is None:  # the recorded solution that does not scale draws from a binomial distribution, most others do not
        draw = "binomial" if scaling == "unscaled" and known.p_means == "drop" else "rand"
    _active = Activation(known, scaling, check_choice("draw", draw, DRAWS))


def is_active() -> bool:
    """Whether a dialect is in force."""
    return _active is not None


def active() -> Activation:
    """The dialect in force.

    Raises:
        DialectError: if there is none: ``p`` is never guessed.
    """
    if _active is None:
        raise DialectError(
            "a course function needs a dialect, since p means dropping in some years and keeping in others; got none. "
            f"Call thinnet.course.activate(dialect) first, with one of {', '.join(map(repr, DIALECTS))}."
        )
    return _active


def active_nndl() -> Activation:
    """The dialect in force, for the package `nndl`.

    Raises:
        DialectError: if there is none, or one of another course.
    """
    activation = active()
    if activation.dialect.package != "nndl":
        own = [name for name, dialect in DIALECTS.items() if dialect.package == "nndl"]
        raise DialectError(
            f"nndl must run in one of its own dialects ({', '.join(own)}), since p means keeping in some years and "
            f"dropping in others; got {activation.dialect.name}, which is in force. "
            f"Call thinnet.course.activate({own[0]!r}), or another of them."
        )
    return activation
