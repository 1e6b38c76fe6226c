"""Each kernel computes what its readable twin computes: masks bit for bit, values to rounding."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinnet import Dataset, FullyConnectedNet, Solver, kernels
from thinnet.data.rows import RowReader
from thinnet.errors import NumericalError
from thinnet.layers import (
    LOSSES,
    batchnorm_backward,
    batchnorm_forward,
    dropout_backward,
    dropout_forward,
    layernorm_backward,
    layernorm_forward,
    relu_backward,
    relu_forward,
)
from thinnet.masks import GROUP, drop_threshold, keep_mask, random_words
from thinnet.optim import CHUNK, OPTIMIZERS, FlatOptimizer
from thinnet.typing import FloatArray

if not kernels.available():
    pytest.skip("Numba is not installed, so there are no kernels to test", allow_module_level=True)

from thinnet.kernels import hidden, losses, philox
from thinnet.kernels.dropout import dropout

ROUNDING = {np.float32: 2e-5, np.float64: 1e-13}
SIZES = st.sampled_from([1, 2, 3, 15, 16, 17, 63, 64, 65, 130])
DTYPES = st.sampled_from([np.float32, np.float64])
RATES = st.sampled_from([0.0, 0.1, 0.5, 0.75, 0.999])
NORMALIZATIONS = st.sampled_from([None, "batchnorm", "layernorm"])


def keys(seed: int) -> tuple[np.uint32, np.uint32]:
    return np.uint32(seed & 0xFFFFFFFF), np.uint32(seed >> 32)


def assert_close(one: Any, other: Any, dtype: Any, scale: float = 1.0) -> None:
    """Equal to rounding, relative to the larger of the largest element and `scale`."""
    size = max(float(np.abs(other).max(initial=0)), scale)
    np.testing.assert_allclose(one, other, rtol=0, atol=ROUNDING[dtype] * size)


@settings(max_examples=60, deadline=None)
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
    philox.fill_words(out, *keys(seed), step, layer, first_row)
    expected = random_words((rows, columns), seed=seed, step=step, layer=layer, first_row=first_row)
    np.testing.assert_array_equal(out, expected)


def hidden_by_layers(
    norm: str | None, z: FloatArray, bias: FloatArray, gamma: FloatArray, beta: FloatArray, running: Any, rate: float
) -> tuple[FloatArray, list[Any]]:
    """A hidden layer as the layers compute it, with the caches for `backward_by_layers`."""
    h: Any = z + bias
    cache: Any = None
    if norm == "batchnorm":
        h, cache = batchnorm_forward(h, gamma, beta, *running)
    if norm == "layernorm":
        h, cache = layernorm_forward(h, gamma, beta)
    h, relu_cache = relu_forward(h)
    h, dropout_cache = dropout_forward(h, rate, seed=9, step=3, layer=1, first_row=5)
    return h, [cache, relu_cache, dropout_cache]


def backward_by_layers(norm: str | None, dh: FloatArray, caches: list[Any]) -> list[FloatArray]:
    """dz, dgamma, dbeta and dbias."""
    dz = relu_backward(dropout_backward(dh, caches[2]), caches[1])
    dgamma: Any = np.zeros(0)
    dbeta: Any = np.zeros(0)
    if norm is not None:
        backward: Any = batchnorm_backward if norm == "batchnorm" else layernorm_backward
        dz, dgamma, dbeta = backward(dz, caches[0])
    return [dz, dgamma, dbeta, dz.sum(axis=0)]


@settings(max_examples=150, deadline=None)
@given(norm=NORMALIZATIONS, rows=SIZES, columns=SIZES, dtype=DTYPES, rate=RATES, seed=st.integers(0, 1000))
def test_a_hidden_layer_forward_and_backward(
    norm: str | None, rows: int, columns: int, dtype: Any, rate: float, seed: int
) -> None:
    if norm is not None and (rows if norm == "batchnorm" else columns) < 3:
        rows, columns = max(rows, 3), max(columns, 3)  # of two numbers, both are at ±1: rounding decides the ReLU
    generator = np.random.default_rng(seed)
    z, dh = (generator.standard_normal((rows, columns)).astype(dtype) for _ in range(2))
    bias, gamma, beta = (generator.standard_normal(columns).astype(dtype) for _ in range(3))
    expected_running = [np.zeros(columns, dtype), np.ones(columns, dtype)]
    expected, caches = hidden_by_layers(norm, z, bias, gamma, beta, expected_running, rate)

    h, mean, inverse_std = np.empty_like(z), np.empty(columns, dtype), np.empty(max(rows, columns), dtype)
    factor, words = dtype(1 / (1 - rate)), np.empty(GROUP, np.uint32)
    drop = (h, factor, drop_threshold(rate), (*keys(9), 3, 1, np.arange(5, 5 + rows)), words)
    running = [np.zeros(columns, dtype), np.ones(columns, dtype)]
    dgamma, dbeta, dbias = (np.empty(columns, dtype) for _ in range(3))
    eps, momentum = dtype(1e-5), dtype(0.9)
    dz = dh.copy()
    if norm is None:
        hidden.plain_forward(z, bias, *drop)
        hidden.plain_backward(dz, h, dbias, factor)
    elif norm == "layernorm":
        hidden.layernorm_forward(z, bias, gamma, beta, eps, inverse_std, *drop)
        hidden.layernorm_backward(dz, h, z, inverse_std, gamma, dgamma, dbeta, dbias, factor)
    else:
        inverse_std, count = inverse_std[:columns], dtype(rows)
        hidden.column_means(z, count, mean)
        hidden.column_variances(z, mean, count, inverse_std)
        hidden.batchnorm_forward(z, bias, gamma, beta, *running, momentum, eps, mean, inverse_std, *drop)
        hidden.batchnorm_backward_sums(dz, h, z, mean, inverse_std, dgamma, dbeta, dbias, factor)
        hidden.batchnorm_backward(dz, z, mean, inverse_std, gamma, dgamma, dbeta, count)

    keep = keep_mask(rate, (rows, columns), seed=9, step=3, layer=1, first_row=5)
    assert not h[~keep].any()
    scale = float(factor)
    assert_close(h, expected, dtype, scale)
    # Where rounding decides whether a unit is positive, its gradient differs: there are almost never any.
    edge = (h > 0) != (expected > 0)
    if not edge.any():
        gradient_scale = scale * rows * float(max(caches[0].inverse_std.max(), 1)) if norm else scale * rows
        for got, wanted in zip((dz, dgamma, dbeta, dbias), backward_by_layers(norm, dh, caches), strict=True):
            if wanted.size:
                assert_close(got, wanted, dtype, gradient_scale)
    for got, wanted in zip(running, expected_running, strict=True):
        assert_close(got, wanted, dtype)


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(list(losses.KERNELS)),
    rows=SIZES,
    classes=SIZES,
    dtype=DTYPES,
    spread=st.sampled_from([1.0, 100.0, 1e4]),
    weighted=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_a_loss(name: str, rows: int, classes: int, dtype: Any, spread: float, weighted: bool, seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = (spread * generator.standard_normal((rows, classes))).astype(dtype)
    bias = generator.standard_normal(classes).astype(dtype)
    y: Any = generator.integers(classes, size=rows)
    if LOSSES[name].targets != "labels":
        y = generator.integers(2, size=(rows, classes)).astype(dtype)
    weights = generator.integers(4, size=rows).astype(dtype) if weighted else None
    loss, dscores = LOSSES[name].function(scores + bias, y, weights)
    dbias = np.empty(classes, dtype)
    got = losses.KERNELS[name](scores, bias, y, np.empty(0, dtype) if weights is None else weights, dbias)
    assert got == pytest.approx(loss, rel=10 * ROUNDING[dtype], abs=ROUNDING[dtype])
    assert_close(scores, dscores, dtype)
    assert_close(dbias, dscores.sum(axis=0), dtype, 1 + np.abs(dscores).sum(axis=0).max())


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(list(OPTIMIZERS)), size=st.sampled_from([0, 1, 7, 100, CHUNK + 3]), dtype=DTYPES)
def test_an_optimizer_over_several_steps(name: str, size: int, dtype: Any) -> None:
    generator = np.random.default_rng(size)
    w = generator.standard_normal(size).astype(dtype)
    flat, config = w.copy(), {"learning_rate": 0.01}
    optimizer = FlatOptimizer(name, {"learning_rate": 0.01}, like=flat)
    for _ in range(5):
        dw = generator.standard_normal(size).astype(dtype)
        before = dw.copy()
        optimizer.inplace_update(flat, dw)
        w, config = OPTIMIZERS[name].rule(w, dw, config)
        np.testing.assert_array_equal(dw, before)
        assert_close(flat, w, dtype)
    for key in OPTIMIZERS[name].state:
        assert_close(optimizer.state[key], config[key], dtype)


@pytest.mark.parametrize("method", ["none", "mean", "feature", "global"])
@pytest.mark.parametrize("source", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_minibatches_are_the_same_bit_for_bit(method: str, source: Any, dtype: Any) -> None:
    generator = np.random.default_rng(0)
    X, y = (generator.random((50, 37)) * 255).astype(source), generator.integers(10, size=50)
    data = Dataset(X, y).standardized(method)
    reader = RowReader(data, "train", max_rows=8, dtype=dtype)
    for rows in (np.array([3, 49, 3, 0]), np.arange(8), np.array([], np.int64)):
        got, labels = reader.read(rows)
        wanted, wanted_labels = data.batch("train", rows, dtype)
        np.testing.assert_array_equal(got, wanted)
        np.testing.assert_array_equal(labels, wanted_labels)
        assert got.dtype == dtype


NETS = [
    {"normalization": norm, "dropout": dropout, "loss": loss, "scaling": scaling, "reg": reg}
    for norm in (None, "batchnorm", "layernorm")
    for dropout, scaling in ((0.0, "inverted"), (0.5, "inverted"), (0.5, "classic"), (0.3, "unscaled"))
    for loss, reg in (("softmax", 0.0), ("svm", 0.1), ("mse", 0.0))
]
NETS += [{**options, "loss": "logistic"} for options in NETS[2::3]]


def net_and_batch(options: dict[str, Any], dtype: Any) -> tuple[FullyConnectedNet, FloatArray, Any]:
    net = FullyConnectedNet([65, 33], 20, 7, weight_scale="he", dtype=dtype, seed=2, **options)
    generator = np.random.default_rng(0)
    net.params.flat[:] += 0.1 * generator.standard_normal(net.params.flat.size).astype(dtype)
    values = generator.standard_normal((12, 7))
    y = {"mse": values, "logistic": 1.0 * (values > 0)}.get(options["loss"], generator.integers(7, size=12))
    return net, generator.standard_normal((12, 20)), y


@pytest.mark.parametrize("options", NETS, ids=lambda options: "-".join(map(str, options.values())))
def test_a_net_fused_and_by_layers(options: dict[str, Any]) -> None:
    """In float64, where no unit is near enough to zero for rounding to decide."""
    net, X, y = net_and_batch(options, np.float64)
    fused, plain = net.copy(), net.copy()
    plain.fused = False
    weights = np.random.default_rng(1).random(12)
    for each in (None, weights, None):  # the running statistics and the steps go on
        (loss, grads), (expected_loss, expected) = fused.loss(X, y, weights=each), plain.loss(X, y, weights=each)
        assert loss == pytest.approx(expected_loss, rel=1e-12)
        for name in expected:
            assert_close(grads[name], expected[name], np.float64)
    np.testing.assert_allclose(fused.running.flat, plain.running.flat, rtol=1e-12)
    np.testing.assert_allclose(fused.scores(X), plain.scores(X), rtol=1e-10, atol=1e-12)


def test_scores_of_more_rows_than_go_in_at_once() -> None:
    net, _, _ = net_and_batch(NETS[4], np.float32)
    X = np.random.default_rng(1).standard_normal((2500, 20))
    fused = net.scores(X)
    net.fused = False
    np.testing.assert_allclose(fused, net.scores(X), rtol=1e-3, atol=1e-5)
    net.fused = True
    assert net.scores(X[:0]).shape == (0, 7)


def test_smaller_and_larger_batches_share_the_buffers() -> None:
    net, _, _ = net_and_batch(NETS[4], np.float64)
    generator = np.random.default_rng(1)
    for size in (12, 3, 40, 40, 12):
        X, y = generator.standard_normal((size, 20)), generator.integers(7, size=size)
        plain = net.copy()
        plain.fused = False
        assert net.loss(X, y)[0] == pytest.approx(plain.loss(X, y)[0], rel=1e-12)


def test_nan_is_never_hidden() -> None:
    for options in NETS[::3]:
        net, X, y = net_and_batch(options, np.float32)
        net.params["W1"][0, 0] = np.nan
        assert np.isnan(net.loss(X, y)[0]) or net.dropout
        with pytest.raises(NumericalError, match="the scores of row 0 must be finite"):
            net.scores(X)


def test_bad_batches_are_refused_before_anything_is_computed() -> None:
    net, X, y = net_and_batch(NETS[3], np.float32)
    before = net.running.flat.copy()
    for bad, text in ((y + 7, "labels from 0 to 6"), (y[:5], r"shape \(12,\)"), (y.astype(float), "integer class")):
        with pytest.raises(ValueError, match=text):
            net.loss(X, bad)
    with pytest.raises(ValueError, match="at least one row"):
        net.loss(X[:0], y[:0])
    np.testing.assert_array_equal(net.running.flat, before)


def test_a_step_of_the_solver_allocates_nothing_but_crumbs() -> None:
    """After the first epoch, whose order of rows is drawn in one piece: less than a thousandth of the net."""
    generator = np.random.default_rng(0)
    data = Dataset(generator.integers(0, 256, (400, 500), np.uint8), generator.integers(10, size=400))
    net = FullyConnectedNet([300, 300], 500, dropout=0.5, normalization="batchnorm", seed=0)
    solver = Solver(net, data, update_rule="adam", batch_size=100, num_epochs=3, verbose=False)
    solver.step()
    tracemalloc.start()
    try:
        solver.step()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        solver.step()
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak < net.params.flat.nbytes / 1000 + 8000, f"{peak} bytes"


WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = None  # what Python itself does for a package that must not be imported
import numpy as np
from thinnet import Dataset, FullyConnectedNet, Solver, kernels
assert not kernels.available()
X = np.random.default_rng(0).standard_normal((60, 20)).astype(np.float32)
net = FullyConnectedNet([30], 20, 3, dropout=0.5, weight_scale="he", seed=1)
Solver(net, Dataset(X, np.arange(60) % 3), update_rule="adam", batch_size=20, num_epochs=2, verbose=False).train()
print(repr(net.params.flat[:50].tolist()))
"""


