"""What notebooks do with the courses' Solver besides calling it: they use its steps, attributes and files."""

from __future__ import annotations

import copy
import importlib
import pickle
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import thinnet.course
from thinnet.errors import ArgumentError

pytestmark = pytest.mark.usefixtures("closed_door")


def small_data(num_train: int = 60) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    X = generator.standard_normal((num_train + 20, 12))
    y = (X[:, 0] > 0).astype(int)
    return {"X_train": X[:num_train], "y_train": y[:num_train], "X_val": X[num_train:], "y_val": y[num_train:]}


def small_net(package: str = "cs231n", **options: Any) -> Any:
    name = "classifiers.fc_net" if package == "cs231n" else "fc_net"
    module = importlib.import_module(f"thinnet.course.{package}.{name}")
    np.random.seed(3)
    return module.FullyConnectedNet([7], input_dim=12, num_classes=2, dtype=np.float64, weight_scale=0.1, **options)


def solver_class() -> type[Any]:
    from thinnet.course.cs231n.solver import Solver

    return Solver


def solver(model: Any = None, kind: Any = None, **options: Any) -> Any:
    options = {"num_epochs": 2, "batch_size": 20, "verbose": False} | options
    return (kind or solver_class())(small_net() if model is None else model, small_data(), **options)


@pytest.fixture
def optim(closed_door: None) -> ModuleType:
    thinnet.course.activate("cs231n-2021")
    return importlib.import_module("thinnet.course.cs231n.optim")


