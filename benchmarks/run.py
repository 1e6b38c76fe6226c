"""Measure everything for BENCHMARKS.md: ``make bench``; ``python benchmarks/run.py SECTION ...`` for parts of it."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import accuracies
import dropout
import estimator_threads
import estimators
import ladder
import process
import tables
import time_to_goal as time_to_goal_module
from interleave import Times, ratio, take_turns
from job import Job
from thinnet.data.cifar10 import ARCHIVE, find_cifar10
from thinnet.products.choose import products
from thinnet.products.processor import has_amx

HERE = Path(__file__).parent
OUTPUT = HERE.parent / "BENCHMARKS.md"

LABELS = {
    "thinnet_net": "**Thinnet**",
    "thinnet_bfloat16": '**Thinnet, `precision="bfloat16"`**',
    "thinnet_numpy": "Thinnet, NumPy's products",
    "thinnet_thinned": '**Thinnet, `dropout_mask="batch"`**',
    "thinnet_thinned_bfloat16": '**Thinnet, `dropout_mask="batch"`, `precision="bfloat16"`**',
    "torch_eager": "PyTorch, eager, fused Adam",
    "torch_compiled": "PyTorch, compiled, fused Adam",
    "torch_autocast": "PyTorch, eager, bfloat16 autocast, fused Adam",
    "jax_jit": "JAX, jit",
    "jax_bfloat16": "JAX, jit, bfloat16 products",
    "sklearn_mlp": "scikit-learn MLPClassifier (no normalization, no dropout)",
    "course_numpy": "course-style NumPy (control)",
    "thinnet_predict": "**Thinnet**",
    "thinnet_predict_bfloat16": '**Thinnet, `precision="bfloat16"`**',
    "torch_predict": "PyTorch, eager",
    "floor": "floor: NumPy's products alone, and one pass over Adam's memory",
    "floor_bfloat16": "the same with Thinnet's products of bfloat16 numbers",
}

CHOSEN = f"thinnet_{products().name}"  # the same as `thinnet_net`
STEPS = [name for name in LABELS if "_predict" not in name and "thinned" not in name and name != CHOSEN]
PLACE = "" if has_amx() else " on a processor without AMX"  # these get their own sections
ONCE = ("sklearn_mlp",) if has_amx() else ("sklearn_mlp", "torch_autocast")  # the slowest, at one batch size
FLOAT32_PEERS = ("torch_eager", "torch_compiled", "jax_jit")
SMALL = [(10, (16,), 2, 32), (30, (64, 64), 2, 32), (64, (200, 200), 10, 64), (784, (100,), 10, 100)]
SMALL += [(784, (128, 128), 10, 128)]
QUICK = ["thinnet_net", "thinnet_bfloat16", "thinnet_thinned", "torch_eager", "torch_autocast"]
QUICK += ["jax_jit", "jax_bfloat16"]

INTRODUCTION = """# Benchmarks

Written by `make bench`. The other libraries come with the extra `peers`; those that are not installed are named and
left out. Each contender runs in a process of its own, and they take turns, so that everything else that the machine
does hits them all alike. Times are medians. A ratio is taken in each turn, and the median over the turns is shown:
below 1, Thinnet is faster. Under each heading are the command that measures it again, and the machine on which it was
measured.
"""


def steps() -> str:
    """Whole training steps of the second course's final net, at several batch sizes."""
    text = f"## A whole training step{PLACE}\n\n"
    text += "3072-500-500-500-10, batch normalization, dropout one half, Adam, float32.\n"
    for batch_size in (100, 32, 256, 1024):
        job = Job(batch_size=batch_size)
        names = [name for name in STEPS if batch_size == 100 or name not in ONCE]
        times = take_turns(job, names, steps=40 if batch_size <= 256 else 16)
        text += f"\n### Batch {batch_size}\n\n" + _table(times)
    return text


