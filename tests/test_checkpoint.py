"""Checkpoints: a run that is interrupted anywhere ends as if it had never been, or says why it cannot."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thinnet import ArgumentError, Callback, Dataset, FullyConnectedNet, Solver
from thinnet.errors import CheckpointError
from thinnet.optim import OPTIMIZERS
from thinnet.schedules import Cosine, OneCycle
from thinnet.storage import checkpoint as checkpoints
from thinnet.storage.sealed import read_sealed, write_sealed

STEPS = 12  # three epochs of four


def make_data(val: int = 20, seed: int = 0, regression: bool = False) -> Dataset:
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 256, (46 + val, 5), dtype=np.uint8)
    y: Any = X[:, :3] / 256 if regression else X[:, :3].argmax(axis=1)
    held_out = (X[46:], y[46:]) if val else (None, None)
    return Dataset(X[:46], y[:46], *held_out).standardized("feature")


def make_net(**options: Any) -> FullyConnectedNet:
    usual = {"dropout": 0.4, "normalization": "batchnorm", "weight_scale": "he", "seed": 5}
    return FullyConnectedNet([12, 6], 5, 3, **{**usual, **options})


def make_solver(net: FullyConnectedNet, data: Dataset, **options: Any) -> Solver:
    usual = {"update_rule": "adam", "optim_config": {"learning_rate": 0.02}, "batch_size": 10, "num_epochs": 3}
    return Solver(net, data, verbose=False, progress=False, **{**usual, **options})


def state(solver: Solver) -> dict[str, Any]:
    """Everything that a run leaves, to the last bit; the time on the wall apart."""
    net, history = solver.model, vars(solver.history)
    kept = {key: value if key == "t" else value.tobytes() for key, value in solver.optimizer.state.items()}
    best = {name: parameters.flat.tobytes() for name, parameters in (solver.best or {}).items()}
    return {
        "params": net.params.flat.tobytes(),
        "running": net.running.flat.tobytes(),
        "step": net.step,
        "history": {name: values for name, values in history.items() if name != "seconds"},
        "evaluations": len(history["seconds"]),
        "optimizer": kept,
        "best": (best, solver.best_val_acc),
        "ended": (solver.iteration, solver.stop_reason),
    }


Case = tuple[dict[str, Any], dict[str, Any], dict[str, Any]]  # of the net, the solver and the data
ELEMENT: list[Case] = [({}, {"update_rule": name}, {}) for name in OPTIMIZERS]
BATCH: list[Case] = [({"dropout_mask": "batch"}, {"update_rule": name}, {}) for name in OPTIMIZERS]
OTHERS: list[Case] = [
    ({}, {"schedule": Cosine(warmup=0.2, floor=0.1)}, {}),
    ({}, {"schedule": OneCycle()}, {}),
    ({}, {"lr_decay": 0.7}, {}),
    ({}, {"patience": 1, "optim_config": {"learning_rate": 0.0}}, {}),
    ({}, {"sampling": "replacement", "num_train_samples": 9, "num_val_samples": 7}, {}),
    ({}, {"seed": 77, "batch_size": 999}, {}),
    ({"dtype": np.float64, "reg": 0.01}, {}, {}),
    ({"normalization": "layernorm", "loss": "svm"}, {}, {}),
    ({"normalization": None, "scaling": "classic"}, {"num_train_samples": None}, {}),
    ({"loss": "mse"}, {}, {"regression": True}),
    ({"dropout": 0}, {}, {"val": 0}),
    ({"dropout_mask": "batch", "dtype": np.float64}, {"sampling": "replacement"}, {"val": 0}),
]


def folders_after_each_step(solver: Solver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Train to the end; return for each step a folder as it would be if the process had died after that step."""
    monkeypatch.setattr(checkpoints, "KEEP", 10**6)
    solver.train()
    monkeypatch.undo()
    folders = []
    assert solver._checkpoints is not None
    for step, path in checkpoints.saved(solver._checkpoints.folder).items():
        folder = tmp_path / f"after-{step}"
        folder.mkdir()
        shutil.copy(path, folder)
        folders.append(folder)
    return folders