def test_without_numba_training_gives_the_same_to_rounding() -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", WITHOUT_NUMBA], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    X = np.random.default_rng(0).standard_normal((60, 20)).astype(np.float32)
    net = FullyConnectedNet([30], 20, 3, dropout=0.5, weight_scale="he", seed=1)
    Solver(net, Dataset(X, np.arange(60) % 3), update_rule="adam", batch_size=20, num_epochs=2, verbose=False).train()
    np.testing.assert_allclose(net.params.flat[:50], eval(done.stdout), atol=1e-4)


def test_the_switch_turns_the_kernels_off() -> None:
    code = "import thinnet.kernels; print(thinnet.kernels.available())"
    for value, expected in (("0", "False"), ("1", "True")):
        environment = {kernels.SWITCH: value}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert done.stdout.strip() == expected


@settings(max_examples=60, deadline=None)
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


BROKEN_NUMBA = """
import sys, warnings
class Broken:
    def find_spec(self, name, path=None, target=None):
        if name == "numba" and path is None and sys._getframe(1).f_code.co_name != "find_spec":
            raise OSError("its library does not load")
sys.meta_path.insert(0, Broken())
import thinnet.kernels
thinnet.kernels.importlib.util.find_spec = lambda name: object()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    print(thinnet.kernels.available(), [str(w.message) for w in caught])
"""


