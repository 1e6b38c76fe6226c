"""Teams of threads: each part is done once, errors are raised, and a forked process has its own team."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import njit
from numba.core import compiler

from counted_parts import _count, count
from thinnet.kernels.optimizers import RULE_KERNELS, update
from thinnet.kernels.share import in_parts
from thinnet.kernels.thinning import copy_kept
from thinnet.optim import OPTIMIZERS, FlatOptimizer
from thinnet.products.numpy import NumpyProducts
from thinnet.products.openmp import team
from thinnet.spec import NORMALIZATIONS, PRECISIONS, Spec
from thinnet.state import State
from thinnet.steps.base import Batch
from thinnet.steps.fused import FusedStep
from thinnet.steps.fused_scores import FusedScores
from thinnet.teams import (
    ALONE,
    ENOUGH,
    ENOUGH_FOR_PYTHON,
    ONE_THREAD,
    THREAD_POOL,
    OneThread,
    Share,
    Team,
    Work,
    share_out,
)
from thinnet.thinning import KeptUnits, Thinning
from thinnet.typing import AnyArray

NAMES = [
    "one",
    "pool",
    pytest.param("openmp", marks=pytest.mark.skipif(team() is ONE_THREAD, reason="there is no OpenMP runtime")),
]
TEAMS: dict[str, Team] = {"one": ONE_THREAD, "pool": THREAD_POOL, "openmp": team()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("parts", [1, 2, 5])
def test_each_part_is_done_once(name: str, parts: int) -> None:
    done = np.zeros(parts, np.int64)
    TEAMS[name].run(count, parts, done)
    np.testing.assert_array_equal(done, 1 + 10 * parts)


def test_what_does_a_part_is_compiled_into_its_kernel_alone() -> None:
    done = np.zeros(3, int)
    njit(count.py_func)((*ALONE, 0, 3, 3), done)  # compiled here, not from a cache
    assert done.tolist() == [31] * 3
    assert not _count.signatures


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("parts", [1, 2, 5])
def test_threads_of_a_runtime_do_each_part_once(threads: int, parts: int) -> None:
    """With a fake runtime that calls its threads one after another, and chooses how many there are."""
    body, number = ctypes.CFUNCTYPE(None, ctypes.c_void_p), ctypes.c_uint
    asked: list[int] = []

    @ctypes.CFUNCTYPE(None, body, ctypes.c_void_p, number, number)
    def fork(function: Any, data: int, count: int, flags: int) -> None:
        asked.append(count)
        for _ in range(threads):
            function(data)

    done = np.zeros(parts, np.int64)
    count((ctypes.cast(fork, ctypes.c_void_p).value or 0, 2, 0, parts, parts), done)
    np.testing.assert_array_equal(done, 1 + 10 * parts)
    assert asked == [2]


def test_a_loop_that_stands_twice_in_a_kernel_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, compile_internal = [], compiler.compile_internal

    def counted(*given: Any) -> Any:
        compiled.append(given[3:5])
        return compile_internal(*given)

    monkeypatch.setattr(compiler, "compile_internal", counted)

    @njit
    def twice(parts: Share, done: AnyArray, other: AnyArray) -> None:
        in_parts(parts, _count, (done,))
        in_parts(parts, _count, (done,))
        in_parts(parts, _count, (other,))

    done, other = np.zeros(2, np.int64), np.zeros(2)
    twice((0, 1, 0, 2, 2), done, other)
    assert [*done, *other] == [42, 42, 21, 21]
    assert len(compiled) == 2  # for arrays of integers and of floats


@pytest.mark.parametrize("wrong", [0, 1])
def test_what_goes_wrong_in_a_part_is_raised(wrong: int) -> None:
    def work(share: Share, wrong: int) -> None:
        _, _, first, *_ = share
        if first == wrong:
            raise KeyError(first)

    with pytest.raises(KeyError, match=str(wrong)):
        THREAD_POOL.run(work, 2, wrong)
    THREAD_POOL.run(work, 2, 7)  # it still works afterwards


@pytest.mark.parametrize("name", ["pool", *NAMES[2:]])
def test_several_threads_may_have_teams_at_the_same_time(name: str) -> None:
    done = np.zeros((8, 2), np.int64)

    def add(at: int) -> None:
        for _ in range(50):
            TEAMS[name].run(count, 2, done[at])

    threads = [threading.Thread(target=add, args=(at,)) for at in range(len(done))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(done, 50 * 21)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [0, 1, ENOUGH - 1, ENOUGH, ENOUGH_FOR_PYTHON + 17])
def test_a_loop_is_the_same_whoever_shares_it(name: str, size: int) -> None:
    w, dw = np.ones(size, np.float32), np.linspace(0, 1, size, dtype=np.float32)
    none, numbers = np.empty(0, np.float32), np.array([0.5], np.float32)
    rule = RULE_KERNELS["sgd"].at(w.dtype)
    share_out(TEAMS[name], size, update, rule, w, dw, (none, none), numbers, np.array([(0, size, 0)]))
    np.testing.assert_array_equal(w, 1 - np.float32(0.5) * dw)


class Pieces:
    """Three parts in separate calls, last to first."""

    size, enough = 3, 0

    def run(self, work: Work, parts: int, *arguments: Any) -> None:
        for part in reversed(range(parts)):
            work((0, 0, part, part + 1, parts), *arguments)


class Parts(OneThread):
    """Many parts, done one after another."""

    enough = 0

    def __init__(self, size: int) -> None:
        self.size = size


class InParts(NumpyProducts):
    def __init__(self, parts: int) -> None:
        super().__init__()
        self.team = Parts(parts)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_step_in_parts_has_the_same_bits(normalization: Any, precision: Any, activation: str) -> None:
    how: dict[str, Any] = {"normalization": normalization, "precision": precision, "activation": activation}
    spec = Spec((200, 130, 3), 9, 4, dropout=0.4, reg=0.1, seed=1, **how)
    generator = np.random.default_rng(0)
    batch = Batch(generator.standard_normal((45, 9)).astype(np.float32), generator.integers(4, size=45), step=5)
    results = []
    for products_ in (NumpyProducts(), InParts(3), InParts(7)):  # for 5 blocks of rows
        state = State.initial(spec)
        got = FusedStep(spec, products_, 50).compute(state, batch)
        scores = FusedScores(spec, state, products_, 50).scores(batch.X)  # type: ignore[arg-type]
        results.append([got.arrays.flat.copy(), state.running.flat, scores, np.array(got.loss)])
    for one, *others in zip(*results, strict=True):
        for other in others:
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_thinning_and_the_optimizer_in_pieces_have_the_same_bits(name: str, order: Any) -> None:
    generator, kept = np.random.default_rng(0), KeptUnits((7, 50, 3))
    kept.select(1, generator.random(50) < 0.5)
    thinning = Thinning(kept, {"W1": (7, 50), "b1": (50,), "W2": (50, 3), "b2": (3,)}, order, copy_kept)
    w, dw = (generator.standard_normal(553).astype(np.float32) for _ in range(2))
    results = []
    for each in (ONE_THREAD, Pieces()):
        thin, part, whole = np.full(thinning.size(), np.nan, np.float32), w.copy(), w.copy()
        thinning.gather(w, thin, each)
        FlatOptimizer(name, None, like=w).inplace_update(part, dw[: thin.size], thinning=thinning, team=each)
        FlatOptimizer(name, None, like=w).inplace_update(whole, dw, team=each)
        results.append((thin, part, whole))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def forked(name: str) -> int:
    done = np.zeros(2, np.int64)
    TEAMS[name].run(count, 2, done)
    return int(done.sum())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("name", NAMES)
def test_a_forked_process_has_a_team_of_its_own(name: str) -> None:
    assert forked(name) == 42  # the threads exist before the fork
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(forked, (name,)).get(timeout=60) == 42


REAL = """
import ctypes, os, threading
import numpy as np
from counted_parts import count
from thinnet import Dataset, FullyConnectedNet, Solver
from thinnet.products.openmp import team

