"""Augmentation: kernel and NumPy against a plain version; the effect on images, and what is refused."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augmented_images import HOW, SEED, images, make_data
from thinnet import ArgumentError, Dataset
from thinnet.data.augmentation import Augmentation
from thinnet.data.batches import BatchOrder
from thinnet.data.rows import RowReader
from thinnet.masks import random_bits
from thinnet.typing import AnyArray, FloatArray


@lru_cache
def bits(row: int, step: int) -> AnyArray:
    drawn_bits: AnyArray = random_bits((1, 64), seed=SEED, step=step, layer=2**32 - 1, first_row=row)[0]
    return drawn_bits


def drawn(row: int, step: int, column: int, count: int) -> int:
    """An integer below `count` from the random bits of a row and column; column 16 is a counter's second word."""
    return int(bits(row, step)[column]) * count >> 32


def plain(data: Dataset, row: int, step: int, epoch: int, dtype: Any) -> FloatArray:
    """A training row as training sees it, pixel by pixel."""
    how = data.augmentation
    assert how is not None
    channels, height, width = how.image
    k, s = how.translate, how.cutout
    down, right = drawn(row, step, 0, 2 * k + 1) - k, drawn(row, step, 16, 2 * k + 1) - k
    top, left = drawn(row, step, 32, height) - s // 2, drawn(row, step, 48, width) - s // 2
    flips = {
        "none": False,
        "random": drawn(row, step, 1, 2) == 1,
        "alternating": (drawn(row, 0, 1, 2) == 1) != (epoch % 2 == 1),
    }[how.flip]
    shift, scale = (np.broadcast_to(value, data.num_features) for value in (data.shift, data.scale))
    picture = ((data.X_train[row].astype(np.float64) - shift) * scale).astype(dtype).reshape(channels, height, width)
    picture = picture[:, :, ::-1] if flips else picture
    mode: Any = "reflect" if how.padding_mode == "reflect" else "constant"
    padded = np.pad(picture, ((0, 0), (k, k), (k, k)), mode=mode)
    moved: FloatArray = padded[:, k + down : k + down + height, k + right : k + right + width].copy()
    for y in range(height):
        for x in range(width):
            if top <= y < top + s and left <= x < left + s:
                moved[:, y, x] = 0
    return moved.reshape(-1)


CHOICES = st.fixed_dictionaries(
    {
        "flip": st.sampled_from(["none", "random", "alternating"]),
        "translate": st.integers(0, 12),
        "padding_mode": st.sampled_from(["zeros", "reflect"]),
        "cutout": st.integers(0, 13),
    }
)


# The dtypes of the data and of the batch, and whether the array is in column order. A pixel is read in one dtype,
# computed in float64 and written in the other; this covers each way to read and to write with few kernels to compile.
KINDS = [
    (np.uint8, np.float32, False),
    (np.float32, np.float32, True),
    (np.float64, np.float64, False),
]


