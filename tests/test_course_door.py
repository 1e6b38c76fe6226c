"""The course door: what can be imported from where, and what each dialect means."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thinnet.course
from thinnet.course import dialects, finder
from thinnet.errors import ArgumentError, DialectError, OutOfScopeError

pytestmark = pytest.mark.usefixtures("closed_door")

NNDL = ["nndl", "nndl-2020", "nndl-drop"]
KEEP_DIALECTS = [name for name, dialect in dialects.DIALECTS.items() if dialect.p_means == "keep"]


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed_door: None) -> Path:
    """The folder where scripts run, in this process, which is faster than starting Python for each."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def run(code: str) -> str:
    """Run a script in the namespace of a new interpreter; return what it printed."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(textwrap.dedent(code), "script.py", "exec"), {"__name__": "__main__"})
    return printed.getvalue()


@pytest.mark.usefixtures("in_folder")
def test_every_listed_module_and_name_is_there() -> None:
    run(
        """
        import thinnet.course
        thinnet.course.activate("nndl")
        from cs231n.layers import affine_forward, affine_backward, relu_forward, relu_backward
        from cs231n.layers import dropout_forward, dropout_backward, softmax_loss, svm_loss
        from cs231n.layers import batchnorm_forward, batchnorm_backward, batchnorm_backward_alt
        from cs231n.layers import layernorm_forward, layernorm_backward
        from cs231n.layer_utils import affine_relu_forward, affine_relu_backward
        from cs231n.optim import sgd, sgd_momentum, rmsprop, adam
        from cs231n.solver import Solver
        from cs231n.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array, grad_check_sparse
        from cs231n.data_utils import load_CIFAR_batch, load_CIFAR10, get_CIFAR10_data
        from cs231n.vis_utils import visualize_grid
        from cs231n.classifiers.fc_net import FullyConnectedNet, TwoLayerNet
        from nndl.optim import sgd, sgd_momentum, sgd_nesterov_momentum, rmsprop, adam
        from nndl.layer_utils import affine_relu_forward, affine_relu_backward
        from nndl.layer_tests import affine_forward_test, affine_backward_test, relu_forward_test
        from nndl.layer_tests import relu_backward_test, affine_relu_test, fc_net_test
        """
    )


@pytest.mark.usefixtures("in_folder")
@pytest.mark.parametrize("module", ["cs231n.classifiers.fc_net", "nndl.fc_net"])
def test_a_star_from_fc_net_brings_the_layers_along(module: str) -> None:
    code = f"""
    import thinnet.course
    thinnet.course.activate("nndl")
    from {module} import *
    print(all(callable(f) for f in (FullyConnectedNet, TwoLayerNet, affine_forward, dropout_forward, softmax_loss)))
    print(affine_relu_forward, np.__name__)
    """
    assert "True" in run(code)


def test_a_students_package_wins(tmp_path: Path) -> None:
    (tmp_path / "cs231n").mkdir()
    (tmp_path / "cs231n" / "__init__.py").touch()
    (tmp_path / "cs231n" / "layers.py").write_text("whose = 'mine'\n")
    code = """
    import thinnet.course
    thinnet.course.activate("cs231n-2017")
    import cs231n.layers
    print(cs231n.layers.whose, cs231n.__file__)
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"mine {tmp_path}")


def test_a_students_folder_without_init_wins(in_folder: Path) -> None:
    (in_folder / "nndl").mkdir()
    (in_folder / "nndl" / "layers.py").write_text("whose = 'mine'\n")
    code = """
    import thinnet.course
    thinnet.course.activate("nndl")
    import nndl.layers
    print(nndl.layers.whose)
    """
    assert run(code) == "mine\n"


