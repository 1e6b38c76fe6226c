"""The checker on files and folders: dialects, missing packages, other frameworks, and code that cannot be checked."""

from __future__ import annotations

from pathlib import Path

import pytest

import check_dropouts as dropouts
import check_nets as nets
import check_sources as sources
from thinnet.check import Limits, Report, check_path
from thinnet.check.writers import gradescope
from thinnet.cli import main
from thinnet.errors import ArgumentError

pytestmark = pytest.mark.usefixtures("quick_workers")
LIMITS = Limits(seconds=10, megabytes=1024)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def check(folder: Path, text: str, dialect: str | None = None, limits: Limits = LIMITS) -> Report:
    return check_path(write(folder, "layers.py", text), dialect, limits=limits)


@pytest.mark.parametrize(
    ("verdict", "computes"),
    [
        ("unimplemented", "mask, out = None, None\n    out = out.astype(x.dtype, copy=False)"),  # as in the templates
        ("unimplemented", "scale = None\n    out = x * scale"),
        ("crashed", "out = None\n    out = np.maximum(x, 0) if out else None * x"),
    ],
)
def test_a_result_that_stays_none_is_not_written_yet(verdict: str, computes: str, tmp_path: Path) -> None:
    report = check(tmp_path, f"import numpy as np\ndef relu_forward(x):\n    {computes}\n    return out, x\n")
    assert report.faults == {verdict}, str(report)


def test_the_wrong_dialect_is_doubted(tmp_path: Path) -> None:
    report = check(tmp_path, dropouts.dropout({}, "keep", "We keep each neuron with probability p."), "cs231n-2017")
    assert report.faults == {"keep-and-drop-swapped"}
    assert "is this the right dialect?" in str(report).replace("\n                  ", " ")


@pytest.mark.parametrize("dialect", [None, "nndl", "nndl-drop"])  # nndl-2020 treats docstrings like nndl
@pytest.mark.parametrize("does", ["drop", "keep"])
@pytest.mark.parametrize("says", ["drop", "keep", ""])
def test_in_nndl_a_docstring_speaks_before_the_dialect(
    says: str, does: str, dialect: str | None, tmp_path: Path
) -> None:
    """The course's years differ in what p means; code that does what its docstring says is right in any dialect."""
    doc = f"We {says} each neuron output with probability p." if says else "Dropout."
    write(tmp_path, "nndl/layers.py", dropouts.dropout({}, does, doc))
    report = check_path(tmp_path, dialect)
    means = {"nndl-drop": "drop", None: ""}.get(dialect, "keep")
    if does == says or (not says and means in ("", does)):
        assert not report.verdicts, str(report)
        assert ("though the dialect" in str(report)) == (bool(means) and means != does)
    elif means == does or (not means and does == "keep"):
        assert report.ok, str(report)
        assert report.verdicts == {"dialect-contradiction"}  # a note
    else:
        assert report.faults == {"keep-and-drop-swapped" if means else "dialect-contradiction"}
        assert "nndl-drop" in str(report)


def test_old_idioms_run_and_missing_packages_are_named(tmp_path: Path) -> None:
    text = "from past.builtins import xrange\nimport torchish.nn as nn\nfrom .fast_layers import *\n"
    text += dropouts.dropout(dropouts.RIGHT_DROPOUTS["loops"], "drop").replace(
        "np.zeros(x.shape)", "np.zeros(x.shape, np.float)"
    )
    report = check(tmp_path / "hw", text, "cs231n-2017")
    assert report.ok, str(report)
    notes = [one.evidence for _, one in report if one.verdict == "package-absent"]
    assert len(notes) == 1
    assert "torchish" in notes[0]


