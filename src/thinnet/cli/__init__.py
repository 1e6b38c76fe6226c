"""The command ``thinnet``."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import thinnet
from thinnet import defaults
from thinnet.cli import experiments
from thinnet.cli.options import Parser, above_0, add_field, add_verbosity, is_silent, points, port, tell
from thinnet.cli.streams import flush_output, open_streams
from thinnet.cli.typed import as_typed
from thinnet.config import USES, Config, check_used, read_toml
from thinnet.course.dialects import DIALECTS, DRAWS
from thinnet.ctrl_c import answer_in_words
from thinnet.distributed.launch import started_by_mpi, started_several
from thinnet.distributed.processes import ProcessGroup
from thinnet.errors import ArgumentError, NumericalError, ThinnetError
from thinnet.layers.dropout import SCALINGS
from thinnet.training.interrupts import Terminated, terminated_in_order

if TYPE_CHECKING:
    from thinnet.callbacks import Callback
    from thinnet.runs import Result

STATUSES = """\
exit status: 0 if all went well; 1 if training diverged, a notebook failed or checked layers are wrong; 2 if the command
or its input is wrong; 130 after Ctrl-C, 143 after SIGTERM

examples:
  thinnet train --data digits --hidden-dims 200 200 --output runs/first
  thinnet report runs/first
  thinnet experiment dropout --data digits --seeds 5
  thinnet check my_layers.py
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; return the exit status."""
    open_streams()
    options = parser().parse_args(arguments)
    try:
        answer_in_words()
        _check_alone(options)
        with terminated_in_order(), _told_of_compilation(options), _plain_warnings(options):
            status: int = options.run(options)
        flush_output()
        return status
    except (ThinnetError, OSError, MemoryError) as error:
        status = 1 if isinstance(error, NumericalError) else 2
        return _failed(options, error, f"error: {as_typed(_in_words(error), options)}", status)
    except (KeyboardInterrupt, Terminated) as error:
        word, status = ("terminated", 143) if isinstance(error, Terminated) else ("interrupted", 130)
        saved = f"; {error}{getattr(options, 'next_step', '')}" if str(error) else ""
        return _failed(options, error, f"{word}{saved}", status)


def _check_alone(options: argparse.Namespace) -> None:
    """Refuse several processes if each of them would run the whole command on its own."""
    trains = options.run in (_run_train, _run_resume)
    options.processes = ProcessGroup(started_by_mpi() if trains else None)
    if started_several() and not trains:
        raise ArgumentError(
            "mpiexec must start thinnet train or thinnet resume, got another command. Start it without mpiexec; "
            "experiments train side by side with --jobs."
        )


def _told_of_compilation(options: argparse.Namespace) -> AbstractContextManager[None]:
    if not getattr(options, "trains", False) or is_silent(options) or options.processes.rank > 0:
        return nullcontext()
    from thinnet.cli.progress import say
    from thinnet.training.compilation import compilation_announced

    return compilation_announced(say)


@contextmanager
def _plain_warnings(options: argparse.Namespace) -> Iterator[None]:
    """Show warnings to the user like the command's other messages, without a line of source code."""
    usual: Any = warnings.formatwarning

    def plain(message: Any, category: Any, filename: str, lineno: int, line: str | None = None) -> str:
        if category is not UserWarning:
            return str(usual(message, category, filename, lineno, line))
        return f"thinnet: warning: {as_typed(str(message), options)}\n"

    warnings.formatwarning = plain
    try:
        yield
    finally:
        warnings.formatwarning = usual


def _in_words(error: Exception) -> str:
    """The text of an error; for an error of the system, with the file it is about and what to check."""
    if isinstance(error, OSError) and error.strerror and error.filename is None:  # from a stream or a connection
        return f"the system refused to read or write ({error.strerror}). Check permissions and the disk."
    if isinstance(error, OSError) and error.strerror:
        where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else error.filename
        return (
            f"{where} must be readable, or writable, got an error ({error.strerror}). Check permissions and the disk."
        )
    return str(error)


