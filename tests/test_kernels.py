"""Each kernel computes the same as the readable code: masks bit for bit, values up to rounding.

Optimizer kernels are tested in test_optim.py and test_thinning.py, and kernels of hidden layers, as parts of whole
steps, in test_steps.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinnet import Dataset, kernels
from thinnet.data.rows import RowReader
from thinnet.layers import LOSSES, dropout_backward, dropout_forward
from thinnet.masks import keep_mask, keep_units, random_bits

if not kernels.available():
    pytest.skip("Numba is not installed, so there are no kernels to test", allow_module_level=True)

from thinnet.kernels import losses, philox
from thinnet.kernels.dropout import dropout

ROUNDING = {np.float32: 2e-5, np.float64: 1e-13}
SIZES = st.sampled_from([1, 2, 3, 15, 16, 17, 63, 64, 65, 130])
DTYPES = st.sampled_from([np.float32, np.float64])
RATES = st.sampled_from([0.0, 0.1, 0.5, 0.75, 0.999])


def keys(seed: int) -> tuple[np.uint32, np.uint32]:
    return np.uint32(seed & 0xFFFFFFFF), np.uint32(seed >> 32)


def assert_close(got: Any, other: Any, dtype: Any, scale: float = 1.0) -> None:
    """Equal up to rounding, relative to the larger of the largest element and `scale`."""
    size = max(float(np.abs(other).max(initial=0)), scale)
    np.testing.assert_allclose(got, other, rtol=0, atol=ROUNDING[dtype] * size)


@settings(max_examples=60)
@given(
    rows=SIZES,
    columns=SIZES,
    seed=st.integers(0, 2**64 - 1),
    step=st.integers(0, 2**32 - 1),
    layer=st.integers(0, 2**32 - 1),
    first_row=st.integers(0, 2**32 - 200),
)
def test_words_are_the_same_bit_for_bit(
    rows: int, columns: int, seed: int, step: int, layer: int, first_row: int
) -> None:
    out = np.empty((rows, columns), np.uint32)
    philox.fill_bits(out, *keys(seed), step, layer, first_row)
    expected = random_bits((rows, columns), seed=seed, step=step, layer=layer, first_row=first_row)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.999])
def test_units_kept_in_a_whole_batch(rate: float) -> None:
    for units in (1, 64, 65):
        draw: dict[str, Any] = {"seed": 2**63 + 7, "step": 3, "layer": 2}
        np.testing.assert_array_equal(philox.keep_units(rate, units, **draw), keep_units(rate, units, **draw))


@settings(max_examples=150)
@given(
    name=st.sampled_from(list(losses.KERNELS)),
    rows=SIZES,
    classes=SIZES,
    dtype=DTYPES,
    spread=st.sampled_from([1.0, 100.0, 1e4]),
    weighted=st.booleans(),
    smoothing=st.sampled_from([0.0, 0.1, 0.75]),
    seed=st.integers(0, 1000),
)
def test_a_loss(
    name: str, rows: int, classes: int, dtype: Any, spread: float, weighted: bool, smoothing: float, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    scores = (spread * generator.standard_normal((rows, classes))).astype(dtype)
    bias = generator.standard_normal(classes).astype(dtype)
    y: Any = generator.integers(classes, size=rows)
    if LOSSES[name].targets != "labels":
        y = generator.integers(2, size=(rows, classes)).astype(dtype)
    weights = generator.integers(4, size=rows).astype(dtype) if weighted else None
    options = {"label_smoothing": smoothing} if LOSSES[name].smooths else {}
    loss, dscores = LOSSES[name].function(scores + bias, y, weights, **options)
    dbias = np.empty(classes, dtype)
    each = np.empty(0, dtype) if weights is None else weights
    got = losses.KERNELS[name](scores, bias, y, each, dbias, *map(dtype, options.values()))
    assert got == pytest.approx(loss, rel=10 * ROUNDING[dtype], abs=ROUNDING[dtype])
    assert_close(scores, dscores, dtype)
    assert_close(dbias, dscores.sum(axis=0), dtype, 1 + np.abs(dscores).sum(axis=0).max())


@pytest.mark.parametrize("method", ["none", "mean", "feature", "global"])
@pytest.mark.parametrize("source", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_minibatches_are_the_same_bit_for_bit(method: str, source: Any, dtype: Any) -> None:
    generator = np.random.default_rng(0)
    X, y = (generator.random((50, 37)) * 255).astype(source), generator.integers(10, size=50)
    data = Dataset(X, y).standardized(method)
    reader = RowReader(data, "train", max_rows=8, dtype=dtype)
    for rows in (np.array([3, 49, 3, 0]), np.arange(8), np.array([], np.int64)):
        got, labels, _ = reader.read(rows)
        wanted, wanted_labels = data.batch("train", rows, dtype)
        np.testing.assert_array_equal(got, wanted)
        np.testing.assert_array_equal(labels, wanted_labels)
        assert got.dtype == dtype


@settings(max_examples=60)
@given(rows=SIZES, columns=SIZES, dtype=DTYPES, rate=RATES, seed=st.integers(0, 2**64 - 1), first_row=SIZES)
def test_dropout_alone(rows: int, columns: int, dtype: Any, rate: float, seed: int, first_row: int) -> None:
    x = np.random.default_rng(0).standard_normal((rows, columns)).astype(dtype)
    place: dict[str, Any] = {"seed": seed, "step": 3, "layer": 2, "first_row": first_row}
    expected, cache = dropout_forward(x, rate, **place)
    out = dropout(x, rate, **place)
    np.testing.assert_array_equal(out == 0, expected == 0)
    np.testing.assert_allclose(out, expected, rtol=ROUNDING[dtype])
    np.testing.assert_allclose(dropout(x, rate, **place), dropout_backward(x, cache), rtol=ROUNDING[dtype])
    assert dropout(x, rate, **place, out=x) is x
    np.testing.assert_array_equal(x, out)


def test_dropout_in_threads_is_dropout_in_one() -> None:
    x = np.random.default_rng(0).standard_normal((1000, 501)).astype(np.float32)
    whole = dropout(x, 0.3, seed=1, step=2)
    rows = [dropout(x[i : i + 1], 0.3, seed=1, step=2, first_row=i) for i in (0, 499, 500, 999)]
    np.testing.assert_array_equal(whole[[0, 499, 500, 999]], np.concatenate(rows))
    np.testing.assert_array_equal(whole != 0, keep_mask(0.3, (1000, 501), seed=1, step=2))


def test_masks_and_batches_do_not_depend_on_the_number_of_threads() -> None:
    code = """
