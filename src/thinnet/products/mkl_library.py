"""Loading Intel MKL so that the bits of a product depend on its numbers alone, and nothing else in the process suffers.

MKL opens its own parts only when it is first used, and ends the process where it finds one of them missing: so whether
they are all there is looked up first.
"""

from __future__ import annotations

import csv
import ctypes
import functools
import os
import platform
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from thinnet.products.openmp import OpenMPTeam
from thinnet.teams import ONE_THREAD, Team

if TYPE_CHECKING:
    from importlib.metadata import Distribution

PACKAGE = "mkl"
LAYER = "MKL_THREADING_LAYER"  # in the environment: what shares the work out among threads
# By the name of a layer: its number, and the library that it runs on. The first is on by itself: it comes with the
# package, heeds every limit on threads, and can be told to leave the cores to others while it waits.
LAYERS = {"INTEL": (0, "libiomp5.so"), "GNU": (3, "libgomp.so.1"), "TBB": (4, "libtbb.so.12"), "SEQUENTIAL": (1, "")}
PARTS = ("rt", "core", "intel_lp64", "{layer}_thread", "sequential", "def", "mc3", "avx2", "avx512", "avx10")
BLOCKTIME = 20  # milliseconds for which threads hold a core while they wait: longer than from one product to the next
# With a branch of one of Intel's processors: the same bits wherever arrays lie, for any number of threads. On others
# those of float64 depend on the number of threads.
STRICT = 0x10000


def installed() -> bool:
    """Whether there is a package `mkl` that this process could load: there are some for Linux on x86-64 alone."""
    from importlib.metadata import PackageNotFoundError, distribution  # which takes a while to import

    try:
        return sys.platform == "linux" and platform.machine() == "x86_64" and bool(distribution(PACKAGE))
    except PackageNotFoundError:
        return False


@functools.cache
def load() -> ctypes.CDLL:
    """The library, with its threading layer and its repeatable mode set.

    Raises:
        OSError: if a part of it is missing or damaged, or something else in the process has set it otherwise.
    """
    from importlib.metadata import distribution

    layer = _layer()
    if layer not in LAYERS:
        raise OSError(f"{LAYER} must be one of {', '.join(LAYERS)}, got {layer!r}")
    number, runtime = LAYERS[layer]
    main = _complete(distribution(PACKAGE), layer.lower())
    if runtime:
        threads = ctypes.CDLL(str(_near(main, layer)))
        if layer == "INTEL" and "KMP_BLOCKTIME" not in os.environ:
            threads.kmp_set_blocktime(BLOCKTIME)
    library = ctypes.CDLL(str(main))
    library.MKL_Set_Threading_Layer(number)  # before all else, or it is chosen already
    if "MKL_CBWR" not in os.environ:  # else the user has said what is to be repeatable
        error = library.MKL_CBWR_Set(library.MKL_CBWR_Get_Auto_Branch() | STRICT)
        if error:
            raise OSError(f"it cannot give the same bits from run to run here (MKL_CBWR_Set says {error})")
    _limit_threads(library)
    if layer in ("GNU", "INTEL"):  # a forked process has none of its threads, and might wait for them forever
        os.register_at_fork(after_in_child=lambda: _stay_alone(library))
    return library


def _stay_alone(library: ctypes.CDLL) -> None:
    """Multiply on one thread: of the process, and of its only thread, for which threadpoolctl may have set a number."""
    library.MKL_Set_Num_Threads(1)
    library.MKL_Set_Num_Threads_Local(1)


@functools.cache
def team() -> Team:
    """The threads that share the products of `load` out, where they can be called."""
    if _layer() != "INTEL":
        return ONE_THREAD
    library = load()
    return OpenMPTeam(str(_near(Path(library._name), "INTEL")), library.MKL_Get_Max_Threads, team)


def _layer() -> str:
    return os.environ.get(LAYER, "").upper() or next(iter(LAYERS))


def _near(main: Path, layer: str) -> Path | str:
    """The library that a layer runs on: the one beside MKL, or else the system's."""
    near = main.parent / LAYERS[layer][1]
    return near if near.exists() else LAYERS[layer][1]


def _complete(package: Distribution, layer: str) -> Path:
    """The library to load, once every part of it that could be opened is found to be as long as it was installed."""
    parts = "|".join(PARTS).format(layer=layer)
    main = None
    for name, _, size in csv.reader((package.read_text("RECORD") or "").splitlines()):
        part = re.fullmatch(rf"libmkl_({parts})\.so\.\d+", name.rpartition("/")[2])
        if not part:
            continue
        path = Path(str(package.locate_file(name))).resolve()
        if not path.is_file() or size != str(path.stat().st_size):
            raise OSError(f"{path} is {'damaged' if path.is_file() else 'missing'}")
        main = path if part[1] == "rt" else main
    if main is None:
        raise OSError("the package has no libmkl_rt")
    return main


def _limit_threads(library: ctypes.CDLL) -> None:
    """Heed the limit that NumPy's products heed; MKL knows its own variable and OMP_NUM_THREADS."""
    limit = os.environ.get("OPENBLAS_NUM_THREADS", "")
    if not {"MKL_NUM_THREADS", "OMP_NUM_THREADS"} & os.environ.keys() and limit.isdecimal() and int(limit) > 0:
        library.MKL_Set_Num_Threads(int(limit))
