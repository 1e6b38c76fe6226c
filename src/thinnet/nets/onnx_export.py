"""Exports a net in test mode to an ONNX file, for other programs."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from thinnet.errors import ArgumentError, require
from thinnet.layers.batchnorm import EPS
from thinnet.nets.base import Net
from thinnet.standardization import Standardization
from thinnet.storage.files import write_atomically
from thinnet.typing import AnyArray

OPSET = 17  # the first with LayerNormalization
OPSETS_ELSEWHERE = {"ai.onnx.ml": 3}  # operators outside the standard domain, of the same age
IR_VERSION = 8  # the oldest with this opset, so that older runtimes can read the file
WIDE = np.dtype(np.float64)  # for raw rows, whose differences may be small
MOST_BYTES = 2**31 - 1  # the limit of one file


def export_onnx(net: Net, path: Path) -> None:
    """Write the net in test mode as a graph from ``X``, (N, input_dim), to ``scores``, (N, num_classes).

    If the net has a standardization, X is raw rows in float64.

    Args:
        net: the net; its dtype becomes that of the graph.
        path: the file, replaced atomically.

    Raises:
        ArgumentError: if the net is too large for one file.
        MissingExtraError: if the package onnx is not installed.
        OSError: if the file cannot be written.
    """
    graph = Graph()
    rows, carried = "X", net.standardization
    graph.input(rows, net.dtype if carried is None else WIDE, net.input_dim)
    if carried is not None:  # float64 even if a runtime accepts any dtype
        rows = add_standardization(graph, carried, graph.cast(rows, WIDE, "wide"))
        rows = rows if net.dtype == WIDE else graph.cast(rows, net.dtype, "rows")
    graph.output(add_net(graph, net, rows, net.dtype), net.dtype, net.num_classes)
    graph.write(path)


class Graph:
    """A graph that is built node by node, with its arrays, inputs and outputs.

    Inputs keep their given names. Any other value whose name is taken is renamed, so use the name that a method
    returns. An output cannot be renamed.
    """

    def __init__(self) -> None:
        self._onnx = require("onnx", extra="onnx", purpose="exporting a net")
        self._nodes: list[Any] = []
        self._arrays: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._domains = {"": OPSET}
        self._names: set[str] = set()  # names of the inputs
        self._renamed: dict[str, str] = {}
        self._bytes = 0

    def add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node; return the name of its output."""
        if domain := attributes.get("domain"):
            self._domains[domain] = OPSETS_ELSEWHERE[domain]
        output = self._free(output)
        self._nodes.append(self._onnx.helper.make_node(operator, inputs, [output], **attributes))
        return output

    def cast(self, value: str, dtype: Any, output: str) -> str:
        """Add a cast of a value to another dtype; return its name."""
        return self.add("Cast", [value], output, to=self._element(dtype))

    def array(self, name: str, array: Any) -> str:
        """Add an array of numbers or strings; return its name."""
        name = self._free(name)
        self._bytes += np.asarray(array).nbytes
        self._arrays.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def input(self, name: str, dtype: Any, *columns: int) -> None:
        """Declare an input with this many columns per row; call this before adding anything else."""
        self._names.add(name)
        self._inputs.append(self._onnx.helper.make_tensor_value_info(name, self._element(dtype), ["N", *columns]))

    def output(self, name: str, dtype: Any, *columns: int) -> None:
        """Declare a value as an output; raise ArgumentError if an input column has the same name."""
        if name in self._renamed:
            raise ArgumentError(
                f"X must not have a column called {self._renamed[name]!r} for an ONNX file: its output has that name. "
                f"Rename the column, and train again."
            )
        self._outputs.append(self._onnx.helper.make_tensor_value_info(name, self._element(dtype), ["N", *columns]))

    def _free(self, name: str) -> str:
        wanted = name
        while name in self._names:
            name += "_"
        if name != wanted:
            self._renamed[name] = wanted
        return name

    def _element(self, dtype: Any) -> int:
        return int(self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def write(self, path: Path) -> None:
        """Check the model and write it; an existing file is replaced atomically."""
        if self._bytes > MOST_BYTES:
            raise ArgumentError(
                f"a net in an ONNX file must take less than 2 GiB, got {self._bytes:,} bytes. Make it smaller, or save "
                f"it with net.save."
            )
        helper = self._onnx.helper
        graph = helper.make_graph(self._nodes, "thinnet", self._inputs, self._outputs, self._arrays)
        opset = [helper.make_opsetid(domain, version) for domain, version in self._domains.items()]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="thinnet")
        self._onnx.checker.check_model(model)
        write_atomically(path, model.SerializeToString())


