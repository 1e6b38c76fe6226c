"""Grids of images."""

from thinnet.course.finder import left_out as _left_out
from thinnet.course.vis_utils import visualize_grid as visualize_grid

__getattr__ = _left_out(__name__, "vis_grid vis_nn")
