"""The fast layers, which are those of layers.py here, and their im2col."""

from thinnet.course.fast_layers import *
