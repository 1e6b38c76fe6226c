"""FullyConnectedNet: its gradients, its masks, its two modes, and who owns what."""

from __future__ import annotations

import copy
import itertools
import math
import pickle
from typing import Any

import numpy as np
import pytest

from thinnet import ArgumentError, FullyConnectedNet, check_gradients
from thinnet.layers import (
    LOSSES,
    affine_backward,
    affine_forward,
    batchnorm_backward,
    batchnorm_forward,
    dropout_backward,
    dropout_forward,
    layernorm_backward,
    layernorm_forward,
    relu_backward,
    relu_forward,
)
from thinnet.layers.dropout import SCALINGS, Scaling
from thinnet.masks import keep_mask
from thinnet.nets.fully_connected import DTYPES, NORMALIZATIONS, ROWS_AT_ONCE
from thinnet.typing import AnyArray, FloatArray

CONFIGS = [
    pytest.param({"normalization": n, "dropout": d, "reg": r, "loss": k}, id=f"{n}-dropout {d}-reg {r}-{k}")
    for n, d, r, k in itertools.product(NORMALIZATIONS, (0.0, 0.4), (0.0, 0.3), LOSSES)
]


def make(hidden: tuple[int, ...] = (7, 5), **options: Any) -> FullyConnectedNet:
    defaults = {"weight_scale": "he", "dtype": np.float64, "seed": 0}
    return FullyConnectedNet(hidden, input_dim=6, num_classes=3, **{**defaults, **options})


def draw(net: FullyConnectedNet, rows: int = 8, seed: int = 0) -> tuple[FloatArray, AnyArray]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows, net.input_dim))
    if LOSSES[net.loss_name].targets == "values":
        return X, rng.standard_normal((rows, net.num_classes))
    if LOSSES[net.loss_name].targets == "fractions":
        return X, rng.random((rows, net.num_classes))
    return X, rng.integers(net.num_classes, size=rows)


def shaken(net: FullyConnectedNet) -> FullyConnectedNet:
    """The net with all parameters moved, so that biases, γ and β are neither 0 nor 1."""
    net.params.flat[:] += 0.1 * np.random.default_rng(1).standard_normal(net.params.flat.size)
    return net


@pytest.mark.parametrize("config", CONFIGS)
def test_gradients_are_the_slopes_of_the_loss(config: dict[str, Any]) -> None:
    net = shaken(make(**config))
    errors = check_gradients(net, *draw(net), tolerance=1e-6).errors
    assert list(errors) == list(net.params)


def by_hand(
    net: FullyConnectedNet, X: FloatArray, y: AnyArray, step: int
) -> tuple[float, dict[str, FloatArray], dict[str, FloatArray]]:
    """Loss, gradients and running statistics of a training step, from the layers one after the other."""
    p = {name: array.copy() for name, array in net.params.items()}
    running = {name: array.copy() for name, array in net.running.items()}
    h, tape, last = X, [], len(net.hidden_dims) + 1
    for i in range(1, last):
        h, affine = affine_forward(h, p[f"W{i}"], p[f"b{i}"])
        norm: Any = None
        if net.normalization == "batchnorm":
            statistics = running[f"running_mean{i}"], running[f"running_var{i}"]
            h, norm = batchnorm_forward(h, p[f"gamma{i}"], p[f"beta{i}"], *statistics)
        elif net.normalization == "layernorm":
            h, norm = layernorm_forward(h, p[f"gamma{i}"], p[f"beta{i}"])
        h, relu = relu_forward(h)
        h, dropout = dropout_forward(h, net.dropout, seed=net.seed, step=step, layer=i - 1, scaling=net.scaling)
        tape.append((affine, norm, relu, dropout))
    scores, affine = affine_forward(h, p[f"W{last}"], p[f"b{last}"])
    loss, dout = LOSSES[net.loss_name].function(scores, y)
    grads: dict[str, FloatArray] = {}
    dout, grads[f"W{last}"], grads[f"b{last}"] = affine_backward(dout, affine)
    for i in range(last - 1, 0, -1):
        affine, norm, relu, dropout = tape[i - 1]
        dout = relu_backward(dropout_backward(dout, dropout), relu)
        if net.normalization == "batchnorm":
            dout, grads[f"gamma{i}"], grads[f"beta{i}"] = batchnorm_backward(dout, norm)
        elif net.normalization == "layernorm":
            dout, grads[f"gamma{i}"], grads[f"beta{i}"] = layernorm_backward(dout, norm)
        dout, grads[f"W{i}"], grads[f"b{i}"] = affine_backward(dout, affine)
    for i in range(1, last + 1):
        loss += 0.5 * net.reg * float((p[f"W{i}"] ** 2).sum())
        grads[f"W{i}"] = grads[f"W{i}"] + net.reg * p[f"W{i}"]
    return loss, grads, running


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("config", CONFIGS)
def test_the_net_is_its_layers_one_after_the_other(config: dict[str, Any], scaling: Scaling) -> None:
    net = shaken(make(**config, scaling=scaling))
    X, y = draw(net)
    for step in range(3):
        expected, expected_grads, expected_running = by_hand(net, X, y, step)
        loss, grads = net.loss(X, y)
        assert loss == pytest.approx(expected, rel=1e-13)
        assert list(grads) == list(net.params)
        for name, grad in grads.items():
            np.testing.assert_allclose(grad, expected_grads[name], rtol=1e-12, atol=1e-14, err_msg=name)
        for name, array in net.running.items():
            np.testing.assert_allclose(array, expected_running[name], rtol=1e-13, err_msg=name)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_the_output_layer_is_affine_and_nothing_else(normalization: Any) -> None:
    """With the last weights zero the scores are the last bias in all rows, however negative, in both modes."""
    net = make(normalization=normalization, dropout=0.5, loss="mse")
    X, _ = draw(net, rows=50)
    bias = np.array([-5.0, 0.0, 7.0])
    net.params["W3"], net.params["b3"] = np.zeros((5, 3)), bias
    np.testing.assert_array_equal(net.scores(X), np.tile(bias, (50, 1)))
    loss, _ = net.loss(X, np.tile(bias, (50, 1)))
    assert loss == 0
    assert not {"gamma3", "beta3", "running_mean3"} & {*net.params, *net.running}


