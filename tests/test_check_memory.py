"""The checker on state that layers, rules and nets keep between calls, and on nets of other depths."""

from __future__ import annotations

from pathlib import Path

import pytest

import check_dropouts as dropouts
import check_nets as nets
import check_sources as sources
from test_check import check, package
from test_check_files import write
from thinnet.check import check_path

RELU_CLASS = """
import numpy as np


class ReLU:
    mask = None

    def forward(self, x):
        self.mask = x > 0
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask
"""


@pytest.mark.parametrize(
    ("text", "changes", "function", "told"),
    [
        (
            sources.LAYERS,
            {"return out, (x, w, b)": "global KEPT; KEPT = x, w, b; return out, None", "x, w, b = cache": "x, w, b = KEPT"},
            "affine_backward",
            "cache-of-another-layer: after two calls of affine_forward, affine_backward with the cache of the first",
        ),
        (RELU_CLASS, {"self.mask": "ReLU.mask"}, "ReLU.backward", "cache-of-another-layer: after two calls of ReLU.for"),
        (
            dropouts.dropout({}, "keep"),
            {"    mask = None\n": "    global mask\n    mask = None\n", "dropout_param, mask = cache": "dropout_param = cache[0]"},
            "dropout_backward",
            "cache-of-another-layer: after two calls of dropout_forward with one dropout_param",
        ),
        (
            dropouts.dropout({}, "keep"),
            {"return out, (dropout_param, mask)": "dropout_param['mask'] = mask; return out, dropout_param", "dropout_param, mask = cache": "dropout_param, mask = cache, cache['mask']"},
            "dropout_backward",
            "cache-of-another-layer: after two calls of dropout_forward with one dropout_param",
        ),
        (
            sources.OPTIM,
            {
                'v = config.get("velocity", np.zeros_like(w))\n    v': 'v = KEPT.get("v", 0)\n    v',
                'config["velocity"] = v\n': 'KEPT["v"] = v\n',
                "def sgd_momentum": "KEPT = {}\ndef sgd_momentum",
            },
            "sgd_momentum",
            "state-not-kept: in the steps of a second parameter, with its own config, it continues from the state of the first",
        ),
        (
            sources.OPTIM,
            {'config["m"]': 'KEPT["m"]', 'config.setdefault("m"': 'KEPT.setdefault("m"', "def adam": "KEPT = {}\ndef adam"},
            "adam",
            "state-not-kept: in the steps of a second parameter",
        ),
    ],
    ids=["a global", "the class", "a global mask", "a shared dict", "a global velocity", "a global moment"],
)  # fmt: skip
def test_what_is_kept_outside_of_the_cache_or_the_config_is_told(
    text: str, changes: dict[str, str], function: str, told: str
) -> None:
    assert check(text).ok
    report = check(sources.swap(text, changes))
    faults = [(name, f"{one.verdict}: {one.evidence}") for name, one in report if one.severity == "fault"]
    assert [name for name, _ in faults] == [function], str(report)
    assert faults[0][1].startswith(told)
    mend = next(one.mend for _, one in report if one.severity == "fault")
    assert "not in a global variable" in mend or "forward's mask" in mend


NETS: list[tuple[dict[str, str], str]] = [
    ({"dims = [input_dim] + hidden_dims + [num_classes]": "dims = hidden_dims; dims.insert(0, input_dim); dims.append(num_classes)"},
        "input-mutated: the constructor changed the list [7, 9] to [5, 7, 9, 4]"),
    ({"self.num_layers = 1 + len(hidden_dims)": "self.num_layers = 3"}, "crashed: with hidden_dims=[8], IndexError"),
    ({"        for i in range(L - 1, 0, -1):": "        for i in (2, 1):"}, "crashed: with hidden_dims=[8], IndexError"),
    ({"            h, re = relu_forward(h)\n": "            h, re = relu_forward(h) if i < 3 else (h, h)\n"},
        "wrong-output: with hidden_dims=[6, 7, 8], the scores of loss(X)"),
    ({"            if seed is not None:\n                self.dropout_param[\"seed\"] = seed\n": ""},
        "seed-ignored: with dropout=0.4, seed=7, dropout_forward is given no seed"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "told"), NETS)
def test_a_net_of_another_depth_or_with_a_seed_is_looked_at(changes: dict[str, str], told: str) -> None:
    report = check(package(nets.net(changes, "cs231n-2018"), "cs231n-2018"), "cs231n-2018")
    said = [f"{one.verdict}: {one.evidence}" for _, one in report]
    assert [text.startswith(told) for text in said] == [True], str(report)


@pytest.mark.usefixtures("quick_workers")
def test_a_script_that_was_exported_from_a_notebook_is_checked(tmp_path: Path) -> None:
    lines = ["get_ipython().run_line_magic('matplotlib', 'inline')", sources.LAYERS, "display(np.ones(3))"]
    lines[1] = lines[1].replace("    out = np.maximum(0, x)", "    display(x)\n    out = np.maximum(0, x)")
    report = check_path(write(tmp_path, "layers.py", "\n".join(lines)))
    assert report.count("right") == 11, str(report)
