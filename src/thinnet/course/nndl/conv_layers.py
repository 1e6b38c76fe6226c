"""The layers of images."""

from thinnet.course.conv_layers import *

from .layers import *
