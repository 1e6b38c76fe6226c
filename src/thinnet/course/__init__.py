"""The course door: the packages `cs231n` and `nndl` of two university courses, on Thinnet's layers.

Call `activate` with a dialect, and a course's notebook runs unmodified.
"""

from collections.abc import Sequence

from thinnet.arguments import known_arguments
from thinnet.course import finder, pictures
from thinnet.course.dialects import DIALECTS as DIALECTS
from thinnet.course.dialects import Dialect as Dialect
from thinnet.course.dialects import Draw, is_active, set_active
from thinnet.course.dialects import active as active
from thinnet.errors import DialectError
from thinnet.layers.dropout import Scaling


@known_arguments
def activate(
    dialect: str, scaling: Scaling = "inverted", *, draw: Draw | None = None, packages: Sequence[str] = ()
) -> None:
    """Make ``import cs231n`` and ``import nndl`` work, in a dialect, unless something else provides them.

    A folder ``cs231n`` or ``nndl`` of your own, with or without ``__init__.py``, always wins; modules that it does
    not have are found here.  Called again, it changes the dialect.

    Args:
        dialect: ``"cs231n-2017"`` (2016 and 2017; p drops), ``"cs231n-2018"`` (to 2020; p keeps), ``"cs231n-2021"``
            (to 2026; p keeps); for UCLA's ECE C247 ``"nndl"`` (today; p keeps), ``"nndl-2020"`` (p keeps, and 1 is no
            dropout) or ``"nndl-drop"`` (2018, 2019, 2022 and others; p drops). The three of nndl have the package
            ``utils``, too.
        scaling: ``"inverted"``, ``"classic"`` or ``"unscaled"``; see `thinnet.layers.dropout_forward`.
        draw: which of the usual expressions draws the mask from NumPy's global generator: ``"rand"``
            (``rand(*x.shape) >= p`` where p drops, ``< p`` where it keeps), ``"rand-below"`` (``< 1 - p`` where p
            drops) or ``"binomial"`` (``binomial(1, 1 - p, size=x.shape)``). The default is that of most authors:
            ``"binomial"`` where p drops and nothing is scaled, ``"rand"`` otherwise.
        packages: further names for the course's package, where yours is called otherwise (``cs682``, ``asgn2``).

    Raises:
        ArgumentError: if a name is unknown.

    >>> activate("nndl")
    >>> from nndl.layers import dropout_forward
    >>> import numpy as np
    >>> out, cache = dropout_forward(np.ones((1, 4)), {"mode": "train", "p": 0.5, "seed": 0})
    >>> out
    array([[0., 0., 0., 0.]])
    """
    names = finder.checked_names(packages)
    set_active(dialect, scaling, draw)
    own = tuple(dict.fromkeys((active().dialect.package, "cs231n")))
    utils = {"utils": ("cs231n",)} if own[0] == "nndl" else {}
    finder.install(utils | dict.fromkeys(names, own))
    pictures.install()


def activate_by_default(dialect: str) -> None:
    """Like `activate`, but only if no dialect is in force yet: for folders of course code that need one.

    Raises:
        ArgumentError: if the name is unknown.
        DialectError: if another dialect is in force already.
    """
    if not is_active():
        activate(dialect)
    elif active().dialect.name != dialect:
        raise DialectError(
            f"this folder was made for the dialect {dialect}, got {active().dialect.name}, which is in force already. "
            f"Activate {dialect}, or change the name in the folder's __init__.py."
        )
