"""Images as columns and back, under the names of the course's compiled functions; nothing needs compiling here."""

from thinnet.course.fast_layers import col2im_6d_cython as col2im_6d_cython
from thinnet.course.fast_layers import col2im_cython as col2im_cython
from thinnet.course.fast_layers import im2col_cython as im2col_cython
