"""If Numba is missing, broken, switched off or cannot cache, everything still works."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from thinnet import Dataset, FullyConnectedNet, Solver, kernels

WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = None  # what Python itself does for a package that must not be imported
import numpy as np
from thinnet import Dataset, FullyConnectedNet, Solver, kernels
assert not kernels.available()
X = np.random.default_rng(0).standard_normal((60, 20)).astype(np.float32)
net = FullyConnectedNet([30], 20, 3, dropout=0.5, weight_scale="he", seed=1)
Solver(net, Dataset(X, np.arange(60) % 3), optimizer="adam", batch_size=20, epochs=2, verbose=False).train()
print(repr(net.params.flat[:50].tolist()))
"""


def test_without_numba_training_gives_the_same_to_rounding() -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", WITHOUT_NUMBA], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    X = np.random.default_rng(0).standard_normal((60, 20)).astype(np.float32)
    net = FullyConnectedNet([30], 20, 3, dropout=0.5, weight_scale="he", seed=1)
    Solver(net, Dataset(X, np.arange(60) % 3), optimizer="adam", batch_size=20, epochs=2, verbose=False).train()
    np.testing.assert_allclose(net.params.flat[:50], eval(done.stdout), atol=1e-4)


def test_the_switch_turns_the_kernels_off() -> None:
    code = "import thinnet.kernels; print(thinnet.kernels.available())"
    for value, expected in (("0", "False"), ("1", "True")):
        environment = {kernels.SWITCH: value}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert done.stdout.strip() == expected


BROKEN_NUMBA = """
import sys, warnings
class Broken:
    def find_spec(self, name, path=None, target=None):
        if name == "numba" and path is None and sys._getframe(1).f_code.co_name != "find_spec":
            raise OSError("its library does not load")
sys.meta_path.insert(0, Broken())
import thinnet.kernels
thinnet.kernels.importlib.util.find_spec = lambda name: object()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    print(thinnet.kernels.available(), [str(w.message) for w in caught])
"""


def test_a_broken_numba_is_done_without_and_said_so() -> None:
    done = subprocess.run([sys.executable, "-c", BROKEN_NUMBA], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    text = (
        "Numba cannot be imported, so Thinnet is slower: its library does not load. Install it again, or uninstall it."
    )
    assert done.stdout.startswith(f"False ['{text}']")


def test_without_a_place_for_the_cache_kernels_are_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from thinnet.kernels import compile as compile_module

    calls = []

    def njit(**options: Any) -> Any:
        calls.append(options)
        if options.get("cache"):
            raise RuntimeError("cannot cache function 'f': no locator available")
        return lambda function: function

    monkeypatch.setattr(compile_module, "njit", njit)
    decorated = compile_module.kernel()(len)
    assert decorated is len
    assert [call.get("cache") for call in calls] == [True, None]
