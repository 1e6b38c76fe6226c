"""Estimators as ONNX files: everything from raw rows to predictions, in one graph.

All of it is computed in float64, as `predict` does for float64 rows; the weights are stored in float32. For a table,
there is one (N, 1) input per column, with its name: float64 for numbers, where NaN means missing; for categories,
strings, where an empty one means missing, or int64 for integers, or float64 if some may be missing or have fractions.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from thinnet.errors import ArgumentError
from thinnet.nets import FullyConnectedNet
from thinnet.nets.onnx_export import WIDE, Graph, add_net, add_standardization
from thinnet.sklearn.inputs import Inputs
from thinnet.sklearn.table import kinds
from thinnet.sklearn.table.columns import called
from thinnet.sklearn.table.encoder import TableEncoder
from thinnet.sklearn.table.learned import LearnedCategories, LearnedNumbers
from thinnet.standardization import Standardization
from thinnet.typing import AnyArray

Nets: TypeAlias = Sequence[FullyConnectedNet]


def export_classifier(nets: Nets, inputs: Inputs, temperature: float, classes: AnyArray | None, path: Path) -> None:
    """Write a classifier: ``label`` and ``probabilities``, (N, C).

    With `classes`, each row gets one of them, (N,); without, a row may have several: zeros and ones, (N, C).
    """
    graph, scores = _scored(nets, inputs)
    cooled = graph.add("Div", [scores, graph.array("temperature", np.asarray(temperature, WIDE))], "cooled_scores")
    if classes is None:
        positive = graph.add("Greater", [scores, graph.array("zero", np.zeros((), WIDE))], "positive")
        graph.output(graph.cast(positive, np.int64, "label"), np.int64, nets[0].num_classes)
        probabilities = graph.add("Sigmoid", [cooled], "probabilities")
    else:
        labels = _plain(classes)
        index = graph.add("ArgMax", [scores], "place", axis=1, keepdims=0)
        graph.output(graph.add("Gather", [graph.array("classes", labels), index], "label"), labels.dtype)
        probabilities = graph.add("Softmax", [cooled], "probabilities", axis=1)
    graph.output(probabilities, WIDE, nets[0].num_classes)
    graph.write(path)


def export_values(nets: Nets, inputs: Inputs, units: Standardization, flat: bool, path: Path) -> None:
    """Write a regressor: ``value``, (N,) if it is `flat`, else (N, C), in the `units` of the targets."""
    graph, scores = _scored(nets, inputs)
    if nets[0].loss_name == "poisson":
        scores = graph.add("Exp", [scores], "rate")
    spread = graph.add("Mul", [scores, graph.array("y_scale", units.scale)], "spread")
    mean = graph.array("y_mean", units.mean)
    if flat:
        shape = graph.array("flat", np.array([-1], np.int64))
        value = graph.add("Reshape", [graph.add("Add", [spread, mean], "column"), shape], "value")
        graph.output(value, WIDE)
    else:
        graph.output(graph.add("Add", [spread, mean], "value"), WIDE, nets[0].num_classes)
    graph.write(path)


def export_scores(net: FullyConnectedNet, inputs: Inputs, path: Path) -> None:
    """Write one net: its ``scores``, (N, C)."""
    graph, scores = _scored([net], inputs)
    graph.output(scores, WIDE, net.num_classes)
    graph.write(path)


def _scored(nets: Nets, inputs: Inputs) -> tuple[Graph, str]:
    """A graph from raw rows to the mean of the nets' scores, and the name of that mean."""
    graph = Graph()
    rows = add_standardization(graph, inputs.standardization, _add_matrix(graph, inputs, nets[0].input_dim))
    scores = [add_net(graph, net, rows, WIDE, f"net{k}_" if k else "") for k, net in enumerate(nets)]
    if len(nets) == 1:
        return graph, scores[0]
    count = graph.array("count", np.asarray(len(nets), WIDE))
    return graph, graph.add("Div", [graph.add("Sum", scores, "sum"), count], "mean_scores")


