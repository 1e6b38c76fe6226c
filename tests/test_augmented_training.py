"""Augmentation in training and runs, and predictions averaged over mirror images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from augmented_images import HOW, images, make_data
from small_training import Foreign
from thinnet import ArgumentError, Callback, Dataset, FullyConnectedNet, Solver, cli
from thinnet.config import Config
from thinnet.data.augmentation import Augmentation
from thinnet.errors import CheckpointError
from thinnet.runs import load, resume, start
from thinnet.typing import AnyArray


def solver_of(data: Dataset, model: Any = None, **options: Any) -> Solver:
    net = FullyConnectedNet([8], data.num_features, 3, dropout=0.2, seed=0) if model is None else model
    usual = {"batch_size": 8, "epochs": 3, "verbose": False, "learning_rate": 0.01, "seed": 3}
    return Solver(net, data, **{**usual, **options})


def state(solver: Solver) -> tuple[bytes, list[float]]:
    return solver.model.params.flat.tobytes(), solver.history.loss


class Dying(Callback):
    """Fails in the step after this one."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, state: Any) -> None:
        if state.iteration > self.step:
            raise RuntimeError("after step")


class TestTraining:
    def test_each_step_takes_the_rows_as_they_are_in_it(self) -> None:
        data, seen = make_data(**HOW), []
        solver = solver_of(data, epochs=2)
        net = solver.model
        net.step = 5  # the net's step counts masks, not augmentation
        update: Any = solver._update
        compute = update._step.compute

        def watch(state: Any, batch: Any, **options: Any) -> Any:
            seen.append(batch.X.copy())
            return compute(state, batch, **options)

        update._step.compute = watch
        solver.train()
        assert len(seen) == 8
        for step, X in enumerate(seen):
            wanted, _ = data.augmented_batch(solver.order.rows(step), seed=3, step=step, epoch=step // 4)
            np.testing.assert_array_equal(X, wanted)

    def test_a_model_of_somebody_elses_sees_the_same(self) -> None:
        data, seen = make_data(shape=(1, 1, 5), flip="alternating"), []

        class Watching(Foreign):
            def loss(self, X: AnyArray, y: AnyArray | None = None) -> Any:
                if y is not None:
                    seen.append(X.reshape(len(X), -1).copy())
                else:
                    assert any(np.array_equal(X.reshape(len(X), -1), data.batch(s)[0]) for s in ("train", "val"))
                return super().loss(X, y)

        solver = solver_of(data, Watching((1, 1, 5)), epochs=2)
        solver.train()
        for step, X in enumerate(seen):
            wanted, _ = data.augmented_batch(solver.order.rows(step), seed=3, step=step, epoch=step // 4)
            np.testing.assert_array_equal(X, wanted)

    def test_with_and_without_kernels_the_rows_are_the_same(self, request: pytest.FixtureRequest) -> None:
        fused = solver_of(make_data(**HOW))
        fused.train()
        request.getfixturevalue("without_kernels")
        readable = solver_of(make_data(**HOW))
        readable.train()
        np.testing.assert_allclose(readable.history.loss, fused.history.loss, rtol=1e-3)

    def test_resumed_after_any_step_it_ends_the_same_and_refuses_other_data(self, tmp_path: Path) -> None:
        whole = solver_of(make_data(**HOW))
        whole.train()
        for step in (1, 4, 7):
            folder = tmp_path / str(step)
            options: dict[str, Any] = {"checkpoint_dir": folder, "checkpoint_every": 1, "callbacks": [Dying(step)]}
            with pytest.raises(RuntimeError, match="after step"):
                solver_of(make_data(**HOW), **options).train()
            resumed = Solver.resume(folder, make_data(**HOW), progress=False)
            assert resumed.iteration == step
            resumed.train()
            assert state(resumed) == state(whole), step
        for other in ({}, {**HOW, "translate": 2}, {**HOW, "flip": "random"}):
            with pytest.raises(CheckpointError, match="got a different augmentation"):
                Solver.resume(folder, make_data(**other))

    def test_data_without_it_keep_their_fingerprint(self) -> None:
        assert "augmentation" not in make_data().fingerprint()
        same = {**HOW, "flip": np.str_("alternating"), "translate": np.int8(1), "image_shape": [3, 4, 5]}
        assert make_data(**same).fingerprint() == make_data(**HOW).fingerprint()


class TestPredictions:
    X = images(7, (3, 4, 5))

    @pytest.fixture(params=[False, True])
    def net(self, request: pytest.FixtureRequest) -> FullyConnectedNet:
        data = Dataset(self.X, np.arange(7) % 3).standardized("feature")
        net = FullyConnectedNet([9], 60, 3, seed=0, dtype=np.float64)
        return net.with_standardization(data.standardization) if request.param else net

    def test_scores_are_the_mean_of_both_sides(self, net: FullyConnectedNet) -> None:
        how = net.standardization
        bare, inputs = net.with_standardization(None), self.X if how is None else how.rows(self.X.reshape(7, -1), float)
        wanted = (bare.scores(inputs) + bare.scores(inputs.reshape(self.X.shape)[..., ::-1])) / 2
        powers = np.exp(wanted - wanted.max(axis=1, keepdims=True))
        flat = self.X.reshape(7, -1)
        given: list[tuple[AnyArray, Any]] = [(self.X, True), (flat, (3, 4, 5)), (flat, [3, 4, 5])]
        for X, flip in given:
            np.testing.assert_allclose(net.scores(X, flip=flip), wanted, rtol=1e-12)
            proba = net.predict_proba(X, flip=flip)
            np.testing.assert_allclose(proba, powers / powers.sum(axis=1, keepdims=True), rtol=1e-12)
            np.testing.assert_array_equal(net.predict(X, flip=flip), wanted.argmax(axis=1))
        assert (np.abs(wanted - net.scores(self.X)) > 1e-6).any()

    def test_gray_images_and_no_rows(self) -> None:
        net = FullyConnectedNet([], 20, 3, seed=0)
        X = images(5, (4, 5))
        np.testing.assert_array_equal(net.scores(X, flip=True), net.scores(X.reshape(5, -1), flip=(4, 5)))
        assert net.predict_proba(X[:0], flip=True).shape == (0, 3)

    @pytest.mark.parametrize(
        ("X", "flip", "text"),
        [
            (X.reshape(7, -1), True, r"flip must be \(channels, height, width\) .* got \(60,\).* flip=\(3, 32, 32\)"),
            (X.reshape(7, -1), (3, 4, 4), r"flip must have 60 elements, as many as a row has columns, got \(3, 4, 4\)"),
            (X, "random", "flip must be .* got 'random'"),
            (X, None, "flip must be .* got None"),
            (X, 1, "flip must be .* got 1"),
            (X.transpose(0, 2, 3, 1), True, "with the channels last"),
        ],
    )
    def test_what_cannot_be_flipped_is_refused(self, X: AnyArray, flip: Any, text: str) -> None:
        with pytest.raises(ArgumentError, match=text):
            FullyConnectedNet([], 60, 3, seed=0).predict_proba(X, flip=flip)


SETTINGS: dict[str, Any] = {"hidden_dims": (9,), "epochs": 2, "num_train": 60, "seed": 3}


class TestRuns:
    def test_the_data_of_a_config_are_augmented(self) -> None:
        data = load(Config(data="digits", **HOW))
        assert data.augmentation == Augmentation(**HOW, image_shape=(8, 8))
        assert load(Config(data="digits")).augmentation is None

    def test_a_file_of_flat_rows_needs_the_shape(self, tmp_path: Path) -> None:
        path = tmp_path / "flat.npz"
        np.savez(path, X_train=images(40, (60,)), y_train=np.arange(40) % 3)
        with pytest.raises(ArgumentError, match="image_shape must be"):
            load(Config(data=str(path), flip="random"))
        data = load(Config(data=str(path), flip="random", image_shape=(3, 4, 5)))
        assert data.augmentation == Augmentation("random", image_shape=(3, 4, 5))
        np.savez(path, X_train=images(40, (3, 4, 5)), y_train=np.arange(40) % 3)
        assert load(Config(data=str(path), flip="random")).augmentation == data.augmentation

    @pytest.mark.parametrize(
        ("options", "text"),
        [
            ({"flip": "mirror"}, "flip must be one of"),
            ({"translate": -1}, "translate must be an integer >= 0, got -1"),
            ({"cutout": 1.5}, "cutout must be an integer >= 0, got 1.5"),
            ({"image_shape": (3, -1, 2)}, r"image_shape\[1\] must be an integer >= 1, got -1"),
            ({"image_shape": 3}, r"image_shape must be a sequence of integers, got 3\. image_shape is \(channels"),
        ],
    )
    def test_bad_settings_are_refused(self, options: dict[str, Any], text: str) -> None:
        with pytest.raises(ArgumentError, match=text):
            Config(**options)

    def test_a_run_is_resumed_and_a_changed_config_refused(self, tmp_path: Path) -> None:
        config = Config(data="digits", **SETTINGS, **HOW)
        whole = start(config, tmp_path / "whole", log=lambda text: None, verbose=False, progress=False)
        bare = start(Config(data="digits", **SETTINGS), tmp_path / "bare", lambda text: None, verbose=False)
        assert whole.history.loss != bare.history.loss
        assert whole.history.loss[:1] != bare.history.loss[:1]
        again = resume(tmp_path / "whole", verbose=False, progress=False)
        assert again.history.loss == whole.history.loss
        text = (tmp_path / "whole" / "config.toml").read_text()
        assert 'flip = "alternating"' in text
        (tmp_path / "whole" / "config.toml").write_text(text.replace("translate = 1", "translate = 2"))
        with pytest.raises(CheckpointError, match="got a different translate"):
            resume(tmp_path / "whole", verbose=False)

    def test_options_of_the_command(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        train = ["train", "--data", "digits", "--num-train", "40", "--hidden-dims", "5", "--epochs", "1", "--quiet"]
        moves = ["--flip", "random", "--translate", "1", "--cutout", "2", "--padding-mode", "reflect"]
        assert cli.main([*train, *moves, "--output", str(tmp_path / "run")]) == 0
        assert Config.from_toml(tmp_path / "run" / "config.toml").padding_mode == "reflect"
        assert cli.main([*train, "--translate", "8", "--output", str(tmp_path / "no")]) == 2
        assert "translate must be at most 7 for images of 8 x 8 pixels, got 8" in capsys.readouterr().err
        assert not (tmp_path / "no").exists()
