"""Reports about unusual runs: no validation rows, one class, one feature, regression, changed data, repetitions."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from test_report import Tags, start
from thinnet import cli, runs
from thinnet.errors import NumericalError
from thinnet.report import charts, svg, write_report
from thinnet.report.folder import find_runs
from thinnet.report.groups import group_runs

RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((60, 4)).astype(np.float32)
LABELS = (ROWS[:, 0] > 0).astype(int)
EXPERIMENT = ["experiment", "dropout", "--num-train", "40", "--seeds", "2", "--epochs", "2", "--hidden-dims", "5"]


def words(*folders: Path, **options: Any) -> str:
    return " ".join(Tags(write_report(folders, **options).read_text(encoding="utf-8")).words.split())


def on(folder: Path, arrays: dict[str, Any], **changes: Any) -> Path:
    """A run on its own arrays."""
    folder.mkdir()
    np.savez(folder / "data.npz", **arrays)
    return start(folder / "run", data=str(folder / "data.npz"), num_train=0, **changes)


@pytest.mark.parametrize(
    "arrays",
    [
        {"X_train": ROWS, "y_train": LABELS},
        {"X_train": ROWS, "y_train": np.ones(60, int), "X_val": ROWS, "y_val": np.ones(60, int)},
        {"X_train": ROWS[:, :1], "y_train": LABELS, "X_val": ROWS[:, :1], "y_val": LABELS},
        {
            "X_train": RNG.random((60, 3, 4, 4)),
            "y_train": LABELS,
            "X_test": RNG.random((9, 3, 4, 4)),
            "y_test": [2] * 9,
        },
        {"X_train": RNG.random((60, 1, 1)), "y_train": LABELS, "X_val": RNG.random((9, 1, 1)), "y_val": [0] * 9},
    ],
    ids=["no validation rows", "one class", "one feature", "three classes of images", "images of a pixel"],
)
@pytest.mark.filterwarnings("ignore:y_train has only the label 1")
def test_odd_data_have_a_page_and_figures(arrays: dict[str, Any], tmp_path: Path) -> None:
    labels = np.array(arrays["y_train"])
    if "y_test" in arrays:
        labels[:20] = 2
    run = on(tmp_path / "odd", {**arrays, "y_train": labels})
    text = words(run, figures=tmp_path / "figures")
    assert re.search(r"A closer look\s+On the (training|validation|test) rows\.", text)
    assert "nan" not in text.split()
    assert (tmp_path / "figures" / "confusion-run.svg").is_file()


def test_an_experiment_without_validation_rows_is_decided_by_what_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "data.npz", X_train=ROWS, y_train=LABELS)
    command = [*EXPERIMENT, "--data", str(tmp_path / "data.npz"), "--output", str(tmp_path / "out"), "--quiet"]
    assert cli.main(command) == 0
    out = capsys.readouterr().out
    assert "Dropout 0.5 against 0: training accuracy after the last epoch " in out
    assert out.endswith(f"\nPage:   {tmp_path / 'out' / 'report.html'}\n")  # even with --quiet: it is a result


def test_where_targets_are_numbers_no_word_is_said_of_accuracy(tmp_path: Path) -> None:
    arrays = {"X_train": ROWS, "y_train": ROWS[:, :1], "X_val": ROWS, "y_val": ROWS[:, :1]}
    run = on(tmp_path / "numbers", arrays)
    text = words(run)
    assert "Validation R²" in text
    assert "accuracy" not in text.lower()
    assert "%" not in text
    drawn = charts.curves(group_runs(find_runs([run])))
    assert {chart.title for chart in drawn} == {"Validation R²", "Training R²", "Validation loss", "Training loss"}


def test_runs_that_were_not_measured_alike_have_no_best_one(tmp_path: Path) -> None:
    """Neither a class and a number, nor training and validation rows; what is measured alike still has one."""
    values, held_out = {"X_train": ROWS, "y_train": ROWS[:, :1]}, {"X_val": ROWS, "y_val": LABELS}
    numbers, labels = on(tmp_path / "numbers", values), on(tmp_path / "labels", {"X_train": ROWS, "y_train": LABELS})
    other, better = (
        on(tmp_path / name, {"X_train": ROWS, "y_train": LABELS, **held_out}, dropout=rate)
        for name, rate in (("other", 0.5), ("better", 0.0))
    )
    for pair in ((labels, numbers), (labels, other)):
        assert "These runs were not measured alike, so none is called the best." in words(*pair)
    assert "Best: " in words(other, better)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("rate", "size", "verdict"),
    [(1e10, 25, "No epoch was finished."), (1e30, 25, "No epoch was finished."), (1e10, 100, "validation accuracy.")],
)
def test_a_run_that_diverged_is_said_to_have_stopped_with_the_step(
    rate: float, size: int, verdict: str, tmp_path: Path
) -> None:
    with pytest.raises(NumericalError, match=r"^(In|After) step \d+, ") as caught:
        start(tmp_path / "run", optimizer="sgd", learning_rate=rate, batch_size=size)
    sentence = str(caught.value).partition(". ")[0]
    ended = f"with a numerical error: {sentence[0].lower()}{sentence[1:]}"
    text = words(tmp_path / "run")
    assert verdict in text
    assert f"The run 'run' stopped {ended}." in text
    assert f"No net to look at: it stopped {ended}." in text
    assert "not yet" not in text
    assert not find_runs([tmp_path / "run"])[0].finished


def test_data_that_changed_since_are_not_evaluated(tmp_path: Path) -> None:
    """Neither different rows, nor rows of another width, nor too few rows."""
    run = on(tmp_path / "a", {"X_train": ROWS, "y_train": LABELS, "X_val": ROWS, "y_val": LABELS})
    for X in (ROWS + 1, ROWS[:, :2]):
        np.savez(tmp_path / "a" / "data.npz", X_train=X, y_train=LABELS, X_val=X, y_val=LABELS)
        assert "The data are no longer those that the run was trained on." in words(run)
    few = start(tmp_path / "few", data=str(tmp_path / "a" / "data.npz"), num_train=50)
    np.savez(tmp_path / "a" / "data.npz", X_train=ROWS[:9], y_train=LABELS[:9])
    assert "The data could not be read: num_train must be at most 9" in words(few)


def test_a_repetition_counts_once_and_is_said_to(tmp_path: Path) -> None:
    start(tmp_path / "first")
    start(tmp_path / "again")
    (only,) = group_runs(find_runs([tmp_path]))
    assert [run.folder.name for run in only.runs] == ["again"]
    text = words(tmp_path)
    assert "The run 'first' is the same as 'again' (config, seed and results are equal), so it counts once." in text
    assert "the mean of" not in text
    assert "±" not in text


def test_a_data_seed_that_draws_nothing_is_no_second_seed(tmp_path: Path) -> None:
    arrays = {"X_train": ROWS, "y_train": LABELS}
    on(tmp_path / "on", arrays, data_seed=1)
    start(tmp_path / "on" / "again", data=str(tmp_path / "on" / "data.npz"), num_train=0, data_seed=2)
    text = words(tmp_path)
    assert "The run 'run' is the same as 'again'" in text
    assert "thinnet train --data" in text
    assert "--data-seed" not in text  # which would be refused


def test_a_repetition_that_is_not_finished_is_the_same_run_too(tmp_path: Path) -> None:
    start(tmp_path / "whole")
    (start(tmp_path / "cut") / runs.RESULT).unlink()
    max((tmp_path / "cut").glob("step-*")).unlink()
    (only,) = group_runs(find_runs([tmp_path]))
    assert [run.folder.name for run in only.runs] == ["whole"]


def test_a_repetition_with_other_results_is_no_second_seed(tmp_path: Path) -> None:
    start(tmp_path / "first")
    path = start(tmp_path / "other") / runs.RESULT
    result = json.loads(path.read_text())
    path.write_text(json.dumps({**result, "val_accuracy": result["val_accuracy"] - 0.1}))
    text = words(tmp_path)
    assert "the mean of 2 runs" in text
    assert "2 seeds" not in text
    assert (
        "The run 'other' has the config and the seed of 'first', but different results, although data, versions" in text
    )
    surroundings = tmp_path / "other" / runs.ENVIRONMENT
    surroundings.write_text(json.dumps({**json.loads(surroundings.read_text()), "machine": {"cores": 99}}))
    assert "but different results (they differ in machine)" in words(tmp_path)


def test_a_net_that_is_gone_is_not_called_unfinished(tmp_path: Path) -> None:
    (start(tmp_path / "run") / runs.NET).unlink()
    assert "No net to look at: its file net.safetensors is gone." in words(tmp_path / "run")


def test_a_run_that_has_begun_does_not_cut_the_curves_of_the_others(tmp_path: Path) -> None:
    start(tmp_path / "ended")
    start(tmp_path / "going", seed=1, epochs=3)
    (tmp_path / "going" / runs.RESULT).unlink()
    max((tmp_path / "going").glob("step-*")).unlink()
    only = group_runs(find_runs([tmp_path]))[0]
    assert [len(run.history.epoch) for run in only.runs] == [4, 3]
    assert charts.curves([only])[0].series[0].x == (0, 1, 2, 3)


def test_runs_of_different_epochs_lie_on_one_axis(tmp_path: Path) -> None:
    start(tmp_path / "short", epochs=1)
    start(tmp_path / "long", epochs=4)
    drawn = charts.curves(group_runs(find_runs([tmp_path])))[0]
    assert [line.x for line in drawn.series] == [(0, 1), (0, 1, 2, 3, 4)]
    assert "epochs 4" in words(tmp_path)


def test_long_and_equal_names_make_files_of_their_own(tmp_path: Path) -> None:
    """Labels that differ only after the part that fits into a file name."""
    deep = tmp_path / "/".join("x" * 90 for _ in range(3))
    deep.mkdir(parents=True)
    for name in ("a", "b"):
        np.savez(deep / f"{name}.npz", X_train=ROWS, y_train=LABELS)
        start(tmp_path / name, data=str(deep / f"{name}.npz"), num_train=0)
    write_report([tmp_path], figures=tmp_path / "figures")
    assert len(list((tmp_path / "figures").glob("confusion-*.svg"))) == 2


def test_very_many_classes_are_told_and_not_drawn(tmp_path: Path) -> None:
    y = np.arange(300) % 150
    X = RNG.standard_normal((300, 4)).astype(np.float32)
    run = on(tmp_path / "many", {"X_train": X, "y_train": y})
    page = write_report([run], figures=tmp_path / "figures")
    assert page.stat().st_size < 200_000
    assert "There are too many classes to draw them." in Tags(page.read_text()).words
    assert not list((tmp_path / "figures").glob("confusion*"))


def test_many_classes_are_drawn_without_their_empty_cells() -> None:
    drawn = svg.confusion(np.eye(90, dtype=int), [str(k) for k in range(90)])
    assert drawn.count("<title>") == 90


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("environment.json", "[]", "Remove it, and go without its record of versions and machine"),
        ("environment.json", '{"versions": []}', "versions is not a mapping"),
        ("result.json", None, "'0.9' is not a number. Remove it, and write it again with: thinnet resume"),
    ],
)
def test_what_is_damaged_in_meaning_is_named_with_a_mend_that_works(
    name: str, content: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = start(tmp_path / "run") / name
    if content is None:
        content = json.dumps({**json.loads(path.read_text()), "val_accuracy": "0.9"})
    path.write_text(content)
    assert cli.main(["report", str(tmp_path / "run")]) == 2
    assert message in capsys.readouterr().err
    path.unlink()
    assert cli.main(["resume", str(tmp_path / "run"), "--quiet"]) == 0
    assert cli.main(["report", str(tmp_path / "run")]) == 0


def test_a_page_in_a_folder_that_is_not_there_is_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = on(tmp_path / "odd", {"X_train": ROWS, "y_train": LABELS})
    (tmp_path / "page.txt").write_text("a file")
    before = sorted(tmp_path.rglob("*"))
    pages = dict.fromkeys(("site/page.html", "site/deep/page.html", "odd/no/page.html"), "must be a file in a folder")
    folders = dict.fromkeys(
        ("site", "page"), "error: --output must be the page, NAME.html, or a folder that exists, got"
    )
    file = {"page.txt": f"page.txt, a file. Write {tmp_path / 'page.html'}."}
    for name, text in (pages | folders | file).items():
        output = tmp_path / name
        told = ["report", str(run), "--output", str(output), "--figures", str(tmp_path / "figures")]
        assert cli.main(told) == 2
        assert text in capsys.readouterr().err
        assert sorted(tmp_path.rglob("*")) == before


def test_a_page_replaces_its_older_self_and_no_other_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, layers = on(tmp_path / "odd", {"X_train": ROWS, "y_train": LABELS}), tmp_path / "layers.py"
    layers.write_text("def relu_forward(x):\n    return x * (x > 0), x\n")
    of_runs, of_check, other = (tmp_path / f"{name}.html" for name in ("runs", "check", "other"))
    other.write_text("<p>mine</p>")
    commands = {"output": ["report", str(run), "--output"], "html": ["check", str(layers), "--html"]}
    written = {"output": of_runs, "html": of_check}
    for option in (*commands, *commands):  # twice: each replaces its own
        assert cli.main([*commands[option], str(written[option])]) == 0
    for option, page in [(one, page) for one in commands for page in (of_runs, of_check, other)]:
        before = page.read_bytes()
        if page != written[option]:
            assert cli.main([*commands[option], str(page)]) == 2
            assert f"error: --{option} must be a new file or an older page of thinnet " in capsys.readouterr().err
            assert page.read_bytes() == before


def test_figures_in_the_place_of_a_file_are_refused_and_no_page_is_written(tmp_path: Path) -> None:
    run = on(tmp_path / "odd", {"X_train": ROWS, "y_train": LABELS})
    (tmp_path / "figures").write_text("a file")
    with pytest.raises(FileExistsError, match="must be a folder, got a file in its place"):
        write_report([run], tmp_path / "page.html", figures=tmp_path / "figures")
    assert not (tmp_path / "page.html").exists()


def test_figures_replace_their_older_selves_and_no_other_file(tmp_path: Path) -> None:
    run, figures = on(tmp_path / "odd", {"X_train": ROWS, "y_train": LABELS}), tmp_path / "figures"
    write_report([run], tmp_path / "page.html", figures=figures)
    write_report([run], tmp_path / "page.html", figures=figures)
    (figures / "confusion-run.svg").write_text("<svg>mine</svg>")
    before = {file: file.read_bytes() for file in [tmp_path / "page.html", *figures.iterdir()]}
    with pytest.raises(
        FileExistsError, match=r"figures must be a folder without another confusion-run.*would be lost.*folder"
    ):
        write_report([run], tmp_path / "page.html", figures=figures)
    assert all(file.read_bytes() == content for file, content in before.items())
    (figures / "confusion-run.svg").unlink()
    (figures / "confusion-run.svg").mkdir()
    with pytest.raises(IsADirectoryError, match=r"confusion-run\.svg, which is a folder"):
        write_report([run], tmp_path / "page.html", figures=figures, title="other")
    assert (tmp_path / "page.html").read_bytes() == before[tmp_path / "page.html"]


@pytest.mark.posix
def test_a_folder_whose_name_is_no_unicode_has_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / os.fsdecode(b"run-\xff")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes no such names")
    assert cli.main(["report", str(start(folder / os.fsdecode(b"\xff"))), "--figures", str(tmp_path / "figures")]) == 0
    assert "run-\\udcff" in capsys.readouterr().out
    assert list((tmp_path / "figures").iterdir())


def test_runs_that_differ_in_everything_have_no_chart_of_single_points(tmp_path: Path) -> None:
    for epochs, rate in ((1, 0.0), (2, 0.2), (3, 0.4)):
        start(tmp_path / f"{rate}", dropout=rate, epochs=epochs)
    assert charts.against(group_runs(find_runs([tmp_path]))) == []
    start(tmp_path / "more", dropout=0.6, epochs=3)
    found = charts.against(group_runs(find_runs([tmp_path])))
    assert [(chart.name, [len(line.x) for line in chart.series]) for chart in found] == [("against-dropout", [1, 1, 2])]


def test_where_the_runs_share_a_single_seed_the_verdict_does_not_say_that_they_have_one_each(tmp_path: Path) -> None:
    start(tmp_path / "one", dropout=0.0)
    start(tmp_path / "other", dropout=0.5)
    assert "(one seed each: no test)" in words(tmp_path)
    start(tmp_path / "third", dropout=0.5, seed=1)
    assert "(one seed in common: no test)" in words(tmp_path)