generator, expected = np.random.default_rng(0), int(os.environ["EXPECTED"])
assert team().size == expected, team().size

def each_once(parts):
    done = np.zeros(parts, np.int64)
    team().run(count, parts, done)
    assert (done == 1 + 10 * parts).all(), done
    return True

for parts in (1, 2, 5, 64):  # more parts than threads too
    each_once(parts)
with team()._turn:  # another one has the threads
    each_once(5)

body, right = ctypes.CFUNCTYPE(None, ctypes.c_void_p), []
inside = body(lambda _: right.append(each_once(5)))
parallel = ctypes.CFUNCTYPE(None, body, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)(team()._fork)
parallel(inside, None, 2, 0)  # there are no threads within a parallel loop
assert right and all(right)

X = generator.standard_normal((400, 500)).astype(np.float32)

def trained(into, at):
    net = FullyConnectedNet([300, 300], 500, 10, dropout=0.5, normalization="batchnorm", seed=0)
    Solver(net, Dataset(X, np.arange(400) % 10), batch_size=200, epochs=2, seed=0, verbose=False).train()
    into[at] = net.params.flat

alone, both = {}, {}
trained(alone, 0)
threads = [threading.Thread(target=trained, args=(both, at)) for at in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all((both[at] == alone[0]).all() for at in range(4))
child = os.fork()
if child == 0:
    each_once(5)
    trained(both, "child")
    os._exit(not (team().size == 1 and (both["child"] == alone[0]).all()))
assert os.waitpid(child, 0)[1] == 0
print("done", hash(alone[0].tobytes()))
"""


@pytest.mark.skipif(team() is ONE_THREAD, reason="there is no OpenMP runtime")
def test_training_gives_the_same_bits_on_any_threads() -> None:
    """In separate processes, since the test suite uses only one thread; a timeout ends any that hang."""
    limits: list[tuple[dict[str, str], int]] = [
        ({"OPENBLAS_NUM_THREADS": "1"}, 1),
        ({"OMP_NUM_THREADS": "1"}, 1),
        ({"OMP_NUM_THREADS": "2"}, 2),
        ({"OMP_NUM_THREADS": "2", "OMP_THREAD_LIMIT": "1"}, 2),
    ]
    others = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "OPENBLAS_"))}
    printed = set()
    for limit, expected in limits:
        done = subprocess.run(
            [sys.executable, "-W", "ignore:.*multi-threaded:DeprecationWarning", "-c", REAL],
            env=others | limit | {"EXPECTED": str(expected), "PYTHONHASHSEED": "0"},
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.stdout.startswith("done"), done.stderr
        printed.add(done.stdout)
    assert len(printed) == 1