def dropped(net: FullyConnectedNet, X: AnyArray, layer: int, **options: Any) -> AnyArray:
    """Which units of a hidden layer were dropped for each row, read off a net whose units are all active.

    For a single row, unit j of a layer was dropped exactly where row j of the next weights has no gradient.
    """
    patterns = []
    for row in range(len(X)):
        _, grads = net.copy().loss(X[row : row + 1], np.zeros((1, net.num_classes)), **options)
        patterns.append((grads[f"W{layer + 1}"] == 0).all(axis=1))
    return np.array(patterns)


def all_active(**options: Any) -> FullyConnectedNet:
    """A net whose hidden units are all positive, so that zeros come from dropout alone."""
    net = make((40, 30), dropout=0.5, loss="mse", **options)
    net.params.flat[:] = np.abs(net.params.flat) + 0.01
    return net


def test_masks_are_those_of_seed_step_and_layer() -> None:
    net = all_active(seed=12)
    X = np.ones((1, 6))
    for step, (layer, width) in itertools.product((0, 1, 7), ((1, 40), (2, 30))):
        expected = ~keep_mask(0.5, (1, width), seed=12, step=step, layer=layer - 1)
        np.testing.assert_array_equal(dropped(net, X, layer, step=step), expected)


def test_masks_differ_between_calls_and_repeat_with_the_step() -> None:
    net = make(dropout=0.5, hidden=(50,))
    X, y = draw(net)
    losses = [net.loss(X, y)[0] for _ in range(5)]
    assert len(set(losses)) == 5
    assert net.step == 5
    assert [net.loss(X, y, step=step)[0] for step in range(5)] == losses
    assert net.step == 5


def test_masks_differ_between_layers_of_equal_width() -> None:
    net = make((60, 60), dropout=0.5, loss="mse")
    net.params.flat[:] = np.abs(net.params.flat) + 0.01
    first, second = (dropped(net, np.ones((1, 6)), layer) for layer in (1, 2))
    assert 0 < first.sum() < 60
    assert 0 < second.sum() < 60
    assert (first != second).any()


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_gradients_belong_to_the_caller(normalization: Any) -> None:
    net = make(normalization=normalization, dropout=0.3, reg=0.1)
    X, y = draw(net)
    _, first = net.loss(X, y, step=0)
    kept = {name: grad.copy() for name, grad in first.items()}
    _, second = net.loss(X + 1, y, step=1)
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


