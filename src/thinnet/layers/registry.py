"""The table of layers and losses.  Add a row here, and the contract tests cover a new layer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from thinnet.layers import (
    affine,
    batchnorm,
    conv,
    dropout,
    gelu,
    identity,
    layernorm,
    losses,
    max_pool,
    relu,
    sigmoid,
    silu,
    spatial_norm,
    tanh,
)


@dataclass(frozen=True)
class Layer:
    """A pair of pure functions, and the shapes of their arguments.

    Attributes:
        forward: ``forward(*inputs, **options) -> (out, cache)``.
        backward: ``backward(dout, cache)`` -> the gradients of `inputs`, in their order; a single array if there is
            one input.
        inputs: the differentiable arguments with their shapes, one letter per axis; N is the number of examples.
        output: the shape of the output.
        buffers: arguments after the inputs that are updated in training and have no gradient, in the same form.
        options: variants of the keyword arguments, each covered by the tests.
        kinks: values of x at which the layer is not smooth.  `ties` says whether it is not smooth if two are equal.
        sizes: the sizes, by letter, of axes that the options require; other axes may have any size.
    """

    forward: Callable[..., tuple[Any, Any]]
    backward: Callable[..., Any]
    inputs: dict[str, str]
    output: str
    buffers: dict[str, str] = field(default_factory=dict)
    options: tuple[dict[str, Any], ...] = ({},)
    kinks: tuple[float, ...] = ()
    ties: bool = False
    sizes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Loss:
    """A function ``function(scores, y, weights) -> (loss, dscores)``, what its `y` holds, and the argument check."""

    function: Callable[..., tuple[float, Any]]
    targets: str  # "labels": (N,) integers; "values": (N, C) floats; "fractions": from 0 to 1; "counts": >= 0
    check: Callable[..., None]
    smooths: bool = False  # whether the function takes `label_smoothing`


# What may come between the normalization and the dropout of a hidden layer.
ACTIVATIONS: dict[str, Layer] = {
    "relu": Layer(relu.relu_forward, relu.relu_backward, {"x": "N D"}, output="N D", kinks=(0.0,)),
    "tanh": Layer(tanh.tanh_forward, tanh.tanh_backward, {"x": "N D"}, output="N D"),
    "sigmoid": Layer(sigmoid.sigmoid_forward, sigmoid.sigmoid_backward, {"x": "N D"}, output="N D"),
    "gelu": Layer(gelu.gelu_forward, gelu.gelu_backward, {"x": "N D"}, output="N D"),
    "silu": Layer(silu.silu_forward, silu.silu_backward, {"x": "N D"}, output="N D"),
    "identity": Layer(identity.identity_forward, identity.identity_backward, {"x": "N D"}, output="N D"),
}

LAYERS: dict[str, Layer] = {
    **ACTIVATIONS,
    "affine": Layer(affine.affine_forward, affine.affine_backward, {"x": "N D", "w": "D M", "b": "M"}, output="N M"),
    "dropout": Layer(
        dropout.dropout_forward,
        dropout.dropout_backward,
        {"x": "N D"},
        output="N D",
        options=tuple(  # every pair of settings occurs; the third does not affect how they interact
            {"rate": rate, "scaling": scaling, "training": (i + j) % 2 == 0}
            for i, rate in enumerate((0.0, 0.3, 0.75))
            for j, scaling in enumerate(dropout.SCALINGS)
        ),
    ),
    "batchnorm": Layer(
        batchnorm.batchnorm_forward,
        batchnorm.batchnorm_backward,
        {"x": "N D", "gamma": "D", "beta": "D"},
        output="N D",
        buffers={"running_mean": "D", "running_var": "D"},
        options=({"training": True}, {"training": False}),
    ),
    "layernorm": Layer(
        layernorm.layernorm_forward, layernorm.layernorm_backward, {"x": "N D", "gamma": "D", "beta": "D"}, output="N D"
    ),
    "conv": Layer(
        conv.conv_forward,
        conv.conv_backward,
        {"x": "N C H W", "w": "F C K L", "b": "F"},
        output="N F P Q",
        options=({"padding": 1}, {"stride": 2, "padding": 3}),
        sizes={"H": 5, "W": 4, "K": 3, "L": 2, "P": 5, "Q": 5},
    ),
    "max_pool": Layer(
        max_pool.max_pool_forward,
        max_pool.max_pool_backward,
        {"x": "N C H W"},
        output="N C P Q",
        options=({"pool_height": 1}, {"pool_height": 3, "pool_width": 3, "stride": 1}),
        ties=True,
        sizes={"H": 5, "W": 4, "P": 3, "Q": 2},
    ),
    "spatial_batchnorm": Layer(
        spatial_norm.spatial_batchnorm_forward,
        spatial_norm.spatial_batchnorm_backward,
        {"x": "N C H W", "gamma": "C", "beta": "C"},
        output="N C H W",
        buffers={"running_mean": "C", "running_var": "C"},
        options=({"training": True}, {"training": False}),
    ),
    "spatial_groupnorm": Layer(
        spatial_norm.spatial_groupnorm_forward,
        spatial_norm.spatial_groupnorm_backward,
        {"x": "N C H W", "gamma": "C", "beta": "C"},
        output="N C H W",
        options=({"groups": 1}, {"groups": 2}, {"groups": 6}),
        sizes={"C": 6},
    ),
}

LOSSES: dict[str, Loss] = {
    "softmax": Loss(losses.softmax_loss, "labels", losses.check_classes, smooths=True),
    "svm": Loss(losses.svm_loss, "labels", losses.check_labeled),
    "mse": Loss(losses.mse_loss, "values", losses.check_valued),
    "logistic": Loss(losses.logistic_loss, "fractions", losses.check_fractions, smooths=True),
    "poisson": Loss(losses.poisson_loss, "counts", losses.check_counts),
}
