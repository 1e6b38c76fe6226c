"""The checks of `nndl.layer_tests`: each compares layer functions with plain NumPy or with numerical gradients."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from thinnet.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array
from thinnet.typing import AnyArray


def affine_forward_test(layers: ModuleType) -> None:
    """Compare ``affine_forward`` with an explicit sum."""
    x, w, b, _ = _affine_arguments()
    out, _ = layers.affine_forward(x, w, b)
    _report("affine_forward", 1e-9, difference=(np.einsum("nijk,ijkm->nm", x, w.reshape(*x.shape[1:], -1)) + b, out))


def affine_backward_test(layers: ModuleType) -> None:
    """Compare ``affine_backward`` with numerical gradients."""
    _report_gradients("affine_backward", layers.affine_forward, layers.affine_backward, *_affine_arguments())


def relu_forward_test(layers: ModuleType) -> None:
    """Compare ``relu_forward`` with its definition."""
    x = np.linspace(-0.5, 0.5, num=12).reshape(3, 4)
    _report("relu_forward", 1e-9, difference=(layers.relu_forward(x)[0], np.where(x > 0, x, 0)))


def relu_backward_test(layers: ModuleType) -> None:
    """Compare ``relu_backward`` with numerical gradients."""
    x, dout = np.random.randn(10, 10), np.random.randn(10, 10)
    _report_gradients("relu_backward", layers.relu_forward, lambda *given: (layers.relu_backward(*given),), x, dout)


def affine_relu_test(layer_utils: ModuleType) -> None:
    """Compare ``affine_relu_backward`` with numerical gradients."""
    forward, backward = layer_utils.affine_relu_forward, layer_utils.affine_relu_backward
    _report_gradients("affine_relu_forward and affine_relu_backward", forward, backward, *_affine_arguments())


def fc_net_test(net_class: Any) -> None:
    """Compare the gradients of a small ``FullyConnectedNet``, with and without L2 penalty, with numerical ones."""
    X, y = np.random.randn(2, 15), np.random.randint(10, size=2)
    for reg in (0, 3.14):
        net = net_class([20, 30], input_dim=15, num_classes=10, reg=reg, weight_scale=5e-2, dtype=np.float64)
        loss, gradients = net.loss(X, y)
        print(f"Initial loss with reg = {reg}: {loss}")

        def loss_again(_: AnyArray, net: Any = net) -> float:
            return float(net.loss(X, y)[0])

        numerical = {name: eval_numerical_gradient(loss_again, net.params[name], False) for name in sorted(gradients)}
        _report("FullyConnectedNet", 1e-5, **{name: (gradients[name], numerical[name]) for name in numerical})


def _affine_arguments() -> tuple[AnyArray, AnyArray, AnyArray, AnyArray]:
    x = np.random.randn(3, 2, 2, 3)
    return x, np.random.randn(12, 5), np.random.randn(5), np.random.randn(3, 5)


def _report_gradients(
    what: str, forward: Callable[..., Any], backward: Callable[..., Any], *arrays_and_dout: AnyArray
) -> None:
    *arrays, dout = arrays_and_dout
    gradients = backward(dout, forward(*arrays)[1])
    # Each array is changed in place, so forward can use all of them directly.
    numerical = [eval_numerical_gradient_array(lambda _: forward(*arrays)[0], array, dout) for array in arrays]
    _report(what, 1e-9, **dict(zip(("dx", "dw", "db"), zip(gradients, numerical, strict=True), strict=False)))


def _report(what: str, bound: float, **pairs: tuple[AnyArray, AnyArray]) -> None:
    print(f"{what}: relative errors should be below {bound:g}")
    for name, (got, expected) in pairs.items():
        error = np.max(np.abs(got - expected) / np.maximum(1e-8, np.abs(got) + np.abs(expected)))
        print(f"  {name}: {error:.3e}")