def test_a_students_folder_is_filled_up_with_what_it_lacks(in_folder: Path) -> None:
    """A folder with only the data, or only some modules, does not hide the other modules."""
    (in_folder / "cs231n" / "datasets").mkdir(parents=True)
    (in_folder / "cs231n" / "layers.py").write_text(
        "from thinnet.course.cs231n.layers import *\n"
        "from thinnet.course.cs231n.layers import relu_forward as theirs\n"
        "def relu_forward(x):\n    print('my relu')\n    return theirs(x)\n"
    )
    code = """
    import thinnet.course
    thinnet.course.activate("cs231n-2017")
    from cs231n.classifiers.fc_net import FullyConnectedNet
    import numpy as np
    FullyConnectedNet([5], input_dim=4).loss(np.ones((2, 4)))
    """
    assert run(code) == "my relu\n"


def test_activating_again_changes_the_dialect_and_adds_no_finder() -> None:
    thinnet.course.activate("cs231n-2017")
    thinnet.course.activate("cs231n-2018", scaling="classic")
    assert dialects.active().dialect.name == "cs231n-2018"
    assert dialects.active().scaling == "classic"
    assert sys.meta_path.count(finder.CourseFinder) == 1


def test_an_unknown_dialect_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(ArgumentError, match=r"dialect must be one of .*got 'cs231-2021'. Did you mean 'cs231n-2021'"):
        thinnet.course.activate("cs231-2021")
    with pytest.raises(ArgumentError, match=r"scaling must be one of 'inverted'.*got 'invert'"):
        thinnet.course.activate("nndl", scaling="invert")  # type: ignore[arg-type]


def test_without_a_dialect_p_is_not_guessed() -> None:
    from thinnet.course.cs231n.classifiers.fc_net import FullyConnectedNet
    from thinnet.course.cs231n.layers import dropout_forward

    with pytest.raises(DialectError, match=r"needs a dialect.*got none.*activate"):
        dropout_forward(np.ones((2, 2)), {"mode": "train", "p": 0.5})
    with pytest.raises(DialectError, match=r"needs a dialect"):
        FullyConnectedNet([5])


def test_other_parts_of_the_courses_are_out_of_scope_and_say_so(tmp_path: Path) -> None:
    thinnet.course.activate("cs231n-2017")
    parts = (
        "rnn_layers",
        "classifiers.softmax",
        "classifiers.k_nearest_neighbor",
        "classifiers.neural_net",
        "features",
        "simclr.model",
    )
    for module in (*(f"cs231n.{part}" for part in parts), "nndl.neural_net", "nndl.knn", "nndl.svm", "nndl.softmax"):
        with pytest.raises(OutOfScopeError, match=r"Thinnet has no \w+\.\w+.*: it covers .*Put the course's own"):
            importlib.import_module(module)
    with pytest.raises(
        OutOfScopeError, match=r"no cs231n.classifiers.KNearestNeighbor.*not recurrence, attention, nearest neighbors"
    ):
        from cs231n.classifiers import KNearestNeighbor  # noqa: F401
    for name in ("KNN", "SVM", "Softmax"):
        with pytest.raises(OutOfScopeError, match=rf"no nndl.{name}: .*own nndl folder beside the notebook; Thinnet"):
            exec(f"from nndl import {name}")
    with pytest.raises(ImportError, match=r"cannot import name 'afine_forward'"):
        from cs231n.layers import afine_forward  # noqa: F401
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'cs231n.solvers'"):
        import cs231n.solvers  # noqa: F401


def test_each_course_has_its_dialects_of_p() -> None:
    assert KEEP_DIALECTS == ["cs231n-2018", "cs231n-2021", "nndl", "nndl-2020"]
    assert [name for name, dialect in dialects.DIALECTS.items() if dialect.package == "nndl"] == NNDL
    assert [dialects.DIALECTS[name].dropout_default for name in NNDL] == [0, 1, 0]


def drawn(dialect: str, draw: str, p: float, shape: tuple[int, ...]) -> Any:
    """Which units to keep, by the usual expressions."""
    keep = p if dialect in KEEP_DIALECTS else 1 - p
    if draw == "binomial":
        return np.random.binomial(1, keep, size=shape) == 1
    numbers = np.random.rand(*shape)
    return numbers >= p if keep != p and draw == "rand" else numbers < keep


