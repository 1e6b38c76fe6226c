"""Estimators as ONNX files: everything from raw rows to what they predict, in one graph.

All of it is computed in float64, as `predict` does for rows of float64; the weights are kept in float32.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from thinnet.errors import ArgumentError
from thinnet.nets import FullyConnectedNet
from thinnet.nets.onnx_export import WIDE as DTYPE
from thinnet.nets.onnx_export import Graph, add_net, add_standardization
from thinnet.sklearn.inputs import Inputs
from thinnet.sklearn.table.onnx_export import add_array, add_table
from thinnet.standardization import Standardization
from thinnet.typing import AnyArray

Nets: TypeAlias = Sequence[FullyConnectedNet]


def export_classifier(nets: Nets, inputs: Inputs, temperature: float, classes: AnyArray | None, path: Path) -> None:
    """Write a classifier: ``label`` and ``probabilities``, (N, C).

    With `classes` each row gets one of them, (N,); without, a row may have several: zeros and ones, (N, C).
    """
    graph, scores = _scored(nets, inputs)
    cooled = graph.add("Div", [scores, graph.array("temperature", np.asarray(temperature, DTYPE))], "cooled_scores")
    if classes is None:
        positive = graph.add("Greater", [scores, graph.array("zero", np.zeros((), DTYPE))], "positive")
        graph.output(graph.cast(positive, np.int64, "label"), np.int64, nets[0].num_classes)
        probabilities = graph.add("Sigmoid", [cooled], "probabilities")
    else:
        labels = _plain(classes)
        index = graph.add("ArgMax", [scores], "place", axis=1, keepdims=0)
        graph.output(graph.add("Gather", [graph.array("classes", labels), index], "label"), labels.dtype)
        probabilities = graph.add("Softmax", [cooled], "probabilities", axis=1)
    graph.output(probabilities, DTYPE, nets[0].num_classes)
    graph.write(path)


def export_values(nets: Nets, inputs: Inputs, units: Standardization, flat: bool, path: Path) -> None:
    """Write a regressor: ``value``, (N,) where it is `flat` or (N, C), in the `units` of the targets."""
    graph, scores = _scored(nets, inputs)
    if nets[0].loss_name == "poisson":
        scores = graph.add("Exp", [scores], "rate")
    spread = graph.add("Mul", [scores, graph.array("y_scale", units.scale)], "spread")
    mean = graph.array("y_mean", units.mean)
    if flat:
        shape = graph.array("flat", np.array([-1], np.int64))
        value = graph.add("Reshape", [graph.add("Add", [spread, mean], "column"), shape], "value")
        graph.output(value, DTYPE)
    else:
        graph.output(graph.add("Add", [spread, mean], "value"), DTYPE, nets[0].num_classes)
    graph.write(path)


def _scored(nets: Nets, inputs: Inputs) -> tuple[Graph, str]:
    """A graph from raw rows to the mean of the nets' scores, and its name."""
    graph = Graph()
    rows = add_standardization(graph, inputs.standardization, _add_matrix(graph, inputs, nets[0].input_dim))
    scores = [add_net(graph, net, rows, DTYPE, f"net{k}_" if k else "") for k, net in enumerate(nets)]
    if len(nets) == 1:
        return graph, scores[0]
    count = graph.array("count", np.asarray(len(nets), DTYPE))
    return graph, graph.add("Div", [graph.add("Sum", scores, "sum"), count], "mean_scores")


def _add_matrix(graph: Graph, inputs: Inputs, num_columns: int) -> str:
    """What makes the matrix of raw rows: an input ``X``, or one for each column of a table; returns its name."""
    encoder = inputs.encoder
    if encoder is not None and inputs.is_table:
        return add_table(graph, encoder)
    graph.input("X", DTYPE, num_columns if encoder is None else len(encoder.columns))
    if encoder is not None:
        return add_array(graph, encoder, "X")
    if not inputs.has_means:
        return "X"
    mean = graph.array("fills", inputs.standardization.mean[None])
    return graph.add("Where", [graph.add("IsNaN", ["X"], "missing"), mean, "X"], "filled")


def _plain(classes: AnyArray) -> Any:
    """The labels as an array of a kind that ONNX has: numbers, bools, or strings as objects."""
    labels: AnyArray = np.array(classes.tolist()) if classes.dtype.kind == "O" else classes
    if labels.dtype.kind in "UT":
        return labels.astype(object)
    if labels.dtype.kind not in "biuf" or labels.dtype.itemsize > 8:
        raise ArgumentError(
            f"classes_ must be numbers, bools or strings for an ONNX file, got {classes.dtype}. Train with such labels."
        )
    return labels
