"""The checker on course templates that are not filled in yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from thinnet.check import check_path

pytestmark = pytest.mark.usefixtures("quick_workers")

TEMPLATE = """
import numpy as np


def affine_forward(x, w, b):
    # YOUR CODE HERE
    cache = (x, w, b)
    return out, cache


def sgd(w, dw, config=None):
    config.setdefault("learning_rate", 1e-2)
    # YOUR CODE HERE
    return next_w, config
"""


def test_a_template_whose_result_is_never_set_is_not_written_yet(tmp_path: Path) -> None:
    path = tmp_path / "layers.py"
    path.write_text(TEMPLATE)
    assert check_path(path).faults == {"unimplemented"}, str(check_path(path))
    path.write_text(TEMPLATE.replace("# YOUR CODE HERE\n", "new = 1\n"))  # maybe meant as the returned variable
    assert check_path(path).faults == {"crashed"}, str(check_path(path))
    begun = "def relu_backward(dout, cache):\n    dx = None\n    dx[cache > 0] = 1\n    return dx * dout\n"
    path.write_text("import numpy as np\ndef relu_forward(x):\n    return np.maximum(0, x), x\n" + begun)
    assert check_path(path).faults == {"crashed"}, str(check_path(path))
    assert "A result is still None in the line shown" in " ".join(str(check_path(path)).split())