@pytest.mark.parametrize("scaling", ["inverted", "classic", "unscaled"])
@pytest.mark.parametrize("draw", [None, "rand", "rand-below", "binomial"])
@pytest.mark.parametrize("dialect", list(thinnet.course.DIALECTS))
def test_dropout_in_each_dialect_draw_and_scaling(dialect: str, draw: Any, scaling: Any) -> None:
    """The mask is the one that the course's expression draws; the scaling is the requested one."""
    thinnet.course.activate(dialect, scaling=scaling, draw=draw)
    layers = importlib.import_module(f"thinnet.course.{dialect.partition('-')[0]}.layers")
    x, p = np.random.default_rng(0).standard_normal((40, 50)), 0.3
    out, cache = layers.dropout_forward(x, {"mode": "train", "p": p, "seed": 5})
    np.random.seed(5)
    usual = "binomial" if scaling == "unscaled" and dialect not in KEEP_DIALECTS else "rand"
    keep = drawn(dialect, draw or usual, p, x.shape)
    kept = p if dialect in KEEP_DIALECTS else 1 - p
    np.testing.assert_allclose(out, x * keep / (kept if scaling == "inverted" else 1), rtol=1e-15)
    np.testing.assert_allclose(layers.dropout_backward(x, cache), out, rtol=1e-15)
    test, _ = layers.dropout_forward(x, {"mode": "test", "p": p})
    np.testing.assert_allclose(test, x * (kept if scaling == "classic" else 1), rtol=1e-15)


def test_the_masks_of_2017_are_those_that_most_authors_recorded() -> None:
    from thinnet.course.cs231n.layers import dropout_forward

    recorded = {"rand": 0.300876, "rand-below": 0.300672, "binomial": 0.300672}
    for draw, fraction in recorded.items():
        thinnet.course.activate("cs231n-2017", draw=draw)  # type: ignore[arg-type]
        np.random.seed(231)
        x = np.random.randn(500, 500) + 10
        assert (dropout_forward(x, {"mode": "train", "p": 0.3})[0] == 0).mean() == fraction
    with pytest.raises(ArgumentError, match=r"draw must be one of 'rand', .*got 'randn'. Did you mean 'rand'\?"):
        thinnet.course.activate("cs231n-2017", draw="randn")  # type: ignore[arg-type]


def test_the_package_nndl_wants_a_dialect_of_its_own() -> None:
    from thinnet.course.nndl.fc_net import FullyConnectedNet
    from thinnet.course.nndl.layers import dropout_forward

    thinnet.course.activate("cs231n-2017")
    own = r"one of its own dialects \(nndl, nndl-2020, nndl-drop\).*got cs231n-2017"
    with pytest.raises(DialectError, match=own):
        dropout_forward(np.ones((10, 10)), {"mode": "train", "p": 0.9})
    with pytest.raises(DialectError, match=own):
        FullyConnectedNet([5])


@pytest.mark.usefixtures("in_folder")
def test_packages_by_other_names_and_utils() -> None:
    code = """
    import numpy as np
    import thinnet.course
    thinnet.course.activate("cs231n-2021", packages=["cs999", "homework"])
    from cs999.classifiers.fc_net import FullyConnectedNet
    from homework.solver import Solver
    from homework.layers import *
    X = np.ones((10, 4))
    data = {"X_train": X, "y_train": np.zeros(10, int), "X_val": X, "y_val": np.zeros(10, int)}
    net = FullyConnectedNet([5], input_dim=4, num_classes=3, dropout_keep_ratio=0.5)
    print(Solver(net, data, update_rule="adam", num_epochs=1, verbose=False).train())
    thinnet.course.activate("nndl-drop", packages=["elsewhere"])
    from elsewhere.fc_net import FullyConnectedNet
    from utils.solver import Solver
    from utils.data_utils import get_CIFAR10_data
    from utils.gradient_check import eval_numerical_gradient
    net = FullyConnectedNet([5], input_dim=4, num_classes=3, dropout=0.5)
    Solver(net, data, update_rule="sgd_nesterov_momentum", num_epochs=1, verbose=False).train()
    """
    assert run(code) == "None\n"
    with pytest.raises(ArgumentError, match=r"packages must be names of packages, got 'a.b'"):
        thinnet.course.activate("nndl", packages=["a.b"])
    with pytest.raises(ArgumentError, match=r"packages must be a list of names, got 'cs682'\. Write \['cs682'\]\."):
        thinnet.course.activate("nndl", packages="cs682")
    with pytest.raises(ArgumentError, match=r"packages must be names of the course's package, got 'json'"):
        thinnet.course.activate("nndl", packages=["json"])


