"""Pictures."""

from thinnet.course.vis_utils import visualize_grid as visualize_grid