def _failed(options: argparse.Namespace, error: BaseException, text: str, status: int) -> int:
    """Report an error; with several processes, only one reports it, and ends the others, which may be waiting."""
    with suppress(OSError):
        flush_output()
    processes: ProcessGroup = getattr(options, "processes", None) or ProcessGroup()
    if processes.may_speak_of(error):
        print(f"thinnet: {text}", file=sys.stderr, flush=True)
        processes.end(error, status)
    return status


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = Parser(
        prog="thinnet",
        description="Train, compare and check fully connected nets with dropout, on the CPU.",
        epilog=STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"thinnet {thinnet.__version__}")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_train(commands.add_parser("train", help="train a net, in a folder from which it can be resumed"))
    _add_resume(commands.add_parser("resume", help="continue a run that was interrupted"))
    _add_data(commands.add_parser("data", help="list the known data sets, or download one"))
    _add_report(commands.add_parser("report", help="write one page about one or more runs"))
    experiments.add(commands.add_parser("experiment", help="train several nets, compare them, and write a page"))
    _add_course(commands.add_parser("course", help="run a notebook of CS231n or ECE C247, or start a homework folder"))
    _add_check(commands.add_parser("check", help="check layers that you or a student wrote"))
    return top


def _add_train(command: argparse.ArgumentParser) -> None:
    command.description = "Train a net. Options override the config file, and the config file overrides the defaults."
    command.epilog = "example: thinnet train --data digits --hidden-dims 200 200 --output runs/first"
    command.add_argument("--config", type=Path, help="a TOML file, such as the config.toml of another run")
    command.add_argument("--output", type=Path, help="the run's folder, a new one (default: runs/ and the time)")
    _add_following(command)
    for field in fields(Config):
        shown = " ".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
        add_field(command, field.name, shown, default=argparse.SUPPRESS)
    command.set_defaults(run=_run_train)


def _add_resume(command: argparse.ArgumentParser) -> None:
    command.description = "Continue a run, bit for bit as if it had never been interrupted."
    command.epilog = "example: thinnet resume runs/first"
    command.add_argument("folder", type=Path, help="the run's folder")
    _add_following(command)
    command.set_defaults(run=_run_resume)


def _add_following(command: argparse.ArgumentParser) -> None:
    live = "serve a page that follows the run, for browsers on this machine; on a free port, or on PORT"
    command.add_argument("--live", type=port, nargs="?", const=0, metavar="PORT", help=live)
    command.add_argument("--tensorboard", action="store_true", help="also write event files for TensorBoard")
    add_verbosity(command)
    command.set_defaults(trains=True)


def _add_data(command: argparse.ArgumentParser) -> None:
    command.description = "Show which data sets are known by name, and where they are. Or download one."
    command.epilog = "example: thinnet data --download cifar10"
    command.add_argument(
        "--download", metavar="NAME", help="download this data set, unless it is there already, and check its hashes"
    )
    command.add_argument("--json", action="store_true", help="print what is found as JSON")
    command.set_defaults(run=_run_data)


def _add_report(command: argparse.ArgumentParser) -> None:
    command.description = "Write one HTML page about runs: curves, tables, weights, mistakes. It needs no network."
    command.epilog = "example: thinnet report runs/first runs/second --output comparison.html"
    command.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="a run's folder, or one with several runs in it"
    )
    command.add_argument("--output", type=Path, help="the page, or the folder for it (default: the first RUN)")
    command.add_argument("--figures", type=Path, metavar="FOLDER", help="also save each figure as SVG, in this folder")
    command.add_argument("--title", default="", help="title of the page (default: the names of the data)")
    add_verbosity(command)
    command.set_defaults(run=_run_report)


