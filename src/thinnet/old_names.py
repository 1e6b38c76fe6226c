"""Names that Python, NumPy and Pillow have since removed, and what they stood for."""

import ast
import builtins
import collections.abc
import fractions
import functools
import importlib
import math
import pickle
import string
import sys
import time
import warnings
from typing import Any

import numpy as np


class Casts(dict[Any, Any]):
    """``np.cast[kind]``, a function that converts to an array of that dtype."""

    def __missing__(self, kind: Any) -> Any:
        return lambda a: np.asarray(a, dtype=kind)


OLD_NUMPY_NAMES: dict[str, Any] = {
    **{kind.__name__: kind for kind in (int, float, bool, object, str, complex)},
    **dict.fromkeys(("Inf", "Infinity", "infty", "PINF"), np.inf),
    **dict.fromkeys(("NaN", "NAN"), np.nan),
    **dict.fromkeys(("float_", "longfloat"), np.float64),
    **dict.fromkeys(("complex_", "cfloat"), np.complex128),
    "NINF": -np.inf,
    "bool8": np.bool_,
    "unicode": str,
    "math": math,
    "product": np.prod,
    "cumproduct": np.cumprod,
    "alltrue": np.all,
    "sometrue": np.any,
    "round_": np.round,
    "rank": np.ndim,
    "alen": len,
    "in1d": np.isin,
    "trapz": getattr(np, "trapezoid", None),
    "row_stack": np.vstack,
    "mat": np.asmatrix,
    "asscalar": lambda a: a.item(),
    "msort": lambda a: np.sort(a, axis=0),
    "asfarray": lambda a: np.asarray(a, float),
    "string_": np.bytes_,
    "unicode_": np.str_,
    **{f"{kind}0": getattr(np, f"{kind}_") for kind in ("object", "str", "bytes")},
    "int0": np.intp,
    "uint0": np.uintp,
    "void0": np.void,
    "singlecomplex": np.complex64,
    **dict.fromkeys(("longcomplex", "clongfloat"), np.clongdouble),
    "PZERO": 0.0,
    "NZERO": -0.0,
    "warnings": warnings,
    "cast": Casts(),
    "typeDict": np.sctypeDict,
    "issubsctype": np.issubdtype,
    "obj2sctype": lambda kind: np.dtype(kind).type,
    "sctype2char": lambda kind: np.dtype(kind).char,
    "fastCopyAndTranspose": lambda a: np.asarray(a).T.copy(),
    "disp": lambda message, *_, **__: print(message),
    "loads": pickle.loads,
    "safe_eval": ast.literal_eval,
}
GONE = {name for name in OLD_NUMPY_NAMES if name not in vars(np)}
PILLOW_NAMES = {"ANTIALIAS": "LANCZOS", "LINEAR": "BILINEAR", "CUBIC": "BICUBIC"}  # in PIL.Image


def restore_names() -> None:
    """Restore names from old Python and NumPy: ``reduce``, ``collections.Iterable``, ``np.float`` and so on."""
    names = {"reduce": functools.reduce, "reload": importlib.reload, "intern": sys.intern}
    brought: list[tuple[Any, dict[str, Any]]] = [(builtins, names), (time, {"clock": time.perf_counter})]
    brought.append((collections, {name: vars(collections.abc)[name] for name in collections.abc.__all__}))
    brought += [(sys, {"maxint": sys.maxsize}), (fractions, {"gcd": math.gcd})]
    brought.append((string, {name: vars(string)[f"ascii_{name}"] for name in ("letters", "lowercase", "uppercase")}))
    for module, values in (*brought, (np, {name: OLD_NUMPY_NAMES[name] for name in GONE})):
        for name, value in values.items():
            setattr(module, name, vars(module).get(name, value))  # getattr would warn about names that NumPy removed
