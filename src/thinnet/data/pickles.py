"""Data set pickles, from Python 2 or any Python 3, read without running anything that they name.

A pickle is a program that may name anything and call it. Here each name that such files contain is replaced by a
function of this module, and all other names are refused. That is not enough: a file of a few bytes can request
gigabytes for the memo, and a deep tuple used as a key overflows the C stack (python/cpython issues 78837 and 154318).
So the opcodes are checked before any is executed.
"""

import codecs
import io
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from thinnet.data.files import LONGEST_HEAD, damaged, looks_like, read_bytes
from thinnet.typing import AnyArray

MOST_STEPS = 2_000_000  # four times what 50,000 rows with labels and file names need
LONGEST_NAME = 100
MOST_TUPLES = 1_000  # tuples not consumed by calls; an array has four
TEXTS = {"BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING"}
TEXTS |= {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
SHARED = TEXTS | {"EMPTY_LIST", "EMPTY_DICT", "GLOBAL", "STACK_GLOBAL", "REDUCE"}
TUPLES = {"EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}
PUTS, GETS = {"MEMOIZE", "BINPUT", "LONG_BINPUT"}, {"BINGET", "LONG_BINGET"}
PLAIN = {"NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2"}
FILLING = {"MARK", "BUILD", "APPEND", "APPENDS", "SETITEM", "SETITEMS"}
OPCODES = {"PROTO", "FRAME", "STOP"} | SHARED | TUPLES | PUTS | GETS | PLAIN | FILLING
DTYPES: dict[str, np.dtype[Any]] = {"u1": np.dtype("u1"), "i4": np.dtype("<i4"), "i8": np.dtype("<i8")}

PLAIN_TYPES = {int, bool, bytes, bytearray, str, type(None)}

codecs.lookup("raw-unicode-escape")  # otherwise pickletools would import it while reading a file


class _RefusedError(Exception):
    """The pickle contains something that files of this kind do not."""


def load_pickle(path: Path, expected: str, fix: str) -> dict[str, Any]:
    """The dict in a pickle of protocols 2 to 5: text to numbers, bytes, text, lists of these, or arrays of integers.

    No code in the file is ever executed. If the file cannot be read, or names anything but arrays, a DataError says
    what was `expected` and how to `fix` it.
    """
    raw = read_bytes(path, expected, fix)
    if not raw.startswith(pickle.PROTO):
        raise damaged(path, expected, looks_like(raw[:LONGEST_HEAD]), fix)
    try:
        _check_opcodes(raw)
        value = _Reader(raw).load()
        if type(value) is not dict:
            raise _RefusedError(f"a pickle of type {type(value).__name__} rather than a dict")
        return {_text(key): _value(item) for key, item in value.items()}
    except _RefusedError as refusal:
        raise damaged(path, expected, str(refusal), fix) from refusal
    except Exception as error:  # a damaged pickle can fail in any way
        raise damaged(path, expected, f"a truncated or damaged pickle ({error})", fix) from error


def _check_opcodes(raw: bytes) -> None:
    """Refuse opcodes that would do harm in the standard library's unpickler even without a call.

    These are unknown opcodes, memo indices far beyond the memo's size, and tuples that are shared or deep: hashing them
    would take forever, or overflow the stack.
    """
    shared: dict[Any, bool] = {}  # memo index → whether its value may be fetched
    before, tuples, place = "", 0, 0
    for step, (opcode, argument, at) in enumerate(pickletools.genops(raw)):
        name, place = opcode.name, at or 0
        if name not in OPCODES:
            raise _RefusedError(f"a pickle with the opcode {name} at byte {place:,}, which no such file has")
        tuples += (name in TUPLES) - (name == "REDUCE")
        if step == MOST_STEPS or tuples > MOST_TUPLES or (name in PUTS and (argument or 0) > step):
            raise _RefusedError(f"a pickle that needs, at byte {place:,}, more steps or memory than any such file")
        if name in PUTS:
            shared[len(shared) if argument is None else argument] = before in SHARED
        elif name in GETS and not shared.get(argument, True):
            raise _RefusedError(f"a pickle that uses a value twice, at byte {place:,}, as no such file does")
        before = before if name == "FRAME" else name
    if place != len(raw) - 1:
        raise _RefusedError(f"a pickle that ends at byte {place:,} of {len(raw):,}")


class _Reader(pickle.Unpickler):
    def __init__(self, raw: bytes) -> None:
        super().__init__(io.BytesIO(raw), encoding="bytes")
        self.unencoded = len(raw)  # bytes that encoding may still produce; shared text must not multiply them
        self.known: dict[str, Callable[..., Any]] = {
            "numpy.dtype": _Dtype,
            "numpy.ndarray": lambda *shape: None,  # named, but not called
            "numpy.core.multiarray._reconstruct": lambda kind, shape, code: _Array(),
            "numpy.core.numeric._frombuffer": lambda values, *about: _Array(_array(values, *about)),
            "numpy.core.multiarray.scalar": lambda dtype, value: int(_array(value, dtype, (), "C")),
            "_codecs.encode": self.encode,
        }

    def find_class(self, module: str, name: str) -> Any:
        called = f"{module}.{name}"
        try:
            return _Named(self.known[called.replace("numpy._core.", "numpy.core.")])
        except KeyError:
            raise _RefusedError(f"a pickle that names {called[:LONGEST_NAME]!r}") from None

    def encode(self, text: str, encoding: str) -> bytes:
        """Stands for `codecs.encode`: Python 3 writes bytes this way in protocol 2."""
        self.unencoded -= len(text)
        if _text(encoding) != "latin1" or self.unencoded < 0:
            raise _RefusedError("text in an encoding other than latin1, or more text than the file has bytes")
        return text.encode("latin1")


class _Named:
    """The replacement for a name: it can be called, but its state cannot be set."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise _RefusedError("a pickle that sets the state of a function")


class _Dtype:
    """Stands for a dtype."""

    def __init__(self, name: Any, *flags: Any) -> None:
        if _text(name) not in DTYPES:
            raise _RefusedError(f"an array of dtype {_text(name)!r} rather than uint8, int32 or int64")
        self.dtype = DTYPES[_text(name)]

    def __setstate__(self, state: Any) -> None:
        if _text(state[1]) not in "|<":
            raise _RefusedError(f"an array in the byte order {_text(state[1])!r}")


class _Array:
    """Stands for an array, which gets its values after it is created."""

    def __init__(self, values: AnyArray | None = None) -> None:
        self.values = values

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, values = state
        self.values = _array(values, dtype, shape, "F" if fortran else "C")


def _array(values: bytes, dtype: _Dtype, shape: tuple[int, ...], order: Any) -> AnyArray:
    """An array that shares the memory of `values`."""
    array: AnyArray = np.frombuffer(values, dtype.dtype).reshape(shape, order="F" if order == "F" else "C")
    return array


def _value(item: Any) -> Any:
    """A value of the dict as callers get it: plain values and arrays, never one of our stand-ins."""
    if isinstance(item, _Array) and item.values is not None:
        return item.values
    for kind in {type(part) for part in (item if isinstance(item, list) else [item])} - PLAIN_TYPES:
        name = {_Array: "array", _Dtype: "dtype", _Named: "function"}.get(kind, kind.__name__)
        raise _RefusedError(f"a pickle with a value of type {name}, which no such file has")
    return item


def _text(value: Any) -> str:
    """Python 2's strings were bytes: `value` as text either way."""
    if not isinstance(value, (bytes, str)) or len(value) > LONGEST_NAME:
        raise _RefusedError(f"type {type(value).__name__} in place of a short string")
    return value.decode("latin1") if isinstance(value, bytes) else value