def test_absent_packages_may_decorate_and_be_derived_from(tmp_path: Path) -> None:
    lines = [
        "import numpy as np",
        "import torchish",
        "from torchish.nn import Module",
        "from numbish import jit",
        "device = torchish.device('cpu')",
        "class Net(Module):",
        "    pass",
        "@jit(nopython=True)",
        "def relu_forward(x):",
        "    return np.maximum(x, 0), x",
        "@jit",
        "def relu_backward(dout, cache):",
        "    return torchish.where(cache > 0, dout, 0)",
    ]
    report = check(tmp_path, "\n".join(lines))
    assert [one.state for one in report.functions] == ["right", "wrong"]
    assert report.faults == {"missing-package"}
    assert "torchish.where is used, and torchish is not there" in str(report)


@pytest.mark.parametrize(
    "start",
    [
        "import torch",
        "import tensorflow as tf\nimport numpy as np\nones = tf.ones(3)",
        "from jax import numpy as np",
        "import cupy as np",
        "from mxnet import nd\nimport numpy as np\nones = nd.ones(np.int_(3))",
        "try:\n    from keras.layers import *\nexcept ImportError:\n    pass\nimport numpy",
    ],
)
def test_code_for_another_framework_is_not_checked_and_does_no_harm(start: str, tmp_path: Path) -> None:
    write(tmp_path, "cs231n/layers.py", sources.LAYERS)
    text = f"{start}\ndef affine_forward(x, w, b):\n    return x.reshape(len(x), -1) @ w + b\n"
    text += "class Dropout:\n    def forward(self, x): return x\n    def backward(self, d): return d\n"
    write(tmp_path, "cs231n/other_layers.py", text)
    report = check_path(tmp_path)
    assert report.ok, str(report)
    assert [one.name for one in report.functions if one.state == "not checked"] == [
        "affine_forward",
        "Dropout.forward",
        "Dropout.backward",
    ]
    assert "is written for" in str(report)


def test_the_status_does_not_depend_on_code_for_another_framework(tmp_path: Path) -> None:
    other = write(tmp_path, "other_layers.py", "import torch\ndef affine_forward(x, w, b):\n    return x @ w + b\n")
    assert main(["check", str(other)]) == 2
    write(tmp_path, "layers.py", sources.LAYERS)
    assert main(["check", str(tmp_path)]) == 0
    write(tmp_path, "layers.py", sources.LAYERS.replace("dx = dout * (x > 0)", "dx = dout"))
    assert main(["check", str(tmp_path)]) == 1


@pytest.mark.parametrize(
    "start", ["import torch", "try:\n    import cupy as np\nexcept ImportError:\n    pass\nimport numpy as np"]
)
def test_a_framework_that_is_imported_and_not_used_is_passed_over(start: str, tmp_path: Path) -> None:
    right = f"{start}\n{sources.LAYERS}"
    assert check(tmp_path, right).count("right") == 11
    assert check(tmp_path, right.replace("dx = dout * (x > 0)", "dx = dout")).faults == {"wrong-gradient"}


@pytest.mark.parametrize(
    "start",
    [
        "def L_model_forward_with_dropout(X, parameters, keep_prob=0.5):",
        "def L_model_backward_with_dropout(AL, Y, caches, keep_prob):",
        "def forward_prop(X, weights, L, keep_prob):",
        "def model_forward(X, params, dropout_rate, training=True):",
    ],
)
def test_a_function_of_a_whole_net_is_told_why_it_is_not_checked(
    start: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, "net.py", f"import numpy as np\n{start}\n    return X\n")
    assert main(["check", str(path)]) == 2
    assert "it computes a whole net and its dropout in one function" in " ".join(capsys.readouterr().out.split())


def test_beside_a_function_of_a_whole_net_the_rest_is_checked(tmp_path: Path) -> None:
    write(tmp_path, "net.py", "import numpy as np\ndef model_forward(X, params, dropout_rate): return X\n")
    write(tmp_path, "layers.py", sources.LAYERS)
    assert main(["check", str(tmp_path)]) == 0


