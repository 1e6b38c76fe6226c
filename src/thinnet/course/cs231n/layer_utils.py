"""Layers that are often used together, combined into one forward and one backward function."""

from thinnet.course.layer_utils import bind as _bind

from . import fast_layers as _fast
from . import layers as _layers
from .fast_layers import *
from .layers import *

globals().update(_bind(_layers), **_bind(_layers, _fast))