def test_a_package_utils_of_ones_own_wins_and_is_not_ours_elsewhere(in_folder: Path) -> None:
    thinnet.course.activate("nndl")
    assert importlib.util.find_spec("utils") is not None
    (in_folder / "utils.py").write_text("whose = 'mine'\n")
    importlib.invalidate_caches()
    assert importlib.import_module("utils").whose == "mine"
    del sys.modules["utils"]
    (in_folder / "utils.py").unlink()
    thinnet.course.activate("cs231n-2018")
    assert importlib.util.find_spec("utils") is None


@pytest.mark.parametrize(
    ("dialect", "p", "text"),
    [
        (
            "cs231n-2017",
            1,
            r" must be a number in \[0, 1\), got 1. .*probability of dropping a unit\. Write 0 for no dropout\.",
        ),
        ("cs231n-2017", float("nan"), r" must be a number in \[0, 1\), got nan"),
        (
            "cs231n-2018",
            0,
            r" must be a number in \(0, 1\], got 0. .*probability of keeping a unit\. Write 1 for no dropout\.",
        ),
        (
            "cs231n-2021",
            0,
            r" must be a number in \(0, 1\], got 0. .* Write 1 for no dropout\.",
        ),
        ("nndl", -0.5, r" must be a number in \(0, 1\], got -0.5"),
        ("nndl", "0.5", r" must be a number in \(0, 1\], got '0.5'"),
    ],
)
def test_an_impossible_p_is_refused(dialect: str, p: float, text: str) -> None:
    from thinnet.course.cs231n.classifiers.fc_net import FullyConnectedNet
    from thinnet.course.cs231n.layers import dropout_forward

    thinnet.course.activate(dialect)
    with pytest.raises(DialectError, match="^p" + text):
        dropout_forward(np.ones((2, 2)), {"mode": "train", "p": p})
    argument = thinnet.course.DIALECTS[dialect].dropout_argument
    if p not in thinnet.course.DIALECTS[dialect].none:
        with pytest.raises(DialectError, match=f"^{argument}{text}"):
            FullyConnectedNet([5], **{argument: p})


def test_missing_keys_and_wrong_modes_and_shapes_are_refused() -> None:
    from thinnet.course.cs231n.layers import batchnorm_forward, dropout_forward

    thinnet.course.activate("nndl")
    with pytest.raises(ArgumentError, match=r"dropout_param must have the key 'p', got only \['mode'\]"):
        dropout_forward(np.ones((2, 2)), {"mode": "train"})
    with pytest.raises(ArgumentError, match=r"must have the key 'mode'"):
        batchnorm_forward(np.ones((2, 2)), np.ones(2), np.zeros(2), {})
    with pytest.raises(ArgumentError, match=r"mode must be one of 'train', 'test', got 'trian'"):
        dropout_forward(np.ones((2, 2)), {"mode": "trian", "p": 0.5})
    with pytest.raises(ArgumentError, match=r"x must have shape \(N, D\), got \(2,\)"):
        batchnorm_forward(np.ones(2), np.ones(2), np.zeros(2), {"mode": "train"})
    with pytest.raises(ArgumentError, match=r"x must have shape \(N, D\) with D = 2 as in gamma of shape \(2,\), got"):
        batchnorm_forward(np.ones((5, 3)), np.ones(2), np.zeros(2), {"mode": "train"})


