"""Matrix products by our own kernels and by NumPy: correct up to rounding, for all sizes and layouts."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from products_of_kinds import GENERATOR, KINDS, LAYOUTS, OWN, Kind, in_parts, laid_out, needs_vectors, small_ones_too
from thinnet.bfloat16 import rounded
from thinnet.products import blocked
from thinnet.products.numpy import NumpyProducts
from thinnet.products.rounded import RoundedProducts

__all__ = ["small_ones_too"]
each_kind = pytest.mark.parametrize("kind", KINDS)
each_own = pytest.mark.parametrize("kind", OWN)
SIDES = [1, 2, 3, 10, 12, 13, 15, 16, 17, 31, 32, 33, 64, 100, 130]


@each_kind
@settings(max_examples=150)
@given(
    size=st.tuples(*[st.sampled_from(SIDES)] * 3),
    layouts=st.tuples(st.sampled_from(LAYOUTS), st.sampled_from(LAYOUTS), st.sampled_from(LAYOUTS)),
)
def test_a_product_is_right_to_rounding(kind: Kind, size: tuple[int, int, int], layouts: Any) -> None:
    (m, k, n), multiply = size, kind.make()
    a, b = kind.drawn(m, k), kind.drawn(k, n)
    out = laid_out(np.full((m, n), np.nan, kind.dtype), layouts[2])
    multiply.matmul(laid_out(a, layouts[0]), laid_out(b, layouts[1]), out)
    wanted = kind.seen(a).astype(np.longdouble) @ kind.seen(b)
    most = kind.rounding * float((np.abs(a) @ np.abs(b)).max())
    np.testing.assert_allclose(out.astype(np.longdouble), wanted, rtol=0, atol=most)
    around = out.base if out.base is not None else out
    assert np.isnan(np.asarray(around)).sum() == np.asarray(around).size - out.size


@each_kind
@pytest.mark.parametrize("size", [(100, 3072, 500), (3072, 100, 500), (70, 4000, 40), (500, 1100, 500)], ids=str)
def test_large_products_of_whole_numbers_are_exact(kind: Kind, size: tuple[int, int, int]) -> None:
    """With more depth than one block, and more panels than are written at a time."""
    m, k, n = size
    a, b = (GENERATOR.integers(-3, 4, shape).astype(kind.dtype) for shape in ((m, k), (k, n)))
    out = np.empty((m, n), kind.dtype)
    kind.make().matmul(a, b, out)
    np.testing.assert_array_equal(out, a @ b)


@each_kind
def test_sums_of_many_numbers_are_as_exact_as_numpys(kind: Kind) -> None:
    if kind.rounds:
        pytest.skip("what is rounded first is less exact")
    a, b = np.abs(kind.drawn(40, 6000)), np.abs(kind.drawn(6000, 50))
    wanted, out = a.astype(np.longdouble) @ b, np.empty((40, 50), kind.dtype)
    kind.make().matmul(a, b, out)
    error, numpys = (np.abs(product - wanted).max() for product in (out, a @ b))
    assert error <= 4 * numpys


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.values[0].rounds])
def test_of_two_numbers_as_near_the_even_one_is_taken(kind: Kind) -> None:
    x = np.array([[1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20, -3.1415927, 3.4e38, 1e-30]], np.float32)
    out = np.empty((6, 1), np.float32)
    kind.make().matmul(x.T, np.ones((1, 1), np.float32), out)
    np.testing.assert_array_equal(out, rounded(x).T)
    assert out[:3, 0].tolist() == [1, 1 + 2**-6, 1 + 2**-7]
    assert np.isinf(out[4, 0])


@each_kind
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("size", [(40, 35, 50), (50, 35, 40)], ids=str)
def test_what_is_not_finite_stays_so_and_where_it_is(kind: Kind, wrong: float, size: tuple[int, int, int]) -> None:
    m, k, n = size
    a, b, out = kind.drawn(m, k), kind.drawn(k, n), np.empty((m, n), kind.dtype)
    a[7, 34] = wrong
    kind.make().matmul(a, b, out)
    assert not np.isfinite(out[7]).any()
    assert np.isfinite(np.delete(out, 7, axis=0)).all()


@each_kind
def test_infinity_is_added_up_as_numpy_does(kind: Kind) -> None:
    """With fewer rows than a block has, and more depth than one block."""
    a, b, out = np.ones((13, 1100), kind.dtype), np.ones((1100, 20), kind.dtype), np.empty((13, 20), kind.dtype)
    b[900, 5] = np.inf
    kind.make().matmul(a, b, out)
    np.testing.assert_array_equal(out, a @ b)


@each_kind
@pytest.mark.parametrize("size", [(0, 3, 4), (3, 0, 4), (3, 4, 0)], ids=str)
def test_sums_over_nothing_are_zero(kind: Kind, size: tuple[int, int, int]) -> None:
    m, k, n = size
    out = np.full((m, n), np.nan, kind.dtype)
    kind.make().matmul(np.empty((m, k), kind.dtype), np.empty((k, n), kind.dtype), out)
    np.testing.assert_array_equal(out, np.zeros((m, n)))


@each_own
@pytest.mark.parametrize("size", [(100, 500, 300), (300, 100, 170), (33, 700, 31)], ids=str)
def test_bits_depend_on_neither_threads_nor_layouts(kind: Kind, size: tuple[int, int, int]) -> None:
    (m, k, n), multiply = size, kind.make()
    a, b, wanted = kind.drawn(m, k), kind.drawn(k, n), np.empty((m, n), kind.dtype)
    multiply.matmul(a, b, wanted)
    for one in (multiply, in_parts(kind.make()), pickle.loads(pickle.dumps(multiply))):
        for left in LAYOUTS:
            out = np.empty((m, n), kind.dtype)
            one.matmul(laid_out(a, left), laid_out(b, LAYOUTS[LAYOUTS.index(left) - 2]), out)
            assert out.tobytes() == wanted.tobytes()


AGAIN = """
import pickle, sys
import numpy as np
multiply, a, b = pickle.load(sys.stdin.buffer)
out = np.empty((len(a), b.shape[1]), a.dtype)
multiply.matmul(a, b, out)
sys.stdout.buffer.write(out.tobytes())
"""


@each_own
def test_it_can_be_pickled_for_another_process(kind: Kind) -> None:
    """A new process has not yet requested the processor features that the kernels need."""
    multiply, a, b = kind.make(), kind.drawn(90, 300), kind.drawn(300, 80)
    out, given = np.empty((90, 80), kind.dtype), pickle.dumps((multiply, a, b))
    multiply.matmul(a, b, out)
    done = subprocess.run([sys.executable, "-c", AGAIN], input=given, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == out.tobytes()


@each_own
def test_it_can_be_pickled_for_another_machine(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    given = pickle.dumps(kind.make())
    monkeypatch.setattr(blocked, "usable", lambda: False)
    monkeypatch.setattr(blocked, "amx_usable", lambda: False)
    assert isinstance(pickle.loads(given), RoundedProducts if kind.rounds else NumpyProducts)


@each_own
def test_several_python_threads_multiply_at_once(kind: Kind) -> None:
    multiply, factors = kind.make(), [(kind.drawn(90, 300), kind.drawn(300, 80)) for _ in range(4)]
    results: list[set[bytes]] = [set() for _ in factors]

    def repeat(number: int) -> None:
        for _ in range(40):
            out = np.empty((90, 80), kind.dtype)
            multiply.matmul(*factors[number], out)
            results[number].add(out.tobytes())

    threads = [threading.Thread(target=repeat, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(result) for result in results] == [1] * 4


@needs_vectors
def test_numbers_of_two_dtypes_take_turns() -> None:
    """They share the scratch memory."""
    multiply = OWN[0].values[0].make()
    for dtype in ("float32", "float64", "float32"):
        a = GENERATOR.integers(-3, 4, (50, 60)).astype(dtype)
        out = np.empty((50, 50), dtype)
        multiply.matmul(a, a.T, out)
        np.testing.assert_array_equal(out, a @ a.T)