def add_standardization(graph: Graph, how: Standardization, below: str) -> str:
    """Add the standardization of the value `below`, raw float64 rows; return the name of the result."""
    rows = graph.add("Sub", [below, graph.array("mean", how.mean)], "centered")
    rows = graph.add("Mul", [rows, graph.array("scale", how.scale)], "standardized")
    if how.limit == np.inf:
        return rows
    limits = [graph.array(name, np.asarray(value, WIDE)) for name, value in (("low", -how.limit), ("high", how.limit))]
    return graph.add("Clip", [rows, *limits], "clipped")


def add_net(graph: Graph, net: Net, below: str, dtype: Any, prefix: str = "") -> str:
    """Add a net that computes in `dtype`, with its arrays stored in their own dtype and the value `below` as input.

    All names begin with `prefix`. Returns the name of the scores.
    """
    arrays = {f"{prefix}{name}": array for name, array in (*net.params.items(), *net.running.items())}

    def add(operator: str, names: list[str], output: str, **attributes: Any) -> str:
        inputs = [below, *(_widened(graph, prefix + name, arrays[prefix + name], dtype) for name in names)]
        return graph.add(operator, inputs, prefix + output, **attributes)

    for i in range(1, net.num_layers):
        below = add("Gemm", [f"W{i}", f"b{i}"], f"product{i}")
        if net.normalization == "batchnorm":
            names = [f"gamma{i}", f"beta{i}", f"running_mean{i}", f"running_var{i}"]
            below = add("BatchNormalization", names, f"normalized{i}", epsilon=EPS)
        elif net.normalization == "layernorm":
            below = add("LayerNormalization", [f"gamma{i}", f"beta{i}"], f"normalized{i}", epsilon=EPS)
        below = _add_activation(graph, net.activation, below, f"{prefix}activated{i}", dtype)
        if net.scaling == "classic" and net.dropout > 0:
            factor = graph.array(f"{prefix}kept{i}", np.asarray(1 - net.dropout, dtype))
            below = graph.add("Mul", [below, factor], f"{prefix}scaled{i}")
    return add("Gemm", [f"W{net.num_layers}", f"b{net.num_layers}"], "scores")


def _add_activation(graph: Graph, name: str, x: str, output: str, dtype: Any) -> str:
    if name in ("relu", "tanh", "sigmoid", "identity"):
        return graph.add(name.capitalize(), [x], output)
    if name not in ("silu", "gelu"):
        known = "relu, tanh, sigmoid, gelu, silu and identity"
        raise ArgumentError(f"activation must be one of {known} to be exported, got {name!r}. Save the net instead.")

    def number(what: str, value: float) -> str:
        return graph.array(f"{output}_{what}", np.asarray(value, dtype))

    if name == "silu":  # no Sigmoid: ONNX Runtime fuses it with the product into a float32-only function
        power = graph.add("Exp", [graph.add("Neg", [x], f"{output}_negated")], f"{output}_power")
        return graph.add("Div", [x, graph.add("Add", [power, number("one", 1)], f"{output}_sum")], output)
    scaled = graph.add("Mul", [x, number("root", math.sqrt(0.5))], f"{output}_scaled")
    if dtype == np.float32:
        erf = graph.add("Erf", [scaled], f"{output}_erf")
    else:  # ONNX Runtime has Erf in float32 only
        narrow = graph.add("Erf", [graph.cast(scaled, np.float32, f"{output}_narrow")], f"{output}_erf32")
        erf = graph.cast(narrow, dtype, f"{output}_erf")
    sum_ = graph.add("Add", [erf, number("one", 1)], f"{output}_sum")
    return graph.add("Mul", [x, graph.add("Mul", [sum_, number("half", 0.5)], f"{output}_phi")], output)


def _widened(graph: Graph, name: str, array: AnyArray, dtype: Any) -> str:
    name = graph.array(name, array)
    return name if array.dtype == dtype else graph.cast(name, dtype, f"{name}_wide")