def test_a_script_that_begins_with_data_that_are_not_there_is_not_accused(tmp_path: Path) -> None:
    report = check(tmp_path, "import numpy as np\nX = np.load('data.npy')\n" + sources.LAYERS)
    assert report.count("not checked") == 11
    assert "when imported, it reads a file that is not there: FileNotFoundError" in " ".join(str(report).split())


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("X, y = nowhere.spiral(3)", "TypeError: cannot unpack"),
        ("X = np.load('data.npy')", "FileNotFoundError"),
        ("import sys; sys.exit(len(sys.argv))", "SystemExit"),
        ("print(1 / 0)", "ZeroDivisionError"),
    ],
)
@pytest.mark.parametrize("place", ["layers.py", "cs231n/layers.py"])
def test_what_stands_above_where_a_script_stops_is_checked(end: str, told: str, place: str, tmp_path: Path) -> None:
    write(tmp_path, place, f"import nowhere\n{sources.LAYERS}\n{end}\n")
    report = check_path(tmp_path)
    assert report.count("right") == 11
    assert report.verdicts == {"package-absent", "import-stopped"}
    assert told in " ".join(str(report).split())


def test_a_script_that_stops_between_what_it_defines_is_not_checked_in_part(tmp_path: Path) -> None:
    report = check(tmp_path, f"{sources.LAYERS}\nprint(1 / 0)\n\n\ndef helper(x):\n    return x\n")
    assert report.faults == {"cannot-import"}


def test_a_script_that_begins_with_a_package_that_is_not_there_is_not_accused(tmp_path: Path) -> None:
    report = check(tmp_path, f"import nowhere\nX, y = nowhere.spiral(3)\n{sources.LAYERS}")
    assert report.count("not checked") == 11
    assert "when imported, it uses a package that is not there: TypeError" in " ".join(str(report).split())


def test_a_library_beside_a_missing_package_is_imported_once(tmp_path: Path) -> None:
    text = "import matplotlib.pyplot as plt\nimport pylab\nimport torchish\nimport numbish\n" + sources.LAYERS
    assert check(tmp_path, text).count("right") == 11


def test_a_file_of_another_course_that_is_not_there_is_not_held_against_anybody(tmp_path: Path) -> None:
    text = sources.swap(
        sources.LAYERS, {"np.maximum(0, x)": "relu(x)", "import numpy": "from reg_utils import *; import numpy"}
    )
    report = check(tmp_path, text.replace("import *", "import relu"))
    assert not report.faults
    assert "reg_utils.relu is used, and reg_utils is not there" in str(report)


def test_what_a_file_imports_from_the_folder_where_it_was_run_is_found(tmp_path: Path) -> None:
    write(tmp_path, "common/functions.py", "import numpy as np\n\n\ndef positive(x):\n    return np.maximum(x, 0)\n")
    text = "from common.functions import *\n\n\ndef relu_forward(x):\n    return positive(x), x\n"
    for name in ("common/layers.py", "model/net.py"):
        write(tmp_path, name, text)
    report = check_path(tmp_path)
    assert [one.state for one in report.functions] == ["right", "right"], str(report)


def test_a_package_is_found_before_a_file_in_it_that_is_called_the_same(tmp_path: Path) -> None:
    write(tmp_path, "work/__init__.py", "")
    write(tmp_path, "work/relu/__init__.py", "")
    write(tmp_path, "work/relu/tools.py", "import numpy as np\n\n\ndef positive(x):\n    return np.maximum(x, 0)\n")
    text = "from .tools import positive\nimport relu.tools\n\n\ndef relu_forward(x):\n    return positive(x), x\n"
    report = check_path(write(tmp_path, "work/relu/relu.py", text))
    assert [one.state for one in report.functions] == ["right"], str(report)


def test_beside_a_function_for_a_framework_numpy_is_checked(tmp_path: Path) -> None:
    text = "import torch\n" + dropouts.dropout({"< KEEP) / KEEP": "< KEEP) * KEEP"}, "keep")
    report = check(tmp_path, text + "\ndef relu_forward(x):\n    return torch.relu(x), x\n", "keep")
    states = {one.name: one.state for one in report.functions}
    assert states == {"relu_forward": "not checked", "dropout_forward": "wrong", "dropout_backward": "right"}


