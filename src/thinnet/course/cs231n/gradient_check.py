"""Numerical gradients."""

from thinnet.course.finder import left_out as _left_out
from thinnet.gradient_check import eval_numerical_gradient as eval_numerical_gradient
from thinnet.gradient_check import eval_numerical_gradient_array as eval_numerical_gradient_array
from thinnet.gradient_check import grad_check_sparse as grad_check_sparse

__getattr__ = _left_out(__name__, "eval_numerical_gradient_blobs eval_numerical_gradient_net")
