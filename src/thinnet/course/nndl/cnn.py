"""The convolutional net, built on this package's layers; ``import *`` imports those too, as in the course."""

import numpy as np

from thinnet.course import cnn as _cnn

from . import conv_layer_utils as _conv_layer_utils
from . import layer_utils as _layer_utils
from . import layers as _layers
from .conv_layer_utils import *
from .conv_layers import *


class ThreeLayerConvNet(_cnn.ThreeLayerConvNet):
    """conv → ReLU → 2 x 2 max pooling → affine → ReLU → affine → softmax; see `thinnet.course.cnn`."""

    layers = _layers
    layer_utils, conv_layer_utils = _layer_utils, _conv_layer_utils
