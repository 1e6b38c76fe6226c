"""Image layers that are often used together, combined into one forward and one backward function."""

from thinnet.course import fast_layers as _fast
from thinnet.course.fast_layers import *
from thinnet.course.layer_utils import bind as _bind

from . import conv_layers as _layers
from .layer_utils import *
from .layers import *

globals().update(_bind(_layers, _fast))
