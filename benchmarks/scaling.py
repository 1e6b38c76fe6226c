"""Training in several processes: measured here with one and two, and extrapolated to up to 1,000.

``python benchmarks/scaling.py`` writes docs/scaling.md and docs/scaling.svg. ``python benchmarks/scaling.py rank
JSON`` is the process that it starts, by mpiexec if there are two: it prints the seconds per step, the seconds spent in
exchanges, and the bytes exchanged per step.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from job import Job

ROOT = Path(__file__).parents[1]
TABLES, FIGURE = ROOT / "docs" / "scaling.md", ROOT / "docs" / "scaling.svg"
ROUNDS, STEPS = 5, 30
PROCESSES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
TOLD = (2, 8, 32, 128, 512, 1000)  # those shown in the tables
LOCAL_BATCHES = (25, 50, 100, 200, 400)


@dataclass(frozen=True)
class Network:
    """What a message costs: `latency` seconds, plus its bytes at `bandwidth` bytes per second."""

    name: str
    latency: float
    bandwidth: float


NETWORKS = (
    Network("10 Gbit/s Ethernet, 30 µs", 30e-6, 1.25e9),
    Network("100 Gbit/s InfiniBand, 2 µs", 2e-6, 12.5e9),
)


@dataclass(frozen=True)
class Step:
    """One way to train: computing seconds, `fixed` per step plus `per_row`, and what a step exchanges."""

    name: str
    fixed: float
    per_row: float
    bytes: float
    messages: int

    def computing(self, batch: int, processes: int) -> float:
        """Seconds on the process with the most rows of the minibatch; rows are assigned at random."""
        mean = batch / processes
        most = min(batch, mean + math.sqrt(2 * mean * math.log(processes))) if processes > 1 else mean
        return self.fixed + self.per_row * most

    def exchanging(self, processes: int, network: Network) -> float:
        """Seconds of a ring all-reduce for the gradients, plus log2(P) exchanges for each short message."""
        if processes == 1:
            return 0.0
        rounds = math.ceil(math.log2(processes))
        large = 2 * (processes - 1) / processes * self.bytes / network.bandwidth + 2 * rounds * network.latency
        return large + self.messages * rounds * network.latency

    def seconds(self, batch: int, processes: int, network: Network) -> float:
        """Seconds of a whole step."""
        return self.computing(batch, processes) + self.exchanging(processes, network)


def rank(options: dict[str, Any]) -> None:
    """One process of the measurement."""
    from thinnet import Dataset, FullyConnectedNet, Solver
    from thinnet.distributed.launch import started_by_mpi
    from thinnet.distributed.processes import ProcessGroup

    world, job = started_by_mpi(), Job(**options["job"])
    processes = ProcessGroup(world)
    spent = [0.0]
    plain = ProcessGroup.inplace_sum

    def timed(self: ProcessGroup, array: Any) -> None:
        begun = time.perf_counter()
        plain(self, array)
        spent[0] += time.perf_counter() - begun

    ProcessGroup.inplace_sum = timed  # type: ignore[method-assign]
    data = Dataset(*job.images())
    if processes.size > 1:
        data = data.shared(processes.rank, processes.size)
    data = data.standardized("mean", gather=processes.gather)
    net = FullyConnectedNet(
        job.hidden_dims,
        job.input_dim,
        job.num_classes,
        dropout=job.dropout,
        dropout_mask=options["mask"],
        normalization="batchnorm",
        seed=0,
    )
    every = {"batch_size": job.batch_size, "epochs": 10**6, "verbose": False}
    solver = Solver(net, data, communicator=world, batch_statistics=options["statistics"], **every)
    for _ in range(STEPS // 3):
        solver.step()
    before, spent[0], seconds = solver.processes.exchanged, 0.0, []
    for _ in range(STEPS):
        begun = time.perf_counter()
        solver.step()
        seconds.append(time.perf_counter() - begun)
    exchanged = (solver.processes.exchanged - before) / STEPS
    if processes.rank == 0:
        answer = {"seconds": statistics.median(seconds), "exchanging": spent[0] / STEPS, "bytes": exchanged}
        print(json.dumps(answer))


def measure(size: int, threads: int, job: Job, mask: str = "element", over: str = "global") -> dict[str, float]:
    """Measure one process, or `size` processes by mpiexec, with this many threads each."""
    options = json.dumps({"job": asdict(job), "mask": mask, "statistics": over})
    command = [sys.executable, str(Path(__file__)), "rank", options]
    if size > 1:
        command = [str(Path(sys.executable).with_name("mpiexec")), "-n", str(size), *command]
    env = os.environ | {"OMP_NUM_THREADS": str(threads)}
    answer: dict[str, float] = json.loads(subprocess.check_output(command, text=True, env=env))
    return answer


def in_turns(cases: dict[str, tuple[Any, ...]]) -> dict[str, dict[str, float]]:
    """The median of each figure over rounds in which all cases take turns."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, case in cases.items():
            found[name].append(measure(*case))
    return {
        name: {key: statistics.median(one[key] for one in answers) for key in answers[0]}
        for name, answers in found.items()
    }


def measured(batch: int) -> str:
    """One process with all cores, compared with processes of one thread each."""
    job = Job(batch_size=batch)
    cases: dict[str, tuple[Any, ...]] = {
        "1 process of 2 threads": (1, 2, job),
        "1 process of 1 thread": (1, 1, job),
        "2 processes of 1 thread": (2, 1, job),
        "2 processes, local statistics": (2, 1, job, "element", "local"),
        '2 processes, `dropout_mask="batch"`': (2, 1, job, "batch"),
    }
    text = f"\n#### Batch {batch:,}\n\n| | ms a step | of which exchanging | bytes exchanged a step |\n"
    text += "| --- | ---: | ---: | ---: |\n"
    for name, one in in_turns(cases).items():
        exchanging = f"{1e3 * one['exchanging']:.1f}" if one["bytes"] else ""
        text += f"| {name} | {1e3 * one['seconds']:.1f} | {exchanging} | {one['bytes']:,.0f} |\n"
    return text


