"""The one place that decides how a net is computed: by the kernels or readably, thinned or whole, by which products."""

from __future__ import annotations

from collections.abc import Callable

from thinnet import kernels
from thinnet.layers import dropout_forward
from thinnet.masks import keep_units
from thinnet.products.choose import products as products_by
from thinnet.spec import Spec
from thinnet.state import State
from thinnet.steps.base import Scorer, Step
from thinnet.steps.readable import ReadableScores, ReadableStep
from thinnet.steps.thinned import ThinnedStep
from thinnet.typing import FloatArray


def uses_kernels(fused: bool) -> bool:
    """Whether the kernels compute: where they are wanted, and Numba is there."""
    return fused and kernels.available()


def fuses(spec: Spec, fused: bool) -> bool:
    """Whether the kernels compute a net: those of its activation must be there too."""
    if not uses_kernels(fused):
        return False
    from thinnet.kernels.activations import CODES

    return spec.activation in CODES


def products_name(spec: Spec, fused: bool, products: str | None) -> str:
    """By what the matrices of a net are multiplied: the layers do it in NumPy."""
    return products_by(products).name if fuses(spec, fused) else "numpy"


def training_step(spec: Spec, max_rows: int, *, fused: bool = True, products: str | None = None) -> Step:
    """How a net is trained, by up to `max_rows` rows at a time; `products` as for `thinnet.products.choose`."""
    inner: Step
    if fuses(spec, fused):
        from thinnet.steps.fused import FusedStep

        inner = FusedStep(spec, products_by(products), max_rows)
    else:
        inner = ReadableStep(spec, max_rows)
    return _thinned(spec, inner, fused) if spec.thins else inner


def scorer(spec: Spec, state: State, max_rows: int, *, fused: bool = True, products: str | None = None) -> Scorer:
    """How scores are computed in test mode, by up to `max_rows` rows at a time."""
    if fuses(spec, fused):
        from thinnet.steps.fused_scores import FusedScores

        return FusedScores(spec, state, products_by(products), max_rows)
    return ReadableScores(spec, state)


def dropout(*, fused: bool = True) -> Callable[..., FloatArray]:
    """How dropout alone is computed: a function of (x, rate, scaling) and of what draws the mask."""
    if uses_kernels(fused):
        from thinnet.kernels.dropout import dropout as kernel

        return lambda x, rate, scaling, **draw: kernel(x, rate, **draw)
    return lambda x, rate, scaling, **draw: dropout_forward(x, rate, scaling=scaling, **draw)[0]


def _thinned(spec: Spec, inner: Step, fused: bool) -> ThinnedStep:
    if uses_kernels(fused):
        from thinnet.kernels import philox, thinning

        return ThinnedStep(spec, inner, philox.keep_units, thinning)
    return ThinnedStep(spec, inner, keep_units)
