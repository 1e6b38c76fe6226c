"""Names in notebooks of earlier years that Python, NumPy, SciPy and Pillow no longer have."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from course_seeds import printed, write_notebook
from thinnet import old_names, old_python
from thinnet.course import pictures
from thinnet.course.notebooks import run_notebook

pytestmark = pytest.mark.usefixtures("closed_door", "quick_notebooks")


def test_names_that_were_taken_out_work_as_they_did(tmp_path: Path) -> None:
    cells = [
        "import numpy as np\nnp.set_printoptions(threshold=np.nan)\nprint('...' in str(np.arange(3000)))",
        "with np.warnings.catch_warnings():\n    np.warnings.simplefilter('ignore')\n"
        "    print(np.string_('a'), np.unicode_('b'), np.cast['int32']([1.5, 2.5]), np.int0(3), np.product([2, 3]))",
        "import warnings\nwarnings.simplefilter('ignore')\nfrom imp import reload\n"
        "import string, sys, fractions\nprint(reload(string) is string, sys.maxint > 2**30, fractions.gcd(6, 4))",
        "from PIL import Image\n"
        "print(Image.fromarray(np.zeros((4, 6), np.uint8)).resize((3, 2), Image.ANTIALIAS).size)",
    ]
    write_notebook(tmp_path / "n.ipynb", cells, language_info={"name": "python", "version": "3.6.1"})
    run = run_notebook(tmp_path / "n.ipynb")
    assert run.failure is None, run.failure
    assert printed(run.output) == ["False\n", "b'a' b [1 2] 3 6\n", "True True 2\n", "(3, 2)\n"]


def test_only_what_numpy_printed_without_end_is_changed() -> None:
    endless = b"np.set_printoptions(threshold=float('nan'))\nnumpy.set_printoptions(threshold='nan')\n"
    source = endless + b"f(threshold=np.nan)\nnp.set_printoptions(threshold=5)\n"
    parsed = old_python.parse(source)
    assert parsed.numpy == ["threshold=np.nan"]
    assert ast.unparse(parsed.tree).splitlines()[2:] == ["f(threshold=np.nan)", "np.set_printoptions(threshold=5)"]


def test_the_module_imp_comes_back_where_python_has_taken_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "imp" else name)
    monkeypatch.setitem(sys.modules, "imp", None)
    old_python._bring_packages()
    assert importlib.import_module("imp").reload is importlib.reload


def test_every_old_name_is_there_after_restoring(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in old_names.GONE:
        monkeypatch.setitem(vars(np), name, None)
        del vars(np)[name]
    old_names.restore_names()
    assert vars(np).keys() >= old_names.GONE
    assert old_names.Casts()[float]([1]).dtype == np.float64


def test_pictures_are_scaled_as_scipy_did(tmp_path: Path) -> None:
    floats = np.linspace(-1, 3, 24).reshape(2, 4, 3)
    small = pictures.bytescale(floats)
    assert small.dtype == np.uint8
    assert [small.min(), small.max()] == [0, 255]
    np.testing.assert_array_equal(pictures.bytescale(np.full(2, 7.0)), [0, 0])
    np.testing.assert_array_equal(pictures.bytescale(np.array([0.0, 1, 2]), cmin=0, cmax=1), [0, 255, 255])
    np.testing.assert_array_equal(pictures.bytescale(small), small)
    pictures.imsave(tmp_path / "a.png", floats)
    np.testing.assert_array_equal(pictures.imread(tmp_path / "a.png"), small)
    np.testing.assert_array_equal(np.asarray(pictures.toimage(floats.transpose(2, 0, 1))), small)
    assert pictures.imread(tmp_path / "a.png", flatten=True).shape == (2, 4)
    assert pictures.imread(tmp_path / "a.png", mode="RGBA").shape == (2, 4, 4)
    assert pictures.imread(tmp_path / "a.png", as_gray=True).shape == (2, 4)
    assert pictures.imread(tmp_path / "a.png", pilmode="RGBA").shape == (2, 4, 4)


@pytest.mark.parametrize(
    ("size", "shape"), [(0.5, (2, 3, 3)), (50, (2, 3, 3)), (200, (8, 12, 3)), ((3, 5), (3, 5, 3)), ([3, 5], (3, 5, 3))]
)
@pytest.mark.parametrize("interp", ["nearest", "bilinear", "cubic", "lanczos"])
def test_pictures_are_resized_to_a_size_a_fraction_or_percents(
    size: object, shape: tuple[int, ...], interp: str
) -> None:
    resized = pictures.imresize(np.ones((4, 6, 3), np.uint8), size, interp)
    assert resized.shape == shape
    assert (resized == 1).all()


def test_what_else_scipy_had_is_found_or_told() -> None:
    pytest.importorskip("scipy.special")
    assert pictures._elsewhere_in_scipy("factorial")(3) == 6
    with pytest.raises(AttributeError, match=r"of it, Thinnet has imread, .*, but not 'imrotate'"):
        pictures._elsewhere_in_scipy("imrotate")


def test_resized_floats_keep_their_range_and_so_do_integers_if_asked() -> None:
    for value in (-3.0, 0.5, 200.0):
        assert (pictures.resize(np.full((4, 6, 3), value), (2, 3)) == np.full((2, 3, 3), value)).all()
    gray = np.full((4, 6), 51, np.uint8)
    assert (pictures.resize(gray, (2, 3), anti_aliasing=True) == np.full((2, 3), 0.2)).all()
    assert (pictures.resize(gray, (2, 3), preserve_range=True) == np.full((2, 3), 51.0)).all()


def test_a_picture_is_read_from_an_open_file(tmp_path: Path) -> None:
    pictures.imsave(tmp_path / "a.png", np.arange(12, dtype=np.uint8).reshape(2, 2, 3))
    with open(tmp_path / "a.png", "rb") as file:
        np.testing.assert_array_equal(pictures.imread(file), pictures.imread(tmp_path / "a.png"))
