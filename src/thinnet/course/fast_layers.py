"""The courses' fast layers, here the same functions as the naive ones, and the im2col functions behind theirs."""

import numpy as np

from thinnet.course import conv_layers
from thinnet.course.conv_layers import whole
from thinnet.layers.conv import from_windows, pad, windows
from thinnet.typing import AnyArray, FloatArray

conv_forward_fast = conv_forward_im2col = conv_forward_strides = conv_layers.conv_forward_naive
conv_backward_fast = conv_backward_im2col = conv_backward_strides = conv_layers.conv_backward_naive
max_pool_forward_fast = max_pool_forward_im2col = max_pool_forward_reshape = conv_layers.max_pool_forward_naive
max_pool_backward_fast = max_pool_backward_im2col = max_pool_backward_reshape = conv_layers.max_pool_backward_naive

NAMES = [name for name in dir() if name.startswith(("conv_forward", "conv_backward", "max_pool"))]
__all__ = [*NAMES, "col2im_6d_cython", "col2im_cython", "col2im_indices", "im2col_cython", "im2col_indices"]


def im2col_indices(x: AnyArray, field_height: int, field_width: int, padding: int = 1, stride: int = 1) -> FloatArray:
    """All windows of (N, C, H, W) images as the columns of a matrix: (C · K · L, P · Q · N).

    >>> im2col_indices(np.arange(4.0).reshape(1, 1, 2, 2), 1, 2, padding=0)
    array([[0., 2.],
           [1., 3.]])
    """
    seen = windows(pad(x, whole(padding)), (field_height, field_width), whole(stride))
    return seen.transpose(1, 4, 5, 2, 3, 0).reshape(x.shape[1] * field_height * field_width, -1)


def col2im_6d_cython(
    cols: AnyArray, N: int, C: int, H: int, W: int, HH: int, WW: int, pad: int, stride: int
) -> FloatArray:
    """The transpose of `im2col_indices` for columns of shape (C, HH, WW, N, P, Q): (N, C, H, W)."""
    pad, stride = whole(pad), whole(stride)
    padded = from_windows(cols.transpose(3, 0, 4, 5, 1, 2), (N, C, H + 2 * pad, W + 2 * pad), stride)
    return padded[:, :, pad : pad + H, pad : pad + W].copy()


def col2im_cython(
    cols: AnyArray, N: int, C: int, H: int, W: int, field_height: int, field_width: int, padding: int, stride: int
) -> FloatArray:
    """The transpose of `im2col_indices`: each pixel is the sum over all columns that contain it."""
    padding, stride = whole(padding), whole(stride)
    P, Q = (1 + (n + 2 * padding - k) // stride for n, k in ((H, field_height), (W, field_width)))
    windows = cols.reshape(C, field_height, field_width, P, Q, N).transpose(0, 1, 2, 5, 3, 4)
    return col2im_6d_cython(windows, N, C, H, W, field_height, field_width, padding, stride)


def col2im_indices(
    cols: AnyArray,
    x_shape: tuple[int, int, int, int],
    field_height: int = 3,
    field_width: int = 3,
    padding: int = 1,
    stride: int = 1,
) -> FloatArray:
    """`col2im_cython` with the images' shape as one argument."""
    return col2im_cython(cols, *x_shape, field_height, field_width, padding, stride)


im2col_cython = im2col_indices
