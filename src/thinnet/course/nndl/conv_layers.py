"""The layers for images."""

from thinnet.course.conv_layers import *

from .layers import *
