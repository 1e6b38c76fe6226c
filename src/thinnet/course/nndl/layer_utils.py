"""Layers that are often used together, as one forward and one backward function."""

from functools import partial as _partial

from thinnet.course.layer_utils import bind as _bind

from . import layers as _layers

globals().update(_bind(_layers))
__getattr__ = _partial(getattr, _layers)  # those of layers.py come along
