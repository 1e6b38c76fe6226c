"""Error message formatting: limits, choices, keys, shapes and labels."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinnet import ArgumentError, DataError, GradientError, ThinnetError
from thinnet.checks import (
    LIMITS,
    Limit,
    check_arrays,
    check_choice,
    check_gradient,
    check_keys,
    check_labels,
    check_number,
    merge_options,
)
from thinnet.errors import DialectError, MissingExtraError, OutOfScopeError, require
from thinnet.spelling import nearest


@pytest.mark.parametrize(
    ("limit", "text", "inside", "outside"),
    [
        (Limit(0, 1), "a number in [0, 1)", (0, 0.5, math.nextafter(1, 0)), (-1e-300, 1, math.nan, math.inf)),
        (Limit(0, 1, "[]"), "a number in [0, 1]", (0, 1), (-0.1, 1.1, math.nan)),
        (Limit(0, 1, "(]"), "a number in (0, 1]", (1e-300, 1), (0, 1.1, math.nan)),
        (Limit(0, math.inf, "()"), "a finite number > 0", (1e-300, 1e300), (0, -1, math.inf, math.nan)),
        (Limit(0, math.inf), "a finite number >= 0", (0, 1e300), (-1, math.inf, math.nan)),
        (Limit(-math.inf, math.inf, "()"), "a finite number", (-1e300, 0), (-math.inf, math.inf, math.nan)),
        (Limit(1, math.inf, integer=True), "an integer >= 1", (1, 10**30), (0, math.inf)),
    ],
    ids=str,
)
def test_a_limit_contains_its_closed_ends_and_never_nan(
    limit: Limit, text: str, inside: tuple[float, ...], outside: tuple[float, ...]
) -> None:
    assert str(limit) == text
    assert all(value in limit for value in inside)
    assert not any(value in limit for value in outside)


@pytest.mark.parametrize("name", LIMITS)
def test_each_limit_refuses_what_lies_outside_and_what_is_no_number(name: str) -> None:
    limit = LIMITS[name]
    wrong: list[Any] = ["1", None, [1], True, np.bool_(True), 1j, math.nan, limit.low - 1]
    if limit.high < math.inf:
        wrong.append(int(limit.high) + 1)
    if limit.integer:
        wrong.append(limit.low + 0.5)
    for value in wrong:
        with pytest.raises(ArgumentError) as caught:
            check_number(name, value)
        message = str(caught.value)
        assert message.startswith(f"{name} must be {limit}, got {value!r}")
        assert message.endswith(limit.fix or "")


@pytest.mark.parametrize("name", LIMITS)
def test_each_limit_gives_back_a_plain_number(name: str) -> None:
    limit = LIMITS[name]
    middle = int(max(1, limit.low)) if limit.high > 1 else 0.5
    kinds: list[Any] = [np.int64, np.uint16] if limit.integer else [float, np.float32, np.float64]
    for kind in kinds:
        number = check_number(name, kind(middle))
        assert number == middle
        assert type(number) is (int if limit.integer else float)
    if not limit.integer:
        assert check_number(name, Fraction(1, 2)) == 0.5


@settings(max_examples=100)
@given(value=st.floats())
def test_check_number_agrees_with_the_limit(value: float) -> None:
    if 0 <= value < 1:
        assert check_number("rate", value) == value
    else:
        with pytest.raises(ArgumentError):
            check_number("rate", value)


def test_a_number_may_be_checked_against_the_limit_of_another_name() -> None:
    assert check_number("rows", 3, "batch_size") == 3
    with pytest.raises(ArgumentError, match=r"^rows must be an integer >= 1, got 0\.$"):
        check_number("rows", 0, "batch_size")


def test_a_choice_is_given_back_or_refused_with_the_nearest() -> None:
    assert check_choice("color", "red", ("red", "blue")) == "red"
    assert check_choice("color", None, (None, "blue")) is None
    with pytest.raises(ArgumentError) as caught:
        check_choice("color", "bleu", ("red", "blue"))
    assert str(caught.value) == "color must be one of 'red', 'blue', got 'bleu'. Did you mean 'blue'?"
    with pytest.raises(ArgumentError, match=r"got 'xyz'\.$"):
        check_choice("color", "xyz", ("red", "blue"))
    with pytest.raises(ArgumentError, match=r"got 3\.$"):
        check_choice("color", 3, (None, "blue"))


def test_nearest_asks_for_the_nearest_or_says_nothing() -> None:
    assert nearest("learnin_rate", ["momentum", "learning_rate"]) == "Did you mean 'learning_rate'?"
    assert nearest("zzz", ["momentum", "learning_rate"]) == ""
    assert nearest("x", []) == ""
    years = ["cs231n-2018", "cs231n-2021"]
    assert nearest(2021, years) == "Did you mean 'cs231n-2021'?"  # part of only one name
    assert nearest("validation", ["train", "val", "test"]) == "Did you mean 'val'?"
    assert nearest("20", years) == nearest("-20", years) == ""


@pytest.mark.parametrize(
    ("given", "known", "meant"),
    [
        ("hiden", ["hidden_dims", "loss"], "hidden_dims"),  # a beginning
        ("batch", ["batch_statistics", "batch_size"], "batch_size"),
        ("mes", ["mse", "softmax"], "mse"),
        ("adma", ["adam", "lion"], "adam"),
        ("float16", ["float32", "float64"], ""),
        ("cifar100", ["cifar10", "digits"], ""),
        ("set_output", ["n_outputs_", "score"], ""),
        ("epsilon", ["precision", "patience"], ""),
        ("eps", ["epochs", "data"], ""),
    ],
)
def test_only_a_name_that_is_meant_is_suggested(given: str, known: list[str], meant: str) -> None:
    assert nearest(given, known) == (f"Did you mean {meant!r}?" if meant else "")


def test_unknown_keys_are_refused() -> None:
    check_keys("options", ["a"], ["a", "b"])
    with pytest.raises(ArgumentError) as caught:
        check_keys("options", ["alpha", "betta"], ["alpha", "beta"])
    text = "options must be a mapping with only the keys 'alpha', 'beta', got 'betta'. Did you mean 'beta'?"
    assert str(caught.value) == text


def test_options_are_merged_over_defaults() -> None:
    defaults = {"learning_rate": 0.1, "anything": None}
    assert merge_options("config", defaults, None) == defaults
    assert merge_options("config", defaults, {"learning_rate": 0.5}) == {"learning_rate": 0.5, "anything": None}
    assert merge_options("config", defaults, {"anything": "x"})["anything"] == "x", "what has no limit is not checked"
    assert defaults == {"learning_rate": 0.1, "anything": None}
    with pytest.raises(ArgumentError, match="learning_rate must be a finite number >= 0, got -1"):
        merge_options("config", defaults, {"learning_rate": -1})
    with pytest.raises(ArgumentError, match="config must be a mapping with only the keys 'learning_rate', 'anything'"):
        merge_options("config", defaults, {"lr": 1})
    with pytest.raises(ArgumentError, match=r"^config must be a mapping, got an ndarray\. Write"):
        merge_options("config", defaults, np.ones(1000))  # type: ignore[arg-type]


def test_shapes_are_matched_and_given_back() -> None:
    x, w, b = np.ones((2, 3)), np.ones((3, 4)), np.ones(4)
    assert check_arrays("f", x=(x, "N D"), w=(w, "D M"), b=(b, "M")) == {"N": 2, "D": 3, "M": 4}
    assert check_arrays("f", x=(np.ones(()), "")) == {}
    assert check_arrays("f", x=(np.ones((3, 3)), "D D")) == {"D": 3}


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"x": (np.ones(3), "N D")}, "f: x must have shape (N, D), got (3,)."),
        ({"x": (np.ones((2, 2)), "D")}, "f: x must have shape (D,), got (2, 2)."),
        (
            {"x": (np.ones((2, 3)), "N D"), "b": (np.ones(4), "D")},
            "f: b must have shape (D,) with D = 3 as in x of shape (2, 3), got (4,).",
        ),
        (
            {"x": (np.ones((2, 3)), "N D"), "w": (np.ones((3, 4)), "D M"), "y": (np.ones((3, 3)), "N M")},
            "f: y must have shape (N, M) with N = 2 as in x of shape (2, 3), M = 4 as in w of shape (3, 4), "
            "got (3, 3).",
        ),
        (
            {"x": (np.ones((2, 3)), "N D"), "gamma": (np.ones(4), "D"), "beta": (np.ones(4), "D")},
            "f: x must have shape (N, D) with D = 4 as in gamma of shape (4,), got (2, 3).",
        ),
        (
            {"x": (np.ones((2, 3)), "N D"), "gamma": (np.ones(4), "D"), "beta": (np.ones(3), "D")},
            "f: gamma must have shape (D,) with D = 3 as in x of shape (2, 3), got (4,).",
        ),
        (
            {"x": (np.ones((2, 3)), "N D"), "y": (np.ones((3, 4)), "N D")},
            "f: y must have shape (N, D) with N = 2, D = 3 as in x of shape (2, 3), got (3, 4).",
        ),
        (
            {"x": ([1.0], "N")},
            "f: x must be a NumPy array of floats, got a list. Convert it with np.asarray(x, dtype=np.float32).",
        ),
        (
            {"x": (np.ones(2, np.uint8), "N")},
            "f: x must be a NumPy array of floats, got dtype uint8. Convert it with np.asarray(x, dtype=np.float32).",
        ),
        (
            {"x": (np.ones(2), "N"), "b": (np.ones(2, np.float32), "N")},
            "f: b must be of dtype float64, like x, got float32. Convert one of the two with .astype(np.float64).",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays: dict[str, tuple[Any, str]], text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        check_arrays("f", **arrays)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("dout", "text"),
    [
        (np.ones((3, 2)), "f: dout must be an array of shape (2, 3), like the output, got (3, 2)."),
        (np.ones((2, 3), int), "f: dout must be a NumPy array of floats, got dtype int64. Convert it with np."),
        ([[1], [2, 3]], "f: dout must be a NumPy array of floats, got a list. Convert it with np."),
        (1.0, "f: dout must be a NumPy array of floats, got a float. Convert it with np."),
    ],
)
def test_gradients_that_do_not_fit_are_refused(dout: Any, text: str) -> None:
    check_gradient("f", np.ones((2, 3), np.float32), (2, 3))
    with pytest.raises(ArgumentError) as caught:
        check_gradient("f", dout, (2, 3))
    assert str(caught.value).startswith(text)


def test_labels_are_checked_for_kind_shape_and_range() -> None:
    check_labels("f", np.array([0, 2]), 2, 3)
    check_labels("f", np.zeros(0, int), 0, 3)
    for y, text in (
        (np.array([0, 3]), "f: y must be labels from 0 to 2, got y[1] = 3. Number the classes from 0, or raise num_"),
        (np.array([1, -2]), "f: y must be labels from 0 to 2, got y[1] = -2."),
        (np.array([1]), "f: y must be of shape (2,), one label per row, got (1,)."),
        (
            np.array([0.0, 1]),
            "f: y must be a NumPy array of integer class labels, got dtype float64. Convert it with np.asarray(y, ",
        ),
        ("ab", "f: y must be a NumPy array of integer class labels, got a str."),
    ):
        with pytest.raises(ArgumentError) as caught:
            check_labels("f", y, 2, 3)
        assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (ArgumentError, ValueError),
        (DataError, ValueError),
        (DialectError, ValueError),
        (GradientError, AssertionError),
        (MissingExtraError, ImportError),
        (OutOfScopeError, ImportError),
    ],
)
def test_every_error_is_ours_and_of_the_builtin_kind_one_would_catch(
    error: type[Exception], builtin: type[Exception]
) -> None:
    assert issubclass(error, ThinnetError)
    assert issubclass(error, builtin)


def test_a_missing_package_names_the_command_that_installs_it() -> None:
    assert require("math", extra="plot", purpose="this").sqrt(4) == 2
    text = (
        r"A figure needs the package 'no_such_package', which cannot be imported "
        r"\(No module named 'no_such_package'\)\. "
        r'Install it with: pip install "thinnet\[plot\]"'
    )
    with pytest.raises(MissingExtraError, match=text) as caught:
        require("no_such_package.pyplot", extra="plot", purpose="A figure")
    assert isinstance(caught.value.__cause__, ImportError)
