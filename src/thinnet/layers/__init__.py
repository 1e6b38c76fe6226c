"""The layers: pairs of pure functions, ``out, cache = x_forward(...)`` and ``x_backward(dout, cache)``.

They never change their arguments, with one documented exception: batch normalization's running statistics.
The layers for images, (N, C, H, W), are for the courses and for comparison: the nets are fully connected.
"""

from thinnet.layers.affine import affine_backward, affine_forward
from thinnet.layers.batchnorm import batchnorm_backward, batchnorm_forward
from thinnet.layers.conv import conv_backward, conv_forward
from thinnet.layers.dropout import dropout_backward, dropout_forward
from thinnet.layers.gelu import gelu_backward, gelu_forward
from thinnet.layers.identity import identity_backward, identity_forward
from thinnet.layers.layernorm import layernorm_backward, layernorm_forward
from thinnet.layers.losses import logistic_loss, mse_loss, poisson_loss, softmax_loss, svm_loss
from thinnet.layers.max_pool import max_pool_backward, max_pool_forward
from thinnet.layers.registry import ACTIVATIONS, LAYERS, LOSSES
from thinnet.layers.relu import relu_backward, relu_forward
from thinnet.layers.sigmoid import sigmoid_backward, sigmoid_forward
from thinnet.layers.silu import silu_backward, silu_forward
from thinnet.layers.spatial_norm import (
    spatial_batchnorm_backward,
    spatial_batchnorm_forward,
    spatial_groupnorm_backward,
    spatial_groupnorm_forward,
)
from thinnet.layers.tanh import tanh_backward, tanh_forward

__all__ = [
    "ACTIVATIONS",
    "LAYERS",
    "LOSSES",
    "affine_backward",
    "affine_forward",
    "batchnorm_backward",
    "batchnorm_forward",
    "conv_backward",
    "conv_forward",
    "dropout_backward",
    "dropout_forward",
    "gelu_backward",
    "gelu_forward",
    "identity_backward",
    "identity_forward",
    "layernorm_backward",
    "layernorm_forward",
    "logistic_loss",
    "max_pool_backward",
    "max_pool_forward",
    "mse_loss",
    "poisson_loss",
    "relu_backward",
    "relu_forward",
    "sigmoid_backward",
    "sigmoid_forward",
    "silu_backward",
    "silu_forward",
    "softmax_loss",
    "spatial_batchnorm_backward",
    "spatial_batchnorm_forward",
    "spatial_groupnorm_backward",
    "spatial_groupnorm_forward",
    "svm_loss",
    "tanh_backward",
    "tanh_forward",
]
