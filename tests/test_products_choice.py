"""Which products are chosen: the fastest that work here, or those that are requested."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from products_of_kinds import needs_vectors
from thinnet import FullyConnectedNet
from thinnet.errors import MissingExtraError
from thinnet.products import blocked, choose, openmp
from thinnet.products.blocked import BlockedProducts
from thinnet.products.choose import products
from thinnet.products.numpy import NumpyProducts
from thinnet.products.rounded import RoundedProducts
from thinnet.teams import ONE_THREAD

NAME = """
from thinnet import FullyConnectedNet
print(FullyConnectedNet([5], 4, 3, seed=0).products)
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=120)


def test_the_switch_says_what_multiplies() -> None:
    assert run(NAME, THINNET_PRODUCTS="numpy").stdout == "numpy\n"
    wrong = run(NAME, THINNET_PRODUCTS="nunpy").stderr
    assert "THINNET_PRODUCTS must be one of 'thinnet', 'numpy', got 'nunpy'. Did you mean 'numpy'?" in wrong


def test_a_net_may_be_told() -> None:
    net = FullyConnectedNet([5], 4, 3, seed=0)
    net.products = "numpy"
    assert net.products == net.copy().products == net.replace(reg=0.1).products == "numpy"


def test_without_numba_asking_for_the_kernels_says_what_they_need() -> None:
    without = "import sys; sys.modules['numba'] = None\n"
    assert run(without + NAME).stdout == "numpy\n"
    asked = run(without + NAME + "FullyConnectedNet([5], 4, 3).products = 'thinnet'").stderr
    assert "MissingExtraError: products='thinnet' needs Numba and a processor with AVX2" in asked


@pytest.fixture
def fresh() -> object:
    """Clear cached choices before and after the test."""
    products.cache_clear()
    yield
    products.cache_clear()


@needs_vectors
@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(("cores", "kind"), [(1, BlockedProducts), (2, NumpyProducts)])
def test_without_threads_of_our_own_numpy_is_faster_on_several_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int, kind: type
) -> None:
    monkeypatch.delenv(choose.SWITCH, raising=False)
    monkeypatch.setattr(openmp, "team", lambda: ONE_THREAD)
    monkeypatch.setattr(choose, "num_threads", lambda: cores)
    assert isinstance(products(), kind)


@pytest.mark.usefixtures("fresh")
def test_a_processor_without_the_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocked, "usable", lambda: False)
    monkeypatch.setattr(blocked, "amx_usable", lambda: False)
    assert isinstance(products(), NumpyProducts)
    assert isinstance(products(rounded=True), RoundedProducts)
    with pytest.raises(MissingExtraError, match="products='thinnet' needs Numba and a processor"):
        products("thinnet")


def test_the_chosen_products_of_rounded_numbers() -> None:
    chosen = products("numpy", rounded=True)
    assert isinstance(chosen, BlockedProducts if blocked.amx_usable() else RoundedProducts)
    assert chosen is products("numpy", rounded=True)


@needs_vectors
def test_small_products_are_left_to_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(blocked, "multiply", lambda a, b, out: seen.append(a.size * b.shape[1]))
    one = np.ones((64, 64), np.float32)
    for b in (one, np.ones((64, 65), np.float32)):
        BlockedProducts().matmul(one, b, np.empty((64, b.shape[1]), np.float32))
    assert seen == [blocked.SMALL]


def test_amx_is_not_there_without_the_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocked, "has_amx", lambda: False)
    assert not blocked.amx_usable.__wrapped__()


def test_the_compilers_processor_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    target = pytest.importorskip("thinnet.kernels.target")
    codegen = target.cpu_target.target_context.codegen()
    triple, name, _ = codegen.magic_tuple()
    monkeypatch.setattr(type(codegen), "magic_tuple", lambda self: (triple, name, "+avx2,-fma,+amx-tile"))
    assert target.has.__wrapped__("avx2", "amx-tile")
    assert not target.has.__wrapped__("avx2", "fma")