def test_autograd_is_another_framework(tmp_path: Path) -> None:
    report = check(tmp_path, "import autograd.numpy as np\ndef affine_forward(x, w, b):\n    return np.dot(x, w) + b\n")
    assert [one.state for one in report.functions] == ["not checked"]
    assert "written for autograd" in str(report)


@pytest.mark.parametrize(
    ("does", "doc"),
    [
        ("drop", "Each neuron is dropped with probability p."),
        ("drop", "p: Probability that a neuron is turned off."),
        ("drop", "Units are zeroed out with a probability of p."),
        ("drop", "Each activation is set to zero with probability p"),
        ("drop", "Neurons are randomly disabled with probability p"),
        ("drop", "p is the probability that a neuron is not kept"),
        ("drop", "p: probability that a neuron is inactive"),
        ("keep", "Units stay active with probability p."),
        ("keep", "Every neuron remains on with probability p"),
        ("keep", "p: probability that a unit is active"),
        ("keep", "Each neuron is kept with probability p."),
        ("keep", "p is the probability that a unit survives."),
        ("keep", "Each neuron is kept with probability p and turned off with probability 1 - p."),
    ],
)
def test_a_docstring_may_say_it_in_the_passive(does: str, doc: str, tmp_path: Path) -> None:
    write(tmp_path, "nndl/layers.py", dropouts.dropout({}, does, doc))
    report = check_path(tmp_path, "nndl")
    assert not report.verdicts, str(report)
    assert f"p is the probability of {'dropping' if does == 'drop' else 'keeping'} a unit" in str(report)


def test_what_is_not_checked_costs_no_points_unless_they_are_named(tmp_path: Path) -> None:
    write(tmp_path, "one.py", sources.OPTIM)
    write(tmp_path, "two.py", "import torch\ndef adam(w, dw, config): return w, torch\ndef sgd(w): return torch")
    write(tmp_path, "three.py", "import torch\ndef relu_forward(x): return x.clamp(0), torch")
    report = check_path(tmp_path)
    worth = [
        (one["name"], one["score"], one["max_score"])
        for one in gradescope.results(report, {"adam": 3, "relu_forward": 2})["tests"]
        if "torch" in one["output"]
    ]
    assert sorted(worth) == [("adam", 0, 0), ("relu_forward", 0, 2), ("sgd", 0, 0)]


def test_a_softmax_whose_file_has_numpy_raise_for_tiny_numbers_is_right(tmp_path: Path) -> None:
    report = check_path(write(tmp_path, "layers.py", f"{sources.LAYERS}\n\nnp.seterr(all='raise')\n"))
    assert report.ok, str(report)


@pytest.mark.parametrize("imports", ["from .layers import *", "from cs231n.layers import *", "from ..layers import *"])
def test_a_folder_with_the_courses_packages(imports: str, tmp_path: Path) -> None:
    write(
        tmp_path,
        "cs231n/layers.py",
        sources.LAYERS + dropouts.dropout({}, "keep", "We keep each neuron with probability p."),
    )
    inner = "cs231n/classifiers/fc_net.py" if ".." in imports else "cs231n/fc_net.py"
    net = nets.net({}, "cs231n-2018").replace("from .layers import *\nfrom .dropout import *", imports)
    write(tmp_path, inner, net)
    write(tmp_path, "cs231n/optim.py", sources.OPTIM)
    write(tmp_path, "cs231n/__pycache__/layers.py", "nothing is read here (")
    report = check_path(tmp_path)
    assert report.ok, str(report)
    assert len(report.functions) == 11 + 2 + 5 + 1
    assert {one.means for one in report.conventions.values()} == {"keep"}


