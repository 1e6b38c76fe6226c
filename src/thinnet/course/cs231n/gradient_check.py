"""Numerical gradients."""

from thinnet.gradient_check import eval_numerical_gradient as eval_numerical_gradient
from thinnet.gradient_check import eval_numerical_gradient_array as eval_numerical_gradient_array
from thinnet.gradient_check import grad_check_sparse as grad_check_sparse
