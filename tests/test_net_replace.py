"""A net's attributes match what it computes: assignments are refused, and `replace` or a config makes another net."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from thinnet import ArgumentError, Dataset, FullyConnectedNet, Solver

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 4))
DATA = Dataset(X, np.arange(60) % 3)


def make(**options: Any) -> FullyConnectedNet:
    return FullyConnectedNet([6, 5], 4, 3, **{"normalization": "batchnorm", "seed": 1, **options})


def train(net: FullyConnectedNet) -> None:
    Solver(net, DATA, epochs=1, batch_size=20, verbose=False).train()


@pytest.mark.parametrize(
    "change",
    [{"dropout": 0.3}, {"activation": "tanh"}, {"seed": 9}, {"loss": "svm", "reg": 0.1}, {"scaling": "classic"}, {}],
    ids=str,
)
def test_nets_that_share_their_parameters_are_trained_together(change: dict[str, Any]) -> None:
    net = make()
    other = net.replace(**change)
    assert {name: getattr(other.spec, name) for name in change} == change
    assert other.params is net.params
    train(other)
    np.testing.assert_array_equal(net.params["W1"], other.params["W1"])
    np.testing.assert_array_equal(net.running["running_mean2"], other.running["running_mean2"])
    assert net.step == other.step == 3
    before = other(X)
    train(net)
    assert not np.array_equal(other(X), before)
    assert (net.spec.dropout, net.activation, net.seed) == (0.0, "relu", 1), "the first one says what it said"


@pytest.mark.parametrize("change", [{"dtype": "float64"}, {"dropout_mask": "batch"}], ids=str)
def test_another_layout_is_a_copy_of_the_same_numbers(change: dict[str, Any]) -> None:
    net = make(dropout=0.5)
    train(net)
    other = net.replace(**change)
    for name, array in net.params.items():
        np.testing.assert_array_equal(other.params[name], array)
    np.testing.assert_allclose(other(X), net(X), rtol=1e-4, atol=1e-5)
    assert other.step == net.step
    kept = net.params.flat.copy(), net.running.flat.copy(), net.step
    train(other)
    assert not np.array_equal(other.params["W1"], net.params["W1"])
    np.testing.assert_array_equal(net.params.flat, kept[0])
    np.testing.assert_array_equal(net.running.flat, kept[1])
    assert net.step == kept[2]


@pytest.mark.parametrize(
    "change", [{"hidden_dims": [7, 5]}, {"input_dim": 5}, {"num_classes": 2}, {"normalization": None}], ids=str
)
def test_other_shapes_are_another_net(change: dict[str, Any]) -> None:
    with pytest.raises(
        ArgumentError, match=r"replace must leave the shapes .*, got \w+, which changes them\. Build a new net"
    ):
        make().replace(**change)
    config = {**make().config(), **change}
    assert FullyConnectedNet.from_config(config).config() == config


@pytest.mark.parametrize("name", ["loss", "scores", "predict", "spec", "state", "running", "num_parameters", "save"])
def test_methods_and_parts_cannot_be_assigned(name: str) -> None:
    net = make()
    fix = r"Write net = net\.replace\(loss=\.\.\.\)" if name == "loss" else "It says what"
    with pytest.raises(
        ArgumentError, match=rf"params, step, fused, products to be assigned, got an assignment to '{name}'\. {fix}"
    ):
        setattr(net, name, 3)
    train(net)


@pytest.mark.parametrize(
    "options", [{}, {"dtype": np.float64, "activation": "gelu"}, {"loss": "mse", "reg": 0.5}], ids=str
)
def test_a_config_builds_the_same_net_with_fresh_weights(options: dict[str, Any]) -> None:
    net = make(**options)
    first = net.params.flat.copy()
    train(net.replace(loss="softmax"))
    again = FullyConnectedNet.from_config(net.config())
    assert again.config() == net.config()
    np.testing.assert_array_equal(again.params.flat, first)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({}, r"config must have hidden_dims, input_dim and num_classes, got no hidden_dims and no input_dim"),
        ({"hidden_dims": [3], "num_classes": 2}, r"got no input_dim\. Add it"),
        ({"hidden_dims": [3], "num_classes": 2, "input_dim": 2, "droput": 0.1}, "got 'droput'. Did you mean 'dropout'"),
        ({"hidden_dims": [3], "num_classes": 2, "input_dim": 2, "dropout": 1}, "dropout must be"),
    ],
)
def test_a_config_that_builds_no_net_is_refused(config: dict[str, Any], text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        FullyConnectedNet.from_config(config)