def as_the_course_trains(model: Any, rule: Any, num_epochs: int, batch_size: int, config: Any, decay: float) -> Any:
    """The losses of the course's training loop, written out plainly, and the final configs."""
    data, configs, losses = small_data(), {name: dict(config) for name in model.params}, []
    steps_per_epoch = max(60 // batch_size, 1)
    for step in range(1, num_epochs * steps_per_epoch + 1):
        rows = np.random.choice(60, batch_size)
        loss, gradients = model.loss(data["X_train"][rows], data["y_train"][rows])
        losses.append(loss)
        for name, w in model.params.items():
            model.params[name], configs[name] = rule(w, gradients[name], configs[name])
        if step % steps_per_epoch == 0:
            for each in configs.values():
                each["learning_rate"] *= decay
    return losses, configs


@pytest.mark.parametrize("batch_size", [20, 64, 100])
@pytest.mark.parametrize("name", ["sgd", "sgd_momentum", "rmsprop", "adam"])
def test_it_trains_as_the_courses_loop_does(optim: ModuleType, name: str, batch_size: int) -> None:
    """A minibatch may have more rows than the data, since they are drawn with replacement."""
    config = {"learning_rate": 0.02}
    trained = solver(num_epochs=3, batch_size=batch_size, update_rule=name, optim_config=config, lr_decay=0.5)
    np.random.seed(5)
    trained.train()
    model = small_net()
    np.random.seed(5)
    losses, configs = as_the_course_trains(model, getattr(optim, name), 3, batch_size, config, 0.5)
    np.testing.assert_allclose(trained.loss_history, losses, rtol=1e-12)
    assert config == {"learning_rate": 0.02}
    for key, value in configs["W1"].items():
        np.testing.assert_allclose(trained.optim_configs["W1"][key], value, rtol=1e-10, atol=1e-15)


def test_the_states_arrays_that_were_given_stay_as_they_are(optim: ModuleType) -> None:
    from thinnet.course.nndl import optim as nndl_optim

    thinnet.course.activate("nndl")
    given = np.full((12, 7), 0.01)
    trained = solver(update_rule="sgd_momentum", optim_config={"learning_rate": 0.1, "velocity": given})
    with pytest.raises(ArgumentError, match=r"config\['velocity'\] must be an array of shape \(7,\), like w, got an"):
        trained._step()  # b1's velocity has a different shape
    assert (given == 0.01).all()
    trained = solver(update_rule="adam")
    trained._step()
    assert {"v", "a", "t", "beta1", "learning_rate"} <= trained.optim_configs["W1"].keys()
    assert trained.update_rule is nndl_optim.adam


def test_training_again_goes_on(optim: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    trained = solver(update_rule="adam", optim_config={"learning_rate": 0.01}, lr_decay=0.5)
    trained.train()
    trained.num_epochs, trained.verbose, trained.print_every = 1, True, 100
    trained.train()
    printed = capsys.readouterr().out.splitlines()
    assert [line.partition(")")[0] for line in printed] == ["(Iteration 1 / 3", "(Epoch 2 / 1", "(Epoch 3 / 1"]
    assert (len(trained.loss_history), len(trained.val_acc_history), trained.epoch) == (9, 5, 3)
    assert trained.optim_configs["b2"]["learning_rate"] == pytest.approx(0.00125)
    assert trained.optim_configs["b2"]["t"] == 9
    trained._reset()
    assert (trained.loss_history, trained.epoch, trained.best_val_acc) == ([], 0, 0)


def test_a_class_of_ones_own_may_replace_its_methods(optim: ModuleType) -> None:
    calls: list[tuple[Any, Any]] = []

    class Clipping(solver_class()):  # type: ignore[misc]
        def __init__(self, model: Any, data: Any, **kwargs: Any) -> None:
            self.bound = kwargs.pop("bound")
            super().__init__(model, data, **kwargs)

        def _reset(self) -> None:
            super()._reset()
            self.norms: list[float] = []

        def _step(self) -> None:
            rows = np.random.choice(self.X_train.shape[0], self.batch_size, replace=False)
            loss, grads = self.model.loss(self.X_train[rows], self.y_train[rows])
            self.loss_history.append(loss)
            self.norms.append(float(np.linalg.norm(grads["W1"])))
            for p, w in self.model.params.items():
                clipped = np.clip(grads[p], -self.bound, self.bound)
                self.model.params[p], self.optim_configs[p] = self.update_rule(w, clipped, self.optim_configs[p])

        def check_accuracy(self, X: Any, y: Any, num_samples: Any = None, batch_size: int = 100) -> float:
            calls.append((len(X), num_samples))
            return 0.25

        def _save_checkpoint(self) -> None:
            calls.append(("save", self.epoch))

    trained = solver(kind=Clipping, bound=1e-9, optim_config={"learning_rate": 1.0}, num_train_samples=30)
    before = {name: array.copy() for name, array in trained.model.params.items()}
    trained.train()
    assert calls == [(60, 30), (20, None), ("save", 0), (60, 30), (20, None), ("save", 1), *calls[6:]]
    assert trained.val_acc_history == [0.25] * 3
    assert len(trained.norms) == len(trained.loss_history) == 6
    for name, array in trained.model.params.items():
        np.testing.assert_allclose(array, before[name], atol=1e-8)


def test_rules_by_assignment(optim: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def flat(w: Any, dw: Any, config: Any = None) -> Any:
        return w - config["learning_rate"] * np.sign(dw), config

    monkeypatch.setattr(optim, "signs", flat, raising=False)
    model = small_net()
    before = model.params["W1"].copy()
    solver(model, update_rule="signs", optim_config={"learning_rate": 0.5})._step()
    np.testing.assert_allclose(np.abs(model.params["W1"] - before), 0.5)
    monkeypatch.setattr(optim, "adam", flat)
    model = small_net()
    trained = solver(model, update_rule="adam", optim_config={"learning_rate": 0.5})
    trained._step()
    np.testing.assert_allclose(np.abs(model.params["W1"] - before), 0.5)
    for each in trained.optim_configs.values():
        each["learning_rate"] = 0.0
    kept = model.params["W1"].copy()
    trained._step()
    np.testing.assert_array_equal(model.params["W1"], kept)


@pytest.mark.parametrize("package", ["cs231n", "nndl"])
def test_layers_put_into_the_nets_module_are_the_nets(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    thinnet.course.activate("cs231n-2017" if package == "cs231n" else "nndl")
    net = small_net(package, dropout=0.5)
    X = small_data()["X_train"]
    for module in (type(net).__module__, f"thinnet.course.{package}.layers"):
        with monkeypatch.context() as patched:
            patched.setattr(f"{module}.affine_forward", lambda x, w, b: (np.full((len(x), len(b)), 7.0), None))
            assert (net.loss(X) == 7).all()
        assert (net.loss(X) != 7).all()


def test_its_files_and_copies(optim: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = str(tmp_path / "run")
    trained = solver(small_net(normalization="batchnorm"), checkpoint_name=name, update_rule="adam", verbose=True)
    trained.train()
    assert f'Saving checkpoint to "{name}_epoch_2.pkl"' in capsys.readouterr().out.splitlines()
    kept = pickle.loads((tmp_path / "run_epoch_2.pkl").read_bytes())
    assert kept["loss_history"] == trained.loss_history
    assert (kept["epoch"], kept["update_rule"], kept["batch_size"]) == (2, optim.adam, 20)
    assert kept["model"].loss(small_data()["X_val"]).shape == (20, 2)
    for again in (pickle.loads(pickle.dumps(trained)), copy.deepcopy(trained)):
        again.train()
        assert again.epoch == 4


@pytest.mark.parametrize("kept", ["a function without a name", "an open file", "a class within a function"])
def test_training_goes_on_where_the_model_cannot_be_pickled(optim: ModuleType, tmp_path: Path, kept: str) -> None:
    net = small_net()
    with open(tmp_path / "log", "w", encoding="utf-8") as log:
        if kept == "a class within a function":
            net.__class__ = type("Mine", (type(net),), {})
        else:
            net.kept = log if kept == "an open file" else lambda: None
        one = solver(net, checkpoint_name=str(tmp_path / "run"))
        with pytest.warns(UserWarning, match=r"run_epoch_\d\.pkl must hold .* cannot be pickled .* is not written"):
            one.train()
    assert len(one.loss_history) == 6
    assert sorted(path.name for path in tmp_path.glob("run*")) == [f"run_epoch_{i}.safetensors" for i in range(3)]


def test_unknown_arguments_are_refused_with_the_courses_name(optim: ModuleType) -> None:
    with pytest.raises(ArgumentError, match=r"Solver has no argument 'epochs'. Did you mean 'num_epochs'\?"):
        solver(epochs=3)
    for word, key in (("lr", "learning_rate"), ("learning_rate", "learning_rate"), ("beta1", "beta1")):
        with pytest.raises(
            ArgumentError, match=rf"has no argument '{word}'. Write optim_config={{'{key}': \.\.\.}}\.$"
        ):
            solver(**{word: 1e-3})
    with pytest.raises(ArgumentError, match=r"num_train_samples must be an integer >= 1, got 0"):
        solver(num_train_samples=0)
    with pytest.raises(
        AttributeError, match=r"a Solver has no attribute 'val_accuracy_history'. Did you mean 'val_acc"
    ):
        solver().val_accuracy_history  # noqa: B018


def test_data_without_validation_rows_are_refused(optim: ModuleType) -> None:
    data = {key: rows for key, rows in small_data().items() if "train" in key}
    with pytest.raises(ArgumentError, match=r"data must have X_val and y_val, as in the course, got neither\. Hold"):
        solver_class()(small_net(), data)
