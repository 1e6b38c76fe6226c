"""What OpenBLAS calls for its jobs: each is done once, by a thread of its own, with buffers of its own."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from typing import Any

import pytest

from thinnet.products.lending import Functions, lending

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no threads are lent")
NUMBER, PLACE, SIZE = ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t
BODY, JOB = ctypes.CFUNCTYPE(None, PLACE), ctypes.CFUNCTYPE(None, NUMBER, PLACE, NUMBER)
ASK = ctypes.CFUNCTYPE(NUMBER)
FORK = ctypes.CFUNCTYPE(None, BODY, PLACE, NUMBER, NUMBER)
BUFFERS, MOST, APART, TOLD = 32, 3, 24, 7


def place(function: Any) -> int:
    return ctypes.cast(function, PLACE).value or 0


class Runtime:
    """One that has so many threads, and remembers what it was asked for."""

    def __init__(self, threads: int, num_threads: int) -> None:
        self.asked: list[int] = []

        def fork(body: Any, data: int, count: int, flags: int) -> None:
            self.asked.append(count)
            team = [threading.Thread(target=body, args=(data,)) for _ in range(threads)]
            for thread in team:
                thread.start()
            for thread in team:
                thread.join()

        system, self._kept = ctypes.CDLL(None), (FORK(fork), ASK(lambda: threads), ASK(lambda: num_threads))
        functions = Functions(
            fork=place(self._kept[0]),
            team_size=place(self._kept[1]),
            num_threads=place(self._kept[2]),
            create=place(system.pthread_create),
            join=place(system.pthread_join),
            lock=place(system.pthread_mutex_lock),
            unlock=place(system.pthread_mutex_unlock),
        )
        lend = ctypes.CFUNCTYPE(None, NUMBER, JOB, NUMBER, SIZE, PLACE, NUMBER)
        self.lend = lend(lending(functions, BUFFERS, MOST))


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_each_job_is_done_once_while_the_others_wait_for_it(threads: int, count: int) -> None:
    runtime, done, together = Runtime(threads, 2), [], threading.Barrier(count)

    def job(number: int, at: int, told: int) -> None:
        together.wait(timeout=60)
        done.append((number, at, told))

    jobs = 1000
    runtime.lend(1, JOB(job), count, APART, jobs, TOLD)
    first = BUFFERS if count <= MOST else 0
    assert sorted(done) == [(first + each, jobs + each * APART, TOLD) for each in range(count)]
    assert runtime.asked == [max(2, count)]


def test_one_call_waits_for_another() -> None:
    runtime, inside, most = Runtime(2, 2), [0], [0]

    def job(number: int, at: int, told: int) -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.005)
        inside[0] -= 1

    called = JOB(job)
    calls = [threading.Thread(target=runtime.lend, args=(1, called, 1, APART, 0, TOLD)) for _ in range(8)]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert len(runtime.asked) == 8
    assert most == [1]
