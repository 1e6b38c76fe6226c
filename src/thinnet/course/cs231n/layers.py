"""The layer functions, in the dialect that `thinnet.course.activate` put in force."""

from typing import Any

from thinnet.course import layers as _course
from thinnet.course.conv_layers import *
from thinnet.course.dialects import active as _active
from thinnet.course.layers import *


def dropout_forward(x: Any, dropout_param: dict[str, Any]) -> tuple[Any, Any]:
    """Dropout; whether ``p`` drops or keeps, the dialect in force says."""
    return _course.dropout_forward(x, dropout_param, _active())
