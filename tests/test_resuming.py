"""A run that is interrupted after any step and resumed ends like a run that was never interrupted."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interrupted_runs import STEPS, Raise, finish, interrupt, interrupted, make_data, make_net, make_solver, state
from thinnet import ArgumentError, Solver
from thinnet.optim import OPTIMIZERS
from thinnet.schedules import Cosine, EpochDecay, OneCycle
from thinnet.storage import checkpoint as checkpoints

Case = tuple[dict[str, Any], dict[str, Any], dict[str, Any]]  # options of the net, the solver and the data
CASES: list[Case] = [
    *(({}, {"optimizer": name}, {}) for name in OPTIMIZERS),
    *(({"dropout_mask": "batch"}, {"optimizer": name}, {}) for name in OPTIMIZERS),
    ({}, {"schedule": Cosine(warmup=0.2, floor=0.1)}, {}),
    ({}, {"schedule": OneCycle()}, {}),
    ({}, {"schedule": EpochDecay(0.7)}, {}),
    ({}, {"optimizer": "adamw", "schedule": Cosine(), "weight_decay_schedule": OneCycle(0.5, 0.1)}, {}),
    ({}, {"patience": 1, "learning_rate": 0.0}, {}),
    ({}, {"sampling": "replacement", "eval_train_rows": 9, "eval_val_rows": 7}, {}),
    ({}, {"seed": 77, "batch_size": 999}, {}),
    ({"dtype": np.float64, "reg": 0.01}, {}, {}),
    ({"normalization": "layernorm", "loss": "svm"}, {}, {}),
    ({"normalization": None, "scaling": "classic"}, {"eval_train_rows": None}, {}),
    ({"loss": "mse"}, {}, {"regression": True}),
    ({"dropout": 0}, {}, {"val": 0}),
    ({}, {"ema_decay": 0.8}, {}),
    ({}, {"mixup": 0.5}, {}),
    ({"dropout_mask": "batch", "loss": "mse"}, {"mixup": np.float32(2)}, {"regression": True}),
    ({"dropout_mask": "batch"}, {"ema_decay": np.float64(0.999)}, {"val": 0}),
    ({"dropout_mask": "batch", "dtype": np.float64}, {"sampling": "replacement"}, {"val": 0}),
]


def folders_after_each_step(solver: Solver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Train to the end; for each step, return a copy of the folder as if the process had died after that step."""
    monkeypatch.setattr(checkpoints, "KEEP", 10**6)
    solver.train()
    monkeypatch.undo()
    folders = []
    assert solver._saving is not None
    assert solver._saving.checkpoints is not None
    for step, path in checkpoints.saved(solver._saving.checkpoints.folder).items():
        folder = tmp_path / f"after-{step}"
        folder.mkdir()
        shutil.copy(path, folder)
        folders.append(folder)
    return folders


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_run_resumed_after_any_step_ends_the_same(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net_options, options, data_options = case
    data = make_data(**data_options)
    never = make_solver(make_net(**net_options), data, **options)
    never.train()
    whole = make_solver(make_net(**net_options), data, **options, checkpoint_dir=tmp_path / "run", checkpoint_every=1)
    folders = folders_after_each_step(whole, tmp_path, monkeypatch)
    assert state(whole) == state(never), "writing checkpoints changes nothing"
    assert len(folders) == never.iteration
    for folder in folders:
        resumed = Solver.resume(folder, make_data(**data_options), checkpoint_every=10**6, progress=False)
        resumed.train()
        assert state(resumed) == state(never), folder.name


@pytest.mark.usefixtures("without_kernels")
@pytest.mark.parametrize("mask", ["element", "batch"])
def test_the_same_without_kernels(mask: str, tmp_path: Path) -> None:
    for step in (1, 5, 11):
        interrupted(tmp_path / str(step), step, dropout_mask=mask)
        finish(tmp_path / str(step), dropout_mask=mask)


def test_a_run_interrupted_again_and_again_ends_the_same(tmp_path: Path) -> None:
    interrupted(tmp_path, step=1)
    for step in (2, 3, 7, 8, 11):
        interrupt(Solver.resume(tmp_path, make_data()), step)
    finish(tmp_path)
    finish(tmp_path)  # a finished run does not change


def test_a_net_that_leaves_the_kernels_alone_does_so_when_resumed(tmp_path: Path) -> None:
    nets = [make_net(), make_net()]
    for net in nets:
        net.fused = False
    never = make_solver(nets[0], make_data())
    never.train()
    interrupt(make_solver(nets[1], make_data(), checkpoint_dir=tmp_path, checkpoint_every=1), 5)
    resumed = Solver.resume(tmp_path, make_data())
    resumed.train()
    assert not resumed.model.fused
    assert state(resumed) == state(never)


def test_numbers_of_numpy_are_kept_as_numbers(tmp_path: Path) -> None:
    options = {"learning_rate": np.float32(0.01), "patience": np.int64(9), "seed": np.uint8(3)}
    solver = make_solver(make_net(reg=np.float32(0.5)), make_data(), checkpoint_dir=tmp_path, **options)
    solver.train()
    assert Solver.resume(tmp_path, make_data()).options == solver.options


def test_a_resumed_run_trains_the_net_that_it_is_given(tmp_path: Path) -> None:
    interrupted(tmp_path)
    net = make_net()
    assert Solver.resume(tmp_path, make_data(), model=net).model is net
    finish(tmp_path, model=net)
    assert net.step == STEPS


def test_a_run_can_be_made_longer(tmp_path: Path) -> None:
    make_solver(make_net(), make_data(val=0), checkpoint_dir=tmp_path, epochs=2).train()
    longer = Solver.resume(tmp_path, make_data(val=0), epochs=3, print_every=5)
    longer.train()
    never = make_solver(make_net(), make_data(val=0))
    never.train()
    assert longer.history.loss == never.history.loss
    assert longer.model.params.flat.tobytes() == never.model.params.flat.tobytes()


def test_fewer_epochs_than_were_begun_are_refused(tmp_path: Path) -> None:
    make_solver(make_net(), make_data(), checkpoint_dir=tmp_path, epochs=3).train()
    net = make_net()
    before = net.params.flat.copy()
    text = (
        "epochs must be at least 3, as many as the run has begun, got 2: it counts those of the whole run. Raise it, or"
    )
    with pytest.raises(ArgumentError, match=text):
        Solver.resume(tmp_path, make_data(), epochs=2, model=net)
    np.testing.assert_array_equal(net.params.flat, before)
    assert Solver.resume(tmp_path, make_data(), epochs=3).train().epoch[-1] == 3


def test_a_run_that_was_made_longer_on_the_way_is_resumed_to_its_new_end(tmp_path: Path) -> None:
    """Even with a schedule, which spans all epochs."""
    solvers = [
        make_solver(make_net(), make_data(), epochs=2, schedule="cosine", **options)
        for options in ({}, {"checkpoint_dir": tmp_path, "checkpoint_every": 1})
    ]
    for solver in solvers:
        solver.train()
    solvers[0].train(epochs=2)
    solvers[1].callbacks.append(Raise(solvers[0].iteration - 3))
    with pytest.raises(RuntimeError, match="on purpose"):
        solvers[1].train(epochs=2)
    resumed = Solver.resume(tmp_path, make_data())
    assert resumed.num_iterations == solvers[0].num_iterations
    resumed.train()
    assert state(resumed) == state(solvers[0])