def _add_matrix(graph: Graph, inputs: Inputs, num_columns: int) -> str:
    """Add inputs, ``X`` or one per column of a table, and what turns them into the matrix; return the matrix's name."""
    encoder = inputs.encoder
    if encoder is not None and inputs.is_table:
        return add_table(graph, encoder)
    graph.input("X", WIDE, num_columns if encoder is None else len(encoder.columns))
    rows = graph.cast("X", WIDE, "wide")  # for runtimes that take any dtype
    if encoder is not None:
        return add_array(graph, encoder, rows)
    if not inputs.has_means:
        return rows
    mean = graph.array("fills", inputs.standardization.mean[None])
    return graph.add("Where", [graph.add("IsNaN", [rows], "missing"), mean, rows], "filled")


def _plain(classes: AnyArray) -> Any:
    """The labels as an array of a type that ONNX has: numbers, bools, or strings as objects."""
    labels: AnyArray = np.array(classes.tolist()) if classes.dtype.kind == "O" else classes
    if labels.dtype.kind in "UT":
        return labels.astype(object)
    if labels.dtype.kind not in "biuf" or labels.dtype.itemsize > 8:
        raise ArgumentError(
            f"classes_ must be numbers, bools or strings for an ONNX file, got {classes.dtype}. Train with such labels."
        )
    return labels


LABELS = "ai.onnx.ml"  # the operators for categories


def add_array(graph: Graph, encoder: TableEncoder, below: str) -> str:
    """Add nodes that encode the columns of an array of numbers, the value `below`; return the matrix's name."""
    parts = []
    for i, learned in enumerate(encoder.columns):
        if isinstance(learned, LearnedNumbers):
            column = graph.add("Gather", [below, graph.array(f"place{i}", np.array([i]))], f"column{i}", axis=1)
            parts += _add_numbers(graph, learned, column, f"column{i}")
    return graph.add("Concat", parts, "table", axis=1)


def add_table(graph: Graph, encoder: TableEncoder) -> str:
    """Add inputs for all columns, and nodes that encode them; return the name of the (N, num_outputs) float64 matrix.

    A category that was not in training, or a missing one if none was missing, becomes the same as in `transform`.

    Raises:
        ArgumentError: if a column cannot be an input: a name is empty or occurs twice, categories are of mixed kinds or
            beyond int64, or the empty string is a category in a column with missing ones, which it stands for.
    """
    names = [learned.name for learned in encoder.columns]
    for name in names:
        if not name or names.count(name) > 1:
            came = f"{names.count(name)} called {name!r}" if name else "one without a name"
            raise ArgumentError(
                f"X must have columns of different names for an ONNX file, got {came}. Rename them, and train again."
            )
    dtypes = [_dtype(learned, called(learned.name, i)) for i, learned in enumerate(encoder.columns)]
    for name, dtype in zip(names, dtypes, strict=True):
        graph.input(name, dtype, 1)
    parts = []
    for i, (learned, dtype) in enumerate(zip(encoder.columns, dtypes, strict=True)):
        own, x = f"column{i}", learned.name
        x = x if dtype.kind == "O" else graph.cast(x, dtype, f"{own}_in")  # for runtimes that take any dtype
        if isinstance(learned, LearnedNumbers):
            parts += _add_numbers(graph, learned, x, own)
        else:
            parts.append(_add_categories(graph, learned, x, dtype, own))
    return graph.add("Concat", parts, "table", axis=1)


