"""What a solver needs to continue an interrupted run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from thinnet.callbacks import checked_callbacks
from thinnet.checks import check_keys, check_number
from thinnet.data.dataset import Dataset
from thinnet.distributed.preparation import share_of
from thinnet.distributed.processes import ProcessGroup
from thinnet.errors import ArgumentError
from thinnet.nets import FullyConnectedNet
from thinnet.storage import checkpoint
from thinnet.storage.checksummed import Contents
from thinnet.training.fit import check_takes_rows_as_given
from thinnet.training.state import TrainingState

CHANGEABLE = ("verbose", "progress", "print_every", "callbacks", "checkpoint_every", "epochs")


def interrupted_run(
    folder: Path, data: Dataset, model: FullyConnectedNet | None, processes: ProcessGroup, changes: Mapping[str, Any]
) -> tuple[Contents, FullyConnectedNet, Dataset, dict[str, Any]]:
    """The run in a folder, which must be on these data, and of this model unless that is None.

    Returns:
        Its newest checkpoint, its net from then, this process's share of the data, and the solver's arguments with the
        `changes`.

    Raises:
        CheckpointError: if there is no checkpoint, it is damaged, or it belongs to different data or another net.
        ArgumentError: if `changes` has options that are not in `CHANGEABLE`.
    """
    check_keys("changes", changes, CHANGEABLE)
    contents = processes.from_first(checkpoint.newest(folder) if processes.rank == 0 else None)
    assert contents is not None
    net = checkpoint.net_of(contents)
    if model is not None:
        checkpoint.check_net(contents, model)
        check_takes_rows_as_given(model)
    data = share_of(data, processes)
    checkpoint.check_data(contents, data.fingerprint(gather=processes.gather))
    for name in {"print_every", "checkpoint_every", "epochs"} & set(changes):
        check_number(name, changes[name])
    callbacks = checked_callbacks(changes.get("callbacks", ()))
    return contents, net, data, {**checkpoint.options_of(contents), **changes, "callbacks": callbacks}


def check_not_fewer(state: TrainingState, changes: Mapping[str, Any]) -> None:
    """Reject fewer epochs than the run has begun: a user who means that many more would see training end at once."""
    if "epochs" in changes and state.iteration > state.total_steps:
        begun = -(-state.iteration // state.steps_per_epoch)
        raise ArgumentError(
            f"epochs must be at least {begun}, as many as the run has begun, got {changes['epochs']}: it counts those "
            f"of the whole run. Raise it, or leave it out."
        )
