"""What several test files need."""

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

with contextlib.suppress(OSError):  # of a folder that is read alone
    kernels.drop_stale(Path(kernels.__file__).parent)  # before the processes that compile for one another start

# Of two processes that load the same for the first time side by side, each makes the bytecode of half of it: every
# other one begins at the end.
BROAD = ["scipy.stats", "sklearn.utils.estimator_checks", "sklearn.ensemble", "thinnet.cli", "thinnet.sklearn"]
BROAD += ["numba", "jupyter_client", "nbformat", "onnxruntime", "onnx", "polars", "pandas"]
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    for name in BROAD[:: -1 if int(worker.removeprefix("gw")) % 2 else 1]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)

gc.disable()  # until the tests are collected: each process keeps all of them, and what they import


def pytest_collection_finish() -> None:
    gc.freeze()  # what is kept to the end is not looked through again and again
    gc.enable()


# The same examples in every run, however long they take on a machine that does other things too.
FINE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=FINE)
settings.load_profile("steady")

# The files that take longest, which go first, so that side by side with the others none is waited for in the end.
LONGEST = ["test_course_seeds.py", "test_docs.py", "test_check_nets.py", "test_parallel.py", "test_examples.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)
    if os.name != "posix":
        for item in items:
            if item.get_closest_marker("posix"):
                item.add_marker(pytest.mark.skip(reason="POSIX's signals, fork, pipes and MPI are not on this system"))


@pytest.fixture(scope="session")
def cifar10_root() -> Path:
    """The parent folder of a real ``cifar-10-batches-py`` (JPEG-decoded), unpacked once and kept."""
    unpack = SHARED / "cifar10" / "unpack.py"
    if not unpack.exists():
        pytest.skip(f"the real images are not here: no {unpack.relative_to(ROOT.parent)} beside the project")
    root = CACHE / "cifar10"
    if not (root / "cifar-10-batches-py" / "batches.meta").exists():  # the file written last
        subprocess.run([sys.executable, str(unpack), str(root)], check=True, capture_output=True)
    return root


@pytest.fixture
def closed_door() -> Iterator[None]:
    """Leave no dialect in force, no finder and no course module behind."""
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
    """One worker of the checker for many files, or None where copying it is not sure to work."""
    if sys.platform != "linux":
        yield None
        return
    from forked_worker import ForkedWorkers

    workers = ForkedWorkers()
    yield workers
    workers.close()


@pytest.fixture
def quick_workers(forked_workers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check files without starting Python for each: where not the start or the end of a worker is what is tested."""
    if forked_workers:
        monkeypatch.setattr("thinnet.check.runner.subprocess", forked_workers)


@pytest.fixture(scope="session")
def forked_kernels() -> Iterator[Any]:
    """One kernel of notebooks for many of them, or None where copying it is not sure to work."""
    if sys.platform != "linux":
        yield None
        return
    from forked_kernel import ForkedKernels

    kernels = ForkedKernels()
    yield kernels
    kernels.close()


@pytest.fixture
def quick_notebooks(forked_kernels: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run notebooks without starting Python for each: where not the start or the end of a kernel is what is tested."""
    if forked_kernels:
        monkeypatch.setattr("jupyter_client.launcher.Popen", forked_kernels)


@pytest.fixture
def without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute by the layers and the rules themselves, as where Numba is missing."""
    monkeypatch.setattr("thinnet.kernels.available", lambda: False)


@pytest.fixture(params=["kernels", "NumPy"])
def computed_by(request: pytest.FixtureRequest) -> str:
    """Compute by the kernels, and once more without them."""
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
