"""A net as a table: each layer with its sizes and its number of parameters."""

from thinnet.checks import shortened
from thinnet.parameters import layer_number
from thinnet.spec import Spec
from thinnet.state import State


def summary(spec: Spec, state: State, takes_raw_rows: bool = False) -> str:
    """The text that ``repr(net)`` shows.

    >>> spec = Spec([20], input_dim=4, num_classes=3, dropout=0.5, normalization="layernorm", seed=0)
    >>> print(summary(spec, State.initial(spec)))
    FullyConnectedNet 4-20-3: 203 parameters of float32, loss softmax
      layer 1   affine 4 -> 20, layernorm, relu, dropout 0.5   140 parameters
      layer 2   affine 20 -> 3                                  63 parameters
    """
    sizes: dict[int, int] = {}
    for name, array in state.params.items():
        number = layer_number(name)
        sizes[number] = sizes.get(number, 0) + array.size
    layers = [_layer(spec, number) for number in sizes]
    width, digits = max(map(len, layers)), max(len(f"{size:,}") for size in sizes.values())
    dims = "-".join(map(str, spec.dims))
    smoothing = f", label smoothing {spec.label_smoothing:g}" if spec.label_smoothing else ""
    penalty = smoothing + (f", reg {spec.reg:g}" if spec.reg else "")
    numbers = f"{state.params.flat.size:,} parameters of {spec.dtype}"
    numbers += f", products of {spec.precision}" if spec.precision else ""
    head = f"FullyConnectedNet {dims}: {numbers}, loss {spec.loss}{penalty}"
    lines = [
        f"  layer {number:<3} {text:<{width}}   {size:>{digits},} parameters"
        for text, (number, size) in zip(layers, sizes.items(), strict=True)
    ]
    first = ["  raw rows, standardized by the net"] if takes_raw_rows else []
    last = [f"  predicts {shortened(spec.class_names)}"] if spec.class_names else []
    return "\n".join([head, *first, *lines, *last])


def _layer(spec: Spec, number: int) -> str:
    parts = [f"affine {spec.dims[number - 1]} -> {spec.dims[number]}"]
    if number < spec.num_layers:
        parts += [spec.normalization] if spec.normalization else []
        parts.append(spec.activation)
        shared = " of the whole batch" if spec.dropout_mask == "batch" else ""
        parts += [f"dropout {spec.dropout:g}{shared}"] if spec.dropout else []
    return ", ".join(parts)
