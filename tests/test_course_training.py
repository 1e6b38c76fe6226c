"""The course door's nets, optimizers and Solver."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thinnet.course
from thinnet.errors import ArgumentError, DialectError

pytestmark = pytest.mark.usefixtures("closed_door")


@pytest.mark.parametrize(
    ("dialect", "given", "uses_dropout", "normalization"),
    [
        ("cs231n-2017", {}, False, None),
        ("cs231n-2017", {"dropout": 0.25, "use_batchnorm": True}, True, "batchnorm"),
        ("cs231n-2018", {}, False, None),
        ("cs231n-2018", {"dropout": 0.25, "normalization": "layernorm"}, True, "layernorm"),
        ("cs231n-2021", {"dropout_keep_ratio": 1}, False, None),
        ("cs231n-2021", {"dropout_keep_ratio": 0.25, "normalization": "batchnorm"}, True, "batchnorm"),
        ("nndl", {"dropout": 0}, False, None),
        ("nndl", {"dropout": 1.0}, True, None),
        ("nndl", {"dropout": 0.25, "use_batchnorm": True}, True, "batchnorm"),
        ("nndl-2020", {}, False, None),
        ("nndl-2020", {"dropout": 1.0}, False, None),
        ("nndl-drop", {"dropout": 0}, False, None),
        ("nndl-drop", {"dropout": 0.25}, True, None),
    ],
)
def test_the_nets_arguments_in_each_dialect(
    dialect: str, given: dict[str, object], uses_dropout: bool, normalization: str | None
) -> None:
    from thinnet.course.cs231n.classifiers.fc_net import FullyConnectedNet

    thinnet.course.activate(dialect)
    net = FullyConnectedNet([6, 5], input_dim=4, num_classes=3, **given)
    assert net.use_dropout == uses_dropout
    assert net.normalization == normalization
    assert ("gamma2" in net.params) == (normalization is not None)
    assert "gamma3" not in net.params
    assert {array.dtype for array in net.params.values()} == {np.dtype(np.float32)}


def test_an_argument_of_another_dialect_is_refused_with_its_name() -> None:
    from thinnet.course.cs231n.classifiers.fc_net import FullyConnectedNet

    thinnet.course.activate("cs231n-2017")
    with pytest.raises(DialectError, match=r"'use_batchnorm' in the dialect cs231n-2017, got 'dropout_keep_ratio'"):
        FullyConnectedNet([5], dropout_keep_ratio=0.5)
    thinnet.course.activate("cs231n-2021")
    for given, told in (
        (
            {"dropout": 1},
            r"got 'dropout'.*Use cs231n-2018 \(p keeps\): thinnet course run --dialect cs231n-2018, or ",
        ),
        ({"dropout": 0}, r"Use cs231n-2017 \(p drops\): thinnet course run --dialect cs231n-2017,"),
        ({"dropout": 0.5, "normalization": None}, r"Use cs231n-2018 \(p keeps\): "),
        ({"dropout": 0.5}, r"Use cs231n-2017 \(p drops\) or cs231n-2018 \(p keeps\): "),
        ({"dropout": 1, "use_batchnorm": True}, r"No dialect of this course has all of these arguments"),
    ):
        with pytest.raises(DialectError, match=told):
            FullyConnectedNet([5], **given)
    with pytest.raises(TypeError, match=r"FullyConnectedNet\(hidden_dims, .*unexpected keyword argument 'weight'"):
        FullyConnectedNet([5], weight=0.5)


@pytest.mark.parametrize("dialect", list(thinnet.course.DIALECTS))
@pytest.mark.parametrize("normalized", [False, True])
def test_the_nets_gradients_are_right(dialect: str, normalized: bool) -> None:
    from thinnet.course.cs231n.classifiers.fc_net import FullyConnectedNet
    from thinnet.gradient_check import check_gradients

    thinnet.course.activate(dialect)
    known = thinnet.course.DIALECTS[dialect]
    normalization = normalized if known.normalization_argument == "use_batchnorm" else "batchnorm"
    given = {known.dropout_argument: 0.5, known.normalization_argument: normalization if normalized else None}
    generator = np.random.default_rng(0)
    np.random.seed(3)
    net = FullyConnectedNet(
        [7, 6], input_dim=5, num_classes=4, reg=0.7, weight_scale=0.5, dtype=np.float64, seed=1, **given
    )
    check_gradients(net, generator.standard_normal((8, 5)), generator.integers(4, size=8), tolerance=1e-6)


def test_the_first_layers_dx_is_left_out_and_a_students_layer_is_still_called() -> None:
    thinnet.course.activate("cs231n-2018")
    from cs231n.classifiers import fc_net
    from cs231n.layers import affine_backward

    np.random.seed(0)
    X, y, net = np.random.randn(3, 4, 2), np.array([0, 1, 1]), fc_net.FullyConnectedNet([5], 8, 2, reg=0.1)
    loss, gradients = net.loss(X, y)
    calls: list[Any] = []
    fc_net.affine_backward = lambda dout, cache: calls.append(cache) or affine_backward(dout, cache)  # type: ignore
    assert net.loss(X, y)[0] == loss
    for name, gradient in net.loss(X, y)[1].items():
        np.testing.assert_array_equal(gradient, gradients[name])
    assert len(calls) == 4
    fc_net.affine_backward, fc_net.relu_backward = affine_backward, lambda dout, cache: dout[:2]
    with pytest.raises(ArgumentError, match="affine_backward: dout must have shape"):
        net.loss(X, y)


def test_the_seed_makes_every_mask_the_same_as_the_dialect_has_it() -> None:
    from thinnet.course.cs231n.classifiers.fc_net import FullyConnectedNet

    thinnet.course.activate("cs231n-2017")
    X, y = np.random.default_rng(0).standard_normal((5, 4)), np.zeros(5, int)
    seeded = FullyConnectedNet([50], input_dim=4, dropout=0.5, weight_scale=1.0, seed=1)
    free = FullyConnectedNet([50], input_dim=4, dropout=0.5, weight_scale=1.0)
    assert seeded.loss(X, y)[0] == seeded.loss(X, y)[0]
    assert free.loss(X, y)[0] != free.loss(X, y)[0]


def test_two_layer_nets_by_the_names_of_their_course() -> None:
    from thinnet.course.cs231n.classifiers.fc_net import TwoLayerNet
    from thinnet.course.nndl.fc_net import TwoLayerNet as NndlTwoLayerNet

    thinnet.course.activate("cs231n-2017")
    net = TwoLayerNet(input_dim=4, hidden_dim=6, num_classes=3)
    assert net.params["W1"].shape == (4, 6)
    assert net.params["W2"].dtype == np.float64
    thinnet.course.activate("nndl")
    assert NndlTwoLayerNet(4, 7, 3, 0.5).use_dropout
    assert NndlTwoLayerNet(input_dim=4, hidden_dims=7, dropout=1).params["b1"].shape == (7,)


def test_parameters_and_reg_may_be_assigned_after_construction() -> None:
    from thinnet.course.cs231n.classifiers.fc_net import TwoLayerNet

    thinnet.course.activate("cs231n-2017")
    net = TwoLayerNet(input_dim=3, hidden_dim=2, num_classes=2)
    net.params["W1"], net.params["b1"] = np.ones((3, 2)), np.array([0.5, -0.5])
    net.params["W2"], net.params["b2"] = np.array([[1.0, 2.0], [3.0, 4.0]]), np.zeros(2)
    X = np.array([[1.0, 0.0, 0.0]])
    np.testing.assert_allclose(net.loss(X), [[1.5 + 1.5, 3.0 + 2.0]])
    plain = net.loss(X, np.array([0]))[0]
    net.reg = 2.0
    assert net.loss(X, np.array([0]))[0] == pytest.approx(plain + (6 + 30))


def test_optimizers_leave_their_state_in_the_given_config() -> None:
    from thinnet.course.cs231n import optim
    from thinnet.course.nndl import optim as nndl_optim

    w, dw = np.linspace(-0.4, 0.6, 20).reshape(4, 5), np.linspace(-0.6, 0.4, 20).reshape(4, 5)
    v = np.linspace(0.6, 0.9, 20).reshape(4, 5)
    config: dict[str, Any] = {"learning_rate": 1e-3, "velocity": v.copy()}
    next_w, returned = optim.sgd_momentum(w, dw, config=config)
    assert returned is config
    np.testing.assert_allclose(config["velocity"], 0.9 * v - 1e-3 * dw)
    np.testing.assert_allclose(next_w, w + config["velocity"])

    config = {"v": 0.1 * w, "a": dw**2, "t": 5}
    expected = {"m": 0.1 * w, "v": dw**2, "t": 5}
    np.testing.assert_array_equal(nndl_optim.adam(w, dw, config)[0], optim.adam(w, dw, expected)[0])
    np.testing.assert_array_equal(config["a"], expected["v"])
    assert config["t"] == 6
    first, _ = nndl_optim.sgd_nesterov_momentum(w, dw)
    np.testing.assert_allclose(first, w - 1.9e-2 * dw)
    assert "a" in nndl_optim.rmsprop(w, dw)[1]
    np.testing.assert_allclose(optim.sgd(w, dw)[0], w - 1e-2 * dw)


def test_rows_are_taken_for_vectors() -> None:
    from thinnet.course import layers
    from thinnet.course.cs231n import optim

    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=(4, 3)), rng.normal(size=(3, 3)), rng.normal(size=3)
    np.testing.assert_array_equal(layers.affine_forward(x, w, b[None])[0], layers.affine_forward(x, w, b)[0])
    for forward in (layers.batchnorm_forward, layers.layernorm_forward):
        vectors, rows = (forward(x, one, one, {"mode": "train"})[0] for one in (b, b[None]))
        np.testing.assert_array_equal(rows, vectors)
    np.testing.assert_array_equal(optim.adam(b[None], b)[0], optim.adam(b, b)[0][None])
    with pytest.raises(ArgumentError, match="b must have shape"):
        layers.affine_forward(x, w, b[:, None])


def small_data(num_train: int = 60) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    generator = np.random.default_rng(0)
    X = generator.standard_normal((num_train + 20, 3, 2, 2))
    y = (X[:, 0, 0, 0] > 0).astype(int)
    return {"X_train": X[:num_train], "y_train": y[:num_train], "X_val": X[num_train:], "y_val": y[num_train:]}


def test_the_solver_prints_and_draws_as_the_course_does(capsys: pytest.CaptureFixture[str]) -> None:
    from thinnet.course.cs231n.classifiers.fc_net import FullyConnectedNet
    from thinnet.course.cs231n.solver import Solver

    thinnet.course.activate("cs231n-2017")
    np.random.seed(0)
    net = FullyConnectedNet([10], input_dim=12, num_classes=2, weight_scale=0.5)
    state = np.random.get_state()
    solver = Solver(net, small_data(), num_epochs=2, batch_size=20, print_every=2, num_train_samples=10)
    solver._step()
    first = solver.loss_history[-1]
    np.random.set_state(state)
    rows = np.random.choice(60, 20)
    data = small_data()
    np.random.seed(0)
    again = FullyConnectedNet([10], input_dim=12, num_classes=2, weight_scale=0.5)
    assert again.loss(data["X_train"][rows], data["y_train"][rows])[0] == pytest.approx(first, rel=1e-6)
    np.random.seed(1)
    Solver(again, data, num_epochs=2, batch_size=20, print_every=2, num_train_samples=10).train()
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" loss")[0].partition(" train")[0] for line in lines] == [
        "(Iteration 1 / 6)",
        "(Epoch 0 / 2)",
        "(Iteration 3 / 6)",
        "(Epoch 1 / 2)",
        "(Iteration 5 / 6)",
        "(Epoch 2 / 2)",
    ]
    assert np.random.get_state()[1][0] != 0  # type: ignore[index]


def test_the_solver_ends_with_the_best_weights_and_statistics() -> None:
    from thinnet.course.cs231n.solver import Solver
    from thinnet.course.nndl.fc_net import FullyConnectedNet

    thinnet.course.activate("nndl")
    np.random.seed(0)
    data = small_data()
    net = FullyConnectedNet([10, 10], input_dim=12, num_classes=2, weight_scale=0.5, use_batchnorm=True, dropout=0.7)
    solver = Solver(
        net, data, num_epochs=8, batch_size=20, update_rule="adam", verbose=False, optim_config={"learning_rate": 0.02}
    )
    assert (solver.optim_config, solver.lr_decay, solver.num_train_samples) == ({"learning_rate": 0.02}, 1.0, 1000)
    assert solver.X_train is data["X_train"]
    assert not hasattr(solver, "optim_confg")
    assert solver.train() is None  # type: ignore[func-returns-value]  # or a notebook would print the whole history
    assert len(solver.loss_history) == 24
    assert len(solver.val_acc_history) == len(solver.train_acc_history) == 9
    assert solver.best_val_acc == max(solver.val_acc_history)
    assert solver.check_accuracy(data["X_val"], data["y_val"]) == solver.best_val_acc
    assert set(solver.best_params) == set(net.params)


def test_options_that_no_rule_looks_at_are_left_out_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    from thinnet.course.cs231n.classifiers.fc_net import FullyConnectedNet
    from thinnet.course.cs231n.optim import adam
    from thinnet.course.cs231n.solver import Solver

    thinnet.course.activate("cs231n-2021")
    config = {"learning_rate": 0.02, "momentum": 0.9, "note": "of mine"}
    losses = []
    for one in (config, {"learning_rate": 0.02}):
        np.random.seed(0)
        net = FullyConnectedNet([10], input_dim=12, num_classes=2)
        solver = Solver(
            net, small_data(), num_epochs=2, batch_size=20, update_rule="adam", verbose=False, optim_config=one
        )
        solver.train()
        losses.append(solver.loss_history)
    assert losses[0] == losses[1]
    assert config == {"learning_rate": 0.02, "momentum": 0.9, "note": "of mine"}
    w, dw = np.ones((2, 3)), np.full((2, 3), 0.5)
    given = adam(w, dw, dict(config))
    assert np.array_equal(given[0], adam(w, dw, {"learning_rate": 0.02})[0])
    assert given[1]["note"] == "of mine"
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["[thinnet] optim_config"] * 2  # once each
    assert all("left out" in line and "beta1" in line for line in lines)
    with pytest.raises(ArgumentError, match="learning_rate"):
        adam(w, dw, {"learning_rate": "fast"})


def test_the_solver_writes_checkpoints(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    from thinnet.course.cs231n.solver import Solver
    from thinnet.course.nndl.fc_net import FullyConnectedNet

    thinnet.course.activate("nndl")
    net = FullyConnectedNet([4], input_dim=12, num_classes=2, use_batchnorm=True)
    name = str(tmp_path / "run")
    Solver(net, small_data(), num_epochs=2, batch_size=30, verbose=False, checkpoint_name=name).train()
    names = [f"run_epoch_{epoch}{suffix}" for epoch in range(3) for suffix in (".pkl", ".safetensors")]
    assert [file.name for file in sorted(tmp_path.iterdir())] == names
    arrays = load_file(tmp_path / "run_epoch_2.safetensors")
    assert set(arrays) == {*net.params, "running_mean1", "running_var1"}


def test_the_solver_takes_a_students_rule_and_refuses_an_unknown_one() -> None:
    from types import SimpleNamespace

    from thinnet.course.cs231n.classifiers.fc_net import FullyConnectedNet
    from thinnet.course.solver import Solver

    thinnet.course.activate("cs231n-2017")
    net = FullyConnectedNet([4], input_dim=12, num_classes=2)
    calls = []

    def mine(w: object, dw: object, config: dict[str, object]) -> tuple[object, dict[str, object]]:
        calls.append(config["learning_rate"])
        return w, config

    module = SimpleNamespace(mine=mine)
    options = {"optim_config": {"learning_rate": 1.0}, "lr_decay": 0.5, "verbose": False}
    Solver(net, small_data(), optim=module, update_rule="mine", num_epochs=2, batch_size=60, **options).train()  # type: ignore[arg-type]
    assert calls == [1.0] * 4 + [0.5] * 4
    with pytest.raises(ArgumentError, match=r"update_rule must be one of 'mine', got 'miner'. Did you mean 'mine'\?"):
        Solver(net, small_data(), optim=module, update_rule="miner")  # type: ignore[arg-type]
