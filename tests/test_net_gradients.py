"""What a net computes: loss, gradients and scores, fused and layer by layer, match the reference."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from net_reference import reference, reference_scores
from small_nets import draw, make, shaken
from thinnet import check_gradients
from thinnet.layers import LOSSES
from thinnet.spec import NORMALIZATIONS

# The masks: the rate, the scaling, and one mask per row or per batch.
MASKS: list[dict[str, Any]] = [
    {"dropout": 0.0},
    {"dropout": 0.4},
    {"dropout": 0.4, "scaling": "classic"},
    {"dropout": 0.4, "scaling": "unscaled"},
    {"dropout": 0.4, "dropout_mask": "batch"},
]
CONFIGS: list[dict[str, Any]] = [
    {"normalization": normalization, "loss": loss, "reg": 0.3, **mask}
    for normalization, loss, mask in itertools.product(NORMALIZATIONS, LOSSES, MASKS)
    if (normalization, mask.get("dropout_mask")) != ("layernorm", "batch")
]
CONFIGS += [{"normalization": "batchnorm", "loss": loss, "label_smoothing": 0.2} for loss in ("softmax", "logistic")]
IN_BOTH_WAYS = pytest.mark.parametrize("fused", [True, False])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_gradients_are_the_slopes_of_the_loss(normalization: Any, loss: str) -> None:
    net = shaken(make(normalization=normalization, dropout=0.4, reg=0.3, loss=loss))
    errors = check_gradients(net, *draw(net), tolerance=1e-6).errors
    assert list(errors) == list(net.params)


@IN_BOTH_WAYS
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: "-".join(map(str, config.values())))
def test_steps_and_scores_are_those_of_the_reference(config: dict[str, Any], fused: bool) -> None:
    net = shaken(make((65, 33), **config))  # widths above and below 64, the columns of one group of the masks' counters
    net.fused = fused
    X, y = draw(net)
    weights = np.random.default_rng(1).random(len(X))
    for step, each in enumerate((None, weights, None)):  # running statistics and steps continue
        expected_loss, expected, expected_running = reference(net, X, y, step, each)
        loss, gradients = net.loss(X, y, weights=each, training=True)
        assert loss == pytest.approx(expected_loss, rel=1e-12)
        assert list(gradients) == list(net.params)
        for name, gradient in gradients.items():
            np.testing.assert_allclose(gradient, expected[name], rtol=1e-10, atol=1e-12, err_msg=name)
        for name, array in net.running.items():
            np.testing.assert_allclose(array, expected_running[name], rtol=1e-12, err_msg=name)
    np.testing.assert_allclose(net.scores(X), reference_scores(net, X), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_the_output_layer_is_affine_and_nothing_else(normalization: Any) -> None:
    """If the last weights are zero, the scores of all rows are the last bias, even if negative, in both modes."""
    net = make(normalization=normalization, dropout=0.5, loss="mse")
    X, _ = draw(net, rows=50)
    bias = np.array([-5.0, 0.0, 7.0])
    net.params["W3"], net.params["b3"] = np.zeros((5, 3)), bias
    np.testing.assert_array_equal(net.scores(X), np.tile(bias, (50, 1)))
    loss, _ = net.loss(X, np.tile(bias, (50, 1)), training=True)
    assert loss == 0
    assert not {"gamma3", "beta3", "running_mean3"} & {*net.params, *net.running}


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_gradients_belong_to_the_caller(normalization: Any) -> None:
    net = make(normalization=normalization, dropout=0.3, reg=0.1)
    X, y = draw(net)
    _, first = net.loss(X, y, step=0, training=True)
    kept = {name: grad.copy() for name, grad in first.items()}
    _, second = net.loss(X + 1, y, step=1, training=True)
    assert type(first) is dict
    for name, grad in first.items():
        np.testing.assert_array_equal(grad, kept[name])
        assert not any(np.shares_memory(grad, other) for other in (*second.values(), net.params.flat, X))
    for one, other in itertools.combinations(first.values(), 2):
        assert not np.shares_memory(one, other)
    before = net.params.flat.copy()
    for grad in second.values():
        grad[...] = np.nan
    np.testing.assert_array_equal(net.params.flat, before)


def test_a_net_without_hidden_layers_is_a_linear_classifier() -> None:
    net = make((), dropout=0.5, normalization="batchnorm", reg=0.2)
    assert list(net.params) == ["W1", "b1"]
    assert net.num_layers == 1
    X, y = draw(net)
    np.testing.assert_allclose(net.scores(X), X @ net.params["W1"] + net.params["b1"], rtol=1e-13)
    assert net.loss(X, y, training=True)[0] == net.loss(X, y, training=True)[0], "there is nothing to drop"
    assert max(check_gradients(net, X, y).errors.values()) < 1e-7


def test_smaller_and_larger_batches_share_the_buffers() -> None:
    net = make((65, 33), normalization="batchnorm", dropout=0.5)
    for size in (12, 3, 40, 40, 12):
        X, y = draw(net, size, seed=size)
        plain = net.copy()
        plain.fused = False
        assert net.loss(X, y, training=True)[0] == pytest.approx(plain.loss(X, y, training=True)[0], rel=1e-12)


@pytest.mark.parametrize("change", [{"dropout": 0.2}, {"dropout": 0.0}, {"scaling": "unscaled"}, {"seed": 99}], ids=str)
def test_what_is_replaced_holds_in_both_ways(change: dict[str, Any]) -> None:
    net = make((65, 33), dropout=0.5)
    X, y = draw(net)
    before = net.loss(X, y, training=True)[0]  # makes the buffers
    other = net.replace(**change)
    plain = other.copy()
    plain.fused = False
    expected, _, _ = reference(other, X, y, step=1)
    for changed in (plain, other):
        assert changed.loss(X, y, training=True)[0] == pytest.approx(expected, rel=1e-12)
    assert other.params is net.params
    assert net.loss(X, y, training=True, step=0)[0] == before


@IN_BOTH_WAYS
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_evaluating_changes_nothing_and_gives_the_loss_of_the_scores(
    normalization: Any, loss: str, fused: bool
) -> None:
    net = shaken(make(normalization=normalization, loss=loss, dropout=0.4, reg=0.3))
    net.fused = fused
    X, y = draw(net)
    net.loss(X, y, training=True)
    before = net.params.flat.tobytes(), net.running.flat.tobytes(), net.step
    value, gradients = net.loss(X, y)
    penalty = 0.15 * sum(float((W**2).sum()) for name, W in net.params.items() if name.startswith("W"))
    assert value == pytest.approx(LOSSES[loss].function(net.scores(X), y)[0] + penalty, rel=1e-12)
    nudged = net.copy()
    nudged.params["W1"][0, 0] += 1e-6
    slope = (nudged.loss(X, y)[0] - value) / 1e-6
    assert gradients["W1"][0, 0] == pytest.approx(slope, rel=1e-3, abs=1e-6)
    assert before == (net.params.flat.tobytes(), net.running.flat.tobytes(), net.step)


@IN_BOTH_WAYS
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_a_nan_reaches_the_loss(normalization: Any, loss: str, fused: bool) -> None:
    """Comparisons in the kernels for ReLU and SVM margins could hide it."""
    net = make(normalization=normalization, loss=loss)
    net.fused = fused
    net.params["W1"][0, 0] = np.nan
    assert np.isnan(net.loss(*draw(net), training=True)[0])
