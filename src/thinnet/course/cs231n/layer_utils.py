"""Layers that are often used together, as one forward and one backward function."""

from functools import partial as _partial
from typing import Any

from thinnet.course import layer_utils as _utils

from . import fast_layers as _fast
from . import layers as _layers

affine_relu_forward = _partial(_utils.affine_relu_forward, _layers)
affine_relu_backward = _partial(_utils.affine_relu_backward, _layers)
affine_bn_relu_forward = _partial(_utils.affine_bn_relu_forward, _layers)
affine_bn_relu_backward = _partial(_utils.affine_bn_relu_backward, _layers)
affine_relu_dropout_forward = _partial(_utils.affine_relu_dropout_forward, _layers)
affine_relu_dropout_backward = _partial(_utils.affine_relu_dropout_backward, _layers)
affine_bn_relu_dropout_forward = _partial(_utils.affine_bn_relu_dropout_forward, _layers)
affine_bn_relu_dropout_backward = _partial(_utils.affine_bn_relu_dropout_backward, _layers)

affine_batchnorm_relu_forward = affine_bn_relu_forward
affine_batchnorm_relu_backward = affine_bn_relu_backward

conv_relu_forward = _partial(_utils.conv_relu_forward, _layers, _fast)
conv_relu_backward = _partial(_utils.conv_relu_backward, _layers, _fast)
conv_bn_relu_forward = _partial(_utils.conv_bn_relu_forward, _layers, _fast)
conv_bn_relu_backward = _partial(_utils.conv_bn_relu_backward, _layers, _fast)
conv_relu_pool_forward = _partial(_utils.conv_relu_pool_forward, _layers, _fast)
conv_relu_pool_backward = _partial(_utils.conv_relu_pool_backward, _layers, _fast)


def __getattr__(name: str) -> Any:
    return getattr(_layers, name)  # those of layers.py come along
