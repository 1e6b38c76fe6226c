"""Products by Intel MKL: NumPy's to rounding, the same bits wherever arrays lie, and what is done without it."""

from __future__ import annotations

import csv
import itertools
import os
import pickle
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest

from thinnet import FullyConnectedNet
from thinnet.errors import MissingExtraError
from thinnet.products import mkl_library
from thinnet.products.base import Products
from thinnet.products.choose import products
from thinnet.products.numpy import NumpyProducts
from thinnet.products.processor import is_amd
from thinnet.typing import AnyArray, FloatArray

needs_mkl = pytest.mark.skipif(
    not mkl_library.installed(), reason="the package mkl, for Linux on x86-64, is not installed"
)
SIZES = [
    (1, 1, 1),
    (1, 10, 33),
    (3, 1, 100),
    (7, 17, 2),
    (33, 10, 129),
    (100, 129, 333),
    (257, 65, 500),
    (500, 64, 100),
]
LAYOUTS = ("rows", "columns", "part of rows", "part of columns", "every other", "backward", "misaligned")
ROUNDING = {"float32": 1e-5, "float64": 1e-13}


@pytest.fixture
def mkl() -> Products:
    return products("mkl")


def laid_out(values: AnyArray, layout: str, shift: int = 0) -> FloatArray:
    """The same values, lying otherwise in memory, `shift` elements behind the beginning of a buffer."""
    rows, columns = values.shape
    if layout in ("columns", "part of columns"):
        return laid_out(values.T, layout.replace("columns", "rows"), shift).T
    wide = columns + 5 * (layout == "part of rows") + columns * (layout == "every other")
    raw = np.zeros(rows * wide * values.itemsize + 64 * values.itemsize, np.uint8)
    start = shift * values.itemsize + (layout == "misaligned")
    whole = raw[start : start + rows * wide * values.itemsize].view(values.dtype).reshape(rows, wide)
    view: FloatArray = {"every other": whole[:, ::2], "backward": whole[::-1]}.get(layout, whole)[:, :columns]
    view[...] = values
    return view


def drawn(size: tuple[int, ...], dtype: str) -> tuple[FloatArray, FloatArray]:
    m, n, k = size
    generator = np.random.default_rng(m + n + k)
    return generator.standard_normal((m, k)).astype(dtype), generator.standard_normal((k, n)).astype(dtype)


@needs_mkl
@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_products_are_numpys_to_rounding_however_the_arrays_lie(
    mkl: Products, size: tuple[int, ...], dtype: str
) -> None:
    a, b = drawn(size, dtype)
    wanted = a.astype(np.float64) @ b.astype(np.float64)
    for layouts in itertools.product(LAYOUTS, repeat=3):
        left, right = laid_out(a, layouts[0]), laid_out(b, layouts[1])
        out = laid_out(np.full(wanted.shape, np.nan, dtype), layouts[2])
        around = out.base.copy() if out.base is not None else None
        mkl.matmul(left, right, out)
        np.testing.assert_allclose(
            out, wanted, rtol=0, atol=ROUNDING[dtype] * size[2] ** 0.5 * 10, err_msg=str(layouts)
        )
        out[...] = np.nan  # and nothing beside it was written
        assert around is None or np.array_equal(np.asarray(out.base), around)


@needs_mkl
@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("size", [*SIZES, (100, 500, 3072), (3072, 500, 100), (501, 499, 101)], ids=str)
def test_bits_are_the_same_wherever_the_arrays_lie_100_times(mkl: Products, size: tuple[int, ...], dtype: str) -> None:
    a, b = drawn(size, dtype)
    for transposed in itertools.product((False, True), repeat=2):
        kinds = [("columns", "part of columns") if each else ("rows", "part of rows") for each in transposed]
        wanted = np.empty((size[0], size[1]), dtype)
        mkl.matmul(laid_out(a, kinds[0][0]), laid_out(b, kinds[1][0]), wanted)
        for again in range(25):
            left = laid_out(a, kinds[0][again % 2], again)
            right = laid_out(b, kinds[1][again // 2 % 2], again * 3 % 16)
            out = laid_out(np.zeros_like(wanted), "rows", again * 5 % 16)
            mkl.matmul(left, right, out)
            assert out.tobytes() == wanted.tobytes()


BITS = """
import hashlib, sys
import numpy as np
from thinnet.products.choose import products
generator, digest = np.random.default_rng(0), hashlib.sha256()
for dtype in (np.float32, np.float64):
    for m, n, k in [(100, 500, 3072), (3072, 500, 100), (500, 501, 1023), (17, 10, 499), (1, 10, 500)]:
        a, b = generator.standard_normal((m, k)).astype(dtype), generator.standard_normal((k, n)).astype(dtype)
        out = np.empty((m, n), dtype)
        products("mkl").matmul(a, b, out)
        digest.update(out.tobytes())
print(digest.hexdigest())
"""


def run(code: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MKL_", "OMP_", "OPENBLAS_"))}
    return subprocess.run(
        [sys.executable, *options, "-c", code], env=kept | environment, capture_output=True, text=True, timeout=120
    )


@needs_mkl
def test_bits_are_the_same_in_every_process_and_on_intels_processors_for_any_number_of_threads() -> None:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    one, two = ([run(BITS, **{name: threads}) for name in names] for threads in "12")
    assert {done.returncode for done in one + two} == {0}, one[0].stderr
    assert len({done.stdout for done in one}) == len({done.stdout for done in two}) == 1
    if not is_amd():
        others = run(BITS), run(BITS, MKL_THREADING_LAYER="sequential")
        assert len({done.stdout for done in (*one, *two, *others)}) == 1


@needs_mkl
@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0)])
def test_empty_arrays(mkl: Products, shape: tuple[int, int, int]) -> None:
    m, n, k = shape
    out = np.full((m, n), np.nan, np.float32)
    mkl.matmul(np.ones((m, k), np.float32), np.ones((k, n), np.float32), out)
    assert not out.any()