def test_gradients_in_place_are_those_of_loss() -> None:
    net = make(normalization="batchnorm", dropout=0.3, reg=0.1)
    X, y = draw(net)
    gradients = net.params.zeros_like()
    gradients.flat[:] = np.nan  # what was there must not matter
    loss = net.inplace_gradients(X, y, gradients, step=4)
    expected, expected_grads = net.loss(X, y, step=4)
    assert loss == expected
    for name, grad in expected_grads.items():
        np.testing.assert_array_equal(gradients[name], grad)
    net.inplace_gradients(X, y, gradients)
    assert net.step == 1


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_scores_are_deterministic_and_leave_the_net_as_it_was(normalization: Any) -> None:
    net = make(normalization=normalization, dropout=0.5)
    X, y = draw(net)
    net.loss(X, y)
    before = net.params.flat.tobytes(), net.running.flat.tobytes(), net.step
    scores = net.loss(X)
    np.testing.assert_array_equal(scores, net.scores(X))
    np.testing.assert_array_equal(scores, net.loss(X))
    np.testing.assert_array_equal(net.predict(X), scores.argmax(axis=1))
    assert (net.params.flat.tobytes(), net.running.flat.tobytes(), net.step) == before
    assert scores.shape == (8, 3)
    assert scores.dtype == np.float64


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("scaling", SCALINGS)
def test_scores_of_a_row_do_not_depend_on_the_others(normalization: Any, scaling: Scaling) -> None:
    net = shaken(make(normalization=normalization, dropout=0.5, scaling=scaling))
    X, y = draw(net)
    net.loss(X, y)  # so that the running statistics are those of something
    scores = net.scores(X)
    for row in range(len(X)):
        np.testing.assert_allclose(net.scores(X[row : row + 1])[0], scores[row], rtol=1e-12)
    np.testing.assert_allclose(net.scores(X[::-1]), scores[::-1], rtol=1e-12)


def test_scores_and_training_are_the_same_map_without_dropout_and_batchnorm() -> None:
    for normalization in (None, "layernorm"):
        net = make(normalization=normalization, loss="mse")
        X, _ = draw(net)
        assert net.loss(X, net.scores(X))[0] < 1e-28


def test_many_rows_are_scored_in_pieces_and_none_gives_none() -> None:
    net = make(normalization="batchnorm")
    X = np.random.default_rng(0).standard_normal((2 * ROWS_AT_ONCE + 1, 6))
    scores = net.scores(X)
    assert scores.shape == (2 * ROWS_AT_ONCE + 1, 3)
    for row in (0, ROWS_AT_ONCE - 1, ROWS_AT_ONCE, 2 * ROWS_AT_ONCE):
        np.testing.assert_allclose(scores[row], net.scores(X[row][None])[0], rtol=1e-12)
    assert net.scores(X[:0]).shape == (0, 3)
    assert net.predict(X[:0]).shape == (0,)


def test_equal_seeds_give_equal_bits_and_others_others() -> None:
    nets = [make(dropout=0.5, seed=seed) for seed in (5, 5, 6)]
    X, y = draw(nets[0])
    results = [(net.params.flat.tobytes(), net.loss(X, y)[0]) for net in nets]
    assert results[0] == results[1]
    assert results[0][0] != results[2][0]
    nets[2].params.flat[:] = nets[0].params.flat
    assert nets[2].loss(X, y, step=0)[0] != nets[0].loss(X, y, step=0)[0], "masks are of the seed too"


def test_without_a_seed_one_is_drawn_and_kept() -> None:
    first, second = make(seed=None), make(seed=None)
    assert first.seed != second.seed
    assert (first.params.flat != second.params.flat).any()
    np.testing.assert_array_equal(make(seed=first.seed).params.flat, first.params.flat)


def test_the_generator_of_numpy_is_left_alone() -> None:
    state = np.random.get_state()  # noqa: NPY002
    net = make(dropout=0.5)
    net.loss(*draw(net))
    after = np.random.get_state()  # noqa: NPY002
    assert pickle.dumps(state) == pickle.dumps(after)


@pytest.mark.parametrize(("weight_scale", "expected"), [("he", math.sqrt(2 / 300)), (0.05, 0.05), (1, 1.0)])
def test_weights_begin_normal_with_the_scale_asked_for(weight_scale: Any, expected: float) -> None:
    """300 × 400 normal draws: mean and standard deviation lie within 6 standard errors with probability 1 − 4e-9."""
    net = FullyConnectedNet([400], 300, 10, weight_scale=weight_scale, normalization="batchnorm", seed=0)
    W, n = net.params["W1"].astype(np.float64), 300 * 400
    assert abs(W.mean()) < 6 * expected / math.sqrt(n)
    assert W.std() == pytest.approx(expected, rel=6 / math.sqrt(2 * n))
    fourth = (W**4).mean() / expected**4  # 3 for a normal distribution, with variance 96 / n
    assert fourth == pytest.approx(3, abs=6 * math.sqrt(96 / n))
    for name in ("b1", "b2", "beta1"):
        assert not net.params[name].any()
    assert (net.params["gamma1"] == 1).all()
    assert not net.running["running_mean1"].any()
    assert (net.running["running_var1"] == 1).all()


