"""Images as columns and back."""

from thinnet.course.fast_layers import col2im_indices as col2im_indices
from thinnet.course.fast_layers import im2col_indices as im2col_indices
