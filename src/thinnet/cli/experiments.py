"""The command ``thinnet experiment``: the options of each experiment, and what it prints and writes."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from thinnet.checks import check_number
from thinnet.cli.options import add_field, add_verbosity, is_silent, natural, positive, rate, tell
from thinnet.config import PRECISION_NAMES, Config
from thinnet.errors import ArgumentError, MissingExtraError
from thinnet.storage.files import check_page

PACKAGES = {
    "digits": ("sklearn",),
    "report": ("jinja2", "scipy"),
    "sweep": ("joblib", "threadpoolctl"),
    "dask": ("joblib", "threadpoolctl", "distributed"),
}


NEXT_STEP = ". To go on, start it again with the same options"  # after an interruption


@dataclass(frozen=True)
class Experiment:
    """The help texts, options and action of ``thinnet experiment NAME``."""

    help: str  # a line in the list of experiments
    description: str  # what it trains and writes
    example: str  # a command line
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]  # trains, prints and writes; returns the exit status


def add(command: argparse.ArgumentParser) -> None:
    """Add all experiments to the command."""
    command.epilog = "example: thinnet experiment dropout --data digits --seeds 5"
    names = command.add_subparsers(title="experiments", required=True, metavar="NAME")
    for name, experiment in EXPERIMENTS.items():
        example = f"example: thinnet experiment {experiment.example}"
        named = names.add_parser(name, help=experiment.help, description=experiment.description, epilog=example)
        experiment.add_options(named)
        add_verbosity(named)
        named.set_defaults(run=experiment.run, trains=True)


def _add_dropout(command: argparse.ArgumentParser) -> None:
    add_data(command, seeds=5)
    command.add_argument("--rates", type=rate, nargs="+", default=[0, 0.5], help="rates to compare (default: 0 0.5)")
    add_field(command, "num_train", "500 of cifar10, else 100")
    add_field(command, "dropout_mask", "element")
    add_net(command)
    add_sweep(command, Path("runs/dropout"))


def _add_rate_sweep(command: argparse.ArgumentParser) -> None:
    add_data(command, seeds=3)
    rates, text = [0, 0.25, 0.5, 0.75], "rates to compare (default: 0 0.25 0.5 0.75)"
    command.add_argument("--rates", type=rate, nargs="+", default=rates, help=text)
    text = "training rows (default: 500 2000 8000 of cifar10, else 50 100 200 400 800)"
    command.add_argument("--sizes", type=positive, nargs="+", help=text)
    add_net(command)
    add_sweep(command, Path("runs/rate-sweep"))


def _add_masks(command: argparse.ArgumentParser) -> None:
    add_data(command, seeds=5)
    add_field(command, "dropout", 0.5)
    add_field(command, "num_train", 0)
    add_net(command)
    add_sweep(command, Path("runs/masks"))


def _add_cifar10(command: argparse.ArgumentParser) -> None:
    _add_run(command, "cifar10-fc")
    add_field(command, "epochs", 20)
    add_field(command, "dropout_mask", "element")


def _add_ladder(command: argparse.ArgumentParser) -> None:
    _add_run(command, "cifar10-ladder")
    command.add_argument("--minutes", type=float, default=1.0, help="how long to train (default: 1)")
    command.add_argument(
        "--precision", choices=PRECISION_NAMES, help="of matrix products (default: bfloat16 where it is faster)"
    )


def _add_run(command: argparse.ArgumentParser, name: str) -> None:
    """Add the options of an experiment that is one run on CIFAR-10."""
    add_field(command, "root", default="")
    command.add_argument("--seed", type=natural, default=0, help="fixes weights, masks and minibatches (default: 0)")
    text = f"the run's folder; an unfinished run in it is continued (default: a folder in runs/{name})"
    command.add_argument("--output", type=Path, help=text)


def add_data(command: argparse.ArgumentParser, seeds: int) -> None:
    """Add the options for the data set and the number of seeds."""
    add_field(command, "data", "digits", default="digits")
    add_field(command, "root")
    text = f"how many seeds; each draws weights, and training rows if not all are used (default: {seeds})"
    command.add_argument("--seeds", type=positive, default=seeds, help=text)


def add_net(command: argparse.ArgumentParser) -> None:
    """Add the options that override a preset; see `changed`."""
    net = command.add_argument_group("the net and its training; the defaults depend on the data")
    for name in ("hidden_dims", "epochs", "batch_size", "learning_rate"):
        add_field(net, name)


def add_sweep(command: argparse.ArgumentParser, output: Path) -> None:
    """Add the options for where `conduct` writes, how many runs train at a time, and on which machines."""
    about = f"the folder for the runs and the page; runs already in it are not repeated (default: {output})"
    command.add_argument("--output", type=Path, default=output, help=about)
    text = "how many runs at a time (default: 1); a cluster with an address takes as many as it has threads"
    command.add_argument("--jobs", type=positive, default=1, metavar="N", help=text)
    text = "loky for processes on this machine, or dask for a cluster (default: loky)"
    command.add_argument("--backend", default="loky", help=text)
    command.add_argument(
        "--address", default="", help="the address of the Dask scheduler; without it, one is started here"
    )


def _run_dropout(options: argparse.Namespace) -> int:
    from thinnet.experiments import dropout

    _check_distinct("--rates", options.rates)
    configs = dropout.configs(_preset(dropout.PRESETS, options), options.rates, options.seeds)
    figure = options.output / "dropout.svg"
    check_page("output", figure, "thinnet report", folder=True)
    groups = conduct(configs, options, dropout.table, f"Dropout on few {_noun(options.data)}")
    dropout.save_figure(groups, figure)
    _say(options, f"Figure: {figure}")
    return 0


def _run_rate_sweep(options: argparse.Namespace) -> int:
    from thinnet.experiments import dropout, rate_sweep

    sizes = options.sizes or rate_sweep.SIZES.get(options.data, rate_sweep.SIZES["digits"])
    _check_distinct("--rates", options.rates)
    _check_distinct("--sizes", sizes)
    configs = rate_sweep.configs(_preset(dropout.PRESETS, options), options.rates, sizes, options.seeds)
    conduct(configs, options, rate_sweep.table, f"Rates and training set sizes on {_noun(options.data)}")
    return 0


def _run_masks(options: argparse.Namespace) -> int:
    from thinnet.experiments import masks

    configs = masks.configs(_preset(masks.PRESETS, options), options.seeds)
    conduct(configs, options, masks.table, f"Masks by row and by batch on {_noun(options.data)}")
    return 0


def _preset(presets: Mapping[str, Config], options: argparse.Namespace) -> Config:
    return changed(presets.get(options.data, presets["digits"]), options)


def changed(base: Config, options: argparse.Namespace) -> Config:
    """A preset with the values from the command line in place of its own."""
    names = [field.name for field in fields(Config) if getattr(options, field.name, None) is not None]
    return replace(base, **{name: getattr(options, name) for name in names})


def check_extras(*extras: str) -> None:
    """Refuse to start if packages are missing: name all of them, before any training."""
    missing = {extra: [name for name in PACKAGES[extra] if find_spec(name) is None] for extra in extras}
    missing = {extra: names for extra, names in missing.items() if names}
    if missing:
        names = [repr(name) for names in missing.values() for name in names]
        what = f"package {names[0]}, which is" if len(names) == 1 else f"packages {', '.join(names)}, which are"
        raise MissingExtraError(
            f"this experiment needs the {what} not installed. "
            f'Install them with: pip install "thinnet[{",".join(missing)}]"'
        )


def _noun(data: str) -> str:
    return {"cifar10": "CIFAR-10 images", "fashion-mnist": "Fashion-MNIST images"}.get(data, Path(data).stem)


def conduct(
    configs: Sequence[Config], options: argparse.Namespace, table: Callable[[Any], str], title: str
) -> list[Any]:
    """Train the missing runs, print the table, write the page, and return the groups of runs.

    Args:
        configs: what to train.
        options: the options of the command line.
        table: returns the results of the groups as text.
        title: the title of the page.
    """
    from thinnet import sweep
    from thinnet.report import write_report
    from thinnet.report.groups import group_runs

    workers = sweep.Workers(options.jobs, options.backend, options.address)
    side_by_side = () if workers.alone else ("dask",) if workers.backend == "dask" else ("sweep",)
    digits = ("digits",) if any(config.data == "digits" for config in configs) else ()
    check_extras(*digits, "report", *side_by_side)
    progress = False if is_silent(options) else None
    options.next_step = NEXT_STEP
    page = _page_in(options.output)
    _check_rows(configs, options)
    runs = sweep.run(configs, options.output, workers, lambda text: _say(options, text), progress)
    groups = group_runs(runs)
    write_report([run.folder for run in runs], page, title=title)
    _say(options, "")
    _tell(options, {"groups": [_metrics(group) for group in groups]}, table(groups), page)
    return groups


def _page_in(folder: Path) -> Path:
    """Where the page will be; an error before any training if a file of another kind is there."""
    page = folder / "report.html"
    check_page("output", page, "thinnet report", folder=True)
    return page


def _check_rows(configs: Sequence[Config], options: argparse.Namespace) -> None:
    """Before any training, refuse more rows than there are; say so if the number is a default."""
    from thinnet.runs import load

    largest = max(configs, key=lambda config: config.num_train)
    if not largest.num_train or options.address:  # with an address, other machines may have different data
        return
    try:
        load(largest)
    except ArgumentError as error:
        typed = getattr(options, "num_train", None) or getattr(options, "sizes", None)
        if str(error).startswith("num_train must be at most") and not typed:
            error.args = (f"{error} That is the default, for larger data sets.",)
        raise


def _tell(options: argparse.Namespace, numbers: dict[str, Any], text: str, page: Path) -> None:
    """Print the result as text or as JSON, with the path of the page."""
    tell(options, {**numbers, "page": str(page)}, f"{text}\nPage:   {page}")


def _metrics(group: Any) -> dict[str, Any]:
    names = ("test_accuracy", "val_accuracy", "last_val_accuracy", "last_train_accuracy")
    return {"label": group.label, **{name: group.values(name) for name in names}}


def _say(options: argparse.Namespace, text: str) -> None:
    if not is_silent(options):
        print(text, flush=True)


def _check_distinct(name: str, values: Sequence[Any]) -> None:
    if len(set(values)) < len(values):
        raise ArgumentError(f"{name} must all differ, got {list(values)}. Give each one once.")


def _run_cifar10(options: argparse.Namespace) -> int:
    from thinnet.experiments import cifar10_fc
    from thinnet.report import write_report
    from thinnet.sweep import names

    check_extras("report")
    config = changed(cifar10_fc.RECIPE, options)
    folder = options.output or Path("runs", "cifar10-fc", names([config])[0])
    options.next_step = NEXT_STEP
    page, silent = _page_in(folder), is_silent(options)
    result = cifar10_fc.run(config, folder, verbose=not silent, progress=False if silent else None)
    write_report([folder], title="The net of ECE C247's assignment on CIFAR-10")
    numbers = {"val_accuracy": result.val_accuracy, "test_accuracy": result.test_accuracy}
    _tell(options, {**numbers, "seconds": result.history.seconds[-1]}, cifar10_fc.table(result), page)
    return 0


def _run_ladder(options: argparse.Namespace) -> int:
    from thinnet import runs
    from thinnet.experiments import cifar10_ladder
    from thinnet.report import write_report

    check_extras("report")
    check_number("minutes", options.minutes)
    folder = options.output or Path("runs", "cifar10-ladder", f"{options.minutes:g}-minutes-seed-{options.seed}")
    given = {"seed": options.seed, "root": options.root}
    if (folder / runs.CONFIG).exists():  # the speed of the machine was measured when the run began
        begun = runs.read_config(folder)
        given |= {"epochs": begun.epochs, "precision": begun.precision}
    if options.precision is not None:
        given["precision"] = options.precision
    config = cifar10_ladder.recipe_for(options.minutes, **given)
    options.next_step = NEXT_STEP
    page, silent = _page_in(folder), is_silent(options)
    climb = cifar10_ladder.run(config, folder, verbose=not silent, progress=False if silent else None)
    write_report([folder], title="A fully connected net on CIFAR-10, from pixels alone")
    _tell(options, climb.numbers(), climb.table(), page)
    return 0


EXPERIMENTS: dict[str, Experiment] = {
    "dropout": Experiment(
        "few training rows, with and without dropout, several seeds",
        "Train nets with and without dropout on a few rows of a data set, and write a page about it.",
        "dropout --data digits --seeds 5 --rates 0 0.25 0.5",
        _add_dropout,
        _run_dropout,
    ),
    "rate-sweep": Experiment(
        "accuracy for several dropout rates and training set sizes",
        "Train nets at several rates on training sets of several sizes, and write a page about it.",
        "rate-sweep --rates 0 0.25 0.5 --sizes 50 200 800 --jobs 2",
        _add_rate_sweep,
        _run_rate_sweep,
    ),
    "masks": Experiment(
        "a dropout mask for each row, or one for the whole minibatch",
        "Train nets with a mask for each row, and with one for the whole minibatch, and write a page about it.",
        "masks --data cifar10 --seeds 2",
        _add_masks,
        _run_masks,
    ),
    "cifar10-fc": Experiment(
        "the last net of ECE C247's assignment: over 55%% on CIFAR-10",
        "Train the net 3072-500-500-500-10 with batch normalization and dropout one half on CIFAR-10.",
        "cifar10-fc --root ~/data",
        _add_cifar10,
        _run_cifar10,
    ),
    "cifar10-ladder": Experiment(
        "how far a net gets on CIFAR-10, from pixels alone, in a given time",
        "Train the best known recipe for a given time on CIFAR-10, and say when it reached which accuracy.",
        "cifar10-ladder --minutes 10",
        _add_ladder,
        _run_ladder,
    ),
}