@settings(max_examples=50)
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 13), st.integers(5, 19)),
    options=CHOICES,
    step=st.integers(0, 2**32 - 1),
    steps_per_epoch=st.integers(1, 3),
    kind=st.sampled_from(KINDS),
)
def test_kernel_and_numpy_give_the_plain_version_bit_for_bit(
    shape: tuple[int, int, int],
    options: dict[str, Any],
    step: int,
    steps_per_epoch: int,
    kind: tuple[Any, Any, bool],
) -> None:
    source, dtype, columns_first = kind
    side = min(shape[1:])
    options |= {"translate": min(options["translate"], side - 1), "cutout": min(options["cutout"], side)}
    X = images(12, shape, source).reshape(12, -1)
    X = np.asfortranarray(X) if columns_first else X
    data = Dataset(X, np.arange(12) % 3, image_shape=shape).standardized("feature").augmented(**options)
    rows = np.array([3, 11, 0, 3])
    epoch = step // steps_per_epoch
    order = BatchOrder(12, -(-12 // steps_per_epoch), SEED)
    assert order.epoch(step) == epoch
    by_numpy, labels = data.augmented_batch(rows, dtype, seed=SEED, step=step, epoch=epoch)
    np.testing.assert_array_equal(labels, rows % 3)
    assert by_numpy.dtype == dtype
    by_kernel = RowReader(data, "train", 5, dtype, order).read(rows, step).X
    np.testing.assert_array_equal(by_kernel, by_numpy)
    if data.augmentation:
        np.testing.assert_array_equal(by_numpy, [plain(data, int(row), step, epoch, dtype) for row in rows])


@pytest.mark.parametrize("kernels", [True, False])
class TestWhatHappensToAnImage:
    @pytest.fixture(autouse=True)
    def by(self, kernels: bool, request: pytest.FixtureRequest) -> None:
        if not kernels:
            request.getfixturevalue("without_kernels")

    def read(self, data: Dataset, step: int, rows: Any = None, **options: Any) -> FloatArray:
        order = BatchOrder(data.num_rows("train"), options.pop("batch_size", 10), seed=3)
        rows = np.arange(data.num_rows("train")) if rows is None else np.asarray(rows)
        out: FloatArray = RowReader(data, "train", len(rows), np.float32, order).read(rows, step).X.copy()
        return out

    def test_alternating_flips_change_with_the_epoch_and_show_each_side_in_two(self) -> None:
        X = images(400, (1, 2, 5))
        data = Dataset(X, np.zeros(400, int)).augmented(flip="alternating")  # 40 steps per epoch
        own, other = X.reshape(400, -1), X[..., ::-1].reshape(400, -1)
        first = self.read(data, 0)
        flipped = (first == other).all(axis=1)
        assert 150 < flipped.sum() < 250
        np.testing.assert_array_equal(first, np.where(flipped[:, None], other, own))
        for step, same in ((39, True), (40, False), (79, False), (80, True), (120, False)):
            wanted = np.where((flipped == same)[:, None], other, own)
            np.testing.assert_array_equal(self.read(data, step), wanted, err_msg=f"step {step}")

    def test_random_flips_are_drawn_anew_in_each_step(self) -> None:
        X = images(400, (1, 2, 5))
        data = Dataset(X, np.zeros(400, int)).augmented(flip="random")
        flipped = [(self.read(data, step) == X[..., ::-1].reshape(400, -1)).all(axis=1) for step in (0, 1)]
        assert all(150 < each.sum() < 250 for each in flipped)
        assert 150 < (flipped[0] != flipped[1]).sum() < 250

    def test_all_moves_and_all_squares_occur_alike(self) -> None:
        ones = Dataset(np.ones((2000, 1, 5, 5), np.uint8), np.zeros(2000, int))
        moved = self.read(ones.augmented(translate=2), 7).reshape(-1, 5, 5)
        lines: list[AnyArray] = [moved.max(axis=2), moved.max(axis=1)]
        down, right = (seen.argmax(axis=1) - seen[:, ::-1].argmax(axis=1) for seen in lines)
        counts = np.histogram2d(down, right, bins=5, range=[(-2.5, 2.5)] * 2)[0]
        assert counts.min() > 45
        assert counts.max() < 125
        cut = self.read(ones.augmented(cutout=3), 7).reshape(-1, 5, 5)
        sizes = np.bincount((cut == 0).sum(axis=(1, 2)), minlength=10)
        assert sizes[[4, 6, 9]].sum() == 2000  # in a corner, at a border, inside
        np.testing.assert_allclose(sizes[[4, 6, 9]] / 2000, [4 / 25, 12 / 25, 9 / 25], atol=0.05)

    def test_what_comes_in_is_the_mean_where_it_comes_in(self) -> None:
        data = make_data(translate=3, cutout=2)
        for row, origins in zip(
            self.read(data, 5),
            data.augmentation.origins(np.arange(30), seed=3, step=5, epoch=1),  # type: ignore[union-attr]
            strict=True,
        ):
            assert (row[origins < 0] == 0).all()
            assert (origins < 0).any()

    def test_a_row_does_not_depend_on_the_others_nor_on_the_process_that_has_it(self) -> None:
        data = make_data(rows=2500, flip="random", translate=3, padding_mode="reflect", cutout=2)
        whole = self.read(data, 9)
        np.testing.assert_array_equal(self.read(data, 9, rows=[2077, 5, 2077]), whole[[2077, 5, 2077]])
        for rank in range(3):
            share = data.shared(rank, 3)
            own = share.own_rows("train")
            np.testing.assert_array_equal(self.read(share, 9), whole[own])
        assert own.start > 0

    def test_seed_and_step_change_it(self) -> None:
        data = make_data(flip="random", translate=3)
        rows, order = np.arange(30), BatchOrder(30, 10, seed=4)
        assert (self.read(data, 1) != self.read(data, 2)).any()
        other = RowReader(data, "train", 30, np.float32, order).read(rows, 1).X
        assert (self.read(data, 1) != other).any()

    def test_only_minibatches_of_training_are_augmented(self) -> None:
        data, bare = make_data(flip="alternating", translate=2), make_data()
        order = BatchOrder(30, 10, seed=3)
        for split in ("train", "val", "test"):
            np.testing.assert_array_equal(data.batch(split)[0], bare.batch(split)[0])
            rows = np.arange(data.num_rows(split))
            got = RowReader(data, split, 30, np.float32, None if split == "train" else order).read(rows, 1).X
            np.testing.assert_array_equal(got, bare.batch(split)[0])
        assert (self.read(data, 1) != bare.batch("train")[0]).any()


class TestTheShapeOfImages:
    def test_it_comes_from_the_array(self) -> None:
        assert Dataset(images(4, (3, 2, 5)), np.arange(4)).augmented(flip="random").augmentation == Augmentation(
            "random", image_shape=(3, 2, 5)
        )
        gray = Dataset(images(4, (2, 5)), np.arange(4)).augmented(flip="random")
        assert gray.augmentation.image == (1, 2, 5)  # type: ignore[union-attr]
        shape: Any = [3, 2, 5]
        named = Dataset(images(4, (30,)), np.arange(4)).augmented(flip="random", image_shape=shape)
        assert named.augmentation.image == (3, 2, 5)  # type: ignore[union-attr]

    def test_nothing_asked_for_needs_none_and_takes_it_back(self) -> None:
        assert Dataset(images(4, (30,)), np.arange(4)).augmented().augmentation is None
        assert make_data(**HOW).augmented().augmentation is None

    def test_it_stays_with_the_rows(self) -> None:
        data = make_data(**HOW)
        for same in (data.standardized("global"), data.first(9), data.drawn(9, seed=1), data.shared(0, 2)):
            assert same.augmentation == data.augmentation


FLAT = Dataset(images(4, (48,)), np.arange(4))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"flip": "left"}, "flip must be one of 'none', 'random', 'alternating', got 'left'"),
        ({"flip": True}, "flip must be one of 'none', 'random', 'alternating', got True"),
        ({"flip": None}, "flip must be one of"),
        ({"flip": "randon"}, "Did you mean 'random'"),
        ({"translate": -1}, "translate must be an integer >= 0, got -1. It is how many pixels an image may move"),
        ({"translate": 0.5}, "translate must be an integer >= 0, got 0.5"),
        ({"translate": True}, "translate must be an integer >= 0, got True"),
        ({"translate": 4}, "translate must be at most 3 for images of 4 x 4 pixels, got 4"),
        ({"cutout": -2}, "cutout must be an integer >= 0, got -2. It is the side"),
        ({"cutout": float("nan")}, "cutout must be an integer >= 0, got nan"),
        ({"cutout": 5}, "cutout must be at most 4 for images of 4 x 4 pixels, got 5"),
        ({"padding_mode": "mirror"}, "padding_mode must be one of 'zeros', 'reflect', got 'mirror'"),
        ({"flip": "random", "image_shape": None}, r"image_shape must be \(channels, height, width\) .* got None"),
        ({"flip": "random", "image_shape": 48}, r"image_shape must be \(channels, height, width\) .* got 48"),
        ({"flip": "random", "image_shape": (48,)}, r"image_shape must be .* got \(48,\).* image_shape=\(3, 32, 32\)"),
        (
            {"flip": "random", "image_shape": (3, 4, 5)},
            r"must have 48 elements, as many as a row has columns, got \(3, 4, 5\)",
        ),
        ({"flip": "random", "image_shape": (3, 4, 4.0)}, "image_shape must be an integer >= 1, got 4.0"),
        ({"flip": "random", "image_shape": (3, 0, 4)}, "image_shape must be an integer >= 1, got 0"),
        ({"flip": "random", "image_shape": (4, 4, 3)}, r"got \(4, 4, 3\), with the channels last"),
        ({"flip": "random", "image_shape": (48, 1, 1)}, "with the channels last"),
        ({"flip": "random", "image_shape": (8, 2, 3)}, r"channels last. Move them: .*transpose\(0, 3, 1, 2\)"),
        ({"mirror": "random"}, "augmented has no argument 'mirror'. Did you mean 'flip'"),
        ({"padding": 4}, "augmented has no argument 'padding'. Did you mean 'translate'"),
        ({"shift": 2}, "augmented has no argument 'shift'. Did you mean 'translate'"),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        FLAT.augmented(**{"image_shape": (3, 4, 4), **options})


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: Dataset(FLAT.X_train, FLAT.y_train, augmentation="flip"), "an Augmentation or None, got 'flip'"),  # type: ignore[arg-type]
        (
            lambda: Dataset(FLAT.X_train, FLAT.y_train, augmentation=Augmentation("random", image_shape=(3, 4, 5))),
            r"must have 48 elements, as many as a row has columns, got \(3, 4, 5\)",
        ),
        (lambda: make_data(**HOW).augmented_batch(np.arange(2), seed=-1, step=0, epoch=0), "seed must be"),
        (lambda: make_data(**HOW).augmented_batch(np.arange(2), seed=0, step=-1, epoch=0), "step must be"),
        (lambda: make_data(**HOW).augmented_batch(np.arange(2), seed=0, step=0, epoch=0.5), "epoch must be"),  # type: ignore[arg-type]
    ],
)
def test_bad_calls_are_refused(call: Any, text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        call()
