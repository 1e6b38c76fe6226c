"""Table encoders as ONNX graphs with one input per column: ONNX Runtime's output compared with the encoder's matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from table_columns import dense, frame_of, learned, one, tables
from thinnet import ArgumentError, FullyConnectedNet
from thinnet.nets.onnx_export import Graph, add_net
from thinnet.sklearn.onnx_export import add_table
from thinnet.sklearn.table import TableEncoder
from thinnet.typing import AnyArray


def exported(encoder: TableEncoder, path: Path) -> Any:
    graph = Graph()
    table = add_table(graph, encoder)
    graph.output(table, np.float64, encoder.num_outputs)
    graph.write(path)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def feeds(session: Any, X: Any) -> dict[str, AnyArray]:
    """A frame as inputs for the graph: NaN for missing numbers, and an empty string for missing text."""
    found: dict[str, AnyArray] = {}
    for given_ in session.get_inputs():
        column = X[given_.name].astype(object)
        if given_.type == "tensor(string)":
            found[given_.name] = column.where(column.notna(), "").to_numpy(object)[:, None]
        else:
            dtype = {"tensor(double)": np.float64, "tensor(int64)": np.int64}[given_.type]
            found[given_.name] = column.where(column.notna(), np.nan).to_numpy(object).astype(dtype)[:, None]
        assert given_.shape == ["N", 1]
    return found


def check(path: Path, encoder: TableEncoder, *frames: Any) -> Any:
    session = exported(encoder, path / "table.onnx")
    for X in frames:
        (found,) = session.run(None, feeds(session, X))
        np.testing.assert_array_equal(found, dense(encoder, encoder.read(X)), strict=True)
    return session


def types(session: Any) -> dict[str, str]:
    return {one_.name: one_.type for one_ in session.get_inputs()}


def test_a_whole_table_with_missing_and_unknown_values(tmp_path: Path) -> None:
    X = pd.DataFrame(
        {
            "size": [1.0, 2.5, np.nan, 4.0, 9.0, -1.0],
            "color": ["red", "blue", "red", None, "green", "blue"],
            "count": [1, 2, 2, 3, 1, 2],
            "on": [True, False, True, True, False, True],
            "level": pd.Categorical([3, 1, 1, 2, 3, 1]),
            "half": pd.Categorical([0.5, None, 1.5, 0.5, 1.5, 2.0]),
            "two": ["no", "yes", "yes", "no", "no", "no"],
            "nothing": np.full(6, np.nan),
            "no text": np.full(6, None),
        }
    )
    later = pd.DataFrame(
        {
            "size": [np.nan, 1e300, -1e300, 2.0],
            "color": ["new", None, "red", "green"],
            "count": [np.nan, 2, 7, 0],
            "on": [None, True, False, True],
            "level": [7, 1, 2, 3],
            "half": [0.25, np.nan, 2.0, 1.5],
            "two": ["perhaps", "yes", "no", None],
            "nothing": [1.0, np.nan, 2.0, 3.0],
            "no text": ["some", None, "y", "x"],
        }
    )
    for fewest in (1, 2, 7):
        for knots in (None, 3):
            session = check(tmp_path, learned(X, knots=knots, fewest=fewest), X, later)
    assert types(session) == {
        **dict.fromkeys(["size", "count", "on", "half", "nothing"], "tensor(double)"),
        **dict.fromkeys(["color", "two", "no text"], "tensor(string)"),
        "level": "tensor(int64)",
    }
    assert [one_.type for one_ in session.get_outputs()] == ["tensor(double)"]


@settings(max_examples=30)
@given(tables(), st.sampled_from([None, 2, 4]), st.integers(1, 3))
def test_tables_of_any_columns(tmp_path: Path, table: dict[str, list[Any]], knots: int | None, fewest: int) -> None:
    mended = {name: ["none" if value == "" else value for value in values] for name, values in table.items()}
    X = frame_of("pandas objects", mended)
    check(tmp_path, learned(X, knots=knots, fewest=fewest), X)


def test_whole_numbers_of_64_bits_and_such_with_missing_ones(tmp_path: Path) -> None:
    whole = one([2**62 + 1, 2**62, -5, 2**62])
    session = check(tmp_path, learned(whole, categorical=["a"]), whole, one([2**62 + 2, -5]))
    assert types(session) == {"a": "tensor(int64)"}
    missing = one(pd.array([2**53, None, -5], "Int64"))
    session = check(tmp_path, learned(missing, categorical=["a"]), missing, one([3.0, None]))
    assert types(session) == {"a": "tensor(double)"}


@pytest.mark.parametrize("values", [[2**63, 1], [2**53 + 1, None, 1]], ids=str)
def test_whole_numbers_that_do_not_fit_are_refused_by_name(values: list[Any]) -> None:
    encoder = learned(one(np.array(values, object)), categorical=["a"])
    with pytest.raises(ArgumentError, match=r"whole numbers up to \d+ in column 'a'.*astype\(str\)"):
        add_table(Graph(), encoder)


@pytest.mark.parametrize("values", [["a", 1], [b"a", "a"], [b"a", b"b"]], ids=str)
def test_mixed_kinds_are_refused_by_name(values: list[Any]) -> None:
    for fewest in (1, 2):
        with pytest.raises(ArgumentError, match=r"text alone, or of numbers alone, in column 'a'.*astype\(str\)"):
            add_table(Graph(), learned(one(np.array(values, object)), fewest=fewest))


def test_empty_text_is_a_category_where_none_was_missing(tmp_path: Path) -> None:
    X = one(["", "x", "", "y"])
    session = check(tmp_path, learned(X), X)
    (found,) = session.run(None, {"a": np.array([[""]], object)})
    assert found.tolist() == [[1, 0, 0]]


@pytest.mark.parametrize("fewest", [1, 2])
def test_empty_text_beside_missing_values_is_refused_by_name(fewest: int) -> None:
    with pytest.raises(ArgumentError, match=r"both empty text and missing values in column 'a'.*Replace"):
        add_table(Graph(), learned(one(["", "x", None]), fewest=fewest))


def test_columns_called_as_what_is_inside_the_graph(tmp_path: Path) -> None:
    names = ["W1", "b1", "table", "column0_fill", "column0_missing", "scores_", "wide"]
    X = pd.DataFrame({name: [1.0, 2.0, np.nan] for name in names})
    encoder = learned(X)
    net = FullyConnectedNet([3], encoder.num_outputs, 2, dtype=np.float32, seed=0)
    graph = Graph()
    graph.output(add_net(graph, net, add_table(graph, encoder), np.dtype(np.float64)), np.float64, 2)
    graph.write(tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(["scores"], feeds(session, X))
    np.testing.assert_allclose(found, net.copy(np.float64).scores(encoder.transform(encoder.read(X))), rtol=1e-12)


def test_names_that_cannot_be_those_of_inputs_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"different names for an ONNX file, got 2 called 'a'"):
        add_table(Graph(), learned(pd.DataFrame([[1, 2]], columns=["a", "a"])))
    with pytest.raises(ArgumentError, match=r"got one without a name"):
        add_table(Graph(), learned(one([1, 2], "")))
    graph = Graph()
    table = add_table(graph, learned(one([1.0, 2.0], "label")))
    with pytest.raises(ArgumentError, match=r"no column called 'label'|not have a column called 'label'.*Rename"):
        graph.output(graph.add("Identity", [table], "label"), np.float64, 1)


def test_only_a_graph_with_text_declares_the_operators_for_it(tmp_path: Path) -> None:
    for values, domains in (([1.0, 2.0], [""]), (["x", "y"], ["", "ai.onnx.ml"])):
        exported(learned(one(values)), tmp_path / "table.onnx")
        assert [opset.domain for opset in onnx.load(tmp_path / "table.onnx").opset_import] == domains


def test_many_categories(tmp_path: Path) -> None:
    X = one([f"word {i % 700}" for i in range(2000)])
    encoder = learned(X, fewest=3)
    assert encoder.is_sparse
    check(tmp_path, encoder, X, one(["word 3", "word 699", "new", None]))
