"""A close look at one run of each group: its net is put to its data once, and what is shown is kept."""

from __future__ import annotations

from collections.abc import Sequence

from thinnet import runs
from thinnet.config import Config
from thinnet.data import Dataset
from thinnet.errors import ArgumentError, DataError, MissingExtraError
from thinnet.nets import FullyConnectedNet
from thinnet.report import png
from thinnet.report.folder import Run
from thinnet.report.groups import Group
from thinnet.report.judge import Judgment, first_weights, judge
from thinnet.report.page import Closeup, best
from thinnet.typing import AnyArray

MOST_CLOSEUPS, FEWER_CLOSEUPS = 6, 3  # a page with more of them is not looked at
NUM_WEIGHTS = 36
Known = tuple[Dataset, dict[str, str]]  # a data set and the hashes of its arrays


def closeups(groups: Sequence[Group]) -> list[Closeup]:
    """The first run of each group, or of the best ones of many; where there is none to look at, the reason."""
    seen: dict[Config, Known] = {}
    looks = []
    for group in groups if len(groups) <= MOST_CLOSEUPS else best(groups, FEWER_CLOSEUPS):
        run = next((run for run in group.runs if run.finished and (run.folder / runs.NET).is_file()), None)
        if run is None:
            ended = any(run.finished for run in group.runs)
            why = f"its file {runs.NET} is gone" if ended else "the run is not finished"
            looks.append(Closeup(group, reason=f"No net to look at: {why}."))
            continue
        try:
            data, fingerprint = _data(run.config, seen)
        except (ArgumentError, DataError, MissingExtraError, OSError) as error:
            looks.append(Closeup(group, reason=f"The data could not be read: {error}"))
            continue
        if run.environment.get("data", fingerprint) == fingerprint:
            looks.append(_closeup(group, run, data))
        else:
            looks.append(Closeup(group, reason="The data are no longer those that the run was trained on."))
    return looks


def _data(config: Config, seen: dict[Config, Known]) -> Known:
    """The data of a run, read once for groups that follow one another and share them."""
    key = Config(
        data=config.data,
        root=config.root,
        num_train=config.num_train,
        data_seed=config.data_seed,
        standardization=config.standardization,
    )
    if key not in seen:
        seen.clear()  # so that there is one in memory at a time
        data = runs.load(config)
        seen[key] = data, data.fingerprint()
    return seen[key]


def _closeup(group: Group, run: Run, data: Dataset) -> Closeup:
    if data.y_train.ndim == 2:
        return Closeup(group, reason="The targets are numbers and not classes, so there is nothing to confuse.")
    net = FullyConnectedNet.load(run.folder / runs.NET)
    judgment = judge(net, data, run.config.batch_size)
    names = data.class_names or tuple(map(str, range(len(judgment.confusion))))
    if not png.is_image(data.image_shape):
        return Closeup(group, judgment, names)
    return Closeup(group, judgment, names, _weights(net, data), _mistakes(judgment, data))


def _weights(net: FullyConnectedNet, data: Dataset) -> tuple[AnyArray, ...]:
    assert data.image_shape is not None
    return tuple(png.weight_picture(row, data.image_shape) for row in first_weights(net, NUM_WEIGHTS))


def _mistakes(judgment: Judgment, data: Dataset) -> tuple[AnyArray, ...]:
    assert data.image_shape is not None
    X = getattr(data, f"X_{judgment.split}")
    top = float(data.X_train.max()) if X.dtype.kind == "u" else None
    return tuple(png.photograph(X[one.row], data.image_shape, top) for one in judgment.mistakes)
