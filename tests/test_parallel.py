"""Several processes train the same net as one process, and end together."""

from __future__ import annotations

import functools
import itertools
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parallel_job import COMMAND, NETS, TRAININGS, make_data, make_net, make_training
from thinnet import ArgumentError, Dataset, FullyConnectedNet, Solver, cli
from thinnet.data.npz import load_npz
from thinnet.data.shares import alone, block_edges, share_of
from thinnet.distributed.processes import ProcessGroup
from thinnet.errors import CheckpointError
from thinnet.storage.checkpoint import saved as saved_checkpoints
from thinnet.storage.locks import locked

pytestmark = pytest.mark.posix

MPIEXEC = Path(sys.executable).with_name("mpiexec")
JOB = Path(__file__).with_name("parallel_job.py")


def job(size: int, folder: Path, *what: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Do jobs one after another in `size` processes; after two minutes they count as hanging."""
    command = [str(MPIEXEC), "-n", str(size), sys.executable, str(JOB), str(folder), *what]
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", **environment}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)


def wait_until_free(folder: Path) -> None:
    """Wait until the last process ends, which mpiexec does not do after an abort."""
    for _ in range(200):
        try:
            with locked(folder):
                return
        except CheckpointError:
            time.sleep(0.1)
    raise AssertionError(f"{folder} is still in use after 20 seconds")


ALONE = [name for name in TRAININGS if name != "local statistics"]  # several processes give the same results for these


@functools.cache
def trained(name: str) -> Solver:
    """The training in a single process, undisturbed."""
    solver = make_training(name)
    solver.train()
    return solver


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the jobs save their results."""
    for name in ALONE:
        trained(name)  # compile the loops once here, not in each of the processes
    return tmp_path_factory.mktemp("jobs")


@pytest.fixture(scope="module")
def two(folder: Path) -> subprocess.CompletedProcess[str]:
    """All jobs for two processes, started only once; the last job is one that fails."""
    page = (Path(__file__).parents[1] / "docs" / "parallel.md").read_text(encoding="utf-8")
    script = page.partition("```python\n")[2].partition("```")[0]
    (folder / "script.py").write_text(script, encoding="utf-8")
    done = job(2, folder, "trainings", "stops", "drift", "command", "script", "bad_row")
    assert (folder / "trainings2.npz").exists(), done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def killed(folder: Path) -> subprocess.CompletedProcess[str]:
    """A run of two processes, one of which was killed."""
    return job(2, folder, "train", MISFORTUNE="kill")


@pytest.fixture(scope="module")
def three(folder: Path, killed: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    """Like `two`, but with three processes; they also resume the run in which one process was killed."""
    wait_until_free(folder / "run")
    assert [*saved_checkpoints(folder / "run")] == [5]  # the launcher's status and output are not reliable
    done = job(3, folder, "trainings", "train", "wrong_command")
    assert (folder / "train3.npz").exists(), done.stdout + done.stderr
    return done


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.usefixtures("two", "three")
def test_several_processes_train_the_net_of_one(name: str, size: int, folder: Path) -> None:
    solver = trained(name)
    history = solver.history
    with np.load(folder / f"trainings{size}.npz") as found:
        close: dict[str, Any] = {"rtol": 1e-8, "atol": 1e-9}
        np.testing.assert_allclose(found[f"{name}/loss"], history.loss, **close)
        np.testing.assert_allclose(found[f"{name}/params"], [solver.model.params.flat] * size, **close)
        np.testing.assert_allclose(found[f"{name}/running"], [solver.model.running.flat] * size, **close)
        np.testing.assert_allclose(found[f"{name}/val"], history.val_accuracy, **close)
        np.testing.assert_allclose(found[f"{name}/train"], history.train_accuracy, **close)
        np.testing.assert_allclose(found[f"{name}/test"], solver.accuracy("test"), **close)


@pytest.mark.usefixtures("two")
def test_what_is_exchanged_is_gradients_statistics_and_a_few_numbers(folder: Path) -> None:
    parameters, evaluations, steps, units = make_net(**NETS["batchnorm"]).params.flat.size, 3, 18, 12 + 9
    with np.load(folder / "trainings2.npz") as found:
        exchanged = int(found["batchnorm/exchanged"])
    # Mean, variance and their two gradients for each unit; the loss; the stop signal; accuracies and losses.
    assert exchanged == 8 * (steps * (parameters + 4 * units + 1 + 2) + 2 * (2 * evaluations + 1))


@pytest.mark.usefixtures("two")
def test_thinned_steps_exchange_the_kept_weights_only(folder: Path) -> None:
    with np.load(folder / "trainings2.npz") as found:
        assert found["thinned/exchanged"] < 0.75 * found["batchnorm/exchanged"]


@pytest.mark.usefixtures("two")
def test_local_statistics_leave_all_processes_with_one_net(folder: Path) -> None:
    with np.load(folder / "trainings2.npz") as found:
        for kind in ("params", "running"):
            one, other = found[f"local statistics/{kind}"]
            np.testing.assert_array_equal(one, other)
            assert np.isfinite(one).all()
        parameters, units, steps, evaluations = make_net(**NETS["batchnorm"]).params.flat.size, 12 + 9, 4, 3
        # Instead of the units' statistics and their gradients, the running ones: two numbers per unit and step.
        expected = 8 * (steps * (parameters + 2 * units + 1 + 2) + 2 * (2 * evaluations + 1))
        assert found["local statistics/exchanged"] == expected


class TestMisfortune:
    @pytest.mark.usefixtures("three")
    def test_after_a_kill_all_processes_end_and_more_of_them_go_on(self, folder: Path) -> None:
        with np.load(folder / "train3.npz") as found:
            assert found["began"] == 5
            np.testing.assert_allclose(found["loss"], trained("batchnorm").history.loss, rtol=1e-8)
            np.testing.assert_allclose(found["params"], trained("batchnorm").model.params.flat, rtol=1e-7, atol=1e-9)

    @pytest.mark.parametrize("what", ["raise", "interrupt", "terminate"])
    def test_all_processes_end_and_another_number_of_them_goes_on(self, what: str, tmp_path: Path) -> None:
        done = job(2, tmp_path, "train", MISFORTUNE=what)
        assert done.returncode != 0
        if what == "raise":
            assert "process 1 of 2 failed:" in done.stderr
            assert "RuntimeError: the disk is on fire" in done.stderr
        if what == "interrupt":
            assert done.stderr.count("KeyboardInterrupt: saved") == 1, done.stderr
            assert "after step 8 of 18" in done.stderr
        if what == "terminate":
            assert done.returncode == 143, done.stderr
        saved = list(saved_checkpoints(tmp_path / "run"))
        assert saved == ([5] if what == "raise" else [5, 8])
        wait_until_free(tmp_path / "run")
        resumed = Solver.resume(tmp_path / "run", make_data().standardized("feature"))
        whole = trained("batchnorm")
        np.testing.assert_allclose(resumed.train().loss, whole.history.loss, rtol=1e-8)
        np.testing.assert_allclose(resumed.model.params.flat, whole.model.params.flat, rtol=1e-7, atol=1e-9)

    def test_what_goes_wrong_in_all_is_said_once(self, two: subprocess.CompletedProcess[str]) -> None:
        assert two.returncode != 0
        assert two.stderr.count("NumericalError: In step 1, ") == 1, two.stderr

    @pytest.mark.parametrize("name", ["stdout", "stderr"])
    def test_what_a_process_said_is_read_before_it_ends_all(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """The launcher would lose any output that it has not read by then."""
        ended = threading.Event()
        monkeypatch.setattr(_Pretended, "Abort", lambda self, status: ended.set())
        monkeypatch.setattr(sys, "excepthook", sys.excepthook)
        processes, (read, write) = ProcessGroup(_Pretended()), os.pipe()
        with os.fdopen(read, "rb", 0) as there, os.fdopen(write, "w") as here:
            monkeypatch.setattr(sys, name, here)
            print("what went wrong", file=here)
            thread = threading.Thread(target=processes.end, args=(RuntimeError(), 1))
            thread.start()
            assert not ended.wait(0.3)
            assert there.read(100) == b"what went wrong\n"
            thread.join()
            assert ended.is_set()

    @pytest.mark.usefixtures("two")
    def test_processes_that_drift_apart_are_noticed(self, folder: Path) -> None:
        said = (folder / "drift.txt").read_text(encoding="utf-8").splitlines()
        told = "the processes must have the same parameters, got 2 different sets"
        assert [told in each for each in said] == [True, True]


def test_rank_0_alone_calls_callbacks_and_its_stop_stops_all(two: subprocess.CompletedProcess[str]) -> None:
    said = two.stdout  # lines of the two processes may be mixed
    assert said.count("rank 0 was called") == 4
    assert "rank 1 was called" not in said
    assert [said.count(f"rank {rank} stopped after 4: enough") for rank in (0, 1)] == [1, 1]


def test_the_command_trains_in_several_processes_and_resumes_in_one(
    two: subprocess.CompletedProcess[str], folder: Path, tmp_path: Path
) -> None:
    assert two.stdout.count("status 0") == 2
    assert two.stdout.count("validation accuracy  ") == 1  # in the command's table
    assert cli.main([*COMMAND, "--output", str(tmp_path / "one"), "--quiet"]) == 0
    nets = [FullyConnectedNet.load(path / "net.safetensors") for path in (tmp_path / "one", folder / "command")]
    np.testing.assert_allclose(nets[1].params.flat, nets[0].params.flat, atol=1e-3)
    assert cli.main(["resume", str(folder / "command"), "--quiet"]) == 0


def test_the_script_of_the_page_is_one_process_or_several(two: subprocess.CompletedProcess[str], folder: Path) -> None:
    command = [sys.executable, "-W", "error", str(folder / "script.py")]
    alone = subprocess.run(command, capture_output=True, text=True, check=False)
    assert re.fullmatch(r"validation accuracy 0\.\d{3} in 1 processes\n", alone.stdout), alone.stderr
    both = re.findall(r"validation accuracy (0\.\d{3}) in 2 processes", two.stdout)
    assert len(both) == 1, two.stdout + two.stderr
    assert float(alone.stdout.split()[2]) == pytest.approx(float(both[0]), abs=0.02)


def test_other_commands_are_not_done_several_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PMI_SIZE", "2")  # as set by mpiexec, with which the command above trains in two processes
    assert cli.main(["experiment", "dropout", "--output", str(tmp_path / "runs")]) == 2
    assert "mpiexec must start thinnet train or thinnet resume, got another command" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_wrong_command_is_answered_once(three: subprocess.CompletedProcess[str]) -> None:
    assert three.returncode != 0
    assert three.stderr.count("must be a new folder, got a file") == 1, three.stderr


# Shares, in one process


@pytest.mark.parametrize("num_rows", [1, 5, 1000, 1024, 5000, 50_001])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_shares_are_runs_of_whole_blocks_that_hold_each_row_once(num_rows: int, size: int) -> None:
    shares = [share_of(num_rows, rank, size) for rank in range(size)]
    assert shares[0].start == 0
    assert shares[-1].stop == num_rows
    assert all(before.stop == after.start for before, after in itertools.pairwise(shares))
    assert {edge for share in shares for edge in (share.start, share.stop)} <= set(block_edges(num_rows).tolist())
    largest_block = -(-num_rows // min(num_rows, 1024))
    assert all(abs(share.stop - share.start - num_rows / size) <= largest_block for share in shares)


def test_held_rows_are_found_by_their_numbers_among_all() -> None:
    data, rows = make_data(), np.array([209, 3, 100, 70, 139, 0])
    for rank in range(3):
        part = data.shared(rank, 3)
        places, own = part.held("train", rows)
        np.testing.assert_array_equal(part.X_train[own], data.X_train[rows[places]])
        assert part.weights is not None
        assert data.weights is not None
        np.testing.assert_array_equal(part.weights[own], data.weights[rows[places]])
    places, own = data.held("train", [-1, 0])
    assert places.tolist() == [0, 1]
    assert own.tolist() == [data.num_rows("train") - 1, 0]
    assert sorted(place for rank in range(3) for place in data.shared(rank, 3).held("train", rows)[0]) == list(range(6))


@pytest.mark.parametrize("kind", ["labels", "regression"])
def test_a_file_is_read_in_shares(kind: str, tmp_path: Path) -> None:
    data = make_data(kind)
    arrays = {
        f"{part}_{split}": getattr(data, f"{part}_{split}") for split in ("train", "val", "test") for part in "Xy"
    }
    np.savez_compressed(tmp_path / "data.npz", **arrays)
    for rank in range(3):
        found, expected = load_npz(tmp_path / "data.npz", (rank, 3)), data.shared(rank, 3)
        for name in arrays:
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        assert found.share == expected.share


class TestRefusals:
    def test_a_share_needs_all_its_processes(self) -> None:
        part = make_data().shared(0, 2)
        for gather in (alone, lambda thing: [thing] * 3):
            size = len(gather(None))
            with pytest.raises(ArgumentError, match=f"gather must return a result from each of the 2 .* got {size}"):
                part.standardized("mean", gather=gather)
            with pytest.raises(ArgumentError, match="gather must return a result from each of the 2 processes"):
                part.fingerprint(gather=gather)
        with pytest.raises(ArgumentError, match="gather must be a function, got 3"):
            part.standardized("mean", gather=3)  # type: ignore[arg-type]
        with pytest.raises(ArgumentError, match="communicator must have the 2 processes that share the data set"):
            Solver(make_net(), part, verbose=False)
        with pytest.raises(ArgumentError, match="first must be called on a whole data set"):
            part.first(3)

    def test_a_rank_must_be_below_the_size(self) -> None:
        with pytest.raises(ArgumentError, match="rank must be from 0 to 1, below size, got 2"):
            make_data().shared(2, 2)

    def test_something_else_as_a_communicator(self) -> None:
        with pytest.raises(ArgumentError, match="communicator must be one from mpi4py"):
            Solver(make_net(), make_data(), communicator=3)

    def test_what_cannot_be_trained_in_parallel(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # with several processes, it is replaced
        net, data = make_net(**NETS["batchnorm"]), make_data()
        with pytest.raises(ArgumentError, match="communicator must be None unless the model is a FullyConnectedNet"):
            Solver(net, data, optimizer=lambda w, dw, config: (w, config or {}), communicator=_Pretended())
        with pytest.raises(ArgumentError, match="batch_size must be at least 64 with batch_statistics='local'"):
            Solver(net, data, communicator=_Pretended(), batch_statistics="local", batch_size=63)
        net.fused = False
        with pytest.raises(
            ArgumentError, match="communicator must be None for a net that is computed without the kernels"
        ):
            Solver(net, data, communicator=_Pretended())
        few = Dataset(np.zeros((1, 7)), np.zeros(1, int))
        with pytest.raises(ArgumentError, match="data must have at least 2 training rows, one per process, got 1"):
            Solver(net, few, communicator=_Pretended())

    def test_a_solver_that_does_not_know_of_the_other_processes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PMI_SIZE", "2")
        with pytest.warns(UserWarning, match="each trains a net of its own"):
            Solver(make_net(), make_data(), verbose=False)

    def test_batch_statistics_of_another_name(self) -> None:
        with pytest.raises(ArgumentError, match="batch_statistics must be one of"):
            Solver(make_net(), make_data(), batch_statistics="sync")  # type: ignore[arg-type]


class _Pretended:
    """A communicator of two processes, with the methods that are called before a solver refuses."""

    rank, size = 0, 2

    def bcast(self, thing: Any) -> Any:
        return thing

    Allreduce = Bcast = allgather = Abort = bcast