def small() -> str:
    """Whole training steps of small nets, where a library's overhead takes most of the time."""
    names = ["thinnet_net", *FLOAT32_PEERS]
    text = (
        f"## A training step of small nets{PLACE}\n\nMilliseconds, and Thinnet's time over it; otherwise as above.\n\n"
    )
    text += "| net | batch | " + " | ".join(LABELS[name] for name in names) + " |\n| --- |" + " ---: |" * 5 + "\n"
    for input_dim, hidden_dims, num_classes, batch_size in SMALL:
        job = Job(hidden_dims, batch_size, input_dim=input_dim, num_classes=num_classes)
        times = take_turns(job, names, steps=400)
        cells = [f"{times['thinnet_net'].median:.2f}"]
        for one in (times[name] for name in FLOAT32_PEERS):
            cells.append("left out" if one.missing else f"{one.median:.2f}, {ratio(times['thinnet_net'], one):.2f}")
        net = "-".join(map(str, (input_dim, *hidden_dims, num_classes)))
        text += f"| {net} | {batch_size} | " + " | ".join(cells) + " |\n"
    return text


def quick() -> str:
    """A quick look at the main contenders at two batch sizes: few turns, and nothing is written."""
    text = "Whole training steps, few turns: rough figures.\n"
    for batch_size in (100, 1024):
        times = take_turns(Job(batch_size=batch_size), QUICK, rounds=7, steps=max(12, 2400 // batch_size))
        text += f"\n### Batch {batch_size}\n\n" + _table(times)
    return text


def thinned() -> str:
    """Steps on the thinned network: compared with the others, and how the gain grows."""
    text = f"## Thinned training{PLACE}\n\nThe same net and batch 100, with one mask for the whole batch.\n\n"
    names = ["thinnet_thinned", "thinnet_thinned_bfloat16", "thinnet_net", "torch_eager", "torch_compiled", "jax_jit"]
    text += _table(take_turns(Job(), names), ours="thinnet_thinned")
    text += '\nThe thinned step\'s time over that of the ordinary one (`dropout_mask="element"`):\n\n'
    widths = (250, 500, 1000, 2000, 4000)
    text += "| rate | " + " | ".join(f"width {width:,}" for width in widths) + " |\n| ---: |" + " ---: |" * len(widths)
    for rate in (0.2, 0.5, 0.8):
        ratios = [_thinned_over_ordinary(Job(hidden_dims=(width,) * 3, dropout=rate)) for width in widths]
        text += f"\n| {rate} | " + " | ".join(f"{one:.2f}" for one in ratios) + " |"
    return text + "\n"


def _thinned_over_ordinary(job: Job) -> float:
    times = take_turns(job, ["thinnet_thinned", "thinnet_net"], rounds=5, steps=16)
    return ratio(times["thinnet_thinned"], times["thinnet_net"])


def decayed() -> str:
    """The time of a step with weights that a penalty has shrunk, over that with the initial weights."""
    job = Job(hidden_dims=(256, 256), input_dim=36, num_classes=6, dropout=0.25, learning_rate=5e-3)
    times = take_turns(job, ["thinnet_decayed", "thinnet_penalized"], rounds=5)
    early, late = times["thinnet_penalized"], times["thinnet_decayed"]
    text = (
        "## Weights that decay\n\n36-256-256-6, layer normalization, dropout one quarter, an L2 penalty of 0.05, Adam, "
    )
    text += "float32, batch 100. Weights and moments that become subnormal numbers would make late steps slow.\n\n"
    text += "| first steps, ms | after 4,000 steps, ms | late over early |\n| ---: | ---: | ---: |\n"
    return text + f"| {early.median:.2f} | {late.median:.2f} | {ratio(late, early):.2f} |\n"


def thinned_accuracy() -> str:
    """Accuracies with each kind of mask."""
    text = (
        "## Accuracy of thinned training\n\nMean and standard deviation over 5 seeds; each kind of mask has the same "
    )
    text += f"weights to begin with and the same batches. {_images()}\n\n"
    text += "| recipe | a mask for each row | one mask a batch | difference |\n| --- | ---: | ---: | ---: |\n"
    settings = {"dropout_mask": "element"}, {"dropout_mask": "batch"}
    return text + "".join(accuracies.row(recipe, settings) for recipe in accuracies.RECIPES)


def precision_accuracy() -> str:
    """Accuracies in float32 and in mixed precision."""
    text = "## Accuracy of mixed precision\n\nMean and standard deviation over 5 seeds; the same weights, "
    text += f"batches and masks to begin with. {_images()}\n\n| recipe | float32 | bfloat16 | difference |\n"
    text += "| --- | ---: | ---: | ---: |\n"
    recipe = next(iter(accuracies.RECIPES))
    return text + accuracies.row(recipe, ({}, {"precision": "bfloat16"}))


def _table(times: dict[str, Times], ours: str = "thinnet_net") -> str:
    """Each contender's time, our time over it, and its time over that of the fastest float32 peer."""
    peers = [times[name] for name in FLOAT32_PEERS if name in times and not times[name].missing]
    fastest = min(peers, key=lambda one: one.median, default=None)
    rows = [
        "| | ms | Thinnet's time over it | its time over the fastest float32 peer's |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, one in times.items():
        if one.missing:
            rows.append(f"| {LABELS[name]} | left out: {one.missing} | | |")
        else:
            over = "" if fastest is None else f"{ratio(one, fastest):.2f}"
            rows.append(f"| {LABELS[name]} | {one.median:.2f} | {ratio(times[ours], one):.2f} | {over} |")
    return "\n".join(rows) + "\n"


def inference() -> str:
    """Predictions for 10,000 images."""
    names = ["thinnet_predict", "thinnet_predict_bfloat16", "torch_predict"]
    times = take_turns(Job(), names, rounds=5, steps=8)
    text = f"## Predictions for 10,000 images{PLACE}\n\nThe same net, float32 rows in, labels out.\n\n"
    text += "| | ms | its time over PyTorch's |\n| --- | ---: | ---: |\n"
    for name, one in times.items():
        over = "" if times["torch_predict"].missing or one.missing else f"{ratio(one, times['torch_predict']):.2f}"
        text += f"| {LABELS[name]} | {one.missing or f'{one.median:.0f}'} | {over} |\n"
    return text


def threads() -> str:
    """The step on one thread and on all."""
    text = "## Threads\n\nThinnet's step in milliseconds, on one thread and on all.\n\n"
    text += "| batch | 1 thread | all |\n| ---: | ---: | ---: |\n"
    for batch_size in (32, 100, 256, 1024):
        job = Job(batch_size=batch_size)
        one = take_turns(job, ["thinnet_net"], rounds=3, steps=16, extra={"OMP_NUM_THREADS": "1"})
        every = take_turns(job, ["thinnet_net"], rounds=3, steps=16)
        text += f"| {batch_size} | {one['thinnet_net'].median:.1f} | {every['thinnet_net'].median:.1f} |\n"
    return text


def dropout_alone() -> str:
    """Dropout forward and backward at several sizes, in turns."""
    text = f"## Dropout alone{PLACE}\n\nForward and backward at rate one half, float32, milliseconds; "
    text += "the contenders one after the other, not in turns.\n\n"
    text += "| elements | " + " | ".join(dropout.CONTENDERS) + " | PyTorch over Thinnet | Thinnet over copy |\n"
    text += "| ---: |" + " ---: |" * (len(dropout.CONTENDERS) + 2) + "\n"
    for size in dropout.SIZES:
        medians = {name: _dropout_milliseconds(name, size) for name in dropout.CONTENDERS}
        cells = " | ".join("left out" if ms is None else f"{ms:.3g}" for ms in medians.values())
        ours, peer, copy = medians["thinnet"], medians["PyTorch"], medians["copy"]
        assert ours is not None and copy is not None
        text += f"| {size:,} | {cells} | {'' if peer is None else f'{peer / ours:.1f}'} | {ours / copy:.2f} |\n"
    return text


def _dropout_milliseconds(name: str, size: int) -> float | None:
    command = [sys.executable, str(HERE / "dropout.py"), name, str(size)]
    answers = [json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(2)]
    if "missing" in answers[0]:
        return None
    return 1e3 * statistics.median(second for answer in answers for second in answer["seconds"])


def processes() -> str:
    """Import, first step, peak memory."""
    for module in ("numpy", "thinnet", "torch"):
        process.import_seconds(module)  # once, to warm bytecode and disk caches
    imports: dict[str, list[float]] = {"numpy": [], "thinnet": [], "torch": []}
    for _ in range(9):
        for module, seconds in imports.items():
            took = process.import_seconds(module)
            if took is not None:
                seconds.append(took)
    over = statistics.median(a / b for a, b in zip(imports["thinnet"], imports["numpy"], strict=True))
    rows = [f"| `import {m}` | {statistics.median(s):.2f} s |" for m, s in imports.items() if s]
    cold, warm = (statistics.median(process.first_step_seconds(c) for _ in range(3)) for c in (True, False))
    rows += [f"| process with one step, kernels not compiled yet | {cold:.1f} s |"]
    rows += [f"| the same, kernels from the cache | {warm:.2f} s |"]
    memory = {name: process.peak_megabytes(name) for name in process.TRAIN}
    rows += [f"| peak memory, {name} | {mb:.0f} MB |" for name, mb in memory.items() if mb is not None]
    text = (
        "## Whole processes\n\nMemory: training on 50,000 images of 3072 uint8; PyTorch's user makes them floats.\n\n"
    )
    text += "| | |\n| --- | ---: |\n" + "\n".join(rows) + f"\n\n`import thinnet` takes {over:.2f} of `import numpy`.\n"
    ours, peer = memory["thinnet"], memory["PyTorch"]
    return text + (f"Memory is {ours / peer:.2f} of PyTorch's.\n" if ours and peer else "")


def time_to_goal() -> str:
    """Seconds until 55% of CIFAR-10's validation images are classified correctly."""
    text = "## Time to 55% on CIFAR-10\n\nSeconds on the wall clock with the transform, without loading; one process a "
    text += f"run, in turns. {_images()}\n\n| | seconds | accuracy | runs at 55% | Thinnet's time over it |\n"
    text += "| --- | ---: | ---: | ---: | ---: |\n"
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in time_to_goal_module.CONTENDERS}
    for seed in range(10):
        for name, done in runs.items():
            if seed < (1 if name.startswith("course") else 10):  # course-style NumPy takes minutes
                command = [sys.executable, str(HERE / "time_to_goal.py"), name, str(seed)]
                answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
                if "missing" not in answer:
                    done.append((answer["seconds"], answer["accuracy"]))
    ours = statistics.median(seconds for seconds, _ in next(iter(runs.values())))
    for name, done in runs.items():
        if not done:
            text += f"| {name} | left out: not installed | | | |\n"
            continue
        seconds, accuracy = (statistics.median(values) for values in zip(*done, strict=True))
        reached = sum(one >= time_to_goal_module.GOAL for _, one in done)
        text += f"| {name} | {seconds:.2f} | {accuracy:.3f} | {reached} of {len(done)} | {ours / seconds:.2f} |\n"
    return text


def _images() -> str:
    """Whether the images are the official ones."""
    path = find_cifar10() / "data_batch_1"
    if hashlib.md5(path.read_bytes()).hexdigest() == ARCHIVE.members[path.name]:
        return "Images: the official files."
    return "Images: not the official files; in the project's own runs they are JPEG-decoded CIFAR-10."


def growth() -> str:
    """How the time of a step grows with width, depth and batch size."""
    text = "## Growth\n\nStep of Thinnet in milliseconds; the slope is that of the logarithms between the last two.\n\n"
    series: dict[str, list[tuple[int, Job]]] = {
        "width": [(w, Job(hidden_dims=(w,) * 3)) for w in (250, 500, 1000, 2000, 4000)],
        "depth": [(d, Job(hidden_dims=(500,) * d)) for d in (1, 2, 4, 8)],
        "batch": [(b, Job(batch_size=b)) for b in (32, 128, 512, 2048)],
    }
    for name, jobs in series.items():
        points = [
            (size, take_turns(job, ["thinnet_net"], rounds=3, steps=12)["thinnet_net"].median) for size, job in jobs
        ]
        (x0, y0), (x1, y1) = points[-2:]
        slope = math.log(y1 / y0) / math.log(x1 / x0)
        cells = ", ".join(f"{size:,}: {ms:.1f}" for size, ms in points)
        text += f"- {name}: {cells}; slope {slope:.2f}\n"
    return text


SECTIONS: dict[str, Callable[[], str]] = {
    "steps": steps,
    "small": small,
    "thinned": thinned,
    "thinned-accuracy": thinned_accuracy,
    "precision-accuracy": precision_accuracy,
    "decayed": decayed,
    "inference": inference,
    "threads": threads,
    "dropout": dropout_alone,
    "processes": processes,
    "time-to-goal": time_to_goal,
    "ladder-race": lambda: ladder.race(_images()),
    "ladder-ideas": lambda: ladder.ideas(_images()),
    "growth": growth,
    "estimators": estimators.section,
    "estimator-threads": estimator_threads.section,
    "tables": lambda: tables.run(())[0],
}


def machine() -> str:
    """The machine and versions that the figures were measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    packages = ("numpy", "numba", "torch", "jax", "scikit-learn")
    versions = ", ".join(f"{name} {_version(name)}" for name in packages)
    text = f"Machine: {model}, {os.cpu_count()} cores, Python {platform.python_version()}; {versions}. "
    return text + f"Thinnet multiplies by {products().name}.\n"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def main(arguments: Sequence[str]) -> None:
    """Measure the named sections, or all, and write each to its place in the file as soon as it is done."""
    if arguments[:1] == ["tables"]:  # it has options, and partial results are not for the file
        text, whole = tables.run(arguments[1:])
        print(text)
        if whole:
            _write("tables", text)
        return
    parser = argparse.ArgumentParser(
        prog="run.py", description="Measure the named sections of BENCHMARKS.md, or all of them."
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"any of {', '.join(SECTIONS)}")
    parser.add_argument(
        "--quick", action="store_true", help="print rough figures of `steps`, in two minutes; nothing is written"
    )
    asked = parser.parse_args(arguments)
    if unknown := [name for name in asked.sections if name not in SECTIONS]:
        parser.error(f"there is no section {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    if asked.quick:
        if asked.sections != ["steps"]:
            parser.error("--quick goes with the section steps alone")
        print(quick() + "\n" + machine())
        return
    for name in asked.sections or SECTIONS:
        _write(name, SECTIONS[name]())


def _write(name: str, text: str) -> None:
    parts = _parts()
    heading, _, rest = text.partition("\n")
    parts[heading] = f"{heading}\n\n`python benchmarks/run.py {name}`. {machine()}{rest}"
    order = [INTRODUCTION, *parts.values()]
    OUTPUT.write_text("\n".join(part.rstrip("\n") + "\n" for part in order), encoding="utf-8")
    print(f"{name}: written to {OUTPUT.name}", flush=True)


def _parts() -> dict[str, str]:
    """The sections of the file, by heading."""
    text = OUTPUT.read_text(encoding="utf-8") if OUTPUT.exists() else ""
    sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]
    return {section.partition("\n")[0]: section for section in sections}


if __name__ == "__main__":
    main(sys.argv[1:])