def check_resuming_anywhere(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.parametrize("case", ELEMENT, ids=lambda case: case[1]["update_rule"])
def test_a_run_resumed_after_any_step_ends_the_same(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_resuming_anywhere(case, tmp_path, monkeypatch)


@pytest.mark.parametrize("case", BATCH, ids=lambda case: case[1]["update_rule"])
def test_a_run_with_one_mask_a_batch_does_so_too(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_resuming_anywhere(case, tmp_path, monkeypatch)


@pytest.mark.parametrize("case", OTHERS, ids=range(len(OTHERS)))
def test_whatever_else_a_run_was_given(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_resuming_anywhere(case, tmp_path, monkeypatch)


@pytest.mark.usefixtures("without_kernels")
@pytest.mark.parametrize("mask", ["element", "batch"])
def test_the_same_without_kernels(mask: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    data = make_data()
    never = make_solver(make_net(dropout_mask=mask), data)
    never.train()
    for step in (1, 5, 11):
        interrupt(make_solver(make_net(dropout_mask=mask), data, checkpoint_dir=folder, checkpoint_every=1), step)
        resumed = Solver.resume(folder, data)
        resumed.train()
        assert state(resumed) == state(never)
        shutil.rmtree(folder)


class Raise(Callback):
    """An error of somebody else's in the step after this one, where nothing of it is saved yet."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, solver: Solver) -> None:
        if solver.iteration > self.step:
            raise RuntimeError("on purpose")


def interrupt(solver: Solver, step: int) -> None:
    solver.callbacks.append(Raise(step))
    with pytest.raises(RuntimeError, match="on purpose"):
        solver.train()


def interrupted(folder: Path, step: int = 6, **options: Any) -> Solver:
    solver = make_solver(make_net(), make_data(), checkpoint_dir=folder, checkpoint_every=1, **options)
    interrupt(solver, step)
    return solver


def test_a_run_interrupted_again_and_again_ends_the_same(tmp_path: Path) -> None:
    never = make_solver(make_net(), make_data())
    never.train()
    interrupted(tmp_path, step=1)
    for step in (2, 3, 7, 8, 11):
        interrupt(Solver.resume(tmp_path, make_data()), step)
    last = Solver.resume(tmp_path, make_data())
    last.train()
    assert state(last) == state(never)
    again = Solver.resume(tmp_path, make_data())
    again.train()
    assert state(again) == state(never), "a finished run stays as it is"


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
    options = {"optim_config": {"learning_rate": np.float32(0.01)}, "patience": np.int64(9), "seed": np.uint8(3)}
    solver = make_solver(make_net(reg=np.float32(0.5)), make_data(), checkpoint_dir=tmp_path, **options)
    solver.train()
    assert Solver.resume(tmp_path, make_data()).options == solver.options


def test_a_resumed_run_trains_the_net_that_it_is_given(tmp_path: Path) -> None:
    interrupted(tmp_path)
    net = make_net()
    solver = Solver.resume(tmp_path, make_data(), model=net)
    assert solver.model is net
    solver.train()
    never = make_solver(make_net(), make_data())
    never.train()
    assert state(solver) == state(never)


def test_a_run_can_be_made_longer(tmp_path: Path) -> None:
    make_solver(make_net(), make_data(val=0), checkpoint_dir=tmp_path, num_epochs=2).train()
    longer = Solver.resume(tmp_path, make_data(val=0), num_epochs=3, print_every=5)
    longer.train()
    never = make_solver(make_net(), make_data(val=0))
    never.train()
    assert longer.history.loss == never.history.loss
    assert longer.model.params.flat.tobytes() == never.model.params.flat.tobytes()


# What is on the disk


def files(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if name != ".lock")


def test_the_newest_checkpoints_stay_and_old_ones_go(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    class Watching(Callback):
        def on_step(self, solver: Solver) -> None:
            seen.append(files(tmp_path))

    make_solver(make_net(), make_data(), checkpoint_dir=tmp_path, checkpoint_every=1, callbacks=[Watching()]).train()
    assert [len(names) for names in seen] == [0, 1, 2] + [2] * 9
    assert files(tmp_path) == ["step-000000011.safetensors", "step-000000012.safetensors"]


@pytest.mark.parametrize(("every", "steps"), [(None, [8, 12]), (5, [10, 12]), (100, [12])])
def test_checkpoints_are_written_when_they_are_due_and_at_the_end(
    every: int | None, steps: list[int], tmp_path: Path
) -> None:
    solver = make_solver(make_net(), make_data(), checkpoint_dir=tmp_path, checkpoint_every=every)
    solver.train()
    assert list(checkpoints.saved(tmp_path)) == steps


def test_other_files_are_left_alone_and_leftovers_of_a_killed_run_are_not(tmp_path: Path) -> None:
    leftover = tmp_path / ".step-000000004.safetensors.x1y2"
    for path in (leftover, tmp_path / "notes.txt", tmp_path / "step-1.txt", tmp_path / ".hidden"):
        path.write_bytes(b"half of a che")
    interrupted(tmp_path)
    assert files(tmp_path) == [
        ".hidden",
        "notes.txt",
        "step-000000005.safetensors",
        "step-000000006.safetensors",
        "step-1.txt",
    ]


@pytest.mark.skipif(os.name != "posix", reason="permissions and umask are POSIX's")
@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077], ids=oct)
def test_permissions_are_those_of_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        interrupted(tmp_path / "new" / "run")
    finally:
        os.umask(before)
    for path in [tmp_path / "new" / "run", *(tmp_path / "new" / "run").iterdir()]:
        every = 0o777 if path.is_dir() else 0o666
        assert stat.S_IMODE(path.stat().st_mode) == every & ~umask, path


def test_the_arguments_of_the_caller_are_left_alone(tmp_path: Path) -> None:
    interrupted(tmp_path)
    sealed = checkpoints.newest(tmp_path)
    assert checkpoints.options_of(sealed) == checkpoints.options_of(sealed)


# Refusals


def test_a_folder_with_another_run_is_refused(tmp_path: Path) -> None:
    interrupted(tmp_path)
    text = r"must be without checkpoints of another run, got .* with step 6\. Go on with that run by Solver\.resume\('"
    with pytest.raises(CheckpointError, match=text):
        make_solver(make_net(), make_data(), checkpoint_dir=tmp_path)


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/below"])
def test_a_folder_that_cannot_be_is_found_before_training(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=r"checkpoint_dir must be a folder that can be written, got .* Choose"):
        make_solver(make_net(), make_data(), checkpoint_dir=tmp_path / place)


@pytest.mark.parametrize("place", ["", "nowhere", "file"])
def test_a_folder_without_a_checkpoint_is_refused(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=r"must be a folder with a checkpoint, got none. Name the run's checkp"):
        Solver.resume(tmp_path / place, make_data())


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
            CheckpointError, match=rf"data must be what .*, got another (\w+, )*{differing}\. Load it as"
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
    with pytest.raises(ArgumentError, match="num_epochs must be an integer >= 1, got 0"):
        Solver.resume(tmp_path, make_data(), num_epochs=0)


def test_a_damaged_checkpoint_is_refused_and_the_one_before_it_named(tmp_path: Path) -> None:
    interrupted(tmp_path)
    newest = tmp_path / "step-000000006.safetensors"
    content = bytearray(newest.read_bytes())
    content[-1] ^= 1
    newest.write_bytes(content)
    text = (
        r"SHA-256 is not that .* Remove step-000000006\.safetensors to go on from step-000000005\.safetensors instead"
    )
    with pytest.raises(CheckpointError, match=text):
        Solver.resume(tmp_path, make_data())
    newest.unlink()
    resumed = Solver.resume(tmp_path, make_data())
    resumed.train()
    never = make_solver(make_net(), make_data())
    never.train()
    assert state(resumed) == state(never)


def test_a_checkpoint_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "step-000000006.safetensors").mkdir()
    with pytest.raises(CheckpointError, match=r"must be a folder whose newest checkpoint can be read, got .*directory"):
        Solver.resume(tmp_path, make_data())


def set_in(path: list[str], value: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    """A change of one entry of the state."""

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


FORGED: list[Callable[[dict[str, Any], dict[str, Any]], None]] = [
    *(set_in([key], None) for key in ("net", "solver", "iteration", "best_val_acc", "history", "data")),
    *(set_in(["solver", key], []) for key in ("update_rule", "optim_config", "batch_size", "seed", "schedule")),
    set_in(["solver", "callbacks"], ["x"]),
    set_in(["solver", "schedule"], {"name": "cosine", "floor": 2}),
    set_in(["solver", "schedule"], {"name": "exec"}),
    set_in(["solver", "optim_config"], {"learning_rate": "fast"}),
    set_in(["solver", "optim_config"], [1]),
    set_in(["solver", "batch_size"], 1),
    set_in(["iteration"], -1),
    set_in(["iteration"], 5),
    set_in(["iteration"], 2.5),
    set_in(["t"], "6"),
    set_in(["stop_reason"], 5),
    set_in(["best_val_acc"], "0.5"),
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
    """Its digest is right; anyone can compute one."""
    interrupted(tmp_path)
    path = tmp_path / "step-000000006.safetensors"
    sealed = read_sealed(path, checkpoints.KIND)
    change(sealed.state, sealed.arrays)
    write_sealed(path, checkpoints.KIND, sealed.state, sealed.arrays)
    with pytest.raises(CheckpointError):
        Solver.resume(tmp_path, make_data())


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"update_rule": OPTIMIZERS["sgd"].rule},
            "checkpoint_dir must be None unless the model is a FullyConnectedNet",
        ),
        ({"schedule": lambda *_, **__: 1.0}, "schedule must be one of thinnet.schedules where checkpoints are written"),
        ({"checkpoint_every": 0}, "checkpoint_every must be an integer >= 1, got 0"),
        (
            {"checkpoint_dir": None, "checkpoint_every": 3},
            "checkpoint_every must be None without checkpoint_dir, got a",
        ),
        ({"checkpoint_dir": 5}, "checkpoint_dir must be a path, got 5"),
        ({"checkpoint_dir": "a\0b"}, r"checkpoint_dir must be a path, got 'a\\x00b'"),
    ],
    ids=range(6),
)
def test_arguments_that_cannot_be_kept_are_refused(options: dict[str, Any], text: str, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=text):
        make_solver(make_net(), make_data(), **{"checkpoint_dir": tmp_path / "run", **options})


# Two runs


def test_two_solvers_at_once_in_a_folder_are_refused(tmp_path: Path) -> None:
    second = make_solver(make_net(), make_data(), checkpoint_dir=tmp_path)
    refused: list[str] = []

    class Rival(Callback):
        def on_step(self, solver: Solver) -> None:
            with pytest.raises(
                CheckpointError, match="must be used by one run at a time, but another one is training"
            ) as e:
                second.train()
            refused.append(str(e.value))

    make_solver(make_net(), make_data(), checkpoint_dir=tmp_path, callbacks=[Rival()]).train()
    assert len(refused) == STEPS
    assert second.iteration == 0


def test_two_solvers_in_turn_do_not_mix_their_checkpoints(tmp_path: Path) -> None:
    first, second = (make_solver(make_net(), make_data(), checkpoint_dir=tmp_path) for _ in range(2))
    first.train()
    before = files(tmp_path)
    with pytest.raises(CheckpointError, match=r"of one run, got .* with step 12, which another run has written meanwh"):
        second.train()
    assert files(tmp_path) == before
    first.train()  # its own are no hindrance


def test_two_resumed_runs_in_turn_do_not_either(tmp_path: Path) -> None:
    interrupted(tmp_path)
    first, second = (Solver.resume(tmp_path, make_data()) for _ in range(2))
    first.train()
    with pytest.raises(CheckpointError, match="which another run has written meanwhile"):
        second.train()


# Other processes

CHILD = """
    import os, signal, sys, time
    import numpy as np
    from thinnet import Callback, Solver
    from test_checkpoint import make_data, make_net, make_solver
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored in the background of a shell

    class At(Callback):
        def on_step(self, solver):
            if solver.iteration == 6:
                act(solver)

    def run(**options):
        solver = make_solver(make_net(), make_data(), checkpoint_dir=sys.argv[1], callbacks=[At()], **options)
        solver.train()
"""


def start(script: str, folder: Path) -> subprocess.Popen[str]:
    code = textwrap.dedent(CHILD) + textwrap.dedent(script)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def finish(folder: Path) -> None:
    """Resume, and compare with the run that was never interrupted."""
    never, resumed = make_solver(make_net(), make_data()), Solver.resume(folder, make_data())
    never.train()
    resumed.train()
    assert state(resumed) == state(never)


def test_ctrl_c_saves_and_ends_after_the_step(tmp_path: Path) -> None:
    child = start(
        """
        def act(solver):
            print("now", flush=True)
            sys.stdin.readline()
        run(checkpoint_every=100)
        """,
        tmp_path,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "now\n"
    child.send_signal(signal.SIGINT)
    _, err = child.communicate("go on\n", timeout=60)
    assert child.returncode != 0
    assert "thinnet: finishing this step and saving; Ctrl-C again ends at once" in err
    assert "KeyboardInterrupt: saved " in err
    assert "step-000000006.safetensors after step 6 of 12" in err
    assert files(tmp_path) == ["step-000000006.safetensors"]
    finish(tmp_path)


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    """The step never ends, and what was saved before it stays whole."""
    child = start(
        """
        def act(solver):
            print("now", flush=True)
            while True:
                time.sleep(0.01)
        run(checkpoint_every=2)
        """,
        tmp_path,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    assert child.stdout.readline() == "now\n"
    child.send_signal(signal.SIGINT)
    while "finishing this step" not in child.stderr.readline():
        pass
    assert child.poll() is None
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert files(tmp_path) == ["step-000000002.safetensors", "step-000000004.safetensors"]
    finish(tmp_path)


def test_ctrl_c_where_it_is_ignored_stays_ignored(tmp_path: Path) -> None:
    child = start(
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        def act(solver):
            os.kill(os.getpid(), signal.SIGINT)
        run()
        """,
        tmp_path,
    )
    _, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (0, "")


def test_a_handler_of_somebody_else_is_put_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    interrupted(tmp_path)
    assert signal.getsignal(signal.SIGINT) is before


def test_another_process_in_the_folder_is_refused(tmp_path: Path) -> None:
    child = start(
        """
        def act(solver):
            print("now", flush=True)
            sys.stdin.readline()
        run(checkpoint_every=2)
        """,
        tmp_path,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "now\n"
    with pytest.raises(CheckpointError, match="must be used by one run at a time"):
        Solver.resume(tmp_path, make_data()).train()
    _, err = child.communicate("go on\n", timeout=60)
    assert child.returncode == 0, err
    finish(tmp_path)


def test_a_killed_process_leaves_no_lock_and_nothing_lost(tmp_path: Path) -> None:
    child = start(
        """
        def act(solver):
            os.kill(os.getpid(), signal.SIGKILL)
        run(checkpoint_every=2)
        """,
        tmp_path,
    )
    child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL
    finish(tmp_path)


def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    """A limit of the file size stands for it: writing fails in the middle of a file."""
    child = start(
        """
        import resource
        def act(solver):
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        run(checkpoint_every=1)
        """,
        tmp_path,
    )
    _, err = child.communicate(timeout=60)
    assert "CheckpointError" in err
    assert "step-000000006.safetensors must be written, but could not be (File too large)" in err
    assert "The checkpoint of step 5 is whole; mend that and resume" in err
    assert files(tmp_path) == ["step-000000004.safetensors", "step-000000005.safetensors"]
    finish(tmp_path)


def test_a_disk_that_is_full_from_the_first_is_said_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    solver = make_solver(make_net(), make_data(), checkpoint_dir=tmp_path, checkpoint_every=1)
    monkeypatch.setattr("thinnet.storage.files.os.fsync", full)
    with pytest.raises(CheckpointError, match=r"\(No space left on device\)\. There is no checkpoint yet; mend that"):
        solver.train()
    assert files(tmp_path) == []
