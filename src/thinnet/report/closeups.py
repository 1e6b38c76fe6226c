"""A close look at one run of each group: its net is put to its data once, and what is shown is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from thinnet import runs
from thinnet.config import Config
from thinnet.data import Dataset, catalog
from thinnet.errors import ArgumentError, DataError, MissingExtraError
from thinnet.layers import LOSSES
from thinnet.nets import FullyConnectedNet
from thinnet.report import png
from thinnet.report.groups import Group
from thinnet.report.judge import Judgment, judge
from thinnet.report.page import Closeup, best
from thinnet.typing import AnyArray

MOST_CLOSEUPS, FEWER_CLOSEUPS = 6, 3  # a page with more of them is not looked at
NUM_WEIGHTS = 36
DATA_FIELDS = ("data", "root", "num_train", "data_seed", "standardization")  # of a config: what decides its data
Known = dict[tuple[Any, ...], tuple[Dataset, dict[str, str]]]  # data sets and the hashes of their arrays


def closeups(groups: Sequence[Group]) -> list[Closeup]:
    """The first run of each group, or of the best ones of many; where there is none to look at, the reason."""
    known: Known = {}
    chosen = groups if len(groups) <= MOST_CLOSEUPS else best(groups, FEWER_CLOSEUPS)
    return [_closeup(group, known) for group in chosen]


def _closeup(group: Group, known: Known) -> Closeup:
    run = next((run for run in group.runs if run.finished and (run.folder / runs.NET).is_file()), None)
    if run is None:
        ended = any(run.finished for run in group.runs)
        why = f"its file {runs.NET} is gone" if ended else "the run is not finished"
        return Closeup(group, reason=f"No net to look at: {why}.")
    try:
        data, fingerprint = _data(run.config, known)
    except (ArgumentError, DataError, MissingExtraError, OSError) as error:
        return Closeup(group, reason=f"The data could not be read: {error}")
    if run.environment.get("data", fingerprint) != fingerprint:
        return Closeup(group, reason="The data are no longer those that the run was trained on.")
    net = FullyConnectedNet.load(run.folder / runs.NET).with_standardization(None)  # the data set's rows have it
    if LOSSES[net.loss_name].targets != "labels":
        return Closeup(group, reason="The targets are not one class a row, so there is nothing to confuse.")
    judgment = judge(net, data, run.config.batch_size)
    look = Closeup(group, judgment, data.class_names or tuple(map(str, range(len(judgment.confusion)))))
    if data.image_shape is None or not png.is_image(data.image_shape):
        return look
    weights = tuple(png.weight_picture(row, data.image_shape) for row in _first_weights(net))
    return replace(look, weights=weights, mistakes=_mistakes(judgment, data, data.image_shape))


def _data(config: Config, known: Known) -> tuple[Dataset, dict[str, str]]:
    """The data of a run, read once for groups that follow one another and share them."""
    key = tuple(getattr(config, name) for name in DATA_FIELDS)
    if key not in known:
        known.clear()  # so that there is one in memory at a time
        _check_here(config)
        data = runs.load(config)
        known[key] = data, data.fingerprint()
    return known[key]


def _check_here(config: Config) -> None:
    """Refuse what would have to be downloaded: a report is no reason to."""
    data = catalog.CATALOG.get(config.data)
    if data and data.download and not config.root and not data.place():
        raise DataError(f"{config.data} must be on this machine, got none. Get it by: {data.missing}.")


def _first_weights(net: FullyConnectedNet) -> AnyArray:
    """The weights of the first layer's strongest units, one a row."""
    W: AnyArray = net.params["W1"]
    return W.T[np.argsort(-np.linalg.norm(W, axis=0), kind="stable")[:NUM_WEIGHTS]]


def _mistakes(judgment: Judgment, data: Dataset, shape: tuple[int, ...]) -> tuple[AnyArray, ...]:
    X = getattr(data, f"X_{judgment.split}")
    top = float(data.X_train.max()) if X.dtype.kind == "u" else None
    return tuple(png.photograph(X[one.row], shape, top) for one in judgment.mistakes)
