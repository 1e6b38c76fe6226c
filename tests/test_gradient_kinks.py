"""The gradient checker near kinks: correct gradients of all kinds of nets pass, and small faults are found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from test_gradient_check import Quadratic, X, Y, make_net
from thinnet import ArgumentError, FullyConnectedNet, GradientError, check_gradients
from thinnet.gradient_check import GradientReport
from thinnet.layers import ACTIVATIONS
from thinnet.layers.relu import ReluCache, relu_forward
from thinnet.spec import NORMALIZATIONS
from thinnet.typing import AnyArray, FloatArray


def test_kinks_of_relus_raise_no_false_alarm() -> None:
    """With weights as small as the defaults, many units are within a step of their kink."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        net = FullyConnectedNet([8], input_dim=5, num_classes=3, seed=seed)
        check_gradients(net, rng.standard_normal((40, 5)), rng.integers(3, size=40))


def drawn_net(seed: int) -> tuple[FullyConnectedNet, FloatArray, AnyArray]:
    """Any kind of net, and a minibatch that may have rows of zeros, the same row twice or a constant column."""
    rng = np.random.default_rng(seed)

    def one(*choices: Any) -> Any:
        return choices[rng.integers(len(choices))]

    normalization, loss = one(*NORMALIZATIONS), one("softmax", "svm", "mse", "logistic", "poisson")
    net = FullyConnectedNet(
        rng.integers(1, 9, size=one(0, 1, 2, 3, 4)).tolist(),
        int(one(1, 3, 5)),
        int(one(2, 3)),
        dropout=one(0, 0.25, 0.5, 0.75, 0.9),
        normalization=normalization,
        reg=one(0, 1e-3, 1),
        weight_scale=one("he", 1e-2, 1e-4, 1e-8),
        dtype=one(np.float32, np.float64),
        seed=seed,
        loss=loss,
        scaling=one("inverted", "classic", "unscaled"),
        dropout_mask="element" if normalization == "layernorm" else one("element", "batch"),
    )
    X = one(0.1, 1, 10) * rng.standard_normal((one(2, 3, 8), net.input_dim))
    X[0] *= one(0, 1, 1)
    X[1] = one(X[1], X[-1])
    X[:, 0] = one(1, X[:, 0], X[:, 0])
    if loss in ("softmax", "svm"):
        return net, X, rng.integers(net.num_classes, size=len(X))
    return net, X, rng.random((len(X), net.num_classes))


@pytest.mark.parametrize("first", range(0, 40, 20))
def test_right_nets_of_all_kinds_pass(first: int) -> None:
    for seed in range(first, first + 20):
        report = check_gradients(*drawn_net(seed))
        assert report.errors[report.worst] <= 1e-5, (seed, report)


@pytest.mark.parametrize("dropout", [0.5, 0.75, 0.9])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_units_at_their_kink_since_all_below_them_are_dropped_or_zero_pass(normalization: Any, dropout: float) -> None:
    rng = np.random.default_rng(0)
    blank = rng.standard_normal((8, 5))
    blank[0] = 0
    for seed in range(2):
        net = FullyConnectedNet([6, 6], 5, 3, seed=seed, weight_scale="he", normalization=normalization)
        check_gradients(net.copy(), blank, np.arange(8) % 3)
        check_gradients(net.replace(dropout=dropout), blank, np.arange(8) % 3)


class Wrapped:
    """A net as a generic model, with a fault in its gradients; `known` caches its results for use with other faults."""

    def __init__(
        self, net: FullyConnectedNet, fault: Callable[[dict[str, FloatArray]], Any], known: dict[bytes, Any]
    ) -> None:
        self.net, self.fault, self.known = net.copy(np.float64), fault, known
        self.params = self.net.params

    def loss(self, X: AnyArray, y: AnyArray) -> tuple[float, dict[str, FloatArray]]:
        key = self.net.params.flat.tobytes()
        if key not in self.known:
            self.known[key] = self.net.loss(X, y, training=True, step=0)
        loss, gradients = self.known[key]
        gradients = {name: gradient.copy() for name, gradient in gradients.items()}
        self.fault(gradients)
        return loss, gradients


