"""The layer functions, in the nndl dialect in force."""

from typing import Any

from thinnet.course import layers as _course
from thinnet.course.dialects import active_nndl as _active
from thinnet.course.layers import *


def dropout_forward(x: Any, dropout_param: dict[str, Any]) -> tuple[Any, Any]:
    """Dropout; the dialect in force decides whether ``p`` drops or keeps."""
    return _course.dropout_forward(x, dropout_param, _active())
