"""Reports: what is collected from run folders, how it is evaluated and drawn, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thinnet import Dataset, FullyConnectedNet, cli, runs
from thinnet.config import Config
from thinnet.data import catalog
from thinnet.nets.predictions import probabilities
from thinnet.report import charts, png, svg, write_report
from thinnet.report.details import details
from thinnet.report.diagnostics import diagnose
from thinnet.report.folder import find_runs
from thinnet.report.groups import compare, group_runs
from thinnet.report.svg import axes

QUICK = Config(num_train=100, hidden_dims=(16, 8), epochs=3, batch_size=25)


def start(folder: Path, **changes: Any) -> Path:
    config = Config(**{**vars(QUICK), "seed": 0, **changes})
    runs.start(config, folder, lambda text: None, compared=True, verbose=False, progress=False)
    return folder


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four runs: two rates, two seeds."""
    folder = tmp_path_factory.mktemp("four")
    for rate in (0.5, 0.0):
        for seed in (1, 0):
            start(folder / f"{rate}-{seed}", dropout=rate, seed=seed, data_seed=seed)
    return folder


class Tags(HTMLParser):
    """The elements of a page, and its text outside of styles and scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] not in ("style", "script"):
            self.words += data


def test_runs_that_differ_in_seeds_only_are_one_group(four: Path) -> None:
    groups = group_runs(find_runs([four]))
    assert [group.label for group in groups] == ["dropout 0", "dropout 0.5"]
    assert [[run.config.seed for run in group.runs] for group in groups] == [[0, 1], [0, 1]]
    difference = compare(groups[1], groups[0], "val_accuracy")
    by_hand = np.subtract(groups[1].values("val_accuracy"), groups[0].values("val_accuracy"))
    assert difference is not None
    assert difference.mean == pytest.approx(by_hand.mean())
    assert difference.count == 2


def test_of_many_groups_the_best_ones_are_shown_in_detail(four: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(details.__globals__, "MOST_DETAILED", 1)
    monkeypatch.setitem(details.__globals__, "FEWER_DETAILED", 1)
    groups = group_runs(find_runs([four]))
    reached = [np.mean(group.values(group.main_metric)) for group in groups]
    assert reached[0] != reached[1]
    for order in (groups, groups[::-1]):
        assert [detail.group for detail in details(order)] == [groups[int(np.argmax(reached))]]


def test_a_run_named_twice_counts_once(four: Path) -> None:
    assert len(find_runs([four, four / "0.0-0"])) == 4


def test_the_page_needs_nothing_but_itself(four: Path) -> None:
    page = Tags(write_report([four]).read_text(encoding="utf-8"))
    for tag, attributes in page.found:
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:,").startswith("data:"), (tag, attributes)
    assert "2 seeds" in page.words
    assert "thinnet train --num-train 100 --data-seed 0 --hidden-dims 16 8" in page.words
    assert "points above" in page.words
    assert "it may be chance" in page.words or "p < 0.0" in page.words or "p = 0.0" in page.words


def test_names_that_are_markup_stay_text(tmp_path: Path) -> None:
    """The names of a folder, a data file and a title look like HTML elements."""
    X = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    y = (X[:, 0] > 0).astype(int)
    (tmp_path / "<b>").mkdir()
    np.savez(tmp_path / "<b>" / "<script>.npz", X_train=X, y_train=y, X_val=X, y_val=y)
    start(tmp_path / "<i>&", data=str(tmp_path / "<b>" / "<script>.npz"), num_train=0)
    page = Tags(write_report([tmp_path / "<i>&"], title="</title><script>alert(1)</script>").read_text())
    assert [tag for tag, _ in page.found].count("script") == 1
    assert not {tag for tag, _ in page.found} & {"i&"}
    assert "<i>&" in page.words


def test_it_is_the_same_page_every_time(four: Path, tmp_path: Path) -> None:
    first = write_report([four], tmp_path / "a.html").read_bytes()
    assert write_report([four], tmp_path / "b.html").read_bytes() == first


def test_figures_are_kept_as_svg(four: Path, tmp_path: Path) -> None:
    assert cli.main(["report", str(four), "--output", str(tmp_path / "x.html"), "--figures", str(tmp_path / "f")]) == 0
    names = {path.name for path in (tmp_path / "f").iterdir()}
    for name in ("val-accuracy", "train-accuracy", "loss", "calibration", "units", "confusion-dropout-0.5"):
        assert f"{name}.svg" in names
        assert ET.parse(tmp_path / "f" / f"{name}.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_a_kept_figure_stands_alone(four: Path, tmp_path: Path) -> None:
    """It has a title, a size, and the name and color of each line, without variables that only browsers support."""
    write_report([four], tmp_path / "x.html", tmp_path / "f")
    text = (tmp_path / "f" / "val-accuracy.svg").read_text()
    figure = ET.fromstring(text)
    words = ["".join(part.itertext()) for part in figure.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Validation accuracy", "dropout 0", "dropout 0.5", "Epoch"} <= set(words)
    assert float(figure.attrib["width"]) == 428
    assert float(figure.attrib["height"]) > 260
    assert "color:#0072b2" in text
    assert "color:#d55e00" in text
    assert "var(" not in text
    assert "data-chart" not in text


def test_an_unfinished_run_is_shown_as_far_as_it_went(tmp_path: Path) -> None:
    start(tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    run = find_runs([tmp_path / "run"])[0]
    assert not run.finished
    assert run.history.epoch == [0, 1, 2, 3]
    words = Tags(write_report([tmp_path / "run"]).read_text()).words
    assert "1 unfinished" in words
    assert "No net to look at: the run is not finished." in words


def test_a_run_of_the_first_edition_has_a_page_without_validation_losses(tmp_path: Path) -> None:
    path = start(tmp_path / "run") / "result.json"
    result = json.loads(path.read_text())
    assert result["history"].pop("val_loss")
    path.write_text(json.dumps(result))
    assert find_runs([tmp_path / "run"])[0].history.val_loss == []
    page = write_report([tmp_path / "run"]).read_text()
    assert "Validation accuracy" in page
    assert "Validation loss" not in page


def test_a_run_that_has_just_begun_has_a_page(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(QUICK.to_toml())
    assert "No epoch is finished yet." in write_report([tmp_path]).read_text()


def test_where_the_data_are_gone_the_rest_is_shown(tmp_path: Path) -> None:
    X = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    np.savez(tmp_path / "data.npz", X_train=X, y_train=(X[:, 0] > 0).astype(int))
    start(tmp_path / "run", data=str(tmp_path / "data.npz"), num_train=0)
    (tmp_path / "data.npz").unlink()
    assert "The data could not be read" in write_report([tmp_path / "run"]).read_text()


def test_targets_that_are_numbers_are_not_confused(tmp_path: Path) -> None:
    X = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    np.savez(tmp_path / "data.npz", X_train=X, y_train=X[:, :1], X_val=X, y_val=X[:, :1])
    start(tmp_path / "run", data=str(tmp_path / "data.npz"), num_train=0)
    page = write_report([tmp_path / "run"]).read_text()
    assert "The targets are not one class per row" in page
    assert "<dd>0 (all)</dd>" in page


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("result.json", "{", r"result.json must be what a run wrote, got invalid JSON \(Expecting property name"),
        ("result.json", "[]", r"result.json must be what a run wrote, got a list. Remove it"),
        ("result.json", "{}", r"result.json must be what a run wrote, got no entry 'history'"),
        ("config.toml", "epochs = 0", r"epochs must be an integer >= 1, got 0"),
        ("net.safetensors", "junk", r"net.safetensors must be"),
    ],
)
def test_a_damaged_file_is_named(
    name: str, content: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (start(tmp_path / "run") / name).write_text(content)
    assert cli.main(["report", str(tmp_path / "run")]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_a_folder_without_runs_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", str(tmp_path)]) == 2
    assert "must be the folder of a run, or of several, got an empty folder" in capsys.readouterr().err


def test_runs_are_found_in_folders_of_folders_each_once(four: Path, tmp_path: Path) -> None:
    (tmp_path / "week" / "monday").mkdir(parents=True)
    for name in ("0.0-0", "0.0-1"):
        shutil.copytree(four / name, tmp_path / "week" / "monday" / name)
    shutil.copytree(four / "0.5-0", tmp_path / "week" / "alone")
    shutil.copytree(four / "0.5-1", tmp_path / ".hidden" / "alone")
    found = find_runs([tmp_path, tmp_path / "week"])
    assert [run.folder.name for run in found] == ["alone", "0.0-0", "0.0-1"]


def test_where_there_is_no_run_it_says_what_was_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert cli.main(["report", str(tmp_path)]) == 2
    assert "got a folder without config.toml in it or in any of the 2 folders below it" in capsys.readouterr().err
    assert cli.main(["report", str(tmp_path / "nowhere")]) == 2
    assert "nowhere must be the folder of a run, or of several, got no such folder." in capsys.readouterr().err


def diagnosed(split: str = "test", **options: Any) -> tuple[FullyConnectedNet, Dataset, Any]:
    generator = np.random.default_rng(1)
    X = generator.standard_normal((1300, 6)).astype(np.float32)
    y = generator.integers(3, size=1300)
    arrays = {"X_train": X[:300], "y_train": y[:300], f"X_{split}": X[300:], f"y_{split}": y[300:]}
    data = Dataset.from_dict(arrays)
    net = FullyConnectedNet([40, 30], 6, 3, weight_scale="he", seed=1, **options)
    return net, data, diagnose(net, data, 50)


def test_confusions_mistakes_and_calibration_are_those_by_hand() -> None:
    """In pieces or all at once."""
    net, data, diagnostics = diagnosed()
    assert data.X_test is not None
    assert data.y_test is not None
    shares = probabilities("softmax", net.scores(data.X_test).astype(np.float64))
    answers, sure = shares.argmax(axis=1), shares.max(axis=1)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    for i in range(3):
        for j in range(3):
            assert diagnostics.confusion[i, j] == ((data.y_test == i) & (answers == j)).sum()
    wrong = np.flatnonzero(answers != data.y_test)
    worst = wrong[np.argsort(-sure[wrong], kind="stable")][:12]
    assert [mistake.row for mistake in diagnostics.mistakes] == worst.tolist()
    assert diagnostics.num_mistakes == len(wrong)
    bins = diagnostics.calibration
    for k in range(10):
        chosen = np.minimum((sure * 10).astype(int), 9) == k
        assert bins.count[k] == chosen.sum()
        if chosen.any():
            assert bins.confidence[k] == pytest.approx(sure[chosen].mean())
            assert bins.accuracy[k] == pytest.approx((answers == data.y_test)[chosen].mean())
    gaps = [abs(bins.confidence[k] - bins.accuracy[k]) * bins.count[k] for k in range(10) if bins.count[k]]
    assert bins.error == pytest.approx(sum(gaps) / 1000)


@pytest.mark.parametrize("mask", ["element", "batch"])
def test_dropout_halves_the_active_units_and_the_net_is_left_alone(mask: Any) -> None:
    net, data, _ = diagnosed(dropout=0.5, normalization="batchnorm", dropout_mask=mask)
    before = net.running.flat.copy(), net.params.flat.copy(), net.step
    layers = diagnose(net, data, 50).layers
    assert [layer.width for layer in layers] == [40, 30]
    for layer in layers:
        assert layer.thinned == pytest.approx(layer.active / 2, rel=0.25)
        assert 0 < layer.active < layer.width
    assert net.step == before[2]
    np.testing.assert_array_equal(net.running.flat, before[0])
    np.testing.assert_array_equal(net.params.flat, before[1])


def test_without_dropout_and_normalization_both_modes_are_the_same() -> None:
    _, _, diagnostics = diagnosed(split="val")
    assert diagnostics.split == "val"
    assert all(layer.active == layer.thinned for layer in diagnostics.layers)


@pytest.mark.parametrize("channels", [3, 4])
def test_a_png_has_the_pixels_that_it_was_given(channels: int, tmp_path: Path) -> None:
    from PIL import Image

    pixels = np.random.default_rng(0).integers(256, size=(5, 7, channels), dtype=np.uint8)
    (tmp_path / "a.png").write_bytes(png.png(pixels))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), pixels)


def test_pictures_keep_channels_and_signs() -> None:
    color = np.zeros((3, 2, 2), np.uint8)
    color[0, 0, 1] = 200  # red, top right
    np.testing.assert_array_equal(png.photograph(color.ravel(), (3, 2, 2), top=200)[0, 1], [255, 0, 0])
    weights = png.weight_picture(np.array([-2.0, 0.0, 2.0, 0.0]), (2, 2))
    np.testing.assert_array_equal(weights[0], [png.BLUE, [255] * 3])
    np.testing.assert_array_equal(weights[1, 0], png.ORANGE)


def test_lines_lie_where_their_values_are() -> None:
    """From the SVG back to the numbers, by the positions of the grid lines."""
    line = charts.Series("a & b", 0, (0.0, 1.0, 2.0), (0.1, 0.9, 0.5))
    chart = charts.Chart("name", "Title <1>", "Epoch", (line,), fraction=True)
    x, y = axes(chart, svg.LEFT, svg.RIGHT, svg.TOP, svg.BOTTOM)
    drawn = ET.fromstring(svg.line_chart(chart))
    points = drawn.find(".//polyline").get("points").split()  # type: ignore[union-attr]
    for point, a, b in zip(points, line.x, line.y, strict=True):
        px, py = map(float, point.split(","))
        assert (px - svg.LEFT) / (svg.RIGHT - svg.LEFT) * 2 == pytest.approx(a, abs=0.01)
        assert y.low + (svg.BOTTOM - py) / (svg.BOTTOM - svg.TOP) * (y.high - y.low) == pytest.approx(b, abs=0.01)
    assert drawn.get("aria-label") == "Title <1>, by epoch. a & b: from 0.1 at 0 to 0.5 at 2."
    assert x.ticks == [0.0, 1.0, 2.0]


def test_losses_that_shrink_a_hundredfold_are_drawn_by_magnitude() -> None:
    line = charts.Series("a", 0, (1.0, 2.0, 3.0), (10.0, 1.0, 0.1))
    chart = charts.Chart("loss", "Loss", "Step", (line,))
    _, y = axes(chart, 0, 100, 0, 100)
    assert chart.logarithmic
    banded = charts.Series("a", 0, (1.0, 2.0), (100.0, 1.0), low=(99.0, -3.0), high=(101.0, 4.0))
    assert charts.Chart("loss", "Loss", "Step", (banded,)).low(banded)[1] == 0.25
    assert y.ticks == [0.1, 1.0, 10.0]
    assert y.position(1.0) - y.position(10.0) == pytest.approx(y.position(0.1) - y.position(1.0), abs=0.02)


def test_long_losses_are_averaged_and_short_ones_are_not(four: Path) -> None:
    first = group_runs(find_runs([four]))[0]
    drawn = next(chart for chart in charts.curves([first]) if chart.name == "loss").series[0]
    by_hand = np.mean([run.history.loss for run in first.runs], axis=0)
    np.testing.assert_allclose(drawn.y, by_hand)
    long = first.runs[0].history.loss * 100
    first.runs[0].history.loss[:] = long
    first.runs[1].history.loss[:] = long
    thinned = next(chart for chart in charts.curves([first]) if chart.name == "loss").series[0]
    assert len(thinned.y) == charts.MOST_POINTS
    assert np.mean(thinned.y) == pytest.approx(np.mean(long), rel=0.02)


def test_one_number_is_rounded_alike_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Halves are rounded up, as on paper: the validation accuracy 385 / 400 is 0.963 and 96.3 %, not 96.2."""
    path = start(tmp_path / "run") / runs.RESULT
    exact = {"val_accuracy": 0.9625, "test_accuracy": None}
    path.write_text(json.dumps({**json.loads(path.read_text()), **exact}))
    page = Tags(write_report([tmp_path / "run"]).read_text(encoding="utf-8")).words
    assert "96.3% validation accuracy" in page
    assert "0.963" in page
    assert not re.search(r"96\.2|0\.962", page)
    assert "0.963" in runs.Result(find_runs([tmp_path])[0].history, 0.9625, None, None).table()


def test_time_begins_after_the_first_step_which_may_wait_for_compilation(four: Path) -> None:
    first = group_runs(find_runs([four]))[0]
    seconds = [run.history.seconds for run in first.runs]
    assert first.values("duration") == [one[-1] - one[0] for one in seconds]


def test_a_report_downloads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(*_: Any, **__: Any) -> None:
        raise AssertionError("a report asked for a download")

    folder = start(tmp_path / "run")
    for name in ("config.toml", "environment.json"):
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace('"digits"', '"cifar10"'))
    monkeypatch.setattr(catalog, "look_for_cifar10", lambda: None)
    monkeypatch.setattr(runs, "load", download)
    page = Tags(write_report([folder]).read_text(encoding="utf-8"))
    assert "cifar10 must be on this machine, got none. To get it: thinnet data --download cifar10" in page.words