def largest_element(gradients: dict[str, FloatArray], name: str) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(np.abs(gradients[name]).argmax(), gradients[name].shape))


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("dropout", [0.0, 0.75])
def test_a_small_fault_beside_kinks_is_found(normalization: Any, dropout: float) -> None:
    """A row of zeros puts units of every layer at their kink, and each fault is one element or 1%."""
    blank = np.random.default_rng(0).standard_normal((6, 4))
    blank[0] = 0
    options: dict[str, Any] = {"normalization": normalization, "dropout": dropout, "weight_scale": "he"}
    net = FullyConnectedNet([4, 3], 4, 3, reg=1e-3, seed=1, **options)
    y = np.arange(6) % 3
    known: dict[bytes, Any] = {}  # most differences are the same with each fault
    report = check_gradients(Wrapped(net, lambda gradients: None, known), blank, y)
    if normalization != "batchnorm":
        assert sum(report.kinks.values()) > 0
        assert "elements at a kink, judged close by (" in str(report)
    right = net.copy(np.float64).loss(blank, y, training=True, step=0)[1]
    faults: dict[str, dict[str, FloatArray]] = {}  # what is added to the gradients
    for name, gradient in right.items():
        if np.abs(gradient).max() > 1e-6:  # otherwise there is none: a bias before batch normalization
            one = np.zeros_like(gradient)
            one[largest_element(right, name)] = 0.03 * np.abs(gradient).max()
            faults[f"one element of {name}"] = {name: one}
        if name.startswith("W"):
            faults[f"a percent of {name}"] = {name: 0.01 * gradient}
            faults[f"no penalty of {name}"] = {name: -1e-3 * net.params[name].astype(np.float64)}
    for fault, added in [*faults.items()][dropout > 0 :: 2]:  # alternate faults without dropout and with it

        def plant(gradients: dict[str, FloatArray], added: dict[str, FloatArray] = added) -> None:
            for name, wrong in added.items():
                gradients[name] += wrong

        report = check_gradients(Wrapped(net, plant, known), blank, y, raise_exception=False)
        assert report.errors[report.worst] > 1e-5, fault
        assert report.worst in added


@pytest.mark.parametrize("edge", [-1e-3, -1e-5, 1e-5, 1e-3])
@pytest.mark.usefixtures("without_kernels")
def test_a_relu_that_is_wrong_near_its_kink_is_found(edge: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """One unit is between the kink and `edge`, where backward puts it on the wrong side."""
    net = make_net()
    net.params["b1"] = np.array([edge / 2, *net.params["b1"][1:]])
    inputs = X.copy()
    inputs[0] = 0
    check_gradients(net, inputs, Y)
    forward = relu_forward
    wrong = replace(ACTIVATIONS["relu"], forward=lambda x: (forward(x)[0], ReluCache(x > edge)))
    monkeypatch.setitem(ACTIVATIONS, "relu", wrong)
    with pytest.raises(GradientError, match=r"at b1\[0\]"):
        check_gradients(net, inputs, Y)


class Hinge:
    """loss = Σ c · max(0, w), whose reported slope is `said` times c at the kink and to its left."""

    def __init__(self, w: list[float], said: float = 0.0) -> None:
        self.params = {"w": np.array(w)}
        self.slopes, self.said = np.arange(1.0, len(w) + 1), said

    def loss(self, X: AnyArray, y: AnyArray) -> tuple[float, dict[str, FloatArray]]:
        w = self.params["w"]
        gradient = self.slopes * np.where(w > 0, 1.0, self.said)
        return float((self.slopes * np.maximum(w, 0)).sum()), {"w": gradient}


@pytest.mark.parametrize("near", [0.0, 1e-12, -1e-12, 1e-7, -1e-7])
def test_what_stands_at_a_kink_is_counted_and_judged_close_by(near: float) -> None:
    report = check_gradients(Hinge([1.0, near, -1.0]), X, Y)
    assert report.errors["w"] < 1e-8
    assert report.kinks == ({} if abs(near) == 1e-7 else {"w": 1})
    assert report.unjudged == {}
    with pytest.raises(GradientError, match=r"at w\[\d\]"):
        check_gradients(Hinge([1.0, near, -1.0], said=0.1), X, Y)


def test_an_element_that_has_a_kink_wherever_one_looks_is_counted_as_unjudged() -> None:
    class Step(Quadratic):
        """The loss is a step function of b[0], with jumps closer together than any difference step."""

        def loss(self, X: AnyArray, y: AnyArray) -> tuple[float, dict[str, FloatArray]]:
            loss, gradients = super().loss(X, y)
            return loss + 1e-3 * float(np.random.default_rng(int(self.params["b"][0] * 1e15)).random()), gradients

    report = check_gradients(Step(), X, Y)
    assert report.unjudged == {"b": 1}
    assert "1 element not judged, with kinks or rounding close by too (b: 1)" in str(report)


def test_a_model_in_float32_is_refused_where_rounding_is_above_the_tolerance() -> None:
    model = Hinge([1.0, 2.0])
    model.params = {"w": model.params["w"].astype(np.float32)}
    with pytest.raises(ArgumentError, match=r"model must hold its params in float64 .* got float32 in w\. "):
        check_gradients(model, X, Y)
    check_gradients(model, X, Y, h=1e-2, tolerance=1e-2)


def test_a_single_element_is_counted_in_the_singular() -> None:
    report = GradientReport({"W1": 0.0}, "W1", (0, 0), 1.0, 1.0, kinks={"W1": 1}, unjudged={"W1": 1, "b1": 1})
    assert "; 1 element at a kink, judged close by (W1: 1); 2 elements not judged" in str(report)
