"""The one place that decides how a net is computed: by kernels or layers, thinned or whole, with which products."""

import sys
from collections.abc import Callable
from typing import Any

from thinnet import kernels
from thinnet.errors import ArgumentError
from thinnet.layers import dropout_forward
from thinnet.masks import keep_units
from thinnet.products import blocked
from thinnet.products.base import Products
from thinnet.products.choose import products as products_by
from thinnet.products.processor import has_amx
from thinnet.spec import Precision, Spec
from thinnet.state import State
from thinnet.steps.averaging import inplace_average
from thinnet.steps.base import Scorer, Step
from thinnet.steps.readable import ReadableScores, ReadableStep
from thinnet.steps.thinned import ThinnedStep
from thinnet.teams import Work
from thinnet.typing import FloatArray


def uses_kernels(fused: bool) -> bool:
    """Whether to use the kernels: if they are wanted and available."""
    return fused and kernels.available()


def fuses(spec: Spec, fused: bool) -> bool:
    """Whether the kernels compute a net: there must be one for its activation, too."""
    if not uses_kernels(fused):
        return False
    from thinnet.kernels.activations import CODES

    return spec.activation in CODES


def products_name(spec: Spec, fused: bool, products: str | None) -> str:
    """The name of the library that multiplies a net's matrices; the layers use NumPy."""
    return products_by(products).name if fuses(spec, fused) else "numpy"


def _products(spec: Spec, products: str | None) -> Products:
    return products_by(products, rounded=spec.precision is not None)


def training_step(spec: Spec, max_rows: int, *, fused: bool = True, products: str | None = None) -> Step:
    """The step that trains a net on up to `max_rows` rows at a time; `products` as for `thinnet.products.choose`.

    Raises:
        ArgumentError: if training in this precision would be slower here than in float32.
    """
    inner: Step
    if spec.precision is not None and fused:
        _check_precision(spec)
    if fuses(spec, fused):
        from thinnet.steps.fused import FusedStep

        inner = FusedStep(spec, _products(spec, products), max_rows)
    else:
        inner = ReadableStep(spec, max_rows)
    return _thinned(spec, inner, fused) if spec.thins else inner


def fast_precision() -> Precision | None:
    """The precision in which a net trains fastest here."""
    return "bfloat16" if uses_kernels(True) and blocked.amx_usable() else None


def row_options(spec: Spec, *, fused: bool = True, products: str | None = None) -> dict[str, Any]:
    """The options for `thinnet.data.rows.RowReader`, so that rows come in the form the training step takes."""
    if not fuses(spec, fused):
        return {"dtype": spec.dtype}
    return {"dtype": spec.dtype, "team": products_by(products).team}


def scorer(spec: Spec, state: State, max_rows: int, *, fused: bool = True, products: str | None = None) -> Scorer:
    """What computes scores in test mode, for up to `max_rows` rows at a time."""
    if fuses(spec, fused):
        from thinnet.steps.fused_scores import FusedScores

        return FusedScores(spec, state, _products(spec, products), max_rows)
    return ReadableScores(spec, state)


def dropout(*, fused: bool = True) -> Callable[..., FloatArray]:
    """Dropout alone: a function of (x, rate, scaling) and of the arguments that determine the mask."""
    if uses_kernels(fused):
        from thinnet.kernels.dropout import dropout as kernel

        return lambda x, rate, scaling, **draw: kernel(x, rate, **draw)
    return lambda x, rate, scaling, **draw: dropout_forward(x, rate, scaling=scaling, **draw)[0]


def average(*, fused: bool = True) -> Work:
    """The function that updates an average of weights, like `thinnet.steps.averaging.inplace_average`."""
    if uses_kernels(fused):
        from thinnet.kernels.optimizers import inplace_average as kernel

        by_kernel: Work = kernel
        return by_kernel
    return inplace_average


def _check_precision(spec: Spec) -> None:
    """Reject bfloat16 if it would be slower than float32."""
    if not fuses(spec, True):
        lacks = "without Numba's kernels"
    elif sys.platform != "linux":
        lacks = "except on Linux"
    elif not blocked.amx_usable():
        lacks = "where the processor's AMX cannot be used" if has_amx() else "on a processor without AMX"
    else:
        return
    raise ArgumentError(
        f"precision must be None for training here, got {spec.precision!r}: it is slower than float32 {lacks}. Leave "
        f"it out, write net = net.replace(precision=None), or set net.fused = False to compute it slowly anyway."
    )


def _thinned(spec: Spec, inner: Step, fused: bool) -> ThinnedStep:
    if uses_kernels(fused):
        from thinnet.kernels.philox import keep_units as draw
        from thinnet.kernels.thinning import copy_kept

        return ThinnedStep(spec, inner, draw, copy_kept)
    return ThinnedStep(spec, inner, keep_units)
