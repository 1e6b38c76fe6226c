"""The courses' convolutional net, built on whatever modules of layer functions are next to it."""

from types import ModuleType
from typing import Any

import numpy as np

from thinnet.course.fc_net import add_penalty
from thinnet.errors import ArgumentError
from thinnet.typing import AnyArray, FloatArray


class ThreeLayerConvNet:
    """conv → ReLU → 2 x 2 max pooling → affine → ReLU → affine → softmax, on (N, C, H, W) images.

    The convolution preserves height and width.  `layers`, `layer_utils` and `conv_layer_utils` are the
    modules whose functions are called.

    Raises:
        ArgumentError: with `use_batchnorm`, which the course leaves undefined.
    """

    layers: ModuleType  # set by each package's class
    layer_utils: ModuleType
    conv_layer_utils: ModuleType

    def __init__(
        self,
        input_dim: tuple[int, int, int] = (3, 32, 32),
        num_filters: int = 32,
        filter_size: int = 7,
        hidden_dim: int = 100,
        num_classes: int = 10,
        weight_scale: float = 1e-3,
        reg: float = 0.0,
        dtype: Any = np.float32,
        use_batchnorm: bool = False,
    ) -> None:
        if use_batchnorm:
            raise ArgumentError(
                "use_batchnorm must be False, got True. The course does not say where it would go: leave it out."
            )
        self.reg, self.dtype = reg, dtype
        C, H, W = input_dim
        shapes = {
            "W1": (num_filters, C, filter_size, filter_size),
            "W2": (num_filters * (H // 2) * (W // 2), hidden_dim),
            "W3": (hidden_dim, num_classes),
        }
        self.params: dict[str, FloatArray] = {}
        for name, shape in shapes.items():  # in the order in which the courses' solutions draw them
            self.params[name] = (weight_scale * np.random.randn(*shape)).astype(dtype)
            size = num_filters if name == "W1" else shape[1]
            self.params[name.replace("W", "b")] = np.zeros(size, dtype)

    def loss(self, X: AnyArray, y: AnyArray | None = None) -> Any:
        """Scores for ``loss(X)``; the loss and the dict of gradients for ``loss(X, y)``."""
        W1, b1, W2, b2, W3, b3 = (self.params[name] for name in ("W1", "b1", "W2", "b2", "W3", "b3"))
        conv_param = {"stride": 1, "pad": (W1.shape[2] - 1) // 2}
        pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}
        # X is not cast to dtype: the course does not either, so its results have the wider of the two dtypes.
        h, conv_cache = self.conv_layer_utils.conv_relu_pool_forward(X, W1, b1, conv_param, pool_param)
        h, hidden_cache = self.layer_utils.affine_relu_forward(h, W2, b2)
        scores, last_cache = self.layers.affine_forward(h, W3, b3)
        if y is None:
            return scores
        loss, dscores = self.layers.softmax_loss(scores, y)
        gradients: dict[str, FloatArray] = {}
        dh, gradients["W3"], gradients["b3"] = self.layers.affine_backward(dscores, last_cache)
        dh, gradients["W2"], gradients["b2"] = self.layer_utils.affine_relu_backward(dh, hidden_cache)
        _, gradients["W1"], gradients["b1"] = self.conv_layer_utils.conv_relu_pool_backward(dh, conv_cache)
        return loss + add_penalty(self.params, gradients, self.reg), gradients