import hashlib, numpy as np
from thinnet.data.batches import BatchOrder
from thinnet.kernels.dropout import dropout
digest = hashlib.sha256(dropout(np.ones((1000, 500), np.float32), 0.5, seed=3, step=7, layer=1).tobytes())
digest.update(BatchOrder(1000, 100, seed=3).rows(17).tobytes())
print(digest.hexdigest())
"""
    results = set()
    for threads in ("1", "2"):
        environment = os.environ | {"OPENBLAS_NUM_THREADS": threads, "NUMBA_NUM_THREADS": threads}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        results.add(done.stdout)
    assert len(results) == 1


def test_what_was_compiled_from_other_files_is_removed(tmp_path: Path) -> None:
    cache = tmp_path / "__pycache__"
    cache.mkdir()

    def left(**sources: str) -> list[str]:
        for name, text in sources.items():
            (tmp_path / f"{name}.py").write_text(text)
        kernels.drop_stale(tmp_path)
        return sorted(path.name for path in cache.glob("loop.*"))

    def compiled() -> None:
        for name in ("loop.nbi", "loop.nbc", "loop.pyc"):
            (cache / name).touch()

    compiled()
    assert left(loop="import piece", piece="1") == ["loop.pyc"]
    compiled()
    assert left() == ["loop.nbc", "loop.nbi", "loop.pyc"]
    assert left(piece="2") == ["loop.pyc"]
