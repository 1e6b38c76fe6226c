"""The command ``thinnet``.

Exit status: 0 if all went well, 1 if a notebook failed or checked layers are wrong, 2 if the command or its input is
wrong, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import thinnet
from thinnet.course.dialects import DIALECTS
from thinnet.errors import ArgumentError, ThinnetError
from thinnet.layers.dropout import SCALINGS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; return the exit status."""
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        return status
    except (ThinnetError, OSError) as error:
        print(f"thinnet: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("thinnet: interrupted", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(prog="thinnet", description="Fully connected nets with dropout, on the CPU.")
    top.add_argument("--version", action="version", version=f"thinnet {thinnet.__version__}")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_experiment(commands.add_parser("experiment", help="run a named experiment and print what came of it"))
    _add_course(commands.add_parser("course", help="the packages of CS231n and of UCLA's nndl"))
    _add_check(commands.add_parser("check", help="name what is wrong with somebody's layers"))
    return top


def _add_experiment(command: argparse.ArgumentParser) -> None:
    names = command.add_subparsers(title="experiments", required=True, metavar="NAME")

    dropout = names.add_parser(
        "dropout",
        help="few training examples, with and without dropout, over several seeds",
        description="Train nets with and without dropout on few of the digits that come with scikit-learn.",
        epilog="example: thinnet experiment dropout --seeds 5 --rates 0 0.25 0.5",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    dropout.add_argument("--data", choices=["digits"], default="digits", help="the data set")
    dropout.add_argument("--seeds", type=_positive, default=5, help="how many seeds, each with its own training images")
    dropout.add_argument("--rates", type=_rate, nargs="+", default=[0.0, 0.5], help="the rates to compare")
    dropout.add_argument("--num-train", type=_positive, default=100, help="training images")
    dropout.add_argument("--epochs", type=_positive, default=100, help="epochs")
    dropout.add_argument("--output", type=Path, default=Path("runs/dropout"), help="the folder for the figure")
    dropout.set_defaults(run=_run_dropout)

    cifar10 = names.add_parser(
        "cifar10-fc",
        help="the second course's final net: over 55%% on CIFAR-10",
        description="Train 3072-500-500-500-10 with batch normalization and dropout one half on CIFAR-10.",
        epilog="example: thinnet experiment cifar10-fc --root ~/data",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    cifar10.add_argument("--root", type=Path, help="the folder with cifar-10-batches-py; else found or downloaded")
    cifar10.add_argument("--epochs", type=_positive, default=20, help="epochs")
    cifar10.add_argument("--seed", type=int, default=0, help="fixes the weights, the masks and the batches")
    cifar10.add_argument("--quiet", action="store_true", help="print only the result")
    cifar10.set_defaults(run=_run_cifar10)

    speed = names.add_parser(
        "cifar10-speed",
        help="55%% on CIFAR-10 in as few seconds as can be",
        description="Train a small net on oriented gradients of CIFAR-10 for one epoch, once for each seed.",
        epilog="example: thinnet experiment cifar10-speed --seeds 10",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    speed.add_argument("--root", type=Path, help="the folder with cifar-10-batches-py; else found or downloaded")
    speed.add_argument("--seeds", type=_positive, default=10, help="how many seeds")
    speed.set_defaults(run=_run_speed)


def _add_course(command: argparse.ArgumentParser) -> None:
    verbs = command.add_subparsers(title="commands", required=True, metavar="COMMAND")

    run = verbs.add_parser(
        "run",
        help="execute a course's notebook, unmodified",
        description="Execute a notebook in its own folder, in a kernel in which cs231n and nndl can be imported.",
        epilog="example: thinnet course run Dropout.ipynb --dialect cs231n-2017 --scaling unscaled",
    )
    run.add_argument("notebook", type=Path, help="an .ipynb file; it is not changed")
    run.add_argument("--dialect", choices=tuple(DIALECTS), help="what p means; needed where more than one would fit")
    run.add_argument("--scaling", choices=SCALINGS, default="inverted", help="how dropout scales (default: inverted)")
    run.add_argument("--output", type=Path, help="the executed notebook (default: NAME.executed.ipynb beside it)")
    run.set_defaults(run=_run_notebook)

    new = verbs.add_parser(
        "new",
        help="write a starter folder for code of your own",
        description="Write a folder with the course's packages, to be replaced by your own code a function at a time.",
        epilog="example: thinnet course new homework --dialect cs231n-2021",
    )
    new.add_argument("folder", type=Path, help="a new or an empty folder")
    new.add_argument("--dialect", choices=tuple(DIALECTS), required=True, help="what p means")
    new.set_defaults(run=_run_new)


def _add_check(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Run somebody's layer functions (dropout_forward, batchnorm_backward, FullyConnectedNet, ...) in a process of "
        "their own, and name what is wrong with them: the verdict, what was measured, and the mend. Exit status: 0 if "
        "all is right, 1 if something is wrong, 2 if there is nothing to check."
    )
    command.epilog = "example: thinnet check cs231n/layers.py --dialect cs231n-2021"
    add = command.add_argument
    add("path", metavar="FILE_OR_FOLDER", type=Path, help="a Python file, or a folder of them")
    dialects = (*DIALECTS, "drop", "keep")
    add("--dialect", choices=dialects, help="what p means (default: by docstrings, arguments and behavior)")
    add("--json", action="store_true", help="print the report as JSON instead of a table")
    add("--html", type=Path, metavar="FILE", help="write the report as one HTML page")
    add("--junit", type=Path, metavar="FILE", help="write the report as JUnit XML")
    add("--gradescope", type=Path, metavar="FILE", help="write Gradescope's results.json")
    add(
        "--expect", nargs="+", default=[], metavar="NAME", help="functions that must be there; a missing one is a fault"
    )
    add(
        "--points", nargs="+", type=_points, default=[], metavar="NAME=NUMBER", help="points in Gradescope (default: 1)"
    )
    add("--timeout", type=_above_0, default=20.0, metavar="SECONDS", help="for each function (default: 20)")
    add("--memory", type=_above_0, default=2048, metavar="MB", help="for the process (default: 2048)")
    add("--prints", action="store_true", help="show what the code printed")
    command.set_defaults(run=_run_check)


def _run_dropout(options: argparse.Namespace) -> int:
    from thinnet.experiments import dropout

    if len(set(options.rates)) < len(options.rates):
        raise ArgumentError(f"--rates must all differ, got {options.rates}. Name each rate once.")
    options.output.mkdir(parents=True, exist_ok=True)  # before the training, so that it is not in vain
    recipe = dropout.Recipe(
        rates=tuple(options.rates), num_seeds=options.seeds, num_train=options.num_train, num_epochs=options.epochs
    )
    comparison = dropout.run(recipe, tell=print)
    print(f"\n{comparison.table()}")
    figure = options.output / "dropout.png"
    dropout.save_figure(comparison, figure)
    print(f"Figure: {figure}")
    return 0


def _run_cifar10(options: argparse.Namespace) -> int:
    from thinnet.experiments import cifar10_fc

    recipe = cifar10_fc.Recipe(num_epochs=options.epochs, seed=options.seed)
    print(cifar10_fc.run(recipe, options.root, verbose=not options.quiet).table())
    return 0


def _run_speed(options: argparse.Namespace) -> int:
    from thinnet.experiments import cifar10_speed

    recipe = cifar10_speed.Recipe(num_seeds=options.seeds)
    print(cifar10_speed.run(recipe, options.root, tell=print).table())
    return 0


def _run_notebook(options: argparse.Namespace) -> int:
    from thinnet.course.notebooks import run_notebook

    run = run_notebook(
        options.notebook,
        dialect=options.dialect,
        scaling=options.scaling,
        output=options.output,
        progress=sys.stderr.isatty(),
    )
    print(f"{run.num_cells} cells ran in {run.seconds:.1f} s; wrote {run.output}")
    if run.failure:
        print(f"thinnet: the notebook stopped early: {run.failure}", file=sys.stderr)
    return 1 if run.failure else 0


def _run_new(options: argparse.Namespace) -> int:
    from thinnet.course.starter import new_folder

    files = new_folder(options.folder, options.dialect)
    print(f"wrote {len(files)} files; start with {options.folder / 'README.md'}")
    return 0


def _run_check(options: argparse.Namespace) -> int:
    from thinnet.check.command import run

    return run(options)


def _positive(text: str) -> int:
    number = int(text) if text.lstrip("-").isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return number


def _rate(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(f"must be the fraction dropped, at least 0 and below 1, got {text!r}")
    return number


def _above_0(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text!r}")
    return number


def _points(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        points = float(number)
    except ValueError:
        points = math.nan
    if not name or not 0 <= points < math.inf:
        raise argparse.ArgumentTypeError(f"must be NAME=NUMBER with a number of at least 0, got {text!r}")
    return name, points
