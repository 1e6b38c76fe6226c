"""Long runs of the checks that tests/test_fuzz.py runs briefly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from figures import Figure
from fuzzing import checkpoints, data, nets
from fuzzing.commands import Commands, random_line
from thinnet import FullyConnectedNet

MANY = 100_000


def run(share: float) -> Iterator[Figure]:
    count = max(50, round(MANY * share))
    commands = Commands()
    checks: dict[str, Callable[[Random], bool]] = {
        "the reader of CIFAR-10's pickles: random bytes, programs, damaged batches": lambda rng: data.check_pickle(
            data.random_pickle(rng)
        ),
        "the reader of IDX files: random bytes, headers, damaged files, gzipped or plain": lambda rng: data.check_idx(
            data.random_idx(rng)
        ),
        "the reader of checkpoints: damaged ones, and forged ones with a right digest": lambda rng: (
            checkpoints.check_checkpoint(*checkpoints.random_checkpoint(rng))
        ),
        "the command line: random words": lambda rng: commands.check(random_line(rng)),
    }
    for name, check in checks.items():
        taken = sum(check(Random(number)) for number in range(count))
        yield Figure(name, f"{count:,}", f"{taken:,} valid, the rest refused as documented; no code ran")
    yield _nets(max(20, round(MANY * share / 50)))


def _nets(count: int) -> Figure:
    @settings(
        max_examples=count, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(nets.NETS, st.integers(2, 40), st.integers(0, 2**32 - 1), st.booleans())
    def check(net: FullyConnectedNet, rows: int, step: int, fused: bool) -> None:
        nets.check_net(net, rows, step, fused)

    check()
    return Figure("nets of random shapes against a float64 reference", f"{count:,}", "all equal to rounding")
