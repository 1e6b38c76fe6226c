"""Fixtures and settings shared by the tests."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from thinnet import kernels
from thinnet.course import dialects, finder
from thinnet.typing import AnyArray

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
CACHE = ROOT / ".cache"

with contextlib.suppress(OSError):  # from a read-only folder
    kernels.drop_stale(Path(kernels.__file__).parent)  # before starting the processes that share compiled kernels

# If two processes import these for the first time side by side, each compiles the bytecode of half of them, since every
# other process begins at the end of the list.
BROAD = ["scipy.stats", "sklearn.utils.estimator_checks", "sklearn.ensemble", "thinnet.cli", "thinnet.sklearn"]
BROAD += ["numba", "jupyter_client", "nbformat", "onnxruntime", "onnx", "polars", "pandas"]
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    for name in BROAD[:: -1 if int(worker.removeprefix("gw")) % 2 else 1]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


@pytest.hookimpl(optionalhook=True)  # absent without pytest-xdist
def pytest_xdist_auto_num_workers() -> int:
    """Three for two cores, since many tests wait for a process that they started."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + cores // 2


gc.disable()  # until the tests are collected: each process keeps them all, and everything they import


def pytest_collection_finish() -> None:
    gc.freeze()  # exclude objects that live until the end from garbage collection
    gc.enable()


# The same examples in every run, however long they take on a busy machine.
FINE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=FINE)
settings.load_profile("steady")

# The slowest test files run first, so that no process waits for one at the end.
LONGEST = ["test_course_seeds.py", "test_docs.py", "test_check_nets.py", "test_parallel.py", "test_examples.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)
    if os.name != "posix":
        for item in items:
            if item.get_closest_marker("posix"):
                item.add_marker(pytest.mark.skip(reason="POSIX's signals, fork, pipes and MPI are not on this system"))


@pytest.fixture(scope="session")
def cifar10_root() -> Path:
    """The parent folder of a real ``cifar-10-batches-py`` (decoded from JPEG), unpacked once and kept."""
    unpack = SHARED / "cifar10" / "unpack.py"
    if not unpack.exists():
        pytest.skip(f"the real images are not here: no {unpack.relative_to(ROOT.parent)} beside the project")
    root = CACHE / "cifar10"
    if not (root / "cifar-10-batches-py" / "batches.meta").exists():  # the file written last
        subprocess.run([sys.executable, str(unpack), str(root)], check=True, capture_output=True)
    return root


@pytest.fixture
def closed_door() -> Iterator[None]:
    """After the test, remove the active dialect, the finder, and all imported course modules."""
    before = set(sys.modules)
    yield
    finder.remove()
    dialects._active = None
    for name in set(sys.modules) - before:
        package, file = name.partition(".")[0], str(getattr(sys.modules[name], "__file__", ""))
        if package in finder.PACKAGES or (package != "thinnet" and file.startswith(str(finder.HERE))):  # or by an alias
            del sys.modules[name]


@pytest.fixture(scope="session")
def forked_workers() -> Iterator[Any]:
    """One checker worker for many files, or None where forking may not work."""
    if sys.platform != "linux":
        yield None
        return
    from forked_worker import ForkedWorkers

    workers = ForkedWorkers()
    yield workers
    workers.close()


@pytest.fixture
def quick_workers(forked_workers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check files without starting Python for each, for tests that are not about starting or ending a worker."""
    if forked_workers:
        monkeypatch.setattr("thinnet.check.runner.subprocess", forked_workers)


@pytest.fixture(scope="session")
def forked_kernels() -> Iterator[Any]:
    """One kernel for many notebooks, or None where forking may not work."""
    if sys.platform != "linux":
        yield None
        return
    from forked_kernel import ForkedKernels

    kernels = ForkedKernels()
    yield kernels
    kernels.close()


@pytest.fixture
def quick_notebooks(forked_kernels: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run notebooks without starting Python for each, for tests that are not about starting or ending a kernel."""
    if forked_kernels:
        monkeypatch.setattr("jupyter_client.launcher.Popen", forked_kernels)


@pytest.fixture
def without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute with the layers and update rules in NumPy, as without Numba."""
    monkeypatch.setattr("thinnet.kernels.available", lambda: False)


@pytest.fixture(params=["kernels", "NumPy"])
def computed_by(request: pytest.FixtureRequest) -> str:
    """Run the test with the kernels, and again without them."""
    way: str = request.param
    if way == "NumPy":
        request.getfixturevalue("without_kernels")
    return way


@pytest.fixture(scope="session")
def classes() -> tuple[AnyArray, AnyArray]:
    """300 rows of three classes that an estimator can tell apart."""
    from sklearn.datasets import make_classification

    X, y = make_classification(300, 8, n_informative=6, n_classes=3, class_sep=1.5, random_state=0)
    X.flags.writeable = y.flags.writeable = False
    return X, y


@pytest.fixture(scope="session")
def values() -> tuple[AnyArray, AnyArray]:
    """300 rows with values that an estimator can predict."""
    from sklearn.datasets import make_friedman1

    X, y = make_friedman1(300, noise=0.5, random_state=0)
    X.flags.writeable = y.flags.writeable = False
    return X, y