def test_batch_normalization_keeps_its_statistics_in_bn_param() -> None:
    from thinnet.course.cs231n.layers import batchnorm_backward, batchnorm_backward_alt, batchnorm_forward

    x = np.random.default_rng(0).standard_normal((200, 3)) * 2 + 5
    param: dict[str, Any] = {"mode": "train"}
    out, cache = batchnorm_forward(x, np.ones(3), np.zeros(3), param)
    np.testing.assert_allclose(param["running_mean"], 0.1 * x.mean(axis=0))
    np.testing.assert_allclose(param["running_var"], 0.1 * x.var(axis=0))
    for one, other in zip(batchnorm_backward(x, cache), batchnorm_backward_alt(x, cache), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(out.std(axis=0), 1, rtol=1e-5)


def test_layers_flatten_images_and_take_integers() -> None:
    from thinnet.course.cs231n.layers import affine_backward, affine_forward, relu_backward, relu_forward

    x, w, b = np.arange(24).reshape(2, 3, 4), np.ones((12, 5)), np.zeros(5)
    out, cache = affine_forward(x, w, b)
    assert out[0, 0] == x[0].sum()
    assert affine_backward(out, cache)[0].shape == x.shape
    rectified, cache = relu_forward(x - 5)
    assert rectified.shape == x.shape
    assert relu_backward(x, cache).sum() == x[x > 5].sum()


def test_the_grid_of_images() -> None:
    from thinnet.course.cs231n.vis_utils import visualize_grid

    images = np.stack([np.full((2, 3, 1), 7.0), np.arange(6.0).reshape(2, 3, 1)])
    grid = visualize_grid(images, ubound=255.0, padding=1)
    assert grid.shape == (5, 7, 1)
    assert grid[:2, :3].max() == 0  # a constant image is black
    assert grid[:2, 4:, 0].tolist() == [[0, 51, 102], [153, 204, 255]]
    with pytest.raises(ArgumentError, match=r"Xs must have shape \(N, H, W, C\) with N > 0, got \(2, 3\)"):
        visualize_grid(np.ones((2, 3)))


def test_the_checks_of_nndl_pass(capsys: pytest.CaptureFixture[str]) -> None:
    from thinnet.course.nndl import layer_tests

    thinnet.course.activate("nndl")
    np.random.seed(0)
    layer_tests.affine_forward_test()
    layer_tests.affine_backward_test()
    layer_tests.relu_forward_test()
    layer_tests.relu_backward_test()
    layer_tests.affine_relu_test()
    layer_tests.fc_net_test()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert len(lines) == 1 + 3 + 1 + 1 + 3 + 2 * 6
    assert max(float(line.split(":")[1]) for line in lines) < 1e-5


def test_the_data_as_the_course_has_it(cifar10_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from thinnet.course.cs231n.data_utils import get_CIFAR10_data, load_CIFAR10, load_CIFAR_batch

    monkeypatch.setenv("THINNET_DATA", str(cifar10_root))
    data = get_CIFAR10_data(num_training=500, num_validation=100, num_test=50)
    shapes = {name: array.shape for name, array in data.items()}
    assert shapes["X_train"] == (500, 3, 32, 32)
    assert shapes["X_test"] == (50, 3, 32, 32)
    np.testing.assert_allclose(data["X_train"].mean(axis=0), 0, atol=1e-10)
    raw = get_CIFAR10_data(num_training=500, num_validation=100, num_test=50, subtract_mean=False)
    np.testing.assert_allclose(raw["X_val"] - data["X_val"], (raw["X_train"]).mean(axis=0)[None].repeat(100, 0))
    X, y = load_CIFAR_batch(cifar10_root / "cifar-10-batches-py" / "data_batch_1")
    assert X.shape == (10000, 32, 32, 3)
    np.testing.assert_array_equal(X[:500].transpose(0, 3, 1, 2), raw["X_train"])
    np.testing.assert_array_equal(y[:500], raw["y_train"])
    assert load_CIFAR10(cifar10_root / "cifar-10-batches-py")[0].shape == (50000, 32, 32, 3)