def test_he_looks_at_the_inputs_of_each_layer() -> None:
    net = FullyConnectedNet([1000, 1000], 10, 10, weight_scale="he", seed=0)
    assert net.params["W1"].std() == pytest.approx(math.sqrt(2 / 10), rel=0.05)
    assert net.params["W2"].std() == pytest.approx(math.sqrt(2 / 1000), rel=0.05)


def test_weight_scale_zero_gives_the_loss_of_a_guess() -> None:
    net = make(weight_scale=0)
    assert net.loss(*draw(net))[0] == pytest.approx(math.log(3), rel=1e-14)


@pytest.mark.parametrize(("scaling", "expected"), [("inverted", 1.0), ("classic", 1.0), ("unscaled", 1 / 0.6)])
def test_training_sees_the_mean_of_test_except_where_unscaled(scaling: Scaling, expected: float) -> None:
    """One hidden layer of 2000 units, all 1, whose mean is the score; with targets 0, db2 is twice the mean score."""
    net = FullyConnectedNet(
        [2000], 4, 1, dropout=0.4, scaling=scaling, loss="mse", dtype=np.float64, seed=3, weight_scale=0
    )
    net.params["b1"], net.params["W2"] = np.ones(2000), np.full((2000, 1), 1 / 2000)
    X = np.zeros((500, 4))
    train = net.loss(X, np.zeros((500, 1)))[1]["b2"].item() / 2
    test = net.scores(X).mean()
    six_errors = 6 * math.sqrt(0.4 / 0.6 / (500 * 2000))
    assert test / train == pytest.approx(expected, rel=six_errors)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_everything_is_of_the_dtype_asked_for(normalization: Any, dtype: str, loss: str) -> None:
    net = make(normalization=normalization, dropout=0.5, reg=0.1, dtype=dtype, loss=loss)
    assert net.dtype == net.params.dtype == net.running.dtype == dtype
    for kind in (np.float32, np.float64):
        X, y = draw(net)
        value, grads = net.loss(X.astype(kind), y)
        assert type(value) is float
        assert {grad.dtype.name for grad in grads.values()} == {dtype}
        assert net.scores(X.astype(kind)).dtype == dtype


def test_inputs_of_any_real_dtype_are_taken_and_left_alone() -> None:
    net = make()
    X = np.random.default_rng(0).integers(0, 2, (4, 6))
    expected = net.scores(X.astype(np.float64))
    for kind in (np.uint8, np.int64, np.float32, bool):
        given = X.astype(kind)
        np.testing.assert_array_equal(net.scores(given), expected)
        np.testing.assert_array_equal(given, X)
    np.testing.assert_array_equal(net.scores(X.tolist()), expected)
    images = X.reshape(4, 3, 2, 1)
    np.testing.assert_array_equal(net.scores(images), expected)
    y = np.array([0, 1, 2, 0])
    assert net.loss(images, y, step=0)[0] == net.loss(X, y, step=0)[0]


def test_no_argument_is_changed_by_a_training_step() -> None:
    for loss in LOSSES:
        net = make(normalization="batchnorm", dropout=0.5, reg=0.1, loss=loss)
        X, y = draw(net)
        X.flags.writeable = y.flags.writeable = False
        before = net.params.flat.copy()
        net.loss(X, y)
        np.testing.assert_array_equal(net.params.flat, before)


def test_a_net_without_hidden_layers_is_a_linear_classifier() -> None:
    net = make((), dropout=0.5, normalization="batchnorm", reg=0.2)
    assert list(net.params) == ["W1", "b1"]
    assert net.num_layers == 1
    X, y = draw(net)
    np.testing.assert_allclose(net.scores(X), X @ net.params["W1"] + net.params["b1"], rtol=1e-13)
    assert net.loss(X, y)[0] == net.loss(X, y)[0], "there is nothing to drop"
    assert max(check_gradients(net, X, y).errors.values()) < 1e-7


