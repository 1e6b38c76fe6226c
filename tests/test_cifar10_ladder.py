"""The ladder: the number of epochs that fit the time, the rungs of a history, and continuing a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thinnet import Dataset, FullyConnectedNet, History, cli, runs
from thinnet.config import NONE
from thinnet.experiments import cifar10_ladder
from thinnet.experiments.cifar10_ladder import RECIPES, Climb
from thinnet.runs import Result
from thinnet.steps.choose import fast_precision


@pytest.fixture
def few_images(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Two classes of images that differ in brightness."""
    generator = np.random.default_rng(0)
    y = np.arange(300) % 2
    X = (generator.integers(0, 128, (300, 3072)) + 100 * y[:, None]).astype(np.uint8)
    parts = {"train": slice(0, 200), "val": slice(200, 250), "test": slice(250, 300)}
    arrays: dict[str, Any] = {}
    for split, part in parts.items():
        arrays |= {f"X_{split}": X[part].reshape(-1, 3, 32, 32), f"y_{split}": y[part]}
    data = Dataset.from_dict(arrays)
    monkeypatch.setattr("thinnet.data.catalog.load", lambda *given, **options: data)
    small = replace(RECIPES[1], hidden_dims=(8,), batch_size=50)
    monkeypatch.setattr(cifar10_ladder, "RECIPES", {1: small, 10: replace(small, translate=1)})
    return data


def test_rungs_are_those_that_were_reached_and_when_first() -> None:
    history = History(epoch=[0, 1, 2, 3], val_accuracy=[0.1, 0.56, 0.54, 0.61], seconds=[1.0, 5.0, 9.0, 13.0])
    climb = Climb(Result(history, 0.61, 0.6, None), 0.605)
    assert climb.rungs() == {0.55: 5.0, 0.58: 13.0, 0.60: 13.0}
    assert "58% of validation   after 13 s" in climb.table()
    assert climb.numbers()["test_accuracy"] == 0.605


@pytest.mark.usefixtures("few_images")
def test_there_are_as_many_epochs_as_fit_into_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10_ladder, "epoch_seconds", lambda config: 7.0)
    assert cifar10_ladder.recipe_for(1).epochs == 60 // 7
    assert cifar10_ladder.recipe_for(0.01).epochs == 1
    assert cifar10_ladder.recipe_for(9.9).translate == 0
    assert cifar10_ladder.recipe_for(10).translate == 1
    assert cifar10_ladder.recipe_for(1, epochs=3, seed=4) == replace(
        cifar10_ladder.RECIPES[1], epochs=3, seed=4, precision=fast_precision() or NONE
    )


@pytest.mark.usefixtures("few_images")
def test_an_epoch_takes_some_time_and_leaves_nothing() -> None:
    assert 0 < cifar10_ladder.epoch_seconds(cifar10_ladder.RECIPES[1]) < 60


def test_the_command_climbs_and_goes_on_where_it_was(
    few_images: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cifar10_ladder, "epoch_seconds", lambda config: 10.0)
    command = ["experiment", "cifar10-ladder", "--precision", "none", "--output", str(tmp_path / "run"), "--json"]
    answers = []
    for _ in range(2):  # the second time there is nothing left to train
        assert cli.main(command) == 0
        answers.append(json.loads(capsys.readouterr().out))
    assert answers[0] == answers[1]
    assert answers[0]["epochs"] == 6
    assert (tmp_path / "run" / "report.html").exists()
    kept = json.loads((tmp_path / "run" / cifar10_ladder.CLIMB).read_bytes())
    assert {**kept, "page": answers[0]["page"]} == answers[0]
    net = FullyConnectedNet.load(tmp_path / "run" / runs.NET)
    assert few_images.X_test is not None
    predicted = net.predict(few_images.X_test, flip=(3, 32, 32))
    assert answers[0]["test_accuracy"] == float((predicted == few_images.y_test).mean())


@pytest.mark.usefixtures("few_images")
def test_a_folder_with_another_run_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cifar10_ladder, "epoch_seconds", lambda config: 30.0)
    command = ["experiment", "cifar10-ladder", "--precision", "none", "--output", str(tmp_path / "run"), "--quiet"]
    assert cli.main(command) == 0
    for other in (["--seed", "4"], ["--minutes", "10"]):
        assert cli.main([*command, *other]) == 2
        assert "have a run of the same config, got one of a different config" in capsys.readouterr().err
    assert cli.main(command) == 0


def test_no_time_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["experiment", "cifar10-ladder", "--minutes", "0"]) == 2
    assert "minutes must be" in capsys.readouterr().err
