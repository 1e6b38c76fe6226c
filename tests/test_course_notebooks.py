"""Running notebooks."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import ipykernel._version
import nbformat
import pytest

import thinnet.course
from course_seeds import printed, write_notebook
from thinnet.cli import main
from thinnet.course.advice import advice
from thinnet.course.execution import merge_streams
from thinnet.course.notebooks import run_notebook

pytestmark = pytest.mark.usefixtures("closed_door", "quick_notebooks")

USES_LAYERS = """
import numpy as np
from cs231n.layers import dropout_forward
print(dropout_forward(np.ones((1, 4)), {"mode": "train", "p": 0.75, "seed": 0})[0])
"""


def test_a_notebook_runs_unmodified_and_is_left_as_it_was(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    notebook = tmp_path / "a notebook.ipynb"
    write_notebook(notebook, [USES_LAYERS, "6 * 7"])
    before = notebook.read_bytes()
    assert main(["course", "run", str(notebook), "--dialect", "cs231n-2018"]) == 0
    out, err = capfd.readouterr()
    assert out.startswith("2 cells ran in ")
    assert err == ""
    assert notebook.read_bytes() == before
    output = tmp_path / "a notebook.executed.ipynb"
    assert printed(output)[0] == "[[1.33333333 1.33333333 1.33333333 1.33333333]]\n"
    cells: Any = nbformat.read(output, as_version=4).cells
    assert cells[1].outputs[0].data["text/plain"] == "42"
    assert cells[0].execution_count == 1


def test_a_failing_cell_ends_the_run_with_status_1_and_keeps_what_there_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    notebook = tmp_path / "n.ipynb"
    write_notebook(notebook, ["print('before')", "1 / 0", "print('after')"])
    assert main(["course", "run", str(notebook), "--dialect", "nndl"]) == 1
    out, err = capfd.readouterr()
    assert out.startswith("1 cell ran in ")
    assert "the notebook stopped early: ZeroDivisionError: division by zero" in err
    assert printed(tmp_path / "n.executed.ipynb") == ["before\n", "", ""]


def test_the_dialect_is_asked_for_where_a_figure_depends_on_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_notebook(tmp_path / "n.ipynb", [USES_LAYERS])
    assert main(["course", "run", str(tmp_path / "n.ipynb")]) == 2
    assert "dialect must be given" in capsys.readouterr().err
    assert main(["course", "run", str(tmp_path / "n.ipynb"), "--dialect", "nndl"]) == 2
    assert "dialect must fit the notebook, got 'nndl'" in capsys.readouterr().err
    assert not (tmp_path / "n.executed.ipynb").exists()


def test_a_dialect_that_the_notebook_settles_is_taken_and_names_taken_out_since_are_there(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    net = "from cs231n.classifiers.fc_net import *\nnet = FullyConnectedNet([5], dropout=1)\nnet.use_dropout"
    old = "import time, numpy as np\nstart = time.clock()\nprint(np.zeros(2, dtype=np.int).astype(np.float))"
    old += "\nimport pickle\npickle.loads(b'U\\x02\\x8ba.')  # of Python 2\nnp.reshape(np.ones(2), newshape=(2, 1))"
    write_notebook(tmp_path / "n.ipynb", ["%matplotlib inline\n" + net, old, "print(time.clock() >= start)"])
    assert main(["course", "run", str(tmp_path / "n.ipynb")]) == 0
    out, err = capfd.readouterr()
    assert "  dialect cs231n-2018, by the import of cs231n.classifiers.fc_net and the argument dropout and " in out
    assert err == ""
    assert printed(tmp_path / "n.executed.ipynb") == ["", "[0. 0.]\n", "True\n"]


def test_a_course_of_ones_own_beside_the_notebook_wins_and_runs_without_a_dialect(tmp_path: Path) -> None:
    (tmp_path / "cs231n" / "classifiers").mkdir(parents=True)
    (tmp_path / "cs231n" / "layers.py").write_text("def dropout_forward(x, p):\n    return ['mine']\n")
    (tmp_path / "cs231n" / "classifiers" / "fc_net.py").touch()
    write_notebook(tmp_path / "n.ipynb", [USES_LAYERS])
    assert printed(run_notebook(tmp_path / "n.ipynb").output) == ["mine\n"]


def test_the_recorded_output_decides_and_does_not_stay(tmp_path: Path) -> None:
    """UCLA's years differ only in what p means; the author's own numbers show it."""
    path = tmp_path / "n.ipynb"
    source = USES_LAYERS.replace("cs231n", "nndl")
    write_notebook(path, [source, "%time 1 / 0", "1"])  # a magic that runs code fails if the code does
    notebook: Any = nbformat.read(path, as_version=4)
    text = "Running tests with p =  0.3\nFraction of train-time output set to zero:  0.2996\n"
    for number, cell in enumerate(notebook.cells, start=1):
        cell.outputs, cell.execution_count = [nbformat.v4.new_output("stream", text=text)], number
        cell.metadata["executionInfo"] = {"status": "ok"}
    nbformat.write(notebook, path)
    run = run_notebook(path)
    assert run.notes[0].startswith("dialect nndl-drop, by the import of nndl.layers and the recorded output")
    assert run.failure is not None
    assert run.failure.startswith("ZeroDivisionError")
    assert run.num_cells == 1
    executed: Any = nbformat.read(run.output, as_version=4)
    assert [cell.execution_count for cell in executed.cells] == [1, 2, None]
    assert "0.2996" not in nbformat.writes(executed)
    assert not any(cell.metadata for cell in executed.cells)
    assert executed.cells[2].outputs == []


def test_what_belongs_to_colab_does_no_harm_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "cs231n" / "datasets").mkdir(parents=True)
    cells = [
        "from google.colab import drive, files, userdata\nfrom google.colab.patches import cv2_imshow\n"
        "drive.mount('/content/drive')\nprint(list(files.upload()), repr(userdata.get('key')))\ncv2_imshow(None)",
        "import os\nhere, folder = os.getcwd(), 'my work'\n"
        "%cd /content/drive/My\\ Drive/$folder\n%cd nowhere/datasets\n!bash get_datasets.sh\n%cd ../../..\n"
        "os.chdir('/content/drive')\nprint(os.getcwd() == here)",
        "FOLDERNAME = None\nassert FOLDERNAME is not None, '[!] Enter the foldername.'\n"
        "%cd cs231n/datasets\n%cd ../..\nprint(os.getcwd() == here)",
        "!touch made\n!ls -d cs231n; touch made\n%pip install nothing\nx = !wget nowhere\n"
        "word = 'cs231n'\nseen = !ls -d $word\nprint(x, seen)\n%load_ext not_there\n%no_such_magic 2",
        "%%bash\ntouch made",
        "%%no_such_magic\n1 +",
    ]
    write_notebook(tmp_path / "n.ipynb", cells)
    run = run_notebook(tmp_path / "n.ipynb")
    assert run.failure is None
    assert run.num_cells == len(cells)
    assert not (tmp_path / "made").exists()
    texts = printed(run.output)
    assert "[] ''\n" in texts[0]
    assert "[thinnet] google.colab.drive.mount: this is not Colab; nothing done\n" in texts[0]
    assert "%cd /content/drive/My Drive/my work: there is no such folder; staying in " in texts[1]
    assert texts[1].endswith("True\n")
    assert texts[2].endswith("True\n")
    assert "[] ['cs231n']\n" in texts[3]
    said = "\n".join(run.notes)
    for what in ("!bash get_datasets.sh", "!touch made", "!ls -d cs231n; touch made", "%pip install", "%%bash"):
        assert f"not run: {what}" in said
    for what in (
        "%load_ext not_there: left out, because",
        "%no_such_magic 2: there is no",
        "%%no_such_magic: there is no",
    ):
        assert what in said
    write_notebook(tmp_path / "n.ipynb", ["!touch made"])
    assert run_notebook(tmp_path / "n.ipynb", shell=True).notes == ()
    assert (tmp_path / "made").exists()


OLD = [
    "%matplotlib inline\nprint 'two', 3 / 2",
    "for i in xrange(2): print i,",
    "%%time\nd = {1: 2}\nprint d.keys()[0], reduce(max, [1, 2])",
    "x = 5\nx /= 2\nx",
]


def test_a_notebook_in_python_2_is_translated(tmp_path: Path) -> None:
    write_notebook(tmp_path / "n.ipynb", OLD)
    run = run_notebook(tmp_path / "n.ipynb")
    assert run.failure is None
    assert run.notes == ("written for Python 2: translated into Python 3",)
    texts = printed(run.output)
    assert texts[:2] == ["two 1\n", "0 1 "]
    assert texts[2].startswith("1 2\n")
    executed: Any = nbformat.read(run.output, as_version=4)
    assert executed.cells[0].source == OLD[0]
    assert executed.cells[3].outputs[0].data["text/plain"] == "2"


def test_where_a_notebook_ran_in_python_3_only_what_cannot_have_is_translated(tmp_path: Path) -> None:
    write_notebook(
        tmp_path / "n.ipynb", ["print(3 / 2)", "print 3 / 2"], language_info={"name": "python", "version": "3.6"}
    )
    assert printed(run_notebook(tmp_path / "n.ipynb").output) == ["1.5\n", "1.5\n"]
    write_notebook(tmp_path / "n.ipynb", ["from __future__ import division", "print 3 / 2"])
    assert printed(run_notebook(tmp_path / "n.ipynb").output) == ["", "1.5\n"]


def test_an_unknown_package_is_told_how_to_name(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    notebook = str(tmp_path / "n.ipynb")
    write_notebook(tmp_path / "n.ipynb", ["from cs999.classifiers.fc_net import *\nfrom cs999.solver import Solver"])
    assert main(["course", "run", notebook]) == 1
    assert "If cs999 is the course under another name, run with --package cs999." in capfd.readouterr().err
    assert main(["course", "run", notebook, "--package", "cs999"]) == 0


OF_NONE = [
    "None * 2.0",
    "2 - None",
    "None < 1",
    "-None",
    "a, b = None",
    "scores = None\nscores[0]",
    "model = None\nmodel()",
    "len(None)",
    "'%.3f' % None",
    "f'{None:.3f}'",
    "import numpy as np\nnp.exp(None)",
    "import numpy as np\nnp.ones(2) * None",
    "for x in None: pass",
]
OF_OLD_NUMPY = {
    "import numpy as np\nnp.vstack(x for x in [np.ones(2)])": "write a list",
    "import numpy as np\n-(np.ones(2) > 0)": "minus swapped True and False: write ~.",
    "import numpy as np\n(np.ones(2) > 0) - (np.ones(2) > 0)": "write ^.",
    "import numpy as np\nnp.array([[1, 2], [3]])": "write np.array(..., dtype=object), if you want that.",
    "import numpy as np\nx = np.ones(2)\nx[0] = np.ones(2)": "An array came in place of a number.",
    "import numpy as np\nnp.expit": "NumPy's release notes say what to write instead.",
    "import numpy as np\nnp.zeros(4 / 2)": "write // to divide whole numbers",
    "import numpy as np\nnp.ones(3)[2.0]": "write // to divide whole numbers",
    "raise ValueError('Object arrays cannot be loaded when allow_pickle=False')": "allow_pickle=True), if you trust",
}


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import mxnet", "The notebook is for mxnet; Thinnet covers only those for NumPy. To run it, install mxnet"),
        (
            "import not_there",
            "not_there is not part of the course. If it is your own file, put it beside",
        ),
        ("from .layers import *", "write the package's name before the dot"),
        ("best = None\nbest.loss", "an exercise asks you to fill it in"),
        *((line, "an exercise asks you to fill it in") for line in OF_NONE),
        *OF_OLD_NUMPY.items(),
        ("raise NotImplementedError", "An exercise asks you to write this part."),
        ("W = ...\nW * 2", "An exercise asks you to write this part."),
        ("import matplotlib.pyplot as plt\nplt.hold(True)", "release notes say what to write instead"),
        (
            "import matplotlib.pyplot as plt\nplt.figure().gca(projection='3d')",
            "release notes say what to write instead",
        ),
        ("from sklearn.datasets import fetch_mldata", "release notes say what to write instead"),
        ("2 * range(3)", "In Python 2 that was a list: write list(...) around it."),
        ("[0, 1, 2][4 / 2 :]", "write // to divide whole numbers"),
        ("range(4 / 2)", "write // to divide whole numbers"),
        ("print(\u2018a\u2019)", "It was pasted from a web page or a document"),
        ("import math\nmath.log(0.0)", "of a number that has none"),
        ("raise ConnectionError('no network')", "the images are found without it"),
        ("from cs231n.features import *", "Put the course's own features.py into your cs231n folder"),
        ("import cv2", "-m pip install opencv-python"),
        ("raise ImportError(\"Cannot load backend 'TkAgg' which requires\")", "leave matplotlib.use(...) out"),
        ("open('datasets/cifar-10-batches-py/data_batch_1')", "Download it with thinnet data --download cifar10"),
        (
            "import numpy as np\nnp.zeros((5, 3072)).reshape(10000, 3, 32, 32)",
            "than the official ones, 10,000 each: write -1 for 10000",
        ),
        ("open('drive/My Drive/hw2/layers.py', 'w')", "on Google Drive, which is not here: leave the cell out."),
        ("y_val_pred = y_val", "write data['X_test'] for X_test, and so on."),
        ("open('weights.npz')", "put it at the path that is named"),
        (
            "import numpy.not_there",
            "numpy is installed, but has no not_there: the notebook was written for another version",
        ),
        ("import ast.nodes", "A file ast.py hides the package ast: give the file another name"),
        ("import matplotlib.style as s; s.use('seaborn')", "write seaborn-v0_8 instead of seaborn"),
        (
            "import nndl.optim; nndl.optim.adagrad",
            "replaces Thinnet's: add what it lacks",
        ),
        ("import cs231n.layers as L\nL.affine_forward(1, 1, 1, verbose=1)", "for a net or functions of your own, put"),
        ("import cs231n.classifiers.fc_net as f\nf.FullyConnectedNet([2]).sizes", "for a net or functions of your own"),
        ("import cs231n.classifiers.fc_net as f\nf.TwoLayerNet(std=1)", "for a net or functions of your own, put"),
        ("from hw2.cs231n.optim import my_own_rule", "not here, put it into a folder cs231n or nndl beside"),
        ("from cs231n.optim import my_own_rule", "not here, put it into a folder cs231n or nndl beside the notebook"),
    ],
)
def test_a_stop_of_a_known_kind_says_what_to_do(source: str, told: str) -> None:
    """Only the advice; the test of an unknown package above shows that a failed notebook includes it."""
    thinnet.course.activate("cs231n-2021", packages=["hw2"])
    with pytest.raises(Exception) as stopped:  # noqa: PT011 -- several kinds
        exec(source, {"__name__": "__main__", "__package__": ""})
    failure = f"{stopped.type.__name__}: {stopped.value}"
    assert told in failure + advice(failure, source)


@pytest.mark.parametrize(
    "definition", ["rate, best = 3, 4", "import math as best", "def best(): pass", "for best in [1]: print(best)"]
)
def test_a_name_that_a_later_cell_defines_is_told_where(definition: str, tmp_path: Path) -> None:
    cells = ["", "def show():\n    return best", "show()", "1 +", "best = 2\nglobal best", "best.x = 1\n" + definition]
    write_notebook(tmp_path / "n.ipynb", cells)
    run = run_notebook(tmp_path / "n.ipynb")
    assert str(run.failure).startswith("NameError: name 'best' is not defined\nCell In[1], line 2")
    assert str(run.failure).endswith("\nbest is only defined further down, in Cell In[5]: move that cell up.")


@pytest.mark.parametrize("later", ["print(best)", "def f():\n    best = 1", "1 +"])
def test_a_name_that_no_later_cell_defines_is_not_looked_for_there(later: str, tmp_path: Path) -> None:
    write_notebook(tmp_path / "n.ipynb", ["print(best)", later])
    assert "further down" not in str(run_notebook(tmp_path / "n.ipynb").failure)


def test_a_stop_shows_the_line_of_the_notebook_or_of_a_file_beside_it(tmp_path: Path) -> None:
    """Whichever library raises the error, and even if the file is written for Python 2."""
    (tmp_path / "old_module.py").write_text(
        "from past.builtins import xrange\nfrom six.moves import cPickle as pickle\n"
        "from future import standard_library\nstandard_library.install_aliases()\nimport numpy as np\n"
        "def inverse(x):\n    print 3 / 2, np.float(1), [i for i in xrange(2)]\n    return np.linalg.inv(x)\n"
    )
    cells = {
        "import numpy as np, old_module\nold_module.inverse(np.ones((2, 2)))": "----> 8     return np.linalg.inv(x)",
        "import numpy as np\nnp.linalg.inv(np.ones((2, 2)))": "----> 2 np.linalg.inv(np.ones((2, 2)))",
        "from cs231n.rnn_layers import *": "----> 1 from cs231n.rnn_layers import *",
        "input()": "here: write the answer into the cell.",
        "grads = {}\nfor _ in range(2):\n    grads.pop('dx')\n1": "into a folder cs231n or nndl beside it.",
        "words = {}\nwords['b']": "----> 2 words['b']",
    }
    for source, last in cells.items():
        write_notebook(tmp_path / "n.ipynb", [source])
        run = run_notebook(tmp_path / "n.ipynb", dialect="cs231n-2021")
        assert run.failure is not None
        assert run.failure.endswith(last)
        if "old_module" in source:
            assert run.failure.startswith("LinAlgError")
            assert run.notes == ("old_module.py: written for Python 2: translated",)
            assert printed(run.output)[0].endswith("1 1.0 [0, 1]\n")
    assert not (tmp_path / "__pycache__").exists()


@pytest.mark.skipif(os.name != "posix", reason="elsewhere not everybody may make links")
def test_a_link_to_a_notebook_runs_where_it_is_and_old_names_are_there(tmp_path: Path) -> None:
    sources = [
        "import beside, collections\nassert isinstance([], collections.Iterable)",
        "from IPython.core.display import HTML, display\ndisplay(HTML('<b>wide</b>'))",
        "get_ipython().magic('precision 2')\nget_ipython().magic('%matplotlib inline')",
    ]
    (tmp_path / "kept").mkdir()
    write_notebook(tmp_path / "kept" / "n.ipynb", sources)
    (tmp_path / "beside.py").touch()
    (tmp_path / "n.ipynb").symlink_to(tmp_path / "kept" / "n.ipynb")
    run = run_notebook(tmp_path / "n.ipynb")
    assert (run.failure, run.num_cells, run.output.parent) == (None, 3, tmp_path)


def test_a_long_line_is_kept_in_a_moment() -> None:
    pieces = [("stderr", "careful\n"), ("stdout", "1\r2"), ("stdout", "\r3\n"), ("stdout", "x" * 3_000_000 + "\r")]
    outputs = [nbformat.v4.new_output("stream", name=name, text=text) for name, text in pieces]
    outputs.append(nbformat.v4.new_output("display_data"))
    cell = nbformat.v4.new_code_cell(outputs=outputs)
    began = time.perf_counter()
    merge_streams(cell)
    assert time.perf_counter() - began < 2
    assert [output.get("text") for output in cell.outputs] == ["3\n" + "x" * 3_000_000 + "\r", "careful\n", None]


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("import sys\nsys.exit(3)", "SystemExit: 3\nCell In[2]\nimport sys\nsys.exit(3)\nThe cell ends Python there"),
        ("raise SystemExit", "SystemExit\nCell In[2]\n"),
        (
            "import os\nos.chdir('nosuch')",
            "FileNotFoundError: [Errno 2] No such file or directory: 'nosuch'\nCell In[2]",
        ),
        pytest.param(
            "from IPython.display import Image\nImage('nosuch.png')",
            "FileNotFoundError: No such file or directory: 'nos",
            marks=pytest.mark.skipif(
                ipykernel._version.version_info < (7, 3),
                reason="older kernels go on after a picture that they cannot show",
            ),
        ),
    ],
)
def test_failures_without_a_line_show_the_cell(cell: str, told: str, tmp_path: Path) -> None:
    write_notebook(tmp_path / "a.ipynb", ["print(1)", cell, "print(2)"])
    run = run_notebook(tmp_path / "a.ipynb")
    assert str(run.failure).startswith(told)
    assert "stderr" not in str(run.failure)
    assert "2\n" not in printed(run.output)