def test_a_broken_numba_is_done_without_and_said_so() -> None:
    done = subprocess.run([sys.executable, "-c", BROKEN_NUMBA], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("False ['Numba cannot be imported, so Thinnet is slower: its library does not load']")


def test_without_a_place_for_the_cache_kernels_are_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from thinnet.kernels import compile as compile_module

    calls = []

    def njit(**options: Any) -> Any:
        calls.append(options)
        if options.get("cache"):
            raise RuntimeError("cannot cache function 'f': no locator available")
        return lambda function: function

    monkeypatch.setattr(compile_module, "njit", njit)
    decorated = compile_module.kernel()(len)
    assert decorated is len
    assert [call.get("cache") for call in calls] == [True, None]


@pytest.mark.parametrize("fused", [True, False])
def test_predicting_many_images_takes_bounded_memory(fused: bool) -> None:
    """Far less than the images would take as floats."""
    X = np.random.default_rng(0).integers(0, 256, (10_000, 1000), np.uint8)
    net = FullyConnectedNet([50], input_dim=1000, normalization="batchnorm", dropout=0.5, seed=0)
    net.fused = fused
    net.predict(X[:10])
    tracemalloc.start()
    try:
        assert net.predict(X).shape == (10_000,)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.25 * 4 * X.size, f"{peak:,} bytes"


def test_masks_batches_and_features_do_not_depend_on_the_number_of_threads() -> None:
    code = """
import hashlib, numpy as np
from thinnet.data.batches import BatchOrder
from thinnet.data.oriented_gradients import oriented_gradients
from thinnet.kernels.dropout import dropout
digest = hashlib.sha256(dropout(np.ones((1000, 500), np.float32), 0.5, seed=3, step=7, layer=1).tobytes())
digest.update(BatchOrder(1000, 100, seed=3).rows(17).tobytes())
digest.update(oriented_gradients(np.random.default_rng(0).integers(0, 256, (100, 3072), np.uint8)).tobytes())
print(digest.hexdigest())
"""
    results = set()
    for threads in ("1", "2"):
        environment = os.environ | {"OPENBLAS_NUM_THREADS": threads, "NUMBA_NUM_THREADS": threads}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        results.add(done.stdout)
    assert len(results) == 1


def test_dropout_in_threads_is_dropout_in_one() -> None:
    x = np.random.default_rng(0).standard_normal((1000, 501)).astype(np.float32)
    whole = dropout(x, 0.3, seed=1, step=2)
    rows = [dropout(x[i : i + 1], 0.3, seed=1, step=2, first_row=i) for i in (0, 499, 500, 999)]
    np.testing.assert_array_equal(whole[[0, 499, 500, 999]], np.concatenate(rows))
    np.testing.assert_array_equal(whole != 0, keep_mask(0.3, (1000, 501), seed=1, step=2))


@pytest.mark.parametrize("change", [{"dropout": 0.2}, {"dropout": 0.0}, {"scaling": "unscaled"}, {"seed": 99}], ids=str)
def test_attributes_assigned_later_hold_for_the_fused_path_too(change: dict[str, Any]) -> None:
    net, X, y = net_and_batch(NETS[3], np.float64)
    net.loss(X, y)  # makes the buffers
    for name, value in change.items():
        setattr(net, name, value)
    plain = net.copy()
    plain.fused = False
    assert net.loss(X, y)[0] == pytest.approx(plain.loss(X, y)[0], rel=1e-12)