def test_a_net_of_a_package_is_checked_in_a_flat_folder_too(tmp_path: Path) -> None:
    write(tmp_path, "home/work/layers.py", sources.LAYERS)
    write(tmp_path, "home/work/layer_utils.py", "from .layers import *\n")
    write(tmp_path, "home/work/dropout.py", dropouts.dropout({}, "keep"))
    up = "from ..layers import *\nfrom ..layer_utils import *\nfrom ..dropout import *"
    net = nets.net({}, "cs231n-2018").replace("from .layers import *\nfrom .dropout import *", up)
    report = check_path(write(tmp_path, "home/work/fc_net.py", net), "keep")
    assert [one.state for one in report.functions] == ["right"], str(report)
    assert not report.verdicts, str(report)


def test_a_net_alone_stands_on_thinnets_own_layers(tmp_path: Path) -> None:
    net = nets.net({}, "cs231n-2018").replace(
        "from .layers import *\nfrom .dropout import *", "from cs231n.layers import *"
    )
    report = check_path(write(tmp_path, "fc_net.py", net))
    assert report.ok, str(report)


def test_a_net_alone_that_imports_from_nndl_stands_on_its_layers(tmp_path: Path) -> None:
    net = nets.net({}, "nndl").replace("from .layers import *\nfrom .dropout import *", "from nndl.layers import *")
    report = check_path(write(tmp_path, "net.py", net))
    assert [one.state for one in report.functions] == ["right"], str(report)
    assert not report.verdicts


def test_faults_of_the_layers_are_not_held_against_the_net(tmp_path: Path) -> None:
    write(tmp_path, "nndl/layers.py", sources.LAYERS.replace("dx = dout * (x > 0)", "dx = dout"))
    write(tmp_path, "nndl/dropout.py", dropouts.dropout({dropouts.BACK: "return dout"}, "keep"))
    write(tmp_path, "nndl/fc_net.py", nets.net({}, "nndl"))
    report = check_path(tmp_path, "nndl")
    wrong = {one.name for one in report.functions if one.state == "wrong"}
    assert wrong == {"relu_backward", "dropout_backward"}, str(report)
    assert "follows-from-layers" in report.verdicts


def test_what_is_expected_and_absent_is_a_fault(tmp_path: Path) -> None:
    path = write(tmp_path, "layers.py", sources.OPTIM)
    assert check_path(path, expected=["adam"]).ok
    report = check_path(path, expected=["adam", "dropout_forward"])
    assert report.faults == {"function-missing"}
    assert check_path(write(tmp_path, "empty.py", ""), expected=["adam"]).faults == {"function-missing"}


SOLVER = "class Solver:\n    def train(self):\n        pass\n"


def test_what_cannot_be_checked_is_refused(tmp_path: Path) -> None:
    for path, told in (
        (tmp_path / "none.py", "must exist"),
        (write(tmp_path, "empty.py", "x = 1"), "must define something to check .* got none of them"),
        (write(tmp_path, "solver.py", SOLVER), "got only 'Solver'. How a Solver trains is not checked: add the files"),
        (
            write(tmp_path, "broken.py", "def f(:"),
            "What cannot be read: SyntaxError: invalid syntax in broken.py, line 1",
        ),
        (write(tmp_path, "notebook.ipynb", "{}"), "must be a Python source"),
    ):
        with pytest.raises(ArgumentError, match=told):
            check_path(path)
    with pytest.raises(ArgumentError, match="expected must be one of"):
        check_path(tmp_path, expected=["dropout_forwards"])


def test_a_module_that_the_package_lacks_is_named_whole(tmp_path: Path) -> None:
    (tmp_path / "cs231n").mkdir()
    text = "from .helpers import positive\ndef relu_forward(x):\n    return positive(x), x\n"
    (tmp_path / "cs231n" / "layers.py").write_text(text)
    report = check_path(tmp_path)
    assert "cs231n.helpers.positive is used, and cs231n.helpers is not there" in " ".join(str(report).split())
