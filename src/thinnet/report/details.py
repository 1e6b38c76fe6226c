"""The details of each group: the net of one of its runs, evaluated on its data."""

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
from thinnet.report.diagnostics import diagnose
from thinnet.report.groups import Group
from thinnet.report.page import Details, best
from thinnet.typing import AnyArray

MOST_DETAILED, FEWER_DETAILED = 6, 3  # groups; details of more would make the page too long
NUM_WEIGHTS = 36
# The config fields that determine the data.
DATA_FIELDS = ("data", "root", "num_train", "data_seed", "standardization", "image_shape", *runs.AUGMENTATION)
Known = dict[tuple[Any, ...], tuple[Dataset, dict[str, str]]]  # data sets and the hashes of their arrays


def details(groups: Sequence[Group]) -> list[Details]:
    """The details of each group's first finished run, or of the best groups if there are many; or why none."""
    known: Known = {}
    chosen = groups if len(groups) <= MOST_DETAILED else best(groups, FEWER_DETAILED)
    return [_details(group, known) for group in chosen]


def _details(group: Group, known: Known) -> Details:
    run = next((run for run in group.runs if run.finished and (run.folder / runs.NET).is_file()), None)
    if run is None:
        ended = any(run.finished for run in group.runs)
        unfinished = next((f"it stopped {run.stop_reason}" for run in group.runs if run.stop_reason), "")
        why = f"its file {runs.NET} is gone" if ended else unfinished or "the run is not finished"
        return Details(group, reason=f"No net to look at: {why}.")
    try:
        data, fingerprint = _data(run.config, known)
    except (ArgumentError, DataError, MissingExtraError, OSError) as error:
        return Details(group, reason=f"The data could not be read: {error}")
    if run.environment.get("data", fingerprint) != fingerprint:
        return Details(group, reason="The data are no longer those that the run was trained on.")
    net = FullyConnectedNet.load(run.folder / runs.NET).with_standardization(None)  # the data set standardizes
    if LOSSES[net.loss_name].targets != "labels":
        return Details(group, reason="The targets are not one class per row, so there is no confusion matrix.")
    diagnostics = diagnose(net, data, run.config.batch_size)
    found = Details(group, diagnostics, data.class_names or tuple(map(str, range(len(diagnostics.confusion)))))
    if data.image_shape is None or data.image_shape[:-2] not in ((), (1,), (3,)):  # neither gray nor RGB
        return found
    W: AnyArray = net.params["W1"]
    strongest = np.argsort(-np.linalg.norm(W, axis=0), kind="stable")[:NUM_WEIGHTS]
    weights = tuple(png.weight_picture(row, data.image_shape) for row in W.T[strongest])
    X = getattr(data, f"X_{diagnostics.split}")
    top = float(data.X_train.max()) if X.dtype.kind == "u" else None
    mistakes = tuple(png.photograph(X[mistake.row], data.image_shape, top) for mistake in diagnostics.mistakes)
    return replace(found, weights=weights, mistakes=mistakes)


def _data(config: Config, known: Known) -> tuple[Dataset, dict[str, str]]:
    """The data of a run, cached for the next groups that share them."""
    key = tuple(getattr(config, name) for name in DATA_FIELDS)
    if key not in known:
        known.clear()  # so that only one is in memory at a time
        source = catalog.CATALOG.get(config.data)
        if source and source.download and not config.root and not source.find():  # a report must not download
            raise DataError(f"{config.data} must be on this machine, got none. To get it: {source.missing}.")
        data = runs.load(config)
        known[key] = data, data.fingerprint()
    return known[key]
