"""The checker on functions that use neither NumPy nor a framework by name, in files that import a framework."""

from __future__ import annotations

from pathlib import Path

import pytest

from test_check_files import write
from thinnet import ArgumentError
from thinnet.check import check_path

pytestmark = pytest.mark.usefixtures("quick_workers")

PLAIN = """
def relu_forward(x):
    out = x * (x > 0)
    return out, x
def relu_backward(dout, cache):
    return dout * (cache > 0)
"""


@pytest.mark.parametrize(
    "start",
    [
        "import torch\nones = torch.ones(3)",
        "try:\n    import torch\n    import torch.nn as nn\nexcept ImportError:\n    torch = None",
        "import torch, numpy as np\ndef to_tensor(x):\n    return torch.tensor(np.array(x))",
        "from torch.nn.functional import *",
    ],
)
def test_functions_that_name_no_framework_are_checked_in_its_file(start: str, tmp_path: Path) -> None:
    report = check_path(write(tmp_path, "layers_pytorch.py", start + PLAIN))
    assert [one.state for one in report.functions] == ["right", "right"], str(report)
    wrong = check_path(write(tmp_path, "layers_pytorch.py", start + PLAIN.replace("dout * (", "2 * dout * (")))
    assert wrong.faults == {"gradient-scaled"}, str(wrong)
    for other in ("x.clamp(min=0)", "x.relu()", "to_tensor(x).relu()", "x.view(len(x), -1) * (x > 0)"):
        text = start + PLAIN.replace("out = x * (x > 0)", f"out = {other}")
        other_report = check_path(write(tmp_path, "layers_pytorch.py", text))
        assert [one.state for one in other_report.functions] == ["not checked", "not checked"], str(other_report)


MIXED = """
import numpy as np
import torch
def relu_forward(x):
    if isinstance(x, torch.Tensor):
        x = x.numpy()
    return np.maximum(0, x), x
def relu_backward(dout, cache):
    return np.where(cache > 0, dout, 0) if not isinstance(dout, torch.Tensor) else torch.where(cache > 0, dout, 0)
"""


@pytest.mark.parametrize("base", ["nn.Module", "torch.nn.Module"])
def test_a_class_of_another_framework_without_backward_is_not_checked_and_said_so(base: str, tmp_path: Path) -> None:
    text = f"import torch\nfrom torch import nn\nclass Dropout({base}):\n    def forward(self, x):\n        return x\n"
    report = check_path(write(tmp_path, "layers.py", text))
    assert report.verdicts == {"not-checked"}, str(report)
    assert "the code is written for torch" in str(report)
    with pytest.raises(ArgumentError, match="must define something to check"):
        check_path(write(tmp_path, "layers.py", text.replace(base, "object")))


def test_functions_that_use_numpy_and_a_framework_are_judged_by_what_they_give(tmp_path: Path) -> None:
    text = MIXED.replace("torch", "torchvision")  # installed or not, its Tensor is not a NumPy array
    text = text.replace("torchvision.Tensor", "torchvision.tv_tensors.TVTensor")
    report = check_path(write(tmp_path, "layers.py", text))
    assert [one.state for one in report.functions] == ["right", "right"], str(report)
    wrong = check_path(write(tmp_path, "layers.py", text.replace("dout, 0)", "2 * dout, 0)")))
    assert wrong.faults == {"gradient-scaled"}, str(wrong)
    for other in ("torchvision.relu(np.abs(x))", "np.asarray(torchvision.tensor(x))", "np.maximum(0, x).clamp(0)"):
        other_report = check_path(write(tmp_path, "layers.py", text.replace("np.maximum(0, x)", other)))
        assert [one.state for one in other_report.functions] == ["not checked", "not checked"], str(other_report)


def test_an_import_that_needs_more_memory_than_is_allowed_is_not_held_against_the_code(tmp_path: Path) -> None:
    text = "raise ImportError('libcublas.so.13: failed to map segment from shared object')" + PLAIN
    report = check_path(write(tmp_path, "layers.py", text))
    assert [one.state for one in report.functions] == ["not checked", "not checked"], str(report)
    assert "--memory allows more megabytes" in " ".join(str(report).split())
