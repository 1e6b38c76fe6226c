"""Parameters: one buffer, and arrays by name that always stay views of it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, MutableMapping
from typing import Any

import numpy as np
import pytest

from thinnet import ArgumentError
from thinnet.parameters import Parameters

SHAPES: dict[str, tuple[int, ...]] = {"W1": (2, 3), "b1": (3,), "W2": (3, 1), "b2": (1,)}


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def params(request: pytest.FixtureRequest) -> Parameters:
    params = Parameters(SHAPES, request.param)
    params.flat[:] = np.arange(params.flat.size)
    return params


def assert_attached(params: Parameters) -> None:
    """Each array is its part of the buffer, in order, and writing to one changes the other."""
    start = 0
    for name, shape in params.shapes.items():
        view = params[name]
        assert view.shape == shape
        assert np.shares_memory(view, params.flat)
        part = slice(start, start + view.size)
        params.flat[part] = np.arange(view.size) + 0.5
        np.testing.assert_array_equal(view.ravel(), np.arange(view.size) + 0.5)
        view += 1
        np.testing.assert_array_equal(params.flat[part], np.arange(view.size) + 1.5)
        start = part.stop
    assert start == params.flat.size


def test_the_arrays_lie_in_the_buffer_in_order(params: Parameters) -> None:
    assert params.flat.shape == (13,)
    np.testing.assert_array_equal(params["W1"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(params["b2"], [12])
    assert_attached(params)


def test_they_begin_at_zero_in_the_dtype_asked_for() -> None:
    for dtype in (np.float32, np.float64):
        params = Parameters(SHAPES, dtype)
        assert not params.flat.any()
        assert params.dtype == params.flat.dtype == params["W1"].dtype == dtype
    assert Parameters({}).flat.size == len(Parameters({})) == 0


def test_assignment_copies_into_the_buffer(params: Parameters) -> None:
    view, new = params["W1"], np.full((2, 3), 7.0)
    params["W1"] = new
    assert params["W1"] is view
    np.testing.assert_array_equal(params.flat[:6], np.full(6, 7.0))
    new[...] = 8
    np.testing.assert_array_equal(view, np.full((2, 3), 7.0))
    assert_attached(params)


@pytest.mark.parametrize(
    "value", [[[1, 2, 3], [4, 5, 6]], np.arange(1, 7, dtype=np.int8).reshape(2, 3), np.arange(1.0, 7.0).reshape(3, 2).T]
)
def test_any_real_numbers_may_be_assigned(params: Parameters, value: Any) -> None:
    params["W1"] = value
    np.testing.assert_array_equal(params["W1"], np.asarray(value))
    assert params["W1"].dtype == params.dtype


def test_operators_in_place_work_through_the_mapping(params: Parameters) -> None:
    view = params["b1"]
    params["b1"] += 1
    params["b1"] *= 2
    assert params["b1"] is view
    np.testing.assert_array_equal(params.flat[6:9], [14, 16, 18])


def test_an_array_may_be_assigned_from_a_view_of_itself(params: Parameters) -> None:
    params["b1"] = params["b1"][::-1]
    np.testing.assert_array_equal(params["b1"], [8, 7, 6])


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        (
            "W1",
            np.zeros((3, 2)),
            r"params\['W1'\] must have shape \(2, 3\), got \(3, 2\)\. Give an array of that shape",
        ),
        ("W1", np.zeros(3), r"params\['W1'\] must have shape \(2, 3\), got \(3,\)"),
        ("b2", 0.0, r"params\['b2'\] must have shape \(1,\), got \(\)"),
        ("b1", np.zeros(3, complex), r"params\['b1'\] must be real numbers, got dtype complex128"),
        ("b1", ["a", "b", "c"], r"params\['b1'\] must be real numbers, got dtype <U1"),
        ("b1", None, r"params\['b1'\] must be real numbers, got dtype object"),
        ("w2", np.zeros(3), r"params has no 'w2', only W1, b1, W2, b2\. Did you mean 'W2'\?"),
        ("W22", np.zeros(3), r"params has no 'W22', only W1, b1, W2, b2\.$"),
        ("gamma1", np.ones(3), r"params has no 'gamma1', only W1, b1, W2, b2\.$"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(params: Parameters, name: str, value: Any, text: str) -> None:
    before = params.flat.copy()
    with pytest.raises(ArgumentError, match=text):
        params[name] = value
    np.testing.assert_array_equal(params.flat, before)
    assert list(params) == list(SHAPES)


def test_reading_an_unknown_name_is_a_key_error_with_the_nearest(params: Parameters) -> None:
    with pytest.raises(KeyError, match=r"params has no 'b_1', only W1, b1, W2, b2\. Did you mean 'b1'"):
        params["b_1"]


@pytest.mark.parametrize(
    "delete",
    [lambda p: p.__delitem__("W1"), lambda p: p.pop("W1"), lambda p: p.popitem(), lambda p: p.clear()],
    ids=["del", "pop", "popitem", "clear"],
)
def test_deletion_is_refused(params: Parameters, delete: Callable[[Parameters], Any]) -> None:
    with pytest.raises(ArgumentError, match=r"params\['W1'\] must stay, got a deletion\. A net keeps all"):
        delete(params)
    assert_attached(params)


def test_it_is_a_mapping(params: Parameters) -> None:
    assert isinstance(params, MutableMapping)
    assert list(params) == list(params.keys()) == list(SHAPES)
    assert len(params) == 4
    assert "W1" in params
    assert "W3" not in params
    assert params.get("W3") is None
    assert [array.shape for array in params.values()] == list(SHAPES.values())
    assert all(params[name] is array for name, array in params.items())
    assert all(params[name] is array for name, array in dict(params).items())


def test_update_and_its_operator_copy_into_the_buffer(params: Parameters) -> None:
    before = params
    params.update({"b1": np.ones(3)}, b2=np.full(1, 2))
    params |= {"W2": np.full((3, 1), 3.0)}
    assert params is before
    np.testing.assert_array_equal(params.flat[6:], [1, 1, 1, 3, 3, 3, 2])
    assert_attached(params)
    with pytest.raises(ArgumentError, match="params has no 'W3'"):
        params |= {"W3": np.zeros(1)}


def test_zeros_like_is_of_the_same_shapes_and_zero(params: Parameters) -> None:
    zeros = params.zeros_like()
    assert (zeros.shapes, zeros.dtype) == (params.shapes, params.dtype)
    assert not zeros.flat.any()
    assert params.flat.any()
    assert_attached(zeros)


COPIES: dict[str, Callable[[Parameters], Parameters]] = {
    "copy": Parameters.copy,
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "pickle 2": lambda params: pickle.loads(pickle.dumps(params, 2)),
    "pickle 5": lambda params: pickle.loads(pickle.dumps(params, 5)),
}


@pytest.mark.parametrize("how", COPIES)
def test_copies_have_a_buffer_of_their_own_with_the_names_attached(params: Parameters, how: str) -> None:
    other = COPIES[how](params)
    assert isinstance(other, Parameters)
    assert (other.shapes, other.dtype) == (params.shapes, params.dtype)
    np.testing.assert_array_equal(other.flat, params.flat)
    assert not np.shares_memory(other.flat, params.flat)
    before = params.flat.copy()
    assert_attached(other)
    np.testing.assert_array_equal(params.flat, before)
    assert_attached(params)


def test_a_deep_copy_keeps_what_is_one_object_one(params: Parameters) -> None:
    first, second = copy.deepcopy([params, params])
    assert first is second


def test_its_text_names_the_shapes() -> None:
    assert repr(Parameters({"W1": (2, 3)})) == "<Parameters of float32: W1 (2, 3)>"


def test_vectors_side_by_side_are_one_view() -> None:
    params = Parameters({"W1": (2, 3), "b1": (3,), "gamma1": (3,), "W2": (3, 2), "W3": (2, 2), "b3": (2,)})
    assert [vector.size for vector in params.vectors] == [6, 2]
    params["b1"], params["gamma1"], params["b3"] = [1, 2, 3], [4, 5, 6], [7, 8]
    np.testing.assert_array_equal(np.concatenate(params.vectors), np.arange(1, 9))
    assert all(np.shares_memory(vector, params.flat) for vector in params.vectors)
    assert Parameters({"b1": (2,)}).vectors[0].size == 2
    assert not Parameters({}).vectors


def test_assigning_the_buffer_copies_the_values_in(params: Parameters) -> None:
    flat, view = params.flat, params["W1"]
    params.flat = np.arange(flat.size)  # type: ignore[assignment]
    assert params.flat is flat
    assert params["W1"] is view
    np.testing.assert_array_equal(flat, np.arange(flat.size))
    params.flat *= 2
    assert params.flat is flat
    assert flat[1] == 2
    shape = rf"must have shape \({flat.size},\), got "
    wrong = (0, shape + r"\(\)"), (np.zeros(3), shape + r"\(3,\)"), ("a", r"must be real numbers, got dtype <U1")
    for value, text in wrong:
        with pytest.raises(ArgumentError, match=rf"params\.flat {text}"):
            params.flat = value  # type: ignore[assignment]
    assert flat[1] == 2


def test_numbers_that_would_become_infinite_are_refused() -> None:
    params = Parameters(SHAPES, np.float32)
    with pytest.raises(ArgumentError, match=r"params\['b1'\] must hold numbers that stay within float32, .* 1e\+300"):
        params["b1"] = [1, 1e300, 1]
    with pytest.raises(ArgumentError, match=r"params\.flat must hold numbers that stay within float32, .* -1e\+39"):
        params.flat = np.full(params.size, -1e39)
    assert not params.flat.any()
    params["b1"] = [1, np.inf, np.nan]  # stored unchanged
    assert not np.isfinite(params["b1"][1:]).any()


def test_an_array_as_an_attribute_is_told_to_be_an_item(params: Parameters) -> None:
    with pytest.raises(ArgumentError, match=r"params\.W1 must not be assigned to: .* Write params\['W1'\]\."):
        params.W1 = np.zeros(3)  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"has no attribute 'W1'\. Write params\['W1'\]\.$"):
        params.W1  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError, match=r"has no attribute 'weights'$"):
        params.weights  # type: ignore[attr-defined]  # noqa: B018