def test_the_penalty_is_on_weights_only() -> None:
    plain, penalized = (shaken(make(normalization="layernorm", reg=reg)) for reg in (0.0, 0.5))
    X, y = draw(plain)
    (loss, grads), (more, more_grads) = plain.loss(X, y), penalized.loss(X, y)
    W = {name: array for name, array in plain.params.items() if name.startswith("W")}
    assert more - loss == pytest.approx(0.25 * sum(float((w**2).sum()) for w in W.values()), rel=1e-12)
    for name in grads:
        extra = 0.5 * W[name] if name in W else np.zeros_like(grads[name])
        np.testing.assert_allclose(more_grads[name] - grads[name], extra, rtol=1e-12, atol=1e-15)


COPIES = {"copy": FullyConnectedNet.copy, "deepcopy": copy.deepcopy, "pickle": lambda n: pickle.loads(pickle.dumps(n))}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_goes_on_as_the_net_would_and_apart_from_it(how: str) -> None:
    net = make(normalization="batchnorm", dropout=0.5)
    X, y = draw(net)
    net.loss(X, y)
    other: FullyConnectedNet = COPIES[how](net)  # type: ignore[operator]
    assert not np.shares_memory(other.params.flat, net.params.flat)
    assert not np.shares_memory(other.running.flat, net.running.flat)
    assert np.shares_memory(other.params["W1"], other.params.flat)
    assert (other.seed, other.step) == (net.seed, net.step)
    assert other.loss(X, y)[0] == net.loss(X, y)[0]
    np.testing.assert_array_equal(other.running.flat, net.running.flat)
    before = net.params.flat.copy()
    other.params.flat[:] = 0
    np.testing.assert_array_equal(net.params.flat, before)


def test_a_copy_of_another_dtype_has_the_same_numbers() -> None:
    net = make(normalization="batchnorm", dropout=0.5, dtype=np.float32)
    X, y = draw(net)
    net.loss(X, y)
    other = net.copy(np.float64)
    assert other.dtype == other.params.dtype == other.running.dtype == other.scores(X).dtype == np.float64
    assert net.dtype == net.params.dtype == np.float32
    np.testing.assert_array_equal(other.params.flat, net.params.flat)
    np.testing.assert_array_equal(other.running.flat, net.running.flat)
    assert other.loss(X, y)[0] == pytest.approx(net.loss(X, y)[0], rel=1e-5)
    with pytest.raises(ArgumentError, match="dtype must be one of 'float32', 'float64', got 'float16'"):
        net.copy(np.float16)


