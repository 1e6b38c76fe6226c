"""Monte Carlo dropout: draws compared with the layers, and the estimators' means and spreads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from thinnet import ArgumentError, FullyConnectedNet
from thinnet.masks import keep_mask
from thinnet.nets.monte_carlo import monte_carlo_scores
from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor
from thinnet.typing import FloatArray


def trained(**options: Any) -> tuple[FullyConnectedNet, FloatArray]:
    """A net with three hidden layers after some steps, so that running statistics differ from those of a batch."""
    generator = np.random.default_rng(0)
    net = FullyConnectedNet([70, 9, 8], 5, 3, dropout=0.4, weight_scale="he", dtype=np.float64, seed=1, **options)
    X = generator.standard_normal((30, 5))
    for _ in range(5):
        _, gradients = net.loss(X, generator.integers(3, size=30), training=True)
        for name, gradient in gradients.items():
            net.params[name] -= 0.1 * gradient
    return net, generator.standard_normal((6, 5)) + 1


@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize("scaling", ["inverted", "classic", "unscaled"])
@pytest.mark.parametrize("normalization", [None, "batchnorm", "layernorm"])
def test_each_draw_is_the_net_with_its_masks(
    normalization: Any, scaling: Any, kernels: bool, request: pytest.FixtureRequest
) -> None:
    if not kernels:
        request.getfixturevalue("without_kernels")
    net, X = trained(normalization=normalization, scaling=scaling)
    before = net.params.flat.copy(), net.running.flat.copy(), net.step
    draws = monte_carlo_scores(net, X, 3, seed=7, first_row=2)
    assert (net.step, draws.shape) == (before[2], (3, 6, 3))
    np.testing.assert_array_equal(net.params.flat, before[0])
    np.testing.assert_array_equal(net.running.flat, before[1])
    for sample in range(3):
        h = X
        for i, dim in enumerate(net.hidden_dims, start=1):
            z = h @ net.params[f"W{i}"] + net.params[f"b{i}"]
            if normalization == "batchnorm":
                z = (z - net.running[f"running_mean{i}"]) / np.sqrt(net.running[f"running_var{i}"] + 1e-5)
            if normalization == "layernorm":
                z = (z - z.mean(axis=1, keepdims=True)) / np.sqrt(z.var(axis=1, keepdims=True) + 1e-5)
            if normalization:
                z = z * net.params[f"gamma{i}"] + net.params[f"beta{i}"]
            keep = keep_mask(0.4, (6, dim), seed=7, step=sample, layer=i - 1, first_row=2)
            h = np.maximum(z, 0) * keep / (0.6 if scaling == "inverted" else 1)
        np.testing.assert_allclose(draws[sample], h @ net.params["W4"] + net.params["b4"], rtol=1e-10, atol=1e-12)


def test_the_draws_of_a_net_of_one_hidden_layer_have_the_mean_and_spread_of_theory() -> None:
    """scores = b + Σ h·m·W with m = 0 or 1 / (1 − rate): mean b + h W, variance rate / (1 − rate) · Σ (h W)²."""
    net = FullyConnectedNet([200], 4, 2, dropout=0.3, weight_scale="he", dtype=np.float64, seed=0)
    X = np.random.default_rng(0).standard_normal((5, 4))
    draws = monte_carlo_scores(net, X, 4000)
    h = np.maximum(X @ net.params["W1"], 0)
    variance = 0.3 / 0.7 * np.square(h) @ np.square(net.params["W2"])
    error = np.sqrt(variance / 4000)
    assert (np.abs(draws.mean(axis=0) - net.scores(X)) < 5 * error).all()
    np.testing.assert_allclose(draws.var(axis=0), variance, rtol=0.15)


def test_pieces_of_rows_are_drawn_as_the_whole() -> None:
    net, X = trained()
    whole = monte_carlo_scores(net, X, 4, seed=3)
    parts = [monte_carlo_scores(net, X[part], 4, seed=3, first_row=part.start) for part in (slice(0, 2), slice(2, 6))]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, rtol=1e-12)


@pytest.mark.parametrize("options", [{"dropout": 0.0}, {"dropout": 0.5, "hidden_dims": []}], ids=str)
def test_a_net_that_drops_nothing_is_refused(options: dict[str, Any]) -> None:
    net = FullyConnectedNet(**{"hidden_dims": [5], "input_dim": 2, "num_classes": 2, **options})
    with pytest.raises(ArgumentError, match=r"needs a net with dropout > 0 and a hidden layer, .* drop, all draws are"):
        monte_carlo_scores(net, np.ones((1, 2)), 5)
    with pytest.raises(ArgumentError, match=r"mc_samples must be an integer >= 1, got 0\. Use 50, for example\."):
        monte_carlo_scores(net, np.ones((1, 2)), 0)


def test_probabilities_and_their_spread() -> None:
    generator = np.random.default_rng(0)
    X = generator.standard_normal((1200, 2))
    y = (X[:, 0] > 0).astype(int)
    net = ThinNetClassifier(dropout=0.3, max_iter=20, random_state=0).fit(X[:300], y[:300])
    mean, spread = net.predict_proba(X, mc_samples=30, return_std=True)
    assert mean.shape == spread.shape == (1200, 2)
    np.testing.assert_allclose(mean.sum(axis=1), 1)
    np.testing.assert_allclose(spread[:, 0], spread[:, 1])
    np.testing.assert_array_equal(net.predict_proba(X, mc_samples=30), mean)
    assert np.abs(mean - net.predict_proba(X)).mean() < 0.05
    near = np.abs(X[:, 0]) < 0.2
    assert spread[near].mean() > 2 * spread[np.abs(X[:, 0]) > 1].mean(), "least sure where the classes meet"
    assert (net.predict_proba(X, mc_samples=31) != mean).any()


def test_labels_and_their_spread() -> None:
    X = np.random.default_rng(0).standard_normal((100, 3))
    net = ThinNetClassifier(dropout=0.3, max_iter=5, random_state=0).fit(X, (X > 0).astype(int))
    mean, spread = net.predict_proba(X, return_std=True)
    assert ((mean > 0) & (mean < 1) & (spread > 0)).all()


def test_values_and_their_spread_in_the_units_of_the_targets() -> None:
    X = np.random.default_rng(0).standard_normal((200, 2))
    y = 1000 + 50 * X[:, 0]
    one = ThinNetRegressor(dropout=0.2, normalization=None, random_state=0).fit(X, y)
    mean, spread = one.predict(X, return_std=True)
    assert mean.shape == spread.shape == (200,)
    assert np.abs(mean - y).mean() < 15
    assert 0.5 < spread.mean() < 30
    np.testing.assert_array_equal(one.predict(X, mc_samples=50), mean)
    far = one.predict(6 * X, return_std=True)[1]
    assert far.mean() > 2 * spread.mean(), "less sure far from the data"
    two = ThinNetRegressor(dropout=0.2, random_state=0).fit(X, np.column_stack([y, 1e-3 * y]))
    both = two.predict(X, return_std=True)[1]
    assert both.shape == (200, 2)
    np.testing.assert_allclose(both[:, 0].mean() / both[:, 1].mean(), 1e3, rtol=0.5)


def test_without_dropout_there_is_no_spread() -> None:
    X = np.random.default_rng(0).standard_normal((20, 2))
    net = ThinNetRegressor(dropout=0, max_iter=2).fit(X, X[:, 0])
    with pytest.raises(ArgumentError, match="Monte Carlo dropout needs a net with dropout > 0"):
        net.predict(X, return_std=True)


def test_a_single_draw_has_no_spread_unless_there_are_several_nets() -> None:
    X = np.random.default_rng(0).standard_normal((20, 2))
    options: dict[str, Any] = {"dropout": 0.3, "hidden_layer_sizes": (8,), "max_iter": 2, "random_state": 0}
    classifier = ThinNetClassifier(**options).fit(X, X[:, 0] > 0)
    regressor = ThinNetRegressor(**options).fit(X, X[:, 0])
    for predict in (classifier.predict_proba, regressor.predict):
        assert len(predict(X, mc_samples=1)) == 20
        assert (predict(X, mc_samples=2, return_std=True)[1] > 0).any()
        with pytest.raises(
            ArgumentError, match=r"mc_samples must be at least 2 with return_std=True, got 1\. .* use 50"
        ):
            predict(X, mc_samples=1, return_std=True)
    with pytest.raises(ArgumentError, match=r"no argument 'return_std'\. It has X\. predict_proba has it\.$"):
        classifier.predict(X, return_std=True)  # type: ignore[call-arg]
    several = ThinNetRegressor(**options, ensemble=2).fit(X, X[:, 0])
    assert (several.predict(X, mc_samples=1, return_std=True)[1] > 0).any()
