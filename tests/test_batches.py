"""The order of minibatches: each epoch a permutation, each step a pure function of the seed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from thinnet import ArgumentError
from thinnet.data.batches import SAMPLINGS, BatchOrder, Sampling

IN_EACH_SAMPLING = pytest.mark.parametrize("sampling", SAMPLINGS)


@settings(max_examples=100)
@given(num_rows=st.integers(1, 60), batch_size=st.integers(1, 80), seed=st.integers(0, 2**64 - 1))
def test_an_epoch_deals_out_each_row_exactly_once(num_rows: int, batch_size: int, seed: int) -> None:
    order = BatchOrder(num_rows, batch_size, seed)
    size = min(batch_size, num_rows)
    assert order.batch_size == size
    assert order.steps_per_epoch == math.ceil(num_rows / size)
    for epoch in range(3):
        steps = range(epoch * order.steps_per_epoch, (epoch + 1) * order.steps_per_epoch)
        batches = [order.rows(step) for step in steps]
        assert all(batch.ndim == 1 and batch.dtype == np.int64 for batch in batches)
        sizes = [len(batch) for batch in batches]
        assert sizes == sorted(sizes, reverse=True)
        assert max(sizes) == order.largest <= size
        assert min(sizes) == order.smallest >= order.largest - 1
        np.testing.assert_array_equal(np.sort(np.concatenate(batches)), np.arange(num_rows))


@settings(max_examples=100)
@given(num_rows=st.integers(2, 60), batch_size=st.integers(2, 80))
def test_no_minibatch_is_a_single_row_where_two_are_needed(num_rows: int, batch_size: int) -> None:
    order = BatchOrder(num_rows, batch_size, seed=0, fewest=2)
    batches = [order.rows(step) for step in range(order.steps_per_epoch)]
    assert min(map(len, batches)) == order.smallest >= 2
    assert max(map(len, batches)) == order.largest <= (3 if batch_size == 2 else batch_size)
    np.testing.assert_array_equal(np.sort(np.concatenate(batches)), np.arange(num_rows))


def test_single_rows_that_are_asked_for_stay_single() -> None:
    assert BatchOrder(5, 1, seed=0, fewest=2).steps_per_epoch == 5


def test_an_epoch_of_whole_batches_is_a_permutation_and_each_another_one() -> None:
    order = BatchOrder(60, 20, seed=1)
    epochs = [np.concatenate([order.rows(3 * epoch + i) for i in range(3)]) for epoch in range(4)]
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(60))
    assert len({epoch.tobytes() for epoch in epochs}) == 4


def test_epochs_with_replacement_are_as_many_whole_batches_as_there_are_rows_for() -> None:
    order = BatchOrder(11, 5, seed=0, sampling="replacement")
    assert order.steps_per_epoch == 2
    assert (order.largest, order.smallest) == (5, 5)
    assert [len(order.rows(step)) for step in range(4)] == [5] * 4
    drawn = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(0, 3))).integers(11, size=5)
    np.testing.assert_array_equal(order.rows(3), drawn)


@IN_EACH_SAMPLING
def test_a_step_gives_the_same_rows_whatever_was_asked_before(sampling: Sampling) -> None:
    order = BatchOrder(50, 8, seed=3, sampling=sampling)
    forth = [order.rows(step) for step in range(30)]
    for step in (*reversed(range(30)), 7, 29, 0, 0):
        np.testing.assert_array_equal(order.rows(step), forth[step])
        np.testing.assert_array_equal(BatchOrder(50, 8, seed=3, sampling=sampling).rows(step), forth[step])


@IN_EACH_SAMPLING
def test_the_rows_belong_to_the_caller(sampling: Sampling) -> None:
    order = BatchOrder(50, 8, seed=3, sampling=sampling)
    first = order.rows(0)
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(order.rows(0), kept)


@IN_EACH_SAMPLING
def test_other_seeds_and_other_steps_give_other_rows(sampling: Sampling) -> None:
    seeds = (0, 1, 2, 2**32, 2**63, 2**64 - 1)
    batches = [BatchOrder(1000, 50, seed, sampling).rows(step) for seed in seeds for step in (0, 1, 19, 20)]
    assert len({batch.tobytes() for batch in batches}) == len(batches)


@IN_EACH_SAMPLING
def test_no_seed_and_epoch_meet_those_of_another(sampling: Sampling) -> None:
    """A long seed must not overlap with the epoch number: seed 5, epoch 3 differs from seed 5 + 3 · 2³², epoch 0."""
    one = BatchOrder(100, 100, 5, sampling).rows(3)
    other = BatchOrder(100, 100, 5 + 3 * 2**32, sampling).rows(0)
    assert (one != other).any()


@IN_EACH_SAMPLING
def test_the_order_is_not_drawn_from_the_bits_of_the_initial_weights(sampling: Sampling) -> None:
    """A net draws its weights from `default_rng(seed)`; a solver takes the same seed."""
    rows = BatchOrder(1000, 1000, 7, sampling).rows(0)
    assert (rows != np.random.default_rng(7).permutation(1000)).any()
    assert (rows != np.random.default_rng(7).integers(1000, size=1000)).any()


@IN_EACH_SAMPLING
def test_a_batch_larger_than_the_data_is_all_of_it(sampling: Sampling) -> None:
    order = BatchOrder(5, 100, seed=0, sampling=sampling)
    assert (order.batch_size, order.steps_per_epoch) == (5, 1)
    assert order.rows(0).shape == (5,)
    if sampling == "epoch":
        np.testing.assert_array_equal(np.sort(order.rows(3)), np.arange(5))


def test_replacement_draws_rows_more_than_once_and_all_equally_often() -> None:
    order = BatchOrder(20, 20, seed=0, sampling="replacement")
    batches = np.array([order.rows(step) for step in range(2000)])
    assert (batches.min(), batches.max()) == (0, 19)
    assert any(len(set(batch)) < 20 for batch in batches.tolist())
    assert stats.chisquare(np.bincount(batches.ravel(), minlength=20)).pvalue > 1e-9


def test_shuffling_puts_each_row_in_each_place_equally_often() -> None:
    order = BatchOrder(8, 8, seed=0)
    epochs = np.array([order.rows(step) for step in range(4000)])
    for place in range(8):
        assert stats.chisquare(np.bincount(epochs[:, place], minlength=8)).pvalue > 1e-9


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"batch_size": 0}, "batch_size must be an integer >= 1, got 0"),
        ({"batch_size": 2.0}, r"batch_size must be an integer >= 1, got 2\.0 \(float\)"),
        ({"batch_size": math.inf}, r"batch_size must be an integer >= 1, got inf \(float\)"),
        ({"seed": -1}, "seed must be an integer from 0 to .*, got -1"),
        (
            {"sampling": "epochs"},
            r"sampling must be one of 'epoch', 'replacement', got 'epochs'\. Did you mean 'epoch'\?",
        ),
    ],
)
def test_arguments_outside_their_limits_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        BatchOrder(**{"num_rows": 10, "batch_size": 2, "seed": 0, **options})
