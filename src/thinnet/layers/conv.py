"""The convolution layer, as cross-correlation: a filter slides over the images and is multiplied with each window."""

from typing import NamedTuple

import numpy as np

from thinnet.arguments import known_arguments
from thinnet.checks import check_arrays, check_cache, check_gradient, check_number
from thinnet.errors import ArgumentError
from thinnet.typing import FloatArray


class ConvCache(NamedTuple):
    padded: FloatArray  # (N, C, H + 2 padding, W + 2 padding)
    w: FloatArray  # (F, C, K, L)
    stride: int
    padding: int


@known_arguments
def conv_forward(
    x: FloatArray, w: FloatArray, b: FloatArray, *, stride: int = 1, padding: int = 0
) -> tuple[FloatArray, ConvCache]:
    r"""Correlate images with filters and add a bias.

        out[n, f, p, q] = b[f] + Σ over c, k, l of w[f, c, k, l] · padded[n, c, p · stride + k, q · stride + l]

    where `padded` is x with `padding` zeros on each side.  The filters are not flipped.  Rows and columns at the end
    that no full window covers are ignored.

    Args:
        x: (N, C, H, W) images.
        w: (F, C, K, L) filters.
        b: (F,) biases.  All three have the same float dtype.
        stride: the step from one position to the next, >= 1.
        padding: zeros on each of the four sides, >= 0.

    Returns:
        out: (N, F, P, Q) with P = 1 + (H + 2 padding - K) // stride and Q likewise, of the same dtype.
        cache: what `conv_backward` needs.

    Raises:
        ArgumentError: if shapes or dtypes do not fit together, a number is outside its limits, or a filter is larger
            than the padded images.

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", arXiv 1603.07285 (2016).

    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> out, cache = conv_forward(x, np.array([[[[1.0, 0.0], [0.0, 2.0]]]]), np.array([0.5]))
    >>> out[0, 0]
    array([[ 8.5, 11.5],
           [17.5, 20.5]])
    """
    check_arrays("conv_forward", x=(x, "N C H W"), w=(w, "F C K L"), b=(b, "F"))
    check_number("stride", stride)
    check_number("padding", padding)
    padded = pad(x, padding)
    check_window("conv_forward: w", w.shape[2:], padded)
    out = np.tensordot(w, windows(padded, w.shape[2:], stride), axes=((1, 2, 3), (1, 4, 5)))  # (F, N, P, Q)
    return out.transpose(1, 0, 2, 3) + b[:, None, None], ConvCache(padded, w, stride, padding)


@known_arguments
def conv_backward(dout: FloatArray, cache: ConvCache) -> tuple[FloatArray, FloatArray, FloatArray]:
    r"""The gradients of a loss with respect to x, w and b.

    dw is the product of dout with the windows of the forward pass, and db = Σ dout over n, p, q.  dx adds up, for each
    element of a filter, w · dout at the pixels that it was multiplied with; the padding is then removed.

    Args:
        dout: (N, F, P, Q) gradient with respect to the output.
        cache: from `conv_forward`.

    Returns:
        dx (N, C, H, W), dw (F, C, K, L), db (F,).

    Raises:
        ArgumentError: if `dout` does not have the shape and dtype of the output.

    >>> out, cache = conv_forward(np.ones((1, 1, 2, 2)), np.array([[[[3.0, 4.0]]]]), np.zeros(1))
    >>> dx, dw, db = conv_backward(np.array([[[[1.0], [10.0]]]]), cache)
    >>> dx[0, 0], dw[0, 0], db
    (array([[ 3.,  4.],
           [30., 40.]]), array([[11., 11.]]), array([11.]))
    """
    check_cache("conv_backward", cache, ConvCache)
    padded, w, stride, padding = cache
    seen = windows(padded, w.shape[2:], stride)
    check_gradient("conv_backward", dout, (len(padded), len(w), *seen.shape[2:4]))
    check_arrays("conv_backward", w=(w, "F C K L"), dout=(dout, "N F P Q"))
    dw = np.tensordot(seen, dout, axes=((0, 2, 3), (0, 2, 3))).transpose(3, 0, 1, 2)
    dwindows = np.tensordot(w, dout, axes=(0, 1))  # (C, K, L, N, P, Q)
    dpadded = from_windows(dwindows.transpose(3, 0, 4, 5, 1, 2), padded.shape, stride)
    height, width = padded.shape[2] - padding, padded.shape[3] - padding
    return dpadded[:, :, padding:height, padding:width].copy(), dw, dout.sum(axis=(0, 2, 3))


def pad(x: FloatArray, padding: int) -> FloatArray:
    """(N, C, H, W) images with zeros on each of their four sides."""
    return np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))


def windows(x: FloatArray, size: tuple[int, ...], stride: int) -> FloatArray:
    """A view of all windows of (N, C, H, W) images: (N, C, P, Q, K, L) for windows of `size` (K, L)."""
    view = np.lib.stride_tricks.sliding_window_view(x, size, axis=(2, 3))
    return np.asarray(view[:, :, ::stride, ::stride])


def from_windows(dwindows: FloatArray, shape: tuple[int, ...], stride: int) -> FloatArray:
    """The transpose of `windows`: images of `shape` with, at each pixel, the sum over all windows that cover it."""
    total = np.zeros(shape, dwindows.dtype)
    *_, P, Q, K, L = dwindows.shape
    for k in range(K):
        for m in range(L):  # one element of the window at a time, so that no pixel occurs twice in one sum
            total[:, :, k : k + P * stride : stride, m : m + Q * stride : stride] += dwindows[..., k, m]
    return total


def check_window(name: str, size: tuple[int, ...], images: FloatArray) -> None:
    """Raise if windows of this size, (K, L), do not fit in the images."""
    if size[0] > images.shape[2] or size[1] > images.shape[3]:
        raise ArgumentError(
            f"{name} must be no larger than the images with their padding, {images.shape[2]} x {images.shape[3]}, "
            f"got {size[0]} x {size[1]}. Use more padding or smaller windows."
        )
