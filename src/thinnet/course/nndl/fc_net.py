"""The fully connected nets, built on this package's layers; ``import *`` imports those too, as in the course."""

import numpy as np

from thinnet.course import fc_net as _fc_net
from thinnet.course.dialects import active_nndl as _active_nndl

from . import layers as _layers
from .layer_utils import *
from .layers import *

_functions = _fc_net.Replaceable(globals(), _layers)


class FullyConnectedNet(_fc_net.FullyConnectedNet):
    """A fully connected net in the nndl dialect in force; see `thinnet.course.fc_net`."""

    layers, functions = _layers, _functions
    activation = staticmethod(_active_nndl)


class TwoLayerNet(_fc_net.TwoLayerNet):
    """affine → ReLU → affine → softmax in float64."""

    layers, functions = _layers, _functions
    activation = staticmethod(_active_nndl)
