"""The layers: pairs of pure functions, ``out, cache = x_forward(...)`` and ``x_backward(dout, cache)``.

They never change their arguments, with one exception that says so: batch normalization's running statistics.
"""

from thinnet.layers.affine import affine_backward as affine_backward
from thinnet.layers.affine import affine_forward as affine_forward
from thinnet.layers.batchnorm import batchnorm_backward as batchnorm_backward
from thinnet.layers.batchnorm import batchnorm_forward as batchnorm_forward
from thinnet.layers.dropout import dropout_backward as dropout_backward
from thinnet.layers.dropout import dropout_forward as dropout_forward
from thinnet.layers.layernorm import layernorm_backward as layernorm_backward
from thinnet.layers.layernorm import layernorm_forward as layernorm_forward
from thinnet.layers.losses import logistic_loss as logistic_loss
from thinnet.layers.losses import mse_loss as mse_loss
from thinnet.layers.losses import softmax_loss as softmax_loss
from thinnet.layers.losses import svm_loss as svm_loss
from thinnet.layers.registry import LAYERS as LAYERS
from thinnet.layers.registry import LOSSES as LOSSES
from thinnet.layers.relu import relu_backward as relu_backward
from thinnet.layers.relu import relu_forward as relu_forward

__all__ = [
    "LAYERS",
    "LOSSES",
    "affine_backward",
    "affine_forward",
    "batchnorm_backward",
    "batchnorm_forward",
    "dropout_backward",
    "dropout_forward",
    "layernorm_backward",
    "layernorm_forward",
    "logistic_loss",
    "mse_loss",
    "relu_backward",
    "relu_forward",
    "softmax_loss",
    "svm_loss",
]
