"""Layers that are often used together, as one forward and one backward function."""

from functools import partial as _partial

from thinnet.course.layer_utils import bind as _bind

from . import fast_layers as _fast
from . import layers as _layers

globals().update(_bind(_layers), **_bind(_layers, _fast))
__getattr__ = _partial(getattr, _layers)  # those of layers.py come along
