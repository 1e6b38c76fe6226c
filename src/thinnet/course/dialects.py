"""The courses' dialects: what ``p`` means, how the net's arguments are called, and which dialect is in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from thinnet.checks import check_choice
from thinnet.errors import DialectError
from thinnet.layers.dropout import SCALINGS, Scaling


@dataclass(frozen=True)
class Dialect:
    """One course's way of writing dropout.

    Attributes:
        name: what `thinnet.course.activate` takes.
        p_means: whether ``p`` is the probability of dropping or of keeping a unit.
        dropout_argument: the net's argument for p, and `dropout_default`, what it is when not given.
        none: the values of it for which the net has no dropout layers. In nndl 1 is not among them: it keeps every
            unit, but masks are drawn, as the course's recorded figures need.
        normalization_argument: the net's argument for normalization, and `normalization_default`, what it is when not
            given.
        two_layer_argument: how ``TwoLayerNet`` calls the number of its hidden units.
    """

    name: str
    p_means: Literal["drop", "keep"]
    dropout_argument: str
    dropout_default: float
    none: tuple[float, ...]
    normalization_argument: str
    normalization_default: bool | None
    two_layer_argument: str = "hidden_dim"

    def rate(self, p: Any) -> float:
        """The fraction dropped that `p` stands for.

        >>> DIALECTS["cs231n-2017"].rate(0.25), DIALECTS["nndl"].rate(0.25)
        (0.25, 0.75)
        """
        dropping = self.p_means == "drop"
        good = not isinstance(p, str) and (0 <= p < 1 if dropping else 0 < p <= 1)
        if not good:
            limits, verb = ("[0, 1)", "dropping") if dropping else ("(0, 1]", "keeping")
            raise DialectError(
                f"p must be a number in {limits}, got {p!r}. In the dialect {self.name} it is the probability of "
                f"{verb} a unit; see thinnet.course.DIALECTS for the others."
            )
        return float(p) if dropping else 1 - float(p)


DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        Dialect("cs231n-2017", "drop", "dropout", 0, (0,), "use_batchnorm", False),
        Dialect("cs231n-2018", "keep", "dropout", 1, (1,), "normalization", None),
        Dialect("cs231n-2021", "keep", "dropout_keep_ratio", 1, (1,), "normalization", None),
        Dialect("nndl", "keep", "dropout", 0, (0,), "use_batchnorm", False, "hidden_dims"),
    )
}


@dataclass(frozen=True)
class Activation:
    """The dialect in force, and how dropout is scaled in it."""

    dialect: Dialect
    scaling: Scaling


_active: Activation | None = None


def set_active(dialect: str, scaling: Scaling) -> None:
    """Put a dialect in force for the whole process."""
    global _active
    known = DIALECTS[check_choice("dialect", dialect, tuple(DIALECTS))]
    _active = Activation(known, check_choice("scaling", scaling, SCALINGS))


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
    """For the package `nndl`, which has one dialect only: that one, with the scaling in force."""
    return Activation(DIALECTS["nndl"], active().scaling)
