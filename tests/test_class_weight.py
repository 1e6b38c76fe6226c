"""class_weight of the classifier: same input and weights as in scikit-learn, and what is refused by name."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from thinnet import ArgumentError
from thinnet.sklearn import ThinNetClassifier
from thinnet.sklearn.class_weights import factors

X = np.random.default_rng(0).standard_normal((90, 3))
Y = (X[:, 0] > 0) * 1 + (X[:, 1] > 0)
SEVERAL = np.column_stack([X[:, 0] > 0, X[:, 1] > 1]).astype(int)
QUICK: dict[str, Any] = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0}


@pytest.mark.parametrize(
    "class_weight",
    [
        "balanced", {0: 1, 1: 2, 2: 3}, {1: 5}, {}, {0: 0.0}, {np.int64(2): np.float32(2.5)}, {0: Fraction(1, 3)},
        {0: 1, 1: 2, 2: 3, "not here": 4},
    ],
)  # fmt: skip
def test_what_scikit_learn_takes(class_weight: Any) -> None:
    wanted = compute_sample_weight(class_weight, Y)
    found: Any = factors(class_weight, [0, 1, 2], Y)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    net = ThinNetClassifier(**QUICK, class_weight=class_weight).fit(X, Y)
    as_weights = ThinNetClassifier(**QUICK).fit(X, Y, wanted)
    np.testing.assert_array_equal(net.predict_proba(X), as_weights.predict_proba(X))


@pytest.mark.parametrize(
    "class_weight", ["balanced", [{0: 1, 1: 2}, {1: 3, 0: 4}], [{0: 1, 1: 2}, "balanced"], ({0: 1, 1: 2}, {1: 3, 0: 0})]
)
def test_what_scikit_learn_takes_for_several_labels(class_weight: Any) -> None:
    alike = list(class_weight) if isinstance(class_weight, tuple) else class_weight
    wanted = compute_sample_weight(alike, SEVERAL)
    found: Any = factors(class_weight, [0, 1], SEVERAL.astype(np.float32))
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert ThinNetClassifier(**QUICK, class_weight=class_weight).fit(X, SEVERAL).loss_ > 0


def test_names_for_classes() -> None:
    names = np.array(["ant", "bee", "cat"])[Y]
    found = ThinNetClassifier(**QUICK, class_weight={"bee": 4.0}).fit(X, names).predict_proba(X)
    numbered = ThinNetClassifier(**QUICK, class_weight={1: 4.0}).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(found, numbered)


def test_balanced_does_not_count_rows_of_weight_zero() -> None:
    present = (np.arange(90) % 3 > 0) | (Y != 1)
    net = ThinNetClassifier(**QUICK, class_weight="balanced")
    with_zeros = net.fit(X, Y, present.astype(float)).predict_proba(X)
    np.testing.assert_array_equal(with_zeros, net.fit(X[present], Y[present]).predict_proba(X))


def test_a_part_of_the_rows_may_lack_a_label() -> None:
    net = ThinNetClassifier(**QUICK, class_weight={2: 5})
    for label in (0, 1, 2):
        net.partial_fit(X[label == Y], Y[label == Y], classes=[0, 1, 2])
    assert net.n_iter_ == 3


WRONG_WEIGHTS = [-1, -0.5, np.nan, np.inf, -np.inf, "x", "2", None, True, np.True_, [1], {}, 1j, 10**400, np.ones(1)]


@pytest.mark.parametrize("weight", WRONG_WEIGHTS, ids=[str(weight)[:8] for weight in WRONG_WEIGHTS])
@pytest.mark.parametrize("label", [1, "bee"])
def test_a_wrong_weight_is_named_with_its_label(weight: Any, label: Any) -> None:
    y = Y if label == 1 else np.array(["ant", "bee", "cat"])[Y]
    came = "a number too large for a float" if isinstance(weight, int) and weight > 2 else repr(weight)
    for train in ("fit", "partial_fit"):
        net = ThinNetClassifier(**QUICK, class_weight={label: weight})
        arguments = (X, y) if train == "fit" else (X, y, np.unique(y))
        with pytest.raises(ArgumentError) as caught:
            getattr(net, train)(*arguments)
        assert str(caught.value).startswith(f"class_weight[{label!r}] must be a finite number >= 0, got {came}")
        assert ". Use 1 for the usual weight" in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    ["auto", "Balanced", "", 3, 0, 2.5, True, False, [1, 2, 3], [{0: 1}], (1, 2), {0, 1}, np.ones(3), b"balanced"],
)
def test_something_else_is_named(wrong: Any) -> None:
    with pytest.raises(ArgumentError) as caught:
        ThinNetClassifier(**QUICK, class_weight=wrong).fit(X, Y)
    wanted = f"class_weight must be None, 'balanced' or a dict from label to weight, got {wrong!r}. "
    assert str(caught.value).startswith(wanted)
    assert str(caught.value).endswith("Write {2: 2.0}, for example.")
    assert ("Did you mean 'balanced'?" in str(caught.value)) == (isinstance(wrong, str) and wrong == "Balanced")


@pytest.mark.parametrize("label", ["0", 3, -1, 0.5, None, (0,)])
def test_an_unknown_label_is_named(label: Any) -> None:
    with pytest.raises(ArgumentError) as caught:
        ThinNetClassifier(**QUICK, class_weight={1: 2, label: 5}).fit(X, Y)
    assert str(caught.value).startswith(
        f"class_weight must have weights for the labels 0, 1, 2, got {label!r}: 5, which is no label of y. Write labels"
    )


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({0: 1, 1: 2}, r"class_weight must be None, 'balanced' or a list of 2 dicts, .* got \{0: 1, 1: 2\}"),
        ([{0: 1}], "a list of 2 dicts, one for each column of y, got 1 elements"),
        ("auto", "a list of 2 dicts, .* got 'auto'"),
        (3, "a list of 2 dicts, .* got 3"),
        ([{0: 1}, 3], r"class_weight\[1\] must be None, 'balanced' or a dict from label to weight, got 3"),
        ([{0: 1}, {"1": 3}], r"class_weight\[1\] must have weights for the labels 0, 1, got '1': 3"),
        ([{0: -1}, {1: 3}], r"class_weight\[0\]\[0\] must be a finite number >= 0, got -1"),
        ([[{0: 1}], [{1: 1}]], r"class_weight\[0\] must be None, 'balanced' or a dict"),
    ],
)
def test_what_is_wrong_for_several_labels(wrong: Any, text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        ThinNetClassifier(**QUICK, class_weight=wrong).fit(X, SEVERAL)


def test_the_nearest_label_is_named() -> None:
    with pytest.raises(
        ArgumentError, match=r"got 'yse': 2, which is no label of y\. Did you mean 'yes'\? Write labels"
    ):
        ThinNetClassifier(**QUICK, class_weight={"yse": 2}).fit(X, np.where(Y > 0, "yes", "no"))


def test_nothing_left_is_said() -> None:
    with pytest.raises(ArgumentError, match="times class_weight, must have at least one number above zero"):
        ThinNetClassifier(**QUICK, class_weight={0: 0, 1: 0, 2: 0}).fit(X, Y)
    with pytest.raises(ArgumentError, match="class_weight must be a dict or None for partial_fit"):
        ThinNetClassifier(**QUICK, class_weight=["balanced", None]).partial_fit(X, SEVERAL)