@needs_mkl
def test_what_blas_does_not_take_is_numpys(mkl: Products) -> None:
    whole = np.arange(9.0).reshape(3, 3)
    wanted, shared = whole @ whole.T, whole.copy()
    mkl.matmul(shared, shared.T, shared)  # written over what is read
    np.testing.assert_array_equal(shared, wanted)
    out = np.zeros((3, 3))
    for a in (whole.astype(np.float32), whole.astype(">f8"), whole.astype(np.float16)):
        mkl.matmul(a, whole.T, out)
        np.testing.assert_array_equal(out, wanted)
    mkl.matmul(np.broadcast_to(whole[0], (3, 3)), whole, out)  # strides of 0
    np.testing.assert_array_equal(out, np.repeat(whole[:1] @ whole, 3, axis=0))
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        mkl.matmul(whole, whole, out)
    with pytest.raises(ValueError, match="mismatch"):
        mkl.matmul(whole, whole[:2], np.empty((3, 3)))


NAME = """
from thinnet import FullyConnectedNet
net = FullyConnectedNet([5], 4, 3, seed=0)
print(net.products, "Intel MKL" in repr(net))
"""
MISSING = """
import importlib.metadata as metadata
true = metadata.distribution
def distribution(name):
    if name == "mkl":
        raise metadata.PackageNotFoundError(name)
    return true(name)
metadata.distribution = distribution
"""


def test_where_it_is_missing_numpy_multiplies_and_asking_for_it_names_the_extra() -> None:
    done = run(MISSING + NAME, "-W", "error")
    assert done.stdout == "numpy False\n", done.stderr
    for asked in (run(MISSING + NAME, THINNET_PRODUCTS="mkl"), run(MISSING + NAME + "net.products = 'mkl'")):
        assert 'not installed. Install it with: pip install "thinnet[mkl]"' in asked.stderr
        assert "MissingExtraError" in asked.stderr


def test_without_numba_asking_for_it_names_numba() -> None:
    without = "import sys; sys.modules['numba'] = None\nfrom thinnet.products import mkl_library\n"
    done = run(without + "mkl_library.installed = lambda: True\n" + NAME + "net.products = 'mkl'")
    assert done.stdout == "numpy False\n"
    assert "MissingExtraError: products='mkl' needs Numba, which cannot be imported: " in done.stderr
    assert "Install it anew with: pip install --force-reinstall numba" in done.stderr


def test_the_switch_says_what_multiplies() -> None:
    assert run(NAME, "-W", "error", THINNET_PRODUCTS="numpy").stdout == "numpy False\n"
    wrong = run(NAME, THINNET_PRODUCTS="mlk").stderr
    assert "THINNET_PRODUCTS must be one of 'numpy', 'mkl', got 'mlk'. Did you mean 'mkl'?" in wrong
    net = FullyConnectedNet([5], 4, 3, seed=0)
    net.products = "numpy"
    assert net.products == net.copy().products == net.replace(reg=0.1).products == "numpy"


