"""Layers that are often used together, combined into one forward and one backward function."""

from thinnet.course.layer_utils import bind as _bind

from . import layers as _layers
from .layers import *

globals().update(_bind(_layers))
