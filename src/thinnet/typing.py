"""The types in Thinnet's signatures; in full, since importing `numpy.typing` takes a tenth of NumPy's import time."""

import os
from typing import Any, TypeAlias

import numpy as np

FloatArray: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[np.floating[Any]]]
BoolArray: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[np.bool_]]
IntArray: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[np.integer[Any]]]
BitsArray: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[np.uint32]]
AnyArray: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[Any]]
AnyPath: TypeAlias = str | os.PathLike[str]
