"""The public names: listed once, importable, documented; and importing them loads little."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from types import ModuleType

import pytest

import thinnet

HEAVY = ("numba", "sklearn", "matplotlib", "pooch", "tqdm", "scipy", "torch", "pandas", "PIL", "safetensors", "IPython")


def test_the_list_is_sorted_and_without_repetition() -> None:
    assert thinnet.__all__ == sorted(set(thinnet.__all__))


def test_the_list_holds_what_is_imported_and_nothing_else() -> None:
    namespace = {
        name
        for name, value in vars(thinnet).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)  # imported submodules appear as attributes
    }
    modules = {name for name in thinnet.__all__ if isinstance(getattr(thinnet, name), ModuleType)}
    assert namespace == set(thinnet.__all__) - modules
    assert modules == {"layers", "optim", "schedules"}


def test_a_star_brings_exactly_the_list() -> None:
    namespace: dict[str, object] = {}
    exec("from thinnet import *", namespace)
    assert set(namespace) - {"__builtins__"} == set(thinnet.__all__)


@pytest.mark.parametrize("name", thinnet.__all__)
def test_each_name_has_a_docstring_of_its_own(name: str) -> None:
    value = getattr(thinnet, name)
    doc = vars(value).get("__doc__") if isinstance(value, type) else value.__doc__
    assert doc
    assert doc.strip().split("\n")[0].strip()[-1] in ".:,", "it begins with a sentence"


@pytest.mark.parametrize("module", ["layers", "optim", "schedules"])
def test_each_public_function_and_class_of_a_public_module_has_a_docstring(module: str) -> None:
    for name, value in vars(importlib.import_module(f"thinnet.{module}")).items():
        if callable(value) and not name.startswith("_") and getattr(value, "__module__", "").startswith("thinnet"):
            assert value.__doc__, name


def test_the_version_has_three_numbers() -> None:
    assert len([int(part) for part in thinnet.__version__.split(".")]) == 3


def run(code: str) -> str:
    """The output of `code` in a new interpreter where every warning is an error."""
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


def test_importing_thinnet_loads_none_of_the_heavy_packages() -> None:
    loaded, numpys = (
        set(json.loads(run(f"import json, sys, {name}; print(json.dumps(list(sys.modules)))")))
        for name in ("thinnet", "numpy")
    )
    assert "thinnet.solver" in loaded
    assert not loaded & {*HEAVY, "thinnet.storage.checksummed"}
    assert not (loaded - numpys) & {"hashlib", "tempfile"}


def test_training_loads_none_of_them_but_the_compiler() -> None:
    code = """
import json, sys
import numpy as np
import thinnet
net = thinnet.FullyConnectedNet([4], 3, 2, dropout=0.5, seed=0)
data = thinnet.Dataset(np.ones((8, 3), np.float32), np.arange(8) % 2)
thinnet.Solver(net, data, batch_size=4, epochs=1, verbose=False).train()
print(json.dumps(list(sys.modules)))
"""
    assert set(json.loads(run(code))) & set(HEAVY) <= {"numba", "scipy"}  # Numba loads SciPy if it is installed


def test_the_estimators_are_named_once_and_documented() -> None:
    door = importlib.import_module("thinnet.sklearn")
    assert door.__all__ == ["ThinNetClassifier", "ThinNetRegressor"]
    for name in door.__all__:
        assert vars(getattr(door, name))["__doc__"].strip().split("\n")[0].endswith(".")


def test_the_types_are_shipped() -> None:
    files = importlib.import_module("importlib.resources").files("thinnet")
    assert (files / "py.typed").is_file()
