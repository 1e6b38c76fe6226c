"""Layers of images that are often used together, as one forward and one backward function."""

from functools import partial as _partial

from thinnet.course import fast_layers as _fast
from thinnet.course import layer_utils as _utils
from thinnet.course.fast_layers import *

from . import conv_layers as _layers
from .layer_utils import *
from .layers import *

conv_relu_forward = _partial(_utils.conv_relu_forward, _layers, _fast)
conv_relu_backward = _partial(_utils.conv_relu_backward, _layers, _fast)
conv_bn_relu_forward = _partial(_utils.conv_bn_relu_forward, _layers, _fast)
conv_bn_relu_backward = _partial(_utils.conv_bn_relu_backward, _layers, _fast)
conv_relu_pool_forward = _partial(_utils.conv_relu_pool_forward, _layers, _fast)
conv_relu_pool_backward = _partial(_utils.conv_relu_pool_backward, _layers, _fast)