def steps() -> list[Step]:
    """The ordinary and the thinned step on one thread, as linear fits to their times at several batch sizes."""
    job, made = Job(), []
    for name, mask in (("ordinary", "element"), ("thinned", "batch")):
        times = in_turns({str(size): (1, 1, Job(batch_size=size), mask) for size in LOCAL_BATCHES})
        per_row, fixed = np.polyfit(LOCAL_BATCHES, [times[str(size)]["seconds"] for size in LOCAL_BATCHES], 1)
        exchanged = measure(2, 1, job, mask)["bytes"]
        # Per hidden layer, two for the statistics and one for their gradients; then the loss, and the stop signal.
        made.append(Step(name, float(fixed), float(per_row), exchanged, 3 * len(job.hidden_dims) + 2))
    ordinary, thin = made
    half = Step("16-bit gradients", ordinary.fixed, ordinary.per_row, ordinary.bytes / 2, ordinary.messages)
    both = Step("thinned, 16-bit gradients", thin.fixed, thin.per_row, thin.bytes / 2, thin.messages)
    return [ordinary, thin, half, both]


def efficiencies(step: Step, network: Network, strong: bool, batch: int) -> list[float]:
    """Parallel efficiency: strong scaling if `strong` (the same minibatch, split), else weak (the same rows each)."""
    alone = step.seconds(batch, 1, network)
    if strong:
        return [alone / (processes * step.seconds(batch, processes, network)) for processes in PROCESSES]
    return [alone / step.seconds(batch * processes, processes, network) for processes in PROCESSES]


def turning_point(step: Step, network: Network, batch: int) -> str:
    """The smallest number of processes at which exchanging takes longer than computing."""
    for processes in range(2, 1001):
        if step.exchanging(processes, network) > step.computing(batch, processes):
            return f"{processes:,}"
    return "above 1,000"


def computed(made: Sequence[Step]) -> str:
    """Tables of predicted performance on other machines, computed from the measured steps."""
    text = "| step | time on one thread | bytes exchanged | messages |\n| --- | ---: | ---: | ---: |\n"
    for step in made:
        line = f"{1e3 * step.fixed:.1f} ms + {1e6 * step.per_row:.0f} µs a row"
        text += f"| {step.name} | {line} | {step.bytes:,.0f} | {step.messages + 1} |\n"
    text += "\n#### Fewest processes at which exchanging takes longer than computing\n\n"
    batches = (100, 1000, 10_000, 100_000)
    text += "| network | step | " + " | ".join(f"batch {batch:,}" for batch in batches) + " |\n| --- | --- |"
    text += " ---: |" * len(batches) + "\n"
    for network in NETWORKS:
        for step in made:
            points = " | ".join(turning_point(step, network, batch) for batch in batches)
            text += f"| {network.name} | {step.name} | {points} |\n"
    for title, about, strong, batch in (
        ("Strong scaling: one minibatch of 10,000 rows", "Time of one process over P times that of P.", True, 10_000),
        ("Weak scaling: 100 rows for each process", "Time of one process over that of P.", False, 100),
    ):
        text += f"\n#### {title}\n\n{about}\n\n"
        text += "| network | step | " + " | ".join(f"{p:,}" for p in TOLD) + " |\n"
        text += "| --- | --- |" + " ---: |" * len(TOLD) + "\n"
        for network in NETWORKS:
            for step in made:
                found = dict(zip(PROCESSES, efficiencies(step, network, strong, batch), strict=True))
                cells = " | ".join(f"{found[processes]:.2f}" for processes in TOLD)
                text += f"| {network.name} | {step.name} | {cells} |\n"
    return text


def draw(made: Sequence[Step]) -> None:
    """Draw the efficiencies as curves."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    plt.rcParams.update({"svg.hashsalt": "thinnet", "font.size": 9})
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    for axis, (title, strong, batch) in zip(
        axes, (("a minibatch of 10,000 rows", True, 10_000), ("100 rows for each process", False, 100)), strict=True
    ):
        for step, color in zip(made[:3], ("#0072b2", "#d55e00", "#009e73"), strict=True):
            for network, dashes in zip(NETWORKS, ("--", "-"), strict=True):
                label = f"{step.name}, {network.name.partition(',')[0]}"
                axis.plot(PROCESSES, efficiencies(step, network, strong, batch), dashes, color=color, label=label)
        axis.set(xscale="log", xlabel="processes", title=title, ylim=(0, 1.05))
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("efficiency")
    axes[1].legend(fontsize=7)
    figure.savefig(FIGURE, metadata={"Date": None})


def main() -> None:
    """Measure, compute, and write the page's tables and its figure."""
    from run import machine

    text = f"### Measured\n\n`python benchmarks/scaling.py`. {machine()}\n3072-500-500-500-10, batch normalization, "
    text += "dropout one half, Adam, float32; medians of runs taken in turns.\n"
    text += "".join(measured(batch) for batch in (100, 1000))
    made = steps()
    text += "\n### Computed\n\nFrom the steps measured on one thread and the figures given for each network.\n\n"
    TABLES.write_text(text + computed(made), encoding="utf-8")
    draw(made)


if __name__ == "__main__":
    rank(json.loads(sys.argv[2])) if sys.argv[1:2] == ["rank"] else main()
