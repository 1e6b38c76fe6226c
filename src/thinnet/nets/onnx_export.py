"""A net in test mode as an ONNX file, for other programs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thinnet.errors import require
from thinnet.layers.batchnorm import EPS
from thinnet.storage.files import write_atomically

if TYPE_CHECKING:
    from thinnet.nets import FullyConnectedNet

OPSET = 17  # the first one with LayerNormalization
IR_VERSION = 8  # the oldest that has this opset, so that older runtimes read the file too


def export_onnx(net: FullyConnectedNet, path: Path) -> None:
    """Write the net's test mode as a graph from ``X``, (N, input_dim), to ``scores``, (N, num_classes).

    Args:
        net: its dtype becomes that of the graph.
        path: the file, replaced whole or not at all.

    Raises:
        MissingExtraError: if the package onnx is not installed.
        OSError: if the file cannot be written.
    """
    onnx = require("onnx", extra="onnx", purpose="exporting a net")
    graph = _Graph(onnx, net)
    below = "X"
    for i in range(1, net.num_layers):
        below = graph.add("Gemm", [below, f"W{i}", f"b{i}"], f"product{i}")
        if net.normalization == "batchnorm":
            inputs = [below, f"gamma{i}", f"beta{i}", f"running_mean{i}", f"running_var{i}"]
            below = graph.add("BatchNormalization", inputs, f"normalized{i}", epsilon=EPS)
        elif net.normalization == "layernorm":
            inputs = [below, f"gamma{i}", f"beta{i}"]
            below = graph.add("LayerNormalization", inputs, f"normalized{i}", epsilon=EPS)
        below = graph.activation(net.activation, below, f"activated{i}")
        if net.scaling == "classic" and net.dropout > 0:
            below = graph.add("Mul", [below, "kept"], f"scaled{i}")
    graph.add("Gemm", [below, f"W{net.num_layers}", f"b{net.num_layers}"], "scores")
    write_atomically(path, graph.model().SerializeToString())


class _Graph:
    """Nodes as they are added, and every array that they name."""

    def __init__(self, onnx: Any, net: FullyConnectedNet) -> None:
        self._onnx, self._net = onnx, net
        self._nodes: list[Any] = []
        self._arrays = {**net.params, **net.running, **self._numbers()}

    def _numbers(self) -> dict[str, Any]:
        numbers = {"kept": 1 - self._net.dropout, "one": 1, "half": 0.5, "sqrt_half": math.sqrt(0.5)}
        return {name: np.asarray(number, self._net.dtype) for name, number in numbers.items()}

    def add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node; return the name of its output."""
        self._nodes.append(self._onnx.helper.make_node(operator, inputs, [output], **attributes))
        return output

    def activation(self, name: str, x: str, output: str) -> str:
        """Add the nodes of an activation; return the name of its output."""
        if name in ("relu", "tanh", "identity"):
            return self.add(name.capitalize(), [x], output)
        if name == "silu":
            return self.add("Mul", [x, self.add("Sigmoid", [x], f"{output}_sigmoid")], output)
        erf = self.add("Erf", [self.add("Mul", [x, "sqrt_half"], f"{output}_scaled")], f"{output}_erf")
        phi = self.add("Mul", [self.add("Add", [erf, "one"], f"{output}_sum"), "half"], f"{output}_phi")
        return self.add("Mul", [x, phi], output)

    def model(self) -> Any:
        """The checked model."""
        helper, net = self._onnx.helper, self._net
        element = helper.np_dtype_to_tensor_dtype(net.dtype)
        used = {name for node in self._nodes for name in node.input}
        arrays = [
            self._onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
            for name, array in self._arrays.items()
            if name in used
        ]
        graph = helper.make_graph(
            self._nodes,
            "thinnet",
            [helper.make_tensor_value_info("X", element, ["N", net.input_dim])],
            [helper.make_tensor_value_info("scores", element, ["N", net.num_classes])],
            arrays,
        )
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="thinnet")
        self._onnx.checker.check_model(model)
        return model