def _dtype(learned: LearnedNumbers | LearnedCategories, where: str) -> np.dtype[np.generic]:
    """The dtype of a column's input."""
    if isinstance(learned, LearnedNumbers):
        return WIDE
    values = learned.categories + learned.rare
    if learned.kinds <= {kinds.TEXT}:
        if learned.has_missing and "" in values:
            raise ArgumentError(
                f"X must not hold both empty text and missing values in {where} for an ONNX file, where empty "
                f"text means missing. Replace the empty text by None, and train again."
            )
        return np.dtype(object)
    if learned.kinds != {kinds.NUMBER}:
        came = " and ".join(sorted(learned.kinds))
        raise ArgumentError(
            f"X must hold categories of text alone, or of numbers alone, in {where} for an ONNX file, got {came}. "
            f"Convert them to text with astype(str), and train again."
        )
    whole = all(isinstance(value, int) for value in values) and not learned.has_missing
    most = 2**63 - 1 if whole else 2**53
    if any(isinstance(value, int) and not -most <= value <= most for value in values):
        raise ArgumentError(
            f"X must hold whole numbers up to {most} in {where} for an ONNX file, got larger ones. Convert them to "
            f"text with astype(str), and train again."
        )
    return np.dtype(np.int64) if whole else WIDE


def _add_numbers(graph: Graph, learned: LearnedNumbers, x: str, own: str) -> list[str]:
    """Add nodes for a column of numbers, the value x; return the names of their outputs."""
    missing = graph.add("IsNaN", [x], f"{own}_missing")
    fill = graph.array(f"{own}_fill", np.array(learned.fill, WIDE))
    out = graph.add("Where", [missing, fill, fill if learned.is_empty else x], f"{own}_filled")
    parts = [out]
    if learned.knots is not None:
        above = graph.add("Sub", [out, graph.array(f"{own}_lower", learned.knots[None, :-1])], f"{own}_above")
        shares = graph.add("Div", [above, graph.array(f"{own}_widths", np.diff(learned.knots)[None])], f"{own}_shares")
        ends = [graph.array(f"{own}_{name}", np.array(value, WIDE)) for name, value in (("zero", 0), ("one", 1))]
        parts.append(graph.add("Clip", [shares, *ends], f"{own}_bins"))
    if learned.has_indicator:
        parts.append(graph.cast(missing, WIDE, f"{own}_indicator"))
    return parts


def _add_categories(graph: Graph, learned: LearnedCategories, x: str, dtype: np.dtype[np.generic], own: str) -> str:
    """Add nodes for a column of categories, the value x: first the index of the one, then zeros and ones."""
    columns = [learned.column_of(place) for place in range(len(learned.categories))]
    unknown, missing = learned.column_of(learned.unknown), learned.column_of(learned.missing)
    if dtype.kind == "O":
        keys = {"": missing, **dict(zip(learned.categories, columns, strict=True))}
        labels = {"keys_strings": list(keys), "values_int64s": list(keys.values()), "default_int64": unknown}
        code = graph.add("LabelEncoder", [x], f"{own}_label", domain=LABELS, **labels)
        code = graph.cast(code, WIDE, f"{own}_code")
    else:
        known = graph.array(f"{own}_known", np.array([learned.categories or (0,)], dtype))
        more = graph.array(f"{own}_columns", np.array(columns or [unknown], WIDE)[:, None] - unknown)
        equal = graph.cast(graph.add("Equal", [x, known], f"{own}_equal"), WIDE, f"{own}_ones")
        least = graph.array(f"{own}_unknown", np.array(unknown, WIDE))
        code = graph.add("Add", [graph.add("MatMul", [equal, more], f"{own}_more"), least], f"{own}_code")
    if dtype.kind == "f":
        is_missing = graph.add("IsNaN", [x], f"{own}_missing")
        place = graph.array(f"{own}_place", np.array(missing, WIDE))
        code = graph.add("Where", [is_missing, place, code], f"{own}_present")
    numbers = graph.array(f"{own}_numbers", np.arange(learned.width, dtype=WIDE)[None])
    return graph.cast(graph.add("Equal", [code, numbers], f"{own}_here"), WIDE, f"{own}_columns_out")