def _add_course(command: argparse.ArgumentParser) -> None:
    command.epilog = "example: thinnet course run Dropout.ipynb"
    verbs = command.add_subparsers(title="commands", required=True, metavar="COMMAND")

    run = verbs.add_parser(
        "run",
        help="run a notebook of the course, unchanged",
        description="Run a notebook in its own folder. It can import cs231n and nndl, as in the course.",
        epilog="example: thinnet course run Dropout.ipynb --dialect cs231n-2017 --scaling unscaled",
    )
    run.add_argument("notebook", type=Path, help="an .ipynb file; it is not changed")
    run.add_argument("--dialect", choices=tuple(DIALECTS), help="what p means; needed if the notebook does not say")
    run.add_argument("--scaling", choices=SCALINGS, default="inverted", help="how dropout scales (default: inverted)")
    run.add_argument("--draw", choices=DRAWS, help="how masks are drawn (default: as most authors of the dialect did)")
    package = "another name of the course's package, such as cs682; may be given more than once"
    run.add_argument("--package", action="append", default=[], dest="packages", metavar="NAME", help=package)
    run.add_argument("--shell", action="store_true", help="run all shell commands, even those that install or download")
    run.add_argument("--output", type=Path, help="the executed notebook (default: NAME.executed.ipynb beside it)")
    run.set_defaults(run=_run_notebook)

    new = verbs.add_parser(
        "new",
        help="write a starter folder for your own code",
        description="Write a folder with the course's packages. Replace their functions with your own, one at a time.",
        epilog="example: thinnet course new homework --dialect cs231n-2021",
    )
    new.add_argument("folder", type=Path, help="a new folder, or an empty one")
    new.add_argument("--dialect", choices=tuple(DIALECTS), required=True, help="what p means")
    new.set_defaults(run=_run_new)


def _run_train(options: argparse.Namespace) -> int:
    from thinnet import runs

    given = {field.name: getattr(options, field.name) for field in fields(Config) if hasattr(options, field.name)}
    base = read_toml(options.config) if options.config else {}
    options.in_file = dict.fromkeys(base.keys() - given.keys(), options.config)
    config = Config.from_mapping({**base, **given}, str(options.config or "the command line"))
    # A file with all fields was written by a run, perhaps one of several that were compared, of which others used them.
    recorded = base.keys() >= {field.name for field in fields(Config)}
    check_used([config], given, given if recorded else USES)
    default = Path("runs", time.strftime("%Y-%m-%d-%H%M%S"))
    folder = options.processes.from_first(options.output or default)
    log = (lambda text: None) if is_silent(options) else print
    return _train(partial(runs.start, config, log=log, compared=recorded), folder, options)


def _run_resume(options: argparse.Namespace) -> int:
    from thinnet import runs

    finished = (options.folder / runs.RESULT).is_file()
    options.in_file = dict.fromkeys((field.name for field in fields(Config)), options.folder / runs.CONFIG)

    def resume(folder: Path, **given: Any) -> Result:
        result = runs.resume(folder, **given)
        if finished and options.processes.rank == 0 and not is_silent(options):
            print("This run had already finished; there was nothing left to train.")
        return result

    return _train(resume, options.folder, options)


def _train(begin: Callable[..., Result], folder: Path, options: argparse.Namespace) -> int:
    """Train with `begin` and print the result; with several processes, only the first prints it."""
    options.next_step = f". Continue with: thinnet resume {shlex.quote(str(folder))}"
    communicator, progress = options.processes.communicator, False if is_silent(options) else None
    first = options.processes.rank == 0
    with _followers(folder, options, first) as callbacks:
        result = begin(folder, communicator=communicator, verbose=False, progress=progress, callbacks=callbacks)
    if first:
        accuracies = {"val_accuracy": result.val_accuracy, "test_accuracy": result.test_accuracy}
        numbers = {"steps": len(result.history.loss), **accuracies, "stop_reason": result.stop_reason}
        tell(options, {**numbers, "folder": str(folder)}, f"{result.table()}\nfolder               {folder}")
    return 0


@contextmanager
def _followers(folder: Path, options: argparse.Namespace, first: bool) -> Iterator[list[Callback]]:
    """The callbacks that follow a run as it trains; with several processes, only in the first."""
    from thinnet.cli.progress import EpochLines

    callbacks: list[Callback] = []
    if first and not (is_silent(options) or (sys.stdout.isatty() and sys.stderr.isatty())):
        callbacks.append(EpochLines())
    if first and options.tensorboard:
        from thinnet.report.tensorboard import TensorBoard

        callbacks.append(TensorBoard(folder / "tensorboard"))
    if not first or options.live is None:
        yield callbacks
        return
    from thinnet.report import write_report
    from thinnet.report.live import Live

    with Live(folder, options.live) as live:
        print(f"live                 {live.url}", file=sys.stderr, flush=True)
        yield [*callbacks, live]
        live.end(write_report([folder]))


