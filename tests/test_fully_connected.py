"""FullyConnectedNet as an object: initial weights, dtype, copies, and what may be assigned."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest

from small_nets import draw, make
from thinnet import ArgumentError, Dataset, FullyConnectedNet
from thinnet.layers import LOSSES
from thinnet.spec import DTYPES, NORMALIZATIONS
from thinnet.state import State


def test_equal_seeds_give_equal_bits_and_others_others() -> None:
    nets = [make(dropout=0.5, seed=seed) for seed in (5, 5, 6)]
    X, y = draw(nets[0])
    results = [(net.params.flat.tobytes(), net.loss(X, y, training=True)[0]) for net in nets]
    assert results[0] == results[1]
    assert results[0][0] != results[2][0]
    nets[2].params.flat[:] = nets[0].params.flat
    assert nets[2].loss(X, y, step=0, training=True)[0] != nets[0].loss(X, y, step=0, training=True)[0], (
        "masks are of the seed too"
    )


def test_without_a_seed_one_is_drawn_and_kept() -> None:
    first, second = make(seed=None), make(seed=None)
    assert first.seed != second.seed
    assert (first.params.flat != second.params.flat).any()
    np.testing.assert_array_equal(make(seed=first.seed).params.flat, first.params.flat)


def test_the_generator_of_numpy_is_left_alone() -> None:
    state = np.random.get_state()  # noqa: NPY002
    net = make(dropout=0.5)
    net.loss(*draw(net), training=True)
    after = np.random.get_state()  # noqa: NPY002
    assert pickle.dumps(state) == pickle.dumps(after)


@pytest.mark.parametrize(("weight_scale", "expected"), [("he", math.sqrt(2 / 300)), (0.05, 0.05), (1, 1.0)])
def test_weights_begin_normal_with_the_scale_asked_for(weight_scale: Any, expected: float) -> None:
    """300 × 400 normal draws: mean and standard deviation are within 6 standard errors with probability 1 − 4e-9."""
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
    assert net.loss(*draw(net), training=True)[0] == pytest.approx(math.log(3), rel=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_everything_is_of_the_dtype_asked_for(normalization: Any, dtype: str, loss: str) -> None:
    net = make(normalization=normalization, dropout=0.5, reg=0.1, dtype=dtype, loss=loss)
    assert net.dtype == net.params.dtype == net.running.dtype == dtype
    for kind in (np.float32, np.float64):
        X, y = draw(net)
        value, grads = net.loss(X.astype(kind), y, training=True)
        assert type(value) is float
        assert {grad.dtype.name for grad in grads.values()} == {dtype}
        assert net.scores(X.astype(kind)).dtype == dtype


def test_no_argument_is_changed_by_a_training_step() -> None:
    for loss in LOSSES:
        net = make(normalization="batchnorm", dropout=0.5, reg=0.1, loss=loss)
        X, y = draw(net)
        X.flags.writeable = y.flags.writeable = False
        before = net.params.flat.copy()
        net.loss(X, y, training=True)
        np.testing.assert_array_equal(net.params.flat, before)


COPIES = {"copy": FullyConnectedNet.copy, "deepcopy": copy.deepcopy, "pickle": lambda n: pickle.loads(pickle.dumps(n))}


@pytest.mark.parametrize("mask", ["element", "batch"])
@pytest.mark.parametrize("how", COPIES)
def test_a_copy_goes_on_as_the_net_would_and_apart_from_it(how: str, mask: Any) -> None:
    net = make(normalization="batchnorm", dropout=0.5, dropout_mask=mask)
    X, y = draw(net)
    net.loss(X, y, training=True)
    other: FullyConnectedNet = COPIES[how](net)  # type: ignore[operator]
    assert not np.shares_memory(other.params.flat, net.params.flat)
    assert not np.shares_memory(other.running.flat, net.running.flat)
    assert np.shares_memory(other.params["W1"], other.params.flat)
    assert (other.seed, other.step, other.params.order) == (net.seed, net.step, net.params.order)
    assert other.loss(X, y, training=True)[0] == net.loss(X, y, training=True)[0]
    np.testing.assert_array_equal(other.running.flat, net.running.flat)
    before = net.params.flat.copy()
    other.params.flat[:] = 0
    np.testing.assert_array_equal(net.params.flat, before)


@pytest.mark.parametrize("how", [State.copy, copy.deepcopy])
def test_a_copy_of_the_state_has_the_same_numbers_in_buffers_of_its_own(how: Any) -> None:
    state = make(normalization="batchnorm").state
    other = how(state)
    for mine, theirs in ((state.params, other.params), (state.running, other.running)):
        np.testing.assert_array_equal(theirs.flat, mine.flat)
        assert not np.shares_memory(theirs.flat, mine.flat)
    assert np.shares_memory(other.params["W1"], other.params.flat)


@pytest.mark.parametrize("mask", ["element", "batch"])
def test_a_copy_of_another_dtype_has_the_same_numbers(mask: Any) -> None:
    net = make(normalization="batchnorm", dropout=0.5, dropout_mask=mask, dtype=np.float32)
    X, y = draw(net)
    net.loss(X, y, training=True)
    other = net.copy(np.float64)
    assert other.dtype == other.params.dtype == other.running.dtype == other.scores(X).dtype == np.float64
    assert net.dtype == net.params.dtype == np.float32
    assert other.params.order == net.params.order
    np.testing.assert_array_equal(other.params.flat, net.params.flat)
    np.testing.assert_array_equal(other.running.flat, net.running.flat)
    assert other.loss(X, y, training=True)[0] == pytest.approx(net.loss(X, y, training=True)[0], rel=1e-5)
    with pytest.raises(ArgumentError, match="dtype must be one of 'float32', 'float64', got 'float16'"):
        net.copy(np.float16)


def test_its_text_is_a_summary() -> None:
    net = FullyConnectedNet(
        [20, 10], 30, 5, dropout=0.25, normalization="layernorm", activation="gelu", reg=0.1, seed=0
    )
    net.products = "numpy"
    assert repr(net).splitlines() == [
        "FullyConnectedNet 30-20-10-5: 945 parameters of float32, loss softmax, reg 0.1",
        "  layer 1   affine 30 -> 20, layernorm, gelu, dropout 0.25   660 parameters",
        "  layer 2   affine 20 -> 10, layernorm, gelu, dropout 0.25   230 parameters",
        "  layer 3   affine 10 -> 5                                    55 parameters",
    ]
    assert net.num_parameters == 945


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


@pytest.mark.parametrize(
    ("y", "text"),
    [([0, 2], "labels from 0 to 1"), ([0], r"shape \(2,\)"), ([0.0, 1.5], "integer class")],
    ids=str,
)
@pytest.mark.parametrize("fused", [True, False])
def test_a_refused_batch_is_no_training_step(fused: bool, y: list[float], text: str) -> None:
    net = FullyConnectedNet([4], 3, 2, normalization="batchnorm", seed=0)
    net.fused = fused
    running = net.running.flat.copy()
    with pytest.raises(ArgumentError, match=text):
        net.loss(np.ones((2, 3)), np.array(y), training=True)
    with pytest.raises(ArgumentError, match="at least one row"):
        net.loss(np.ones((0, 3)), np.zeros(0, int), training=True)
    assert net.step == 0
    np.testing.assert_array_equal(net.running.flat, running)


def test_a_net_for_what_is_no_data_set_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"input_dim must come from the data in for_data, got 7\. Leave it out\.$"):
        FullyConnectedNet.for_data(Dataset(np.ones((2, 3)), np.array([0, 1])), [5], input_dim=7)
    with pytest.raises(ArgumentError, match=r"data must be a Dataset, got None\. Make one with Dataset\("):
        FullyConnectedNet.for_data(None, [20])  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["no", "", None, 2, [True]])
def test_fused_is_true_or_false(value: Any) -> None:
    net = FullyConnectedNet([5], 4, 3, seed=0)
    with pytest.raises(ArgumentError, match="fused must be one of True, False, got "):
        net.fused = value
    net.fused = np.bool_(False)  # type: ignore[assignment]
    assert net.fused is False