def test_its_text() -> None:
    net = FullyConnectedNet([20, 10], 30, 5, dropout=0.25, normalization="layernorm", seed=0)
    text = "<FullyConnectedNet 30-20-10-5: dropout 0.25, normalization layernorm, 945 parameters of float32>"
    assert repr(net) == text


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("hidden_dims", [0], "hidden_dims must be an integer >= 1, got 0"),
        ("hidden_dims", [10, 2.5], r"hidden_dims must be an integer >= 1, got 2\.5 \(float\)"),
        ("hidden_dims", 100, r"hidden_dims must be a sequence of integers, got 100\. Use \[100\] for one layer"),
        ("input_dim", 0, "input_dim must be an integer >= 1, got 0"),
        ("num_classes", -1, "num_classes must be an integer >= 1, got -1"),
        ("dropout", 1.0, r"dropout must be a number in \[0, 1\), got 1\.0\. .* use 0 for no dropout"),
        ("dropout", math.nan, r"dropout must be a number in \[0, 1\), got nan"),
        (
            "normalization",
            "batch",
            "normalization must be one of None, 'batchnorm', 'layernorm', got 'batch'. Did you me",
        ),
        ("reg", -0.1, r"reg must be a number >= 0, got -0\.1\. .* use 0 for none"),
        ("weight_scale", "xavier", r"weight_scale must be a number >= 0, got 'xavier' \(str\)\. .* or 'he'"),
        ("weight_scale", -1.0, r"weight_scale must be a number >= 0, got -1\.0"),
        ("dtype", np.float16, "dtype must be one of 'float32', 'float64', got 'float16'"),
        ("dtype", "flaot32", r"dtype must be one of 'float32', 'float64', got 'flaot32'\. Did you mean 'float32'\?"),
        ("dtype", None, "dtype must be one of 'float32', 'float64', got 'None'"),
        ("seed", -1, "seed must be an integer in .*, got -1"),
        ("seed", 0.5, r"seed must be an integer in .*, got 0\.5 \(float\)"),
        ("loss", "hinge", "loss must be one of 'softmax', 'svm', 'mse', 'logistic', got 'hinge'"),
        (
            "scaling",
            "scaled",
            "scaling must be one of 'inverted', 'classic', 'unscaled', got 'scaled'. Did you mean 'uns",
        ),
    ],
)
def test_arguments_outside_their_limits_are_refused(option: str, value: Any, text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        FullyConnectedNet(**{"hidden_dims": [5], option: value})


@pytest.mark.parametrize(
    ("X", "text"),
    [
        (np.zeros((2, 5)), r"X must have shape \(N, 6\), or one that flattens to it, got \(2, 5\)\. Put one example"),
        (np.zeros(6), r"X must have shape \(N, 6\), .*, got \(6,\)"),
        (np.zeros((2, 3, 3)), r"X must have shape \(N, 6\), .*, got \(2, 3, 3\)"),
        (np.zeros((2, 6), complex), "X must be real numbers, got dtype complex128. Encode it as numbers first"),
        (np.full((2, 6), "a"), "X must be real numbers, got dtype <U1"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_in_both_modes(X: AnyArray, text: str) -> None:
    net = make()
    for call in (lambda: net.loss(X, np.zeros(2, int)), lambda: net.loss(X), lambda: net.predict(X)):
        with pytest.raises(ArgumentError, match=text):
            call()
    assert net.step == 0


@pytest.mark.parametrize(
    ("loss", "y", "text"),
    [
        ("softmax", np.array([0, 3]), r"softmax_loss: y must be labels from 0 to 2, got y\[1\] = 3"),
        ("svm", np.array([0.0, 1.0]), "svm_loss: y must be a NumPy array of integer class labels, got dtype float64"),
        ("softmax", np.array([0]), r"softmax_loss: y must be of shape \(2,\), one label a row, got \(1,\)"),
        ("mse", np.zeros(2), r"mse_loss: y must have shape \(N, C\) .*, got \(2,\)"),
    ],
)
def test_targets_that_do_not_fit_are_refused(loss: str, y: AnyArray, text: str) -> None:
    net = make(loss=loss)
    with pytest.raises(ArgumentError, match=text):
        net.loss(np.zeros((2, 6)), y)


def test_an_empty_batch_and_a_step_outside_its_limits_are_refused() -> None:
    net = make()
    with pytest.raises(ArgumentError, match=r"softmax_loss: scores must have at least one row .* Skip empty batches"):
        net.loss(np.zeros((0, 6)), np.zeros(0, int))
    with pytest.raises(ArgumentError, match=r"step must be an integer in .*, got -1"):
        net.loss(np.zeros((1, 6)), np.zeros(1, int), step=-1)


# Assigning all parameters


def test_a_mapping_of_parameters_is_copied_into_the_buffer() -> None:
    net, other = (FullyConnectedNet([4], 3, 2, seed=seed) for seed in (0, 1))
    flat = net.params.flat
    net.params = dict(other.params)
    assert net.params.flat is flat
    np.testing.assert_array_equal(flat, other.params.flat)
    assert flat is not other.params.flat


def test_a_mapping_that_does_not_fit_changes_nothing() -> None:
    net = FullyConnectedNet([4], 3, 2, seed=0)
    before = net.params.flat.copy()
    right = {name: array + 1 for name, array in net.params.items()}
    with pytest.raises(ArgumentError, match=r"params must be a mapping with only .*got 'w1'. Did you mean 'W1'"):
        net.params = {**right, "w1": np.ones((3, 4))}
    with pytest.raises(ArgumentError, match=r"with every name, got one without b2"):
        net.params = {name: right[name] for name in ("W1", "b1", "W2")}
    with pytest.raises(ArgumentError, match=r"params\['b2'\] must have shape \(2,\), got \(3,\)"):
        net.params = {**right, "b2": np.ones(3)}
    np.testing.assert_array_equal(net.params.flat, before)


@pytest.mark.parametrize("fused", [True, False])
def test_a_refused_batch_is_no_training_step(fused: bool) -> None:
    net = FullyConnectedNet([4], 3, 2, normalization="batchnorm", seed=0)
    net.fused = fused
    running = net.running.flat.copy()
    with pytest.raises(ArgumentError, match="labels from 0 to 1"):
        net.loss(np.ones((2, 3)), np.array([0, 2]))
    assert net.step == 0
    np.testing.assert_array_equal(net.running.flat, running)
