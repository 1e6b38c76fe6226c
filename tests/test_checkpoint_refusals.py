"""Refused checkpoints: damaged or forged, of other data or another net, or with state that cannot be saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interrupted_runs import finish, interrupted, make_data, make_net, make_solver
from thinnet import ArgumentError, Dataset, Solver
from thinnet.errors import CheckpointError
from thinnet.optim import OPTIMIZERS
from thinnet.storage import checkpoint as checkpoints
from thinnet.storage.checksummed import read_checksummed, write_checksummed


def other_data() -> list[tuple[str, Dataset | dict[str, Any]]]:
    data = make_data()
    X = data.X_train.copy()
    X[45, 4] ^= 1
    y = data.y_train.copy()
    y[0] = (y[0] + 1) % 3
    assert data.X_val is not None
    assert data.y_val is not None
    rest: dict[str, Any] = {"X_val": data.X_val, "y_val": data.y_val, "shift": data.shift, "scale": data.scale}
    return [
        ("X_train", Dataset(X, data.y_train, **rest)),
        ("y_train", Dataset(data.X_train, y, **rest)),
        ("X_val", Dataset(data.X_train, data.y_train, **{**rest, "X_val": data.X_val[::-1]})),
        ("X_val, y_val", Dataset(data.X_train, data.y_train, shift=data.shift, scale=data.scale)),
        ("X_test, y_test", Dataset(data.X_train, data.y_train, **rest, X_test=data.X_val, y_test=data.y_val)),
        ("scale", data.standardized("mean")),
        ("scale, shift", {"X_train": data.X_train, "y_train": data.y_train, "X_val": data.X_val, "y_val": data.y_val}),
        ("X_train", Dataset(data.X_train.astype(np.float32), data.y_train, **rest)),
    ]


def test_other_data_are_refused_and_what_differs_is_named(tmp_path: Path) -> None:
    interrupted(tmp_path)
    net = make_net(weight_scale=0.5)
    before = net.params.flat.copy()
    for differing, data in other_data():
        with pytest.raises(
            CheckpointError, match=rf"data must be what .*, got a different (\w+, )*{differing}\. Load it as"
        ):
            Solver.resume(tmp_path, data)
        with pytest.raises(CheckpointError):
            Solver.resume(tmp_path, data, model=net)
    np.testing.assert_array_equal(net.params.flat, before, "a refusal leaves the net alone")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"dropout": 0.5}, "dropout 0.5 for 0.4"),
        ({"seed": 6}, "seed 6 for 5"),
        ({"normalization": None}, "normalization None for 'batchnorm'"),
        ({"dtype": np.float64, "reg": 1}, "reg 1.0 for 0.0, dtype 'float64' for 'float32'"),
    ],
    ids=str,
)
def test_another_net_is_refused_and_what_differs_is_named(options: dict[str, Any], text: str, tmp_path: Path) -> None:
    interrupted(tmp_path)
    net = make_net(**options)
    before = net.params.flat.copy()
    with pytest.raises(
        CheckpointError, match=f"model must be the net that the run trained, got {text}. Leave model out"
    ):
        Solver.resume(tmp_path, make_data(), model=net)
    np.testing.assert_array_equal(net.params.flat, before)


def test_only_what_does_not_touch_the_outcome_can_be_changed(tmp_path: Path) -> None:
    interrupted(tmp_path)
    with pytest.raises(
        ArgumentError, match=r"changes must be a mapping with only the keys 'verbose', .*, got 'batch_siz"
    ):
        Solver.resume(tmp_path, make_data(), batch_size=5)
    with pytest.raises(ArgumentError, match="epochs must be an integer >= 1, got 0"):
        Solver.resume(tmp_path, make_data(), epochs=0)


def test_a_damaged_checkpoint_is_refused_and_the_one_before_it_named(tmp_path: Path) -> None:
    interrupted(tmp_path)
    newest = tmp_path / "step-000000006.safetensors"
    content = bytearray(newest.read_bytes())
    content[-1] ^= 1
    newest.write_bytes(content)
    text = (
        r"SHA-256 does not match .* Remove step-000000006\.safetensors "
        r"to go on from step-000000005\.safetensors instead"
    )
    with pytest.raises(CheckpointError, match=text):
        Solver.resume(tmp_path, make_data())
    newest.unlink()
    finish(tmp_path)


def test_a_checkpoint_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "step-000000006.safetensors").mkdir()
    with pytest.raises(CheckpointError, match=r"must be a folder whose newest checkpoint can be read, got .*directory"):
        Solver.resume(tmp_path, make_data())


def set_in(path: list[str], value: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    """A function that changes one entry of the state."""

    def change(state: dict[str, Any], arrays: dict[str, Any]) -> None:
        place = state
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


def set_array(name: str, value: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def change(state: dict[str, Any], arrays: dict[str, Any]) -> None:
        arrays[name] = value

    return change


NO_NUMBERS: list[Any] = [{}, 0, "3", None]
FORGED: list[Callable[[dict[str, Any], dict[str, Any]], None]] = [
    *(set_in([key], None) for key in ("net", "solver", "iteration", "best_score", "history", "data")),
    *(set_in(["solver", key], []) for key in ("optimizer", "optimizer_options", "batch_size", "seed", "schedule")),
    set_in(["solver", "callbacks"], ["x"]),
    set_in(["solver", "schedule"], {"name": "cosine", "floor": 2}),
    set_in(["solver", "schedule"], {"name": "exec"}),
    set_in(["solver", "weight_decay_schedule"], "cosine"),
    set_in(["solver", "weight_decay_schedule"], {"name": "cosine"}),  # its optimizer has no weight decay
    set_in(["solver", "learning_rate"], "fast"),
    set_in(["solver", "optimizer_options"], [1]),
    *(set_in(["solver", "checkpoint_every"], every) for every in NO_NUMBERS),
    set_in(["solver", "batch_size"], 1),
    set_in(["solver", "ema_decay"], 0.5),
    set_in(["solver", "mixup"], -1),
    set_in(["iteration"], -1),
    set_in(["iteration"], 5),
    set_in(["iteration"], 2.5),
    set_in(["t"], "6"),
    set_in(["stop_reason"], 5),
    set_in(["best_score"], "0.5"),
    set_in(["history", "__class__"], []),
    set_in(["history", "epoch"], ["0", "1"]),
    set_in(["history", "epoch"], [0]),
    set_in(["history"], {}),
    set_in(["data"], [1]),
    set_in(["net", "config"], [["hidden_dims", [3]]]),
    set_in(["net", "step"], -1),
    set_in(["net"], {}),
    set_array("history/loss", np.zeros((6, 1))),
    set_array("history/loss", np.zeros(6, np.float32)),
    set_array("params/W1", np.zeros((5, 13), np.float32)),
    set_array("params/b1", np.zeros(12)),
    set_array("params/W9", np.zeros(1, np.float32)),
    set_array("optimizer/m/W1", np.zeros((12, 5), np.float32)),
    set_array("best/running/running_var1", np.zeros(3, np.float32)),
]


@pytest.mark.parametrize("change", FORGED, ids=range(len(FORGED)))
def test_a_whole_file_with_wrong_contents_is_refused(change: Any, tmp_path: Path) -> None:
    """Its digest is correct, since anyone can compute one."""
    interrupted(tmp_path)
    path = tmp_path / "step-000000006.safetensors"
    contents = read_checksummed(path, checkpoints.KIND)
    change(contents.state, contents.arrays)
    write_checksummed(path, checkpoints.KIND, contents.state, contents.arrays)
    with pytest.raises(CheckpointError):
        Solver.resume(tmp_path, make_data())


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"optimizer": OPTIMIZERS["sgd"].rule},
            "checkpoint_dir must be None unless the model is a FullyConnectedNet",
        ),
        ({"schedule": lambda *_, **__: 1.0}, "schedule must be one of thinnet.schedules where checkpoints are written"),
        ({"checkpoint_every": 0}, "checkpoint_every must be an integer >= 1, got 0"),
        (
            {"checkpoint_dir": None, "checkpoint_every": 3},
            "checkpoint_every must be None without checkpoint_dir, got 3",
        ),
        ({"checkpoint_dir": 5}, "checkpoint_dir must be a path, got 5"),
        ({"checkpoint_dir": "a\0b"}, r"checkpoint_dir must be a path, got 'a\\x00b'"),
    ],
    ids=range(6),
)
def test_arguments_that_cannot_be_kept_are_refused(options: dict[str, Any], text: str, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=text):
        make_solver(make_net(), make_data(), **{"checkpoint_dir": tmp_path / "run", **options})
