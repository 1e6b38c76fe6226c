"""Detecting the dialect of a notebook from its code."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from thinnet.course.advice import unknown_package
from thinnet.course.evidence import Own, choose_dialect
from thinnet.course.own_files import modules_with_dropout
from thinnet.errors import ArgumentError, DialectError

STANFORD, UCLA = "from cs231n.classifiers.fc_net import *\n", "from nndl.fc_net import *\n"
NET = "FullyConnectedNet([5], {})"
CALL = "dropout_forward(x, {'mode': 'train', 'p': 0.3})"


def chosen(source: str, dialect: str | None = None, recorded: str = "") -> str:
    return choose_dialect([ast.parse(source)], dialect, recorded=recorded)[0]


@pytest.mark.parametrize(
    ("source", "dialect"),
    [
        ("1 + 1", "cs231n-2021"),
        (STANFORD, "cs231n-2021"),
        (STANFORD + NET.format("reg=1"), "cs231n-2021"),
        (STANFORD + NET.format("use_batchnorm=True"), "cs231n-2017"),
        (STANFORD + NET.format("use_batchnorm=True, dropout=0.5"), "cs231n-2017"),
        (STANFORD + NET.format("normalization=None, dropout=0.5"), "cs231n-2018"),
        (STANFORD + NET.format("dropout_keep_ratio=0.5"), "cs231n-2021"),
        (STANFORD + NET.format("dropout=1"), "cs231n-2018"),
        (STANFORD + NET.format("dropout=0"), "cs231n-2017"),
        (STANFORD + "for q in [0, 0.25]: " + NET.format("dropout=q"), "cs231n-2017"),
        (STANFORD + "choices = (1, 0.25)\nfor q in choices: " + NET.format("dropout=q"), "cs231n-2018"),
        (STANFORD + "[" + NET.format("dropout=q") + " for q in [0.5, 1.0]]", "cs231n-2018"),
        (STANFORD + "def make(q=0): return " + NET.format("dropout=q"), "cs231n-2017"),
        (STANFORD + "options = {'dropout': 0.5, 'normalization': None}\n" + NET.format("**options"), "cs231n-2018"),
        (STANFORD + CALL + NET.format("use_batchnorm=True").join(("; ", "")), "cs231n-2017"),
        ("from cs999.classifiers.fc_net import *\n" + NET.format("dropout=1"), "cs231n-2018"),
        (UCLA, "nndl"),
        (UCLA + CALL + "; " + NET.format("dropout=1.0"), "nndl"),
        (UCLA + "for q in [0.5, 1.0]: " + NET.format("dropout=q"), "nndl"),
        (UCLA + NET.format("dropout=0"), "nndl"),
        (UCLA + CALL + "\nclass Net:\n    def __init__(self, dims, dropout=1, use_batchnorm=False): pass", "nndl"),
    ],
)
def test_what_the_code_settles_is_taken(source: str, dialect: str) -> None:
    assert chosen(source) == dialect
    assert chosen(source, dialect) == dialect


@pytest.mark.parametrize(
    ("source", "fitting"),
    [
        (STANFORD + CALL, "cs231n-2017 .* or cs231n-2018 .* or cs231n-2021"),
        (STANFORD + NET.format("dropout=0.5"), "cs231n-2017 .* or cs231n-2018"),
        (STANFORD + "FullyConnectedNet([5], 4, 3, 0.5)", "cs231n-2017 .* or cs231n-2018 .* or cs231n-2021"),
        (STANFORD + "net.dropout_param", "cs231n-2017"),
        (UCLA + CALL, "nndl .* or nndl-2020 .* or nndl-drop"),
        (UCLA + "for q in [0, 0.25]: " + NET.format("dropout=q"), "nndl .* or nndl-drop"),
        (CALL, "cs231n-2017 .* or nndl-drop"),
    ],
)
def test_where_a_figure_depends_on_it_the_dialect_is_asked_for(source: str, fitting: str) -> None:
    with pytest.raises(
        DialectError, match=rf"dialect must be given, since p means .*got none.*fits {fitting}.*--dialect"
    ):
        chosen(source)


@pytest.mark.parametrize(
    ("source", "dialect", "right"),
    [
        (STANFORD, "nndl", "the import of cs231n.classifiers.fc_net: .*--dialect cs231n-2017"),
        ("from cs231n.layers import *", "nndl-drop", "the import of cs231n.layers: "),
        (UCLA, "cs231n-2017", "the import of nndl.fc_net: .*--dialect nndl or nndl-2020 or nndl-drop"),
        (STANFORD + NET.format("dropout=1"), "cs231n-2021", "the argument dropout.*--dialect cs231n-2018\\."),
        (STANFORD + NET.format("dropout=0"), "cs231n-2018", "the value 0 of dropout.*--dialect cs231n-2017\\."),
        (STANFORD + NET.format("use_batchnorm=1"), "cs231n-2018", "the argument use_batchnorm"),
        (UCLA + NET.format("dropout=1"), "nndl-drop", "the value 1 of dropout: .*--dialect nndl or nndl-2020"),
    ],
)
def test_a_dialect_that_does_not_fit_is_refused(source: str, dialect: str, right: str) -> None:
    said = rf"dialect must fit the notebook, got '{dialect}', but the notebook has .*{right}"
    with pytest.raises(DialectError, match=said):
        chosen(source, dialect)


def test_what_both_courses_have_tells_nothing() -> None:
    for dialect in ("nndl", "cs231n-2017"):
        assert chosen("from cs231n.solver import Solver\nfrom cs231n.data_utils import *", dialect) == dialect
    with pytest.raises(ArgumentError, match="dialect must be one of"):
        chosen("", "nndl-2019")


def test_what_contradicts_itself_is_left_to_the_one_who_names_it() -> None:
    both = STANFORD + NET.format("dropout=0.5") + "\n" + NET.format("dropout_keep_ratio=0.5")
    assert chosen(both, "cs231n-2018") == "cs231n-2018"


RECORDED = "Running tests with p =  {}\nMean of input: 10.0\nFraction of train-time output set to zero:  {}\n"


@pytest.mark.parametrize(
    ("pairs", "dialect"),
    [
        ([(0.3, 0.7002), (0.6, 0.3991)], "nndl"),
        ([(0.3, 0.2996), (0.6, 0.6004)], "nndl-drop"),
        ([(0.3, 0.2996), (0.6, 0.3996)], None),
        ([(0.3, 0.5)], None),
        ([(0.5, 0.5)], None),
        ([], None),
    ],
)
def test_the_recorded_fractions_decide_where_the_code_does_not(
    pairs: list[tuple[float, float]], dialect: str | None
) -> None:
    recorded = "".join(RECORDED.format(*pair) for pair in pairs)
    source = UCLA + CALL + "\nfor q in [0, 0.25]: " + NET.format("dropout=q")
    if dialect:
        assert chosen(source, recorded=recorded) == dialect
    else:
        with pytest.raises(DialectError, match="dialect must be given"):
            chosen(source, recorded=recorded)


Means = Callable[[float], tuple[float, float]]


def trials(means: Means, zeros: Callable[[float], float]) -> str:
    """Outputs for two values of p, with these means in training and testing, for an input of ones, times 10."""
    text = ""
    for p in (0.3, 0.75):
        train, test = (10 * value for value in means(1 - zeros(p)))
        text += f"p =  {p}\nMean of input:  10.0\nMean of train-time output:  {train}\n"
        text += f"Mean of test-time output:  {test}\nFraction of train-time output set to zero:  {zeros(p)}\n"
    return text


@pytest.mark.parametrize(
    ("means", "told"),
    [
        (lambda kept: (1.002, 1), ""),
        (lambda kept: (kept, kept), "; the recorded output was scaled as by --scaling classic"),
        (lambda kept: (kept, 1), "; the recorded output was scaled as by --scaling unscaled"),
        (lambda kept: (kept, 1 - kept), ""),
    ],
)
def test_figures_that_will_differ_from_the_recorded_ones_are_told_beforehand(means: Means, told: str) -> None:
    """Many authors took p for the fraction kept, in a year in which it was the fraction dropped."""
    cells = [ast.parse(f"{STANFORD}{CALL}\n{NET.format('dropout=0')}")]
    reason = "by the import of cs231n.classifiers.fc_net and the argument dropout and the value 0 of dropout"
    assert choose_dialect(cells, recorded=trials(means, lambda p: p)) == ("cs231n-2017", reason + told)
    other = reason + "; in the recorded output, p keeps, so its figures will differ" + told
    assert choose_dialect(cells, recorded=trials(means, lambda p: 1 - p)) == ("cs231n-2017", other)
    own = Own(["cs231n"])
    assert choose_dialect(cells, own=own, recorded=trials(means, lambda p: 1 - p))[1].endswith("your own package lacks")


def test_a_course_of_ones_own_needs_no_dialect() -> None:
    _, reason = choose_dialect([ast.parse(STANFORD + CALL)], own=Own(["cs231n"]))
    assert reason == "for what your own package lacks"
    with pytest.raises(DialectError, match="must be given"):
        choose_dialect([ast.parse(STANFORD + CALL)], own=Own(["nndl"]))


def test_a_dropout_that_the_notebook_defines_itself_needs_no_dialect() -> None:
    own = f"def dropout_forward(x, p): return x * (np.random.rand(*x.shape) < p) / p\n{CALL}"
    assert chosen(own) == "cs231n-2021"
    assert choose_dialect([ast.parse("from cs231n.solver import Solver"), ast.parse(own)])[1] == ""
    with pytest.raises(DialectError):
        chosen(STANFORD + own)
    with pytest.raises(DialectError):
        chosen(CALL)


@pytest.mark.parametrize(
    ("source", "files", "its_own"),
    [
        ("from cs231n.layers import *", ["cs231n/layers.py"], True),
        ("from cs231n.classifiers.fc_net import *", ["cs231n/layers.py"], True),
        ("from cs231n.layers import *", ["layers.py"], False),
        ("from layers import *", ["layers.py"], True),
        ("import hw.mine", ["hw/mine.py"], True),
        ("import hw.mine", ["hw/mine/__init__.py"], True),
        ("import hw.mine", ["mine.py"], False),
        ("from hw2.cs231n.layers import *", ["hw2/cs231n/layers.py"], True),
        ("from cs999.layers import *", ["cs999/layers.py"], True),
        ("get_ipython().run_line_magic('run', '-i layers.py')", ["layers.py"], True),
        ("from cs231n.layers import *; from nndl.layers import *", ["cs231n/layers.py"], False),
    ],
)
def test_own_layers_need_no_dialect(source: str, files: list[str], its_own: bool, tmp_path: Path) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("import numpy as np\n\ndef dropout_forward(x, dropout_param): pass\n")
    cells = [ast.parse(source), ast.parse(CALL)]
    own = Own(modules=modules_with_dropout(tmp_path, cells))
    if its_own:
        assert choose_dialect(cells, own=own)[1].endswith("p means what your own dropout_forward makes of it")
    else:
        with pytest.raises(DialectError, match="must be given"):
            choose_dialect(cells, own=own)
    for file in files:
        (tmp_path / file).write_text("def relu_forward(x): pass\n")
    assert not modules_with_dropout(tmp_path, cells)


@pytest.mark.parametrize(
    ("source", "file", "its_own"),
    [
        ("from cs231n.layers import *", "cs231n/layers.py", True),
        ("from cs231n.layers import *", "-a /content/hw/cs231n/layers.py", True),
        ("from cs231n.layers import *", "layers.py", False),
        ("from layers import *", "layers.py", True),
        ("from layers import *", "", False),
    ],
)
def test_layers_that_a_cell_writes_need_no_dialect(source: str, file: str, its_own: bool, tmp_path: Path) -> None:
    text = "\ndef dropout_forward(x, p):\n    pass"
    write = ast.parse(f"get_ipython().run_cell_magic('writefile', {file!r}, {text!r})")
    cells = [write, ast.parse(source), ast.parse(CALL)]
    own = Own(modules=modules_with_dropout(tmp_path, cells))
    if its_own:
        assert choose_dialect(cells, own=own)[0] == "cs231n-2021"
    else:
        with pytest.raises(DialectError, match="must be given"):
            choose_dialect(cells, own=own)


def test_own_layers_leave_the_nets_dialect_to_the_nets_arguments() -> None:
    source = STANFORD + NET.format("dropout=1, normalization=None")
    own = Own(modules=["cs231n.layers"])
    assert choose_dialect([ast.parse(source + "; " + NET.format("dropout=0.5"))], own=own)[0] == "cs231n-2018"
    assert choose_dialect([ast.parse(STANFORD + NET.format("dropout_keep_ratio=0.5"))], own=own)[0] == "cs231n-2021"


def test_a_package_by_another_name_is_asked_for_with_the_dialect() -> None:
    source = "from cs682.layers import *\n" + CALL
    missing = unknown_package(source, ())
    with pytest.raises(DialectError, match=r"run with --dialect cs231n-2017 --package cs682, for example"):
        choose_dialect([ast.parse(source)], package=missing)
    assert unknown_package(source, ["cs682"]) == ""
    assert unknown_package(STANFORD, ()) == ""
