"""The checker on functions that name neither NumPy nor a framework, in files for a framework."""

from __future__ import annotations

from pathlib import Path

import pytest

from test_check_files import write
from thinnet.check import check_path

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
