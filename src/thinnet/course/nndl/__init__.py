"""UCLA ECE C247's package `nndl`; what ``p`` means in it changed over the years."""

from thinnet.course.finder import left_out as _left_out

__getattr__ = _left_out(__name__, "KNN SVM Softmax")  # of the second homework
