"""Products of rounded numbers: by AMX where the processor has it, and by other products of rounded factors."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinnet.bfloat16 import rounded
from thinnet.kernels.optimizers import MOMENTUM, RULE_KERNELS
from thinnet.optim import OPTIMIZERS, FlatOptimizer
from thinnet.products import amx
from thinnet.products.amx import AmxProducts
from thinnet.products.base import Factors, Products
from thinnet.products.choose import products
from thinnet.products.rounded import RoundedProducts
from thinnet.teams import ONE_THREAD
from thinnet.typing import FloatArray

needs_amx = pytest.mark.skipif(not amx.usable(), reason="this processor has no AMX that can be used")
KINDS = [pytest.param(AmxProducts, marks=needs_amx), RoundedProducts]
LAYOUTS = ["rows", "columns", "part of rows", "part of columns", "every other"]
GENERATOR = np.random.default_rng(0)


def laid_out(x: FloatArray, layout: str) -> FloatArray:
    """The same numbers in memory of another layout, with NaN around them."""
    if "columns" in layout:
        return laid_out(x.T, layout.replace("columns", "rows")).T
    rows, columns = x.shape
    apart = 2 if layout == "every other" else 1
    room = np.full((rows + 4, columns * apart + (0 if layout == "rows" else 7)), np.nan, np.float32)
    part: FloatArray = room[2 : 2 + rows, : columns * apart : apart]
    part[...] = x
    return part


def drawn(*shape: int) -> FloatArray:
    return GENERATOR.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150)
@given(
    size=st.tuples(*[st.sampled_from([1, 2, 3, 10, 15, 16, 17, 31, 32, 33, 64, 100, 130])] * 3),
    layouts=st.tuples(st.sampled_from(LAYOUTS), st.sampled_from(LAYOUTS), st.sampled_from(LAYOUTS)),
)
def test_a_product_is_that_of_the_rounded_factors(kind: Any, size: tuple[int, int, int], layouts: Any) -> None:
    (m, k, n), multiply = size, kind(products())
    a, b = drawn(m, k), drawn(k, n)
    out = laid_out(np.full((m, n), np.nan, np.float32), layouts[2])
    multiply.matmul(laid_out(a, layouts[0]), laid_out(b, layouts[1]), out)
    wanted = rounded(a).astype(np.float64) @ rounded(b)
    np.testing.assert_allclose(out, wanted, rtol=0, atol=1e-6 * float((np.abs(a) @ np.abs(b)).max()))
    around = out.base if out.base is not None else out
    assert np.isnan(np.asarray(around)).sum() == np.asarray(around).size - out.size


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(100, 3072, 500), (3072, 100, 500), (70, 4000, 40), (500, 1100, 500)], ids=str)
def test_large_products_of_whole_numbers_are_exact(kind: Any, size: tuple[int, int, int]) -> None:
    """More depth than is multiplied at a time, and more panels than are written at a time."""
    m, k, n = size
    a, b = (GENERATOR.integers(-3, 4, shape).astype(np.float32) for shape in ((m, k), (k, n)))
    out = np.empty((m, n), np.float32)
    kind(products()).matmul(a, b, out)
    np.testing.assert_array_equal(out, a @ b)


@pytest.mark.parametrize("kind", KINDS)
def test_of_two_numbers_as_near_the_even_one_is_taken(kind: Any) -> None:
    x = np.array([[1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20, -3.1415927, 3.4e38, 1e-30]], np.float32)
    out = np.empty((6, 1), np.float32)
    kind(products()).matmul(x.T, np.ones((1, 1), np.float32), out)
    np.testing.assert_array_equal(out, rounded(x).T)
    assert out[:3, 0].tolist() == [1, 1 + 2**-6, 1 + 2**-7]
    assert np.isinf(out[4, 0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_not_finite_stays_so_and_where_it_is(kind: Any, wrong: float) -> None:
    a, b, out = drawn(40, 35), drawn(35, 50), np.empty((40, 50), np.float32)
    a[7, 34] = wrong
    kind(products()).matmul(a, b, out)
    assert not np.isfinite(out[7]).any()
    assert np.isfinite(np.delete(out, 7, axis=0)).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(0, 3, 4), (3, 0, 4), (3, 4, 0)], ids=str)
def test_sums_over_nothing_are_zero(kind: Any, size: tuple[int, int, int]) -> None:
    m, k, n = size
    out = np.full((m, n), np.nan, np.float32)
    kind(products()).matmul(np.empty((m, k), np.float32), np.empty((k, n), np.float32), out)
    np.testing.assert_array_equal(out, np.zeros((m, n)))


class Parts:
    """The calling thread, which does work in many parts, as so many threads would."""

    size, enough = 5, 0
    run = staticmethod(ONE_THREAD.run)


def in_parts(multiply: AmxProducts) -> AmxProducts:
    other = AmxProducts(multiply._inner)
    other.team = Parts()
    return other


@needs_amx
@pytest.mark.parametrize("size", [(100, 500, 300), (300, 100, 170), (33, 700, 31)], ids=str)
def test_bits_depend_on_neither_threads_nor_layouts(size: tuple[int, int, int]) -> None:
    (m, k, n), multiply = size, AmxProducts(products())
    a, b, wanted = drawn(m, k), drawn(k, n), np.empty((m, n), np.float32)
    multiply.matmul(a, b, wanted)
    for one in (multiply, in_parts(multiply), pickle.loads(pickle.dumps(multiply))):
        for left in LAYOUTS:
            out = np.empty((m, n), np.float32)
            one.matmul(laid_out(a, left), laid_out(b, LAYOUTS[LAYOUTS.index(left) - 2]), out)
            assert out.tobytes() == wanted.tobytes()


@needs_amx
def test_several_python_threads_multiply_at_once() -> None:
    multiply, factors = AmxProducts(products()), [(drawn(90, 300), drawn(300, 80)) for _ in range(4)]
    results: list[set[bytes]] = [set() for _ in factors]

    def repeat(number: int) -> None:
        for _ in range(40):
            out = np.empty((90, 80), np.float32)
            multiply.matmul(*factors[number], out)
            results[number].add(out.tobytes())

    threads = [threading.Thread(target=repeat, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(result) for result in results] == [1] * 4


@needs_amx
@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name in RULE_KERNELS])
@pytest.mark.parametrize(("rows", "shape"), [(100, (700, 130)), (1100, (65, 40)), (3, (33, 17)), (40, (70, 9000))])
@pytest.mark.parametrize("penalty", [0, 0.25])
def test_an_update_by_a_product_is_that_along_it(name: str, rows: int, shape: tuple[int, int], penalty: float) -> None:
    multiply, (down, across) = AmxProducts(products()), shape
    below, above, W = drawn(rows, down), drawn(rows, across), drawn(*shape)
    gradient, kernel = np.empty(shape, np.float32), RULE_KERNELS[name]
    multiply.matmul(below.T, above, gradient)
    gradient += np.float32(penalty) * W
    wanted = W.copy()
    optimizer = FlatOptimizer(name, None, like=wanted.reshape(-1))
    optimizer.inplace_update(wanted.reshape(-1), gradient.reshape(-1))
    numbers = np.array(kernel.numbers(optimizer.options, 1), np.float32)
    state = [np.zeros(W.size if used else 0, np.float32) for used in _state(optimizer)]
    for one in (multiply, in_parts(multiply)):
        got, own = W.copy(), [array.copy() for array in state]
        one.update(kernel.rule, [got.reshape(-1), *own], numbers, Factors(below, above, got, np.float32(penalty)))
        np.testing.assert_array_equal(got, wanted)


def _state(optimizer: FlatOptimizer) -> list[bool]:
    """Whether there is a first and a second array of state."""
    arrays = sum(key != "t" for key in optimizer.state)
    return [arrays > 0, arrays > 1]


@needs_amx
def test_an_update_reads_rows_with_gaps() -> None:
    multiply = AmxProducts(products())
    below, above, W = laid_out(drawn(20, 45), "part of rows"), laid_out(drawn(20, 33), "part of rows"), drawn(45, 33)
    velocity, none = np.zeros(W.size, np.float32), np.empty(0, np.float32)
    multiply.update(
        MOMENTUM,
        [W.reshape(-1), velocity, none],
        np.array([-1, 0], np.float32),
        Factors(below, above, W, np.float32(0)),
    )
    out = np.empty((45, 33), np.float32)
    multiply.matmul(below.T, above, out)
    np.testing.assert_array_equal(velocity.reshape(45, 33), out)


def test_the_chosen_products_of_rounded_numbers() -> None:
    chosen: Products = products("numpy", rounded=True)
    assert isinstance(chosen, AmxProducts if amx.usable() else RoundedProducts)
    assert chosen.name == "numpy"
    assert chosen is products("numpy", rounded=True)


def test_it_is_not_there_without_the_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amx, "has_amx", lambda: False)
    assert not amx.usable.__wrapped__()


def test_it_is_not_there_where_the_compiler_makes_code_for_another_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    codegen = pytest.importorskip("numba.core.registry").cpu_target.target_context.codegen()
    triple, name, _ = codegen.magic_tuple()
    monkeypatch.setattr(amx, "has_amx", lambda: True)
    monkeypatch.setattr(type(codegen), "magic_tuple", lambda self: (triple, name, "+avx2,+fma"))
    assert not amx.usable.__wrapped__()
