r"""Dropout: in training each unit is set to zero with probability `rate`, independently of all others."""

from typing import Any, Literal, NamedTuple

import numpy as np

from thinnet.arguments import known_arguments
from thinnet.checks import check_arrays, check_cache, check_choice, check_gradient, check_number, kind_of
from thinnet.errors import ArgumentError
from thinnet.masks import keep_mask, keep_units
from thinnet.typing import BoolArray, FloatArray

Scaling = Literal["inverted", "classic", "unscaled"]
SCALINGS: tuple[Scaling, ...] = ("inverted", "classic", "unscaled")

MaskKind = Literal["element", "batch"]
MASK_KINDS: tuple[MaskKind, ...] = ("element", "batch")


class DropoutCache(NamedTuple):
    keep: BoolArray | None  # (N, D), or (1, D) for all rows; True where the unit was kept; None if all were
    factor: float  # what kept units were multiplied by
    shape: tuple[int, ...]  # (N, D)


@known_arguments
def dropout_forward(
    x: FloatArray,
    rate: float,
    *,
    training: bool = True,
    seed: int = 0,
    step: int = 0,
    layer: int = 0,
    first_row: int = 0,
    keep: BoolArray | None = None,
    mask: MaskKind = "element",
    scaling: Scaling = "inverted",
) -> tuple[FloatArray, DropoutCache]:
    r"""Drop units in training, and rescale so that each unit keeps its expected value.

        training: out = x · keep / (1 − rate)        test: out = x

    Args:
        x: (N, D) floats.
        rate: the fraction dropped, 0 <= rate < 1.
        training: whether to drop units.
        seed, step, layer, first_row: which mask to draw; see `thinnet.masks.keep_mask`.  Increase `step` during
            training, so that different units are dropped each time.
        keep: an (N, D) mask of bools to use instead of drawing one, True for kept units; (1, D) for all rows alike.
        mask: ``"element"`` draws once for each unit of each row, ``"batch"`` once for each unit of the whole batch.
        scaling: ``"inverted"`` as above; ``"classic"`` (Hinton et al.) multiplies by 1 − rate in test mode instead;
            ``"unscaled"`` never scales. That is biased, and exists only because a course's recorded solution does so.

    Returns:
        out: (N, D), of the dtype of x.
        cache: what `dropout_backward` needs.

    Raises:
        ArgumentError: if `rate`, `scaling`, `keep` or `x` is not as above.

    Source: Srivastava et al., JMLR 15 (2014); Hinton et al., arXiv 1207.0580 (2012); Graham et al., arXiv 1502.02478.

    >>> out, cache = dropout_forward(np.ones((2, 6)), rate=0.5, seed=3)
    >>> out
    array([[2., 0., 2., 0., 2., 2.],
           [0., 2., 2., 2., 2., 2.]])
    >>> dropout_forward(np.ones((2, 6)), rate=0.5, seed=3, mask="batch")[0]
    array([[2., 0., 2., 0., 2., 2.],
           [2., 0., 2., 0., 2., 2.]])
    """
    check_arrays("dropout_forward", x=(x, "N D"))
    check_number("rate", rate)
    check_choice("scaling", scaling, SCALINGS)
    check_choice("mask", mask, MASK_KINDS)
    if not training or rate == 0:
        factor = 1 - rate if scaling == "classic" and not training else 1.0
        return x * x.dtype.type(factor), DropoutCache(None, factor, x.shape)
    if keep is not None:
        _check_keep(keep, x.shape)
    elif mask == "batch":
        keep = keep_units(rate, x.shape[1], seed=seed, step=step, layer=layer)[None]
    else:
        keep = keep_mask(rate, (x.shape[0], x.shape[1]), seed=seed, step=step, layer=layer, first_row=first_row)
    factor = 1 / (1 - rate) if scaling == "inverted" else 1.0
    return _masked(x, keep, factor), DropoutCache(keep, factor, x.shape)


@known_arguments
def dropout_backward(dout: FloatArray, cache: DropoutCache) -> FloatArray:
    r"""The gradient with respect to x: dout with the same mask and scaling as in the forward pass.

        training: dx = dout · keep / (1 − rate)      test: dx = dout      (inverted scaling)

    Args:
        dout: (N, D) gradient with respect to the output.
        cache: from `dropout_forward`; the mask is the one used there, never a new one.

    Returns:
        dx: (N, D).

    Raises:
        ArgumentError: if `dout` does not have the shape of x.

    >>> out, cache = dropout_forward(np.ones((1, 6)), rate=0.5, seed=3)
    >>> dropout_backward(np.full((1, 6), 10.0), cache)
    array([[20.,  0., 20.,  0., 20., 20.]])
    """
    check_cache("dropout_backward", cache, DropoutCache)
    check_gradient("dropout_backward", dout, cache.shape)
    if cache.keep is None:
        return dout * dout.dtype.type(cache.factor)
    return _masked(dout, cache.keep, cache.factor)


def _check_keep(keep: Any, shape: tuple[int, ...]) -> None:
    if not isinstance(keep, np.ndarray) or keep.shape not in (shape, (1, shape[1])) or keep.dtype != np.bool_:
        came = f"{keep.dtype} of shape {keep.shape}" if isinstance(keep, np.ndarray) else kind_of(keep)
        raise ArgumentError(
            f"dropout_forward: keep must be an array of bool of shape {shape}, like x, got {came}. Use True for units "
            f"that stay, or one row of shape (1, {shape[1]}) for all rows. To drop a fraction of the units, use rate."
        )


def _masked(x: FloatArray, keep: BoolArray, factor: float) -> FloatArray:
    # np.where, not a product, so that a dropped infinity or NaN becomes 0 too.
    return np.where(keep, x * x.dtype.type(factor), np.zeros((), x.dtype))