def on(maker: str, folder: Path, code: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it as on a processor of this maker."""
    cpuinfo = folder / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nvendor_id\t: {maker}\nflags\t\t: fpu avx2\n" * 2)
    told = f"import pathlib\nfrom thinnet.products import processor\nprocessor.FILE = pathlib.Path({str(cpuinfo)!r})\n"
    return run(told + code, *options, **environment)


@needs_mkl
def test_where_it_is_installed_it_multiplies_unless_told_otherwise(tmp_path: Path) -> None:
    assert on("GenuineIntel", tmp_path, NAME, "-W", "error").stdout == "mkl True\n"
    assert run("import thinnet; print('libmkl' in open('/proc/self/maps').read())").stdout == "False\n"


@needs_mkl
def test_on_processors_of_amd_it_multiplies_if_asked_to(tmp_path: Path) -> None:
    assert on("AuthenticAMD", tmp_path, NAME, "-W", "error").stdout == "numpy False\n"
    assert on("AuthenticAMD", tmp_path, NAME, "-W", "error", THINNET_PRODUCTS="mkl").stdout == "mkl True\n"


@needs_mkl
@pytest.mark.parametrize(
    ("part", "kind"), [("rt", "damaged"), ("core", "damaged"), ("core", "missing"), ("avx2", "missing")]
)
def test_a_broken_library_is_done_without_and_said_once(tmp_path: Path, part: str, kind: str) -> None:
    """The package's files as links, but for one that is gone or cut short."""
    package, info = distribution("mkl"), tmp_path / "a" / "b" / "mkl-1.dist-info"
    info.mkdir(parents=True)
    for name, *_ in csv.reader((package.read_text("RECORD") or "").splitlines()):
        if Path(name).name.startswith("libmkl_"):
            link, true = tmp_path / Path(name).name, Path(str(package.locate_file(name))).resolve()
            if part not in Path(name).name.split(".")[0].split("_"):
                link.symlink_to(true)
            elif kind == "damaged":
                link.write_bytes(true.read_bytes()[:10_000])
    (info / "RECORD").write_text(package.read_text("RECORD") or "")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mkl\nVersion: 1\n")
    (tmp_path / "a" / "b").joinpath("x").touch()
    twice = NAME + "print(net.products)"
    done = on("GenuineIntel", tmp_path, f"import sys; sys.path.insert(0, {str(info.parent)!r})\n" + twice)
    assert done.stdout == "numpy False\nnumpy\n", done.stderr
    assert done.stderr.count("is installed but cannot be used") == 1
    assert kind in done.stderr
    assert "pip install --force-reinstall mkl. To do without it, set THINNET_PRODUCTS=numpy" in done.stderr
    asked = run(f"import sys; sys.path.insert(0, {str(info.parent)!r})\n" + NAME, THINNET_PRODUCTS="mkl")
    assert "MissingExtraError" in asked.stderr


FORK = """
import os, signal
import numpy as np
from thinnet import FullyConnectedNet
net = FullyConnectedNet([500], 3072, 10, seed=0)
X = np.random.default_rng(0).standard_normal((1000, 3072)).astype(np.float32)
before = net.scores(X)
child = os.fork()
if child == 0:
    signal.alarm(60)
    os._exit(0 if (net.scores(X) == before).all() else 3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@needs_mkl
@pytest.mark.parametrize("layer", ["", "GNU", "TBB", "sequential"])
def test_a_forked_process_computes_the_same_bits(layer: str) -> None:
    done = run(FORK, "-W", "error", MKL_THREADING_LAYER=layer, THINNET_PRODUCTS="mkl")
    if "libgomp" in done.stderr:
        pytest.skip(f"libgomp is not on this machine: {done.stderr.splitlines()[-1]}")
    assert done.stdout == "0\n", done.stderr


LIMITED = """
import os
import numpy as np
import threadpoolctl
from thinnet.products import mkl_library
library = mkl_library.load()
with threadpoolctl.threadpool_limits(1):
    pass
child = os.fork()
if child == 0:
    os._exit(library.MKL_Get_Max_Threads())
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@needs_mkl
def test_a_forked_process_stays_on_one_thread_whatever_was_limited_before() -> None:
    """It would wait for threads that are not there."""
    pytest.importorskip("threadpoolctl")
    assert run(LIMITED).stdout == "1\n"


@needs_mkl
def test_an_unknown_threading_layer_is_named() -> None:
    assert (
        "MKL_THREADING_LAYER must be one of INTEL, GNU, TBB, SEQUENTIAL, got 'PGI'"
        in run(NAME, MKL_THREADING_LAYER="pgi", THINNET_PRODUCTS="mkl").stderr
    )


@needs_mkl
def test_it_can_be_pickled(mkl: Products) -> None:
    again, team = pickle.loads(pickle.dumps((mkl, mkl.team)))
    assert (again.name, team) == ("mkl", mkl.team)
    a, b = drawn((5, 4, 3), "float32")
    out = np.empty((5, 4), np.float32)
    again.matmul(a, b, out)
    np.testing.assert_allclose(out, a @ b, rtol=1e-5)


@needs_mkl
def test_threadpoolctl_limits_it(mkl: Products) -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl")
    library = mkl_library.load()
    before = library.MKL_Get_Max_Threads()
    with threadpoolctl.threadpool_limits(1):
        assert library.MKL_Get_Max_Threads() == 1
    assert library.MKL_Get_Max_Threads() == before


def test_asking_for_it_in_vain_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mkl_library, "installed", lambda: False)
    products.cache_clear()
    try:
        assert isinstance(products("numpy"), NumpyProducts)
        with pytest.raises(MissingExtraError, match="thinnet\\[mkl\\]"):
            products("mkl")
    finally:
        products.cache_clear()
