"""The oriented gradients example: the readable function, the fast one, their features for simple images, and speed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba", reason="Numba compiles the example's loops")

import cifar10_speed
from oriented_gradients import (
    CELLS,
    DIRECTIONS,
    NUM_GRADIENTS,
    oriented_gradients,
    readable,
    with_oriented_gradients,
)
from thinnet import DataError, Dataset


def directions(image: Any) -> Any:
    """The features of one (3, 32, 32) image as (direction, row, column)."""
    return oriented_gradients(image.reshape(1, -1))[0, :NUM_GRADIENTS].reshape(DIRECTIONS, CELLS, CELLS)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_the_fast_loops_give_the_same_in_pieces_and_as_a_whole(dtype: Any) -> None:
    X = np.random.default_rng(0).integers(0, 256, (20, 3072)).astype(dtype)
    whole = oriented_gradients(X)
    images = X.astype(np.float32).reshape(-1, 3, 32, 32)
    np.testing.assert_allclose(whole, readable(images), rtol=1e-4, atol=1e-3)
    np.testing.assert_array_equal(whole, np.concatenate([oriented_gradients(X[:7]), oriented_gradients(X[7:])]))


def test_a_plain_image_has_no_gradients_and_its_own_color() -> None:
    image = np.stack([np.full((32, 32), value, np.uint8) for value in (10, 20, 30)])
    features = oriented_gradients(image.reshape(1, -1))[0]
    np.testing.assert_allclose(features[:NUM_GRADIENTS], 0, atol=1e-2)
    np.testing.assert_allclose(features[NUM_GRADIENTS:], np.repeat([10, 20, 30], CELLS * CELLS), rtol=1e-6)


def test_a_ramp_points_in_its_direction() -> None:
    across = np.broadcast_to(np.arange(32.0), (3, 32, 32))
    inside = directions(across)[:, 2:-2, 2:-2]
    # gx = 2 at every pixel, gy = 0: 16 pixels per cell, projected onto the direction.
    expected = np.sqrt(16 * 2 * np.maximum(np.cos(2 * np.pi * np.arange(8) / 8), 0))
    np.testing.assert_allclose(inside, np.broadcast_to(expected[:, None, None], inside.shape), rtol=1e-4, atol=2e-3)
    down = directions(across.transpose(0, 2, 1))[:, 2:-2, 2:-2]
    np.testing.assert_allclose(down[2], inside[0], rtol=1e-4)


def test_a_data_set_is_transformed_split_by_split() -> None:
    X = np.random.default_rng(0).integers(0, 256, (6, 3072), np.uint8)
    data = Dataset(X, np.arange(6), X[:2], np.arange(2), image_shape=(3, 32, 32)).standardized("mean")
    changed = with_oriented_gradients(data)
    np.testing.assert_array_equal(changed.X_val, oriented_gradients(X[:2]))
    np.testing.assert_array_equal(changed.batch("train")[0], oriented_gradients(X))
    assert changed.image_shape is None
    assert changed.X_test is None


def test_other_shapes_are_refused() -> None:
    with pytest.raises(DataError, match=r"X must have shape \(N, 3072\), .* got \(2, 64\)"):
        oriented_gradients(np.zeros((2, 64)))


def test_the_speed_example_reaches_its_goal_on_real_images(
    cifar10_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cifar10_speed.main(["--root", str(cifar10_root), "--seeds", "1"])
    assert "1 of 1 seeds reached 55%" in capsys.readouterr().out