def _run_data(options: argparse.Namespace) -> int:
    from thinnet.data import catalog

    if options.download:
        folder = catalog.download(options.download)
        tell(options, {options.download: {"found": str(folder)}}, str(folder))
        return 0
    found, lines = {}, []
    for name, known in catalog.CATALOG.items():
        place = known.find()
        found[name] = {"about": known.about, "found": place or None}
        lines += [f"{name:<15} {known.about}", f"{'':<15} {place or f'not found; {known.missing}'}"]
    tell(options, found, "\n".join(lines))
    return 0


def _run_report(options: argparse.Namespace) -> int:
    from thinnet.report import write_report

    page = write_report(options.runs, options.output, options.figures, options.title)
    written = {"page": page} | ({"figures": options.figures} if options.figures else {})
    lines = [str(path) if options.quiet else f"{name:<20} {path}" for name, path in written.items()]
    tell(options, {name: str(path) for name, path in written.items()}, "\n".join(lines))
    return 0


def _add_check(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Run layer functions (dropout_forward, batchnorm_backward, FullyConnectedNet, ...) in a process of their own. "
        "Say what is wrong with them: the verdict, what was measured, and how to fix it. Exit status: 0 if nothing is "
        "wrong, 1 if something is, 2 if nothing could be checked."
    )
    command.epilog = "example: thinnet check cs231n/layers.py --dialect cs231n-2021"
    add = command.add_argument
    add("path", metavar="FILE_OR_FOLDER", type=Path, help="a Python file, or a folder with Python files")
    dialects = "{" + ",".join((*DIALECTS, "drop", "keep")) + "}"  # checked later, so that result files are written
    add("--dialect", metavar=dialects, help="what p means (default: by docstrings, arguments and behavior)")
    add("--json", action="store_true", help="print the report as JSON instead of a table")
    add("--html", type=Path, metavar="FILE", help="write the report as one HTML page")
    add("--junit", type=Path, metavar="FILE", help="write the report as JUnit XML")
    add("--gradescope", type=Path, metavar="FILE", help="write Gradescope's results.json")
    expect = "functions that must be there; a missing one counts as wrong"
    add("--expect", nargs="+", default=[], metavar="NAME", help=expect)
    add("--points", nargs="+", type=points, default=[], metavar="NAME=NUMBER", help="points in Gradescope (default: 1)")
    add("--timeout", type=above_0, default=20.0, metavar="SECONDS", help="time limit for each function (default: 20)")
    add("--memory", type=above_0, default=2048, metavar="MB", help="memory limit for the process (default: 2048)")
    add("--prints", action="store_true", help="show what the code printed")
    command.set_defaults(run=_run_check)


def _run_notebook(options: argparse.Namespace) -> int:
    from thinnet.course.notebooks import run_notebook

    names = ("dialect", "scaling", "draw", "packages", "shell", "output")
    named = {name: getattr(options, name) for name in names}
    run = run_notebook(options.notebook, progress=defaults.progress(), **named)
    print(f"{run.num_cells} cell{'' if run.num_cells == 1 else 's'} ran in {run.seconds:.1f} s; wrote {run.output}")
    for note in run.notes:
        print(f"  {note}")
    if run.failure:
        print(f"thinnet: the notebook stopped early: {run.failure}", file=sys.stderr)
    ended = {"interrupted": 130, "terminated": 143}  # 1 if a cell failed
    return ended.get(run.failure.partition("\n")[0], 1) if run.failure else 0


def _run_new(options: argparse.Namespace) -> int:
    from thinnet.course.starter import new_folder

    files = new_folder(options.folder, options.dialect)
    print(f"wrote {len(files)} files; start with {options.folder / 'README.md'}")
    return 0


def _run_check(options: argparse.Namespace) -> int:
    from thinnet.check.command import run

    return run(options)
