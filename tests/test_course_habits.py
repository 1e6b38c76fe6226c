"""What notebooks of other courses and years assume: nested packages, and the course's own folders."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thinnet.course
from course_seeds import printed, write_notebook
from thinnet.course.advice import advice
from thinnet.course.data_utils import get_CIFAR10_data, load_CIFAR10, load_CIFAR_batch
from thinnet.course.evidence import choose_dialect
from thinnet.course.notebooks import run_notebook
from thinnet.errors import ArgumentError, DataError, DialectError, MissingDataError, OutOfScopeError

pytestmark = pytest.mark.usefixtures("closed_door", "quick_notebooks")


def test_a_course_inside_another_package() -> None:
    thinnet.course.activate("nndl", packages=["hw3"])
    fc_net = importlib.import_module("hw3.nndl.fc_net")
    solver = importlib.import_module("hw3.utils.solver")
    X, y = np.ones((6, 4)), np.zeros(6, int)
    data = {"X_train": X, "y_train": y, "X_val": X, "y_val": y}
    net = fc_net.FullyConnectedNet([3], input_dim=4, num_classes=2)
    solver.Solver(net, data, update_rule="sgd_nesterov_momentum", num_epochs=1, verbose=False).train()
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'hw3.nndl.layer'"):
        importlib.import_module("hw3.nndl.layer")


@pytest.mark.parametrize(
    ("line", "dialect"),
    [
        ("from hw3.nndl.fc_net import *", "nndl"),
        ("from assignment2.cs231n.layers import *", "cs231n-2021"),
        ("import assignment2.cs231n.classifiers.fc_net", "cs231n-2021"),
    ],
)
def test_its_dialect_is_known_and_its_name_is_asked_for(line: str, dialect: str) -> None:
    import ast

    assert choose_dialect([ast.parse(line)])[0] == dialect
    name = line.split()[1].partition(".")[0]
    assert f"run with --package {name}." in advice(f"ModuleNotFoundError: No module named '{name}'", line)


@pytest.mark.parametrize("module", ["cs231n.my_layers", "cs231n.classifiers.mine", "nndl.mine", "cs682.mine"])
def test_a_module_of_ones_own_inside_the_courses_package_is_asked_for(module: str) -> None:
    line = f"from {module} import *\nfrom {module.partition('.')[0]}.layers import *"
    told = advice(f"ModuleNotFoundError: No module named '{module}'", line)
    assert told.endswith(f"put it beside the notebook, as {module.replace('.', '/')}.py."), told


def test_modules_that_stood_beside_the_notebook() -> None:
    told = advice("ModuleNotFoundError: No module named 'layers'", "from layers import *")
    assert (
        told == "\nIf layers is a module of the course, put its layers.py beside the notebook, or write cs231n.layers."
    )


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("data_utils", "load_tiny_imagenet"),
        ("vis_utils", "vis_grid"),
        ("gradient_check", "eval_numerical_gradient_net"),
    ],
)
def test_names_that_are_left_out_say_so(module: str, name: str) -> None:
    thinnet.course.activate("cs231n-2021")
    with pytest.raises(OutOfScopeError, match=rf"no cs231n.{module}.{name}: .*Put the course's own {module}.py into"):
        exec(f"from cs231n.{module} import {name}")
    with pytest.raises(ImportError, match=r"cannot import name 'nothing'"):
        exec(f"from cs231n.{module} import nothing")


@pytest.mark.parametrize("package", ["cs231n", "nndl"])
def test_a_star_from_layer_utils_brings_the_layers_along(package: str) -> None:
    thinnet.course.activate("nndl")
    names: dict[str, Any] = {}
    exec(f"from {package}.layer_utils import *", names)
    assert {"affine_relu_forward", "affine_forward", "dropout_forward"} <= names.keys()


def test_images_are_found_where_the_course_has_none(
    cifar10_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from thinnet.course.cs231n.data_utils import get_CIFAR10_data, load_CIFAR10, load_CIFAR_batch

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THINNET_DATA", str(cifar10_root))
    X, y = load_CIFAR_batch("cs231n/datasets/cifar-10-batches-py/test_batch")
    assert X.shape == (len(y), 32, 32, 3)
    assert load_CIFAR10("../cifar-10-batches-py/")[2].shape == X.shape
    there = cifar10_root / "cifar-10-batches-py"
    assert f"[thinnet] ../cifar-10-batches-py/: there is no such folder; reading {there}" in capsys.readouterr().out
    with pytest.raises(ArgumentError, match=r"get_CIFAR10_data has no argument 'cifar10_dir'. It has num_training, "):
        get_CIFAR10_data(cifar10_dir="a")  # type: ignore[call-arg]


def test_modules_of_ones_own_find_the_images_too(
    cifar10_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THINNET_DATA", str(cifar10_root))
    own = tmp_path / "cs231n" / "data_utils.py"
    own.parent.mkdir()
    own.write_text("def size(file):\n    with open(file, 'rb') as images:\n        return len(images.read())\n")
    cells = [
        "from cs231n.data_utils import size\n"
        "print([size(f'C:/me/cifar-10-batches-py/data_batch_{i}') > 9 for i in (1, 2)])",
        "print(len(open('../cifar-10-batches-py/test_batch', 'rb').read()) > 9)",
        "open('nosuch/data_batch_1')",
    ]
    write_notebook(tmp_path / "a.ipynb", cells)
    run = run_notebook(tmp_path / "a.ipynb")
    there = f"there is no such folder; reading {cifar10_root / 'cifar-10-batches-py'}"
    assert printed(run.output)[0] == f"[thinnet] C:/me/cifar-10-batches-py: {there}\n[True, True]\n"
    assert printed(run.output)[1].endswith("True\n")
    assert "No such file or directory: 'nosuch/data_batch_1'" in str(run.failure)


def test_only_a_dialect_that_takes_all_arguments_is_advised() -> None:
    from thinnet.course.cs231n.classifiers.fc_net import FullyConnectedNet

    thinnet.course.activate("cs231n-2018")
    with pytest.raises(
        DialectError,
        match=r"^dropout must be .* got 0\..* keeping a unit\. Write 1 for no dropout\. If it must mean dropping one, "
        r"run thinnet course run --dialect cs231n-2017\.$",
    ):
        FullyConnectedNet([5], dropout=0)
    with pytest.raises(DialectError, match=r"got 0\..* See thinnet\.course\.DIALECTS for the other dialects\.$"):
        FullyConnectedNet([5], dropout=0, normalization="batchnorm")


def test_files_are_written_into_the_courses_folder_and_bars_need_no_widgets(tmp_path: Path) -> None:
    cells = [
        "%%writefile -a cs231n/mine.py\nfrom .layers import *\nmine = affine_forward",
        "from cs231n.mine import mine, affine_forward\nprint(mine is affine_forward)",
        "from tqdm.notebook import tqdm, trange\nfor _ in tqdm(range(2)): pass\nfor _ in trange(2): pass",
    ]
    write_notebook(tmp_path / "n.ipynb", cells)
    run = run_notebook(tmp_path / "n.ipynb")
    assert run.failure is None
    assert printed(run.output)[1] == "True\n"


def test_imports_from_a_folder_on_drive_and_of_a_pasted_module_are_found_here(tmp_path: Path) -> None:
    (tmp_path / "nndl").mkdir()
    (tmp_path / "nndl" / "layers.py").write_text("from thinnet.course.nndl.layers import *\nmine = 7\n")
    cells = [
        "from drive.MyDrive.hw4.nndl.fc_net import FullyConnectedNet",
        "from drive.MyDrive.hw4.nndl.layers import mine, affine_forward\nprint(mine)",
        "# My nndl/layer_utils.py:\nimport pdb\nfrom .layers import *\nfrom . import optim\nprint(mine, optim.adam)",
        "from drive.MyDrive.helpers import show",
    ]
    write_notebook(tmp_path / "n.ipynb", cells)
    run = run_notebook(tmp_path / "n.ipynb")
    assert run.num_cells == 3
    assert str(run.failure).startswith("ModuleNotFoundError: No module named 'drive'")
    assert printed(run.output)[1].endswith("\n7\n")
    assert "\n7 <function adam" in printed(run.output)[2]
    assert "dialect nndl, by the import of drive.MyDrive.hw4.nndl.fc_net; no result depends on p" in run.notes
    told = "from drive.MyDrive.hw4.nndl.layers import: there is no such module; importing from nndl.layers"
    assert {told, "from . import: no package to look in; importing from nndl"} <= set(run.notes)


def test_a_pasted_module_says_which_part_is_not_there(tmp_path: Path) -> None:
    write_notebook(tmp_path / "n.ipynb", ["from .rnn_layers import *"])
    run = run_notebook(tmp_path / "n.ipynb", dialect="cs231n-2021")
    assert str(run.failure).startswith("OutOfScopeError: Thinnet has no cs231n.rnn_layers")


def test_a_file_is_written_where_its_name_has_a_space_and_a_missing_name_is_told_as_elsewhere(tmp_path: Path) -> None:
    cells = ['%%writefile "my own/net.py"\nx = 1', "print(open('my own/net.py').read())", "%%writefile\nx = 1"]
    write_notebook(tmp_path / "n.ipynb", cells)
    run = run_notebook(tmp_path / "n.ipynb")
    assert printed(run.output)[1] == "x = 1\n\n"
    assert {path.name for path in tmp_path.iterdir()} == {"n.ipynb", "n.executed.ipynb", "my own"}
    assert str(run.failure).startswith("UsageError: ")


def test_folders_at_somebodys_home_are_stayed_out_of_and_found_back_from(tmp_path: Path) -> None:
    (tmp_path / "hw").mkdir()
    cell = (
        "import os, pathlib\nhere = os.getcwd()\nos.chdir(pathlib.Path('/Users/nobody/cs231n/assignment2'))\n"
        "os.chdir('../..')\nprint(os.getcwd() == here)\nos.chdir(here)\nos.mkdir('a')\nos.chdir('a')\nos.chdir('..')\n"
        "print(os.getcwd() == here)\nos.makedirs('made')\nos.chdir('made')\nprint(os.path.basename(os.getcwd()))\n"
        "try:\n    os.chdir('nosuch')\nexcept FileNotFoundError:\n    print('told')"
    )
    write_notebook(tmp_path / "hw" / "n.ipynb", [cell])
    run = run_notebook(tmp_path / "hw" / "n.ipynb")
    assert run.failure is None
    own = [line for line in printed(run.output)[0].splitlines() if "[thinnet]" not in line]
    assert own == ["True", "True", "made", "told"]
    assert run.notes[0].startswith("os.chdir('/Users/nobody/cs231n/assignment2'): there is no such folder; staying in")


def test_a_folder_is_changed_to_as_it_is_written_on_windows(tmp_path: Path) -> None:
    cells = [
        "import os\nhere = os.getcwd()\nos.makedirs('data/my new')",
        "%cd data\\my\\ new",
        "print(os.path.basename(os.getcwd()))",
        "%cd ..\\..",
        "print(os.getcwd() == here)",
    ]
    write_notebook(tmp_path / "n.ipynb", cells)
    run = run_notebook(tmp_path / "n.ipynb")
    assert (run.failure, run.notes) == (None, ())
    assert [printed(run.output)[k] for k in (2, 4)] == ["my new\n", "True\n"]


def test_images_that_are_nowhere_are_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> Path:
        raise DataError("a long story about root") from ConnectionError("no route")

    monkeypatch.setattr("thinnet.data.download.fetch_folder", failing)
    monkeypatch.setenv("THINNET_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    folder = "cs231n/datasets/cifar-10-batches-py"
    calls: list[Callable[[], Any]] = [get_CIFAR10_data, lambda: load_CIFAR10(folder)]
    calls.append(lambda: load_CIFAR_batch(f"{folder}/data_batch_1"))
    for call in calls:
        with pytest.raises(
            MissingDataError, match=r"^CIFAR-10 is not on this machine\. Download it with: thinnet data"
        ) as error:
            call()
        assert "put it beside the notebook." in str(error.value)
        assert "root" not in str(error.value)
        assert len(str(error.value)) < 280
    (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(MissingDataError, match=r"cifar-10-batches-py/data_batch_1 must be a batch of CIFAR-10"):
        load_CIFAR10(folder)
