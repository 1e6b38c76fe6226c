"""Checks of this package's layer functions; they print relative errors."""

from functools import partial as _partial

from thinnet.course import layer_tests as _tests

from . import fc_net as _fc_net
from . import layer_utils as _layer_utils
from . import layers as _layers

affine_forward_test = _partial(_tests.affine_forward_test, _layers)
affine_backward_test = _partial(_tests.affine_backward_test, _layers)
relu_forward_test = _partial(_tests.relu_forward_test, _layers)
relu_backward_test = _partial(_tests.relu_backward_test, _layers)
affine_relu_test = _partial(_tests.affine_relu_test, _layer_utils)


def fc_net_test() -> None:
    """Compare the gradients of a small ``FullyConnectedNet`` with numerical ones."""
    _tests.fc_net_test(_fc_net.FullyConnectedNet)
