"""Pickles of a data set, of Python 2 and of any Python 3, read without running anything that they name.

A pickle is a program for a stack machine, and the machine in the standard library calls whatever the program names.
Restricting the names leaves other doors open: a file of a few bytes can ask that machine for gigabytes of memo, and a
deep tuple used as a key overflows the C stack (python/cpython issues 78837 and 154318). So this is another machine. It
knows the opcodes that such files are made of, and no others; it calls nothing; and its time and memory are in
proportion to the size of the file.
"""

from __future__ import annotations

import enum
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from thinnet.data.files import damaged, read_bytes
from thinnet.typing import AnyArray

MOST_STEPS = 2_000_000  # four times what 50,000 rows with labels and file names take
LONGEST_NAME, LONGEST_TUPLE = 100, 8  # so that sharing a large one does not multiply the work
STOP = ord(".")


class _RefusedError(Exception):
    """The pickle holds something that files of this kind do not."""


class _Known(enum.Enum):
    """What a pickle may name, and what stands for the arrays and dtypes that it has only begun to build."""

    RECONSTRUCT = "numpy.core.multiarray._reconstruct"
    FROM_BUFFER = "numpy.core.numeric._frombuffer"
    SCALAR = "numpy.core.multiarray.scalar"
    ARRAY = "numpy.ndarray"
    DTYPE = "numpy.dtype"
    ENCODE = "_codecs.encode"
    UNFILLED = "an array before its values"


_NAMES = {
    ("numpy.core.multiarray", "_reconstruct"): _Known.RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _Known.RECONSTRUCT,
    ("numpy.core.numeric", "_frombuffer"): _Known.FROM_BUFFER,
    ("numpy._core.numeric", "_frombuffer"): _Known.FROM_BUFFER,
    ("numpy.core.multiarray", "scalar"): _Known.SCALAR,
    ("numpy._core.multiarray", "scalar"): _Known.SCALAR,
    ("numpy", "ndarray"): _Known.ARRAY,
    ("numpy", "dtype"): _Known.DTYPE,
    ("_codecs", "encode"): _Known.ENCODE,
}
_DTYPES = {"u1": np.dtype("u1"), "i4": np.dtype("<i4"), "i8": np.dtype("<i8")}


def load_pickle(path: Path, expected: str, fix: str) -> dict[str, Any]:
    """The dict in a pickle of protocols 2 to 5, its keys as text; values are ints, bytes, text, lists or arrays.

    Arrays hold uint8, int32 or int64.

    Nothing in the file is ever executed. If it cannot be read, or holds anything else, a DataError says what was
    `expected`, and how to `fix` it.
    """
    raw = read_bytes(path, expected, fix)
    try:
        value = _Machine(raw).run()
    except _RefusedError as refusal:
        raise damaged(path, expected, str(refusal), fix) from refusal
    except (IndexError, KeyError, TypeError, ValueError, struct.error) as error:
        raise damaged(path, expected, "a truncated or damaged pickle", fix) from error
    if not isinstance(value, dict):
        raise damaged(path, expected, f"a pickle of {_kind(value)} rather than a dict", fix)
    return value


def _kind(value: Any) -> str:
    return value.value if isinstance(value, _Known) else f"type {type(value).__name__}"


def _text(value: Any) -> str:
    """Python 2's strings were bytes: `value` as text either way."""
    if not isinstance(value, (bytes, str)) or len(value) > LONGEST_NAME:
        raise _RefusedError(f"{_kind(value)} where a short string belongs")
    return value.decode("latin1") if isinstance(value, bytes) else value


def _shallow(items: list[Any]) -> list[Any]:
    """`items`, if the deepest thing among them is a tuple of plain values, as an array's state has one."""
    for item in items:
        if type(item) in (list, dict) or (type(item) is tuple and any(type(part) is tuple for part in item)):
            raise _RefusedError("collections nested in one another")
    return items


class _Machine:
    """The stack, the marks in it, the memo, and the place in the file."""

    def __init__(self, raw: bytes) -> None:
        self.raw, self.at = raw, 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.encoded = 0  # bytes made by encoding text; sharing must not multiply them

    def run(self) -> Any:
        for _ in range(MOST_STEPS):
            code = self.raw[self.at]
            self.at += 1
            if code == STOP:
                return self.result()
            if code not in _ACTIONS:
                raise _RefusedError(f"the opcode {code:#04x} at byte {self.at - 1:,}, which no such file has")
            _ACTIONS[code](self)
        raise _RefusedError(f"a pickle of more than {MOST_STEPS:,} steps")

    def result(self) -> Any:
        if self.at != len(self.raw) or len(self.stack) != 1 or self.marks:
            raise _RefusedError(f"a pickle that ends at byte {self.at:,} of {len(self.raw):,} with something left over")
        return self.stack[0]

    def number(self, form: str) -> int:
        (value,) = struct.unpack_from(form, self.raw, self.at)
        self.at += struct.calcsize(form)
        return int(value)

    def take(self, form: str) -> bytes:
        """The bytes that follow their number, which has this form."""
        count = self.number(form)
        piece = self.raw[self.at : self.at + count]
        if len(piece) != count:  # a negative count fails too
            raise _RefusedError(f"a file cut short: it ends at byte {len(self.raw):,} inside of a value")
        self.at += count
        return piece

    def pop_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def pop(self, count: int) -> list[Any]:
        items = self.stack[-count:]
        if len(items) != count:
            raise _RefusedError("a pickle that takes more than it has put down")
        del self.stack[-count:]
        return items

    def top(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise _RefusedError(f"{_kind(self.stack[-1])} where a {kind.__name__} belongs")
        return self.stack[-1]

    def protocol(self) -> None:
        version = self.number("<B")
        if not 2 <= version <= 5:
            raise _RefusedError(f"a pickle of protocol {version} rather than 2 to 5")

    def put(self, form: str) -> None:
        self.memo[self.number(form)] = self.stack[-1]

    def memoize(self) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def frame(self) -> None:
        """What follows belongs together, for readers that read from a file; here it is all there."""
        if not 0 <= self.number("<q") <= len(self.raw) - self.at:
            raise _RefusedError(f"a file cut short: it ends at byte {len(self.raw):,} inside of a frame")

    def put_tuple(self, items: list[Any]) -> None:
        if len(items) > LONGEST_TUPLE:
            raise _RefusedError(f"a tuple of {len(items):,}")
        self.stack.append(tuple(_shallow(items)))

    def append(self, items: list[Any]) -> None:
        self.top(list).extend(_shallow(items))

    def set_items(self, items: list[Any]) -> None:
        filled = self.top(dict)
        if any(type(value) in (dict, tuple) for value in items):
            raise _RefusedError("collections nested in one another")
        for key, value in zip(items[::2], items[1::2], strict=True):
            filled[_text(key)] = value

    def name(self) -> None:
        start = self.at
        for _ in range(2):
            self.at = self.raw.index(b"\n", self.at, self.at + LONGEST_NAME) + 1
        self.stack += self.raw[start : self.at - 1].decode("latin1").split("\n")
        self.named()

    def named(self) -> None:
        module, name = (_text(part) for part in self.pop(2))
        if (module, name) not in _NAMES:
            raise _RefusedError(f"a pickle that names {f'{module}.{name}'!r}")
        self.stack.append(_NAMES[module, name])

    def call(self) -> None:
        """What stands where the file wants a function called: one case for each name, and no call."""
        known, arguments = self.pop(2)
        if known is _Known.ENCODE:
            self.stack.append(self.encode(*arguments))
        elif known is _Known.DTYPE:
            if _text(arguments[0]) not in _DTYPES:
                raise _RefusedError(f"an array of dtype {arguments[0][:20]!r} rather than uint8, int32 or int64")
            self.stack.append(_DTYPES[_text(arguments[0])])
        elif known is _Known.RECONSTRUCT and arguments[0] is _Known.ARRAY:
            self.stack.append(_Known.UNFILLED)
        elif known is _Known.FROM_BUFFER:
            values, dtype, shape, order = arguments
            self.stack.append(_array(1, shape, dtype, order == "F", values))
        elif known is _Known.SCALAR:
            dtype, values = arguments
            self.stack.append(int(_array(1, (), dtype, False, values)))
        else:
            raise _RefusedError(f"a pickle that calls {_kind(known)}")

    def encode(self, text: str, encoding: Any) -> bytes:
        """Python 3 writes bytes so in protocol 2."""
        if type(text) is not str or _text(encoding) != "latin1":
            raise _RefusedError("text in an encoding other than latin1")
        self.encoded += len(text)
        if self.encoded > len(self.raw):
            raise _RefusedError("more bytes than the file is long")
        return text.encode("latin1")

    def build(self) -> None:
        unfinished, state = self.pop(2)
        if unfinished is _Known.UNFILLED:
            self.stack.append(_array(*state))
        elif isinstance(unfinished, np.dtype):  # byte order; fields and the like, of which these have none
            if _text(state[1]) not in "|<":
                raise _RefusedError(f"an array in the byte order {_text(state[1])!r}")
            self.stack.append(unfinished)
        else:
            raise _RefusedError(f"a state for {_kind(unfinished)}")


def _array(version: Any, shape: Any, dtype: Any, fortran: Any, values: Any) -> AnyArray:
    """A read-only array that shares the memory of `values`."""
    if not isinstance(dtype, np.dtype) or type(values) is not bytes or type(shape) is not tuple:
        raise _RefusedError("an array that is not made of uint8 values, or of integers")
    if not all(type(n) is int and n >= 0 for n in shape) or math.prod(shape) * dtype.itemsize != len(values):
        raise _RefusedError(f"{len(values):,} bytes for an array of shape {shape}")
    return np.frombuffer(values, dtype).reshape(shape, order="F" if fortran else "C")


_ACTIONS: dict[int, Callable[[_Machine], None]] = {
    0x80: _Machine.protocol,
    ord("K"): lambda m: m.stack.append(m.number("<B")),
    ord("M"): lambda m: m.stack.append(m.number("<H")),
    ord("J"): lambda m: m.stack.append(m.number("<i")),
    ord("U"): lambda m: m.stack.append(m.take("<B")),
    ord("T"): lambda m: m.stack.append(m.take("<i")),
    ord("X"): lambda m: m.stack.append(m.take("<I").decode("utf-8", "surrogatepass")),
    0x8C: lambda m: m.stack.append(m.take("<B").decode("utf-8", "surrogatepass")),
    ord("C"): lambda m: m.stack.append(m.take("<B")),
    ord("B"): lambda m: m.stack.append(m.take("<I")),
    0x8E: lambda m: m.stack.append(m.take("<q")),
    0x96: lambda m: m.stack.append(m.take("<q")),  # an array of bytes, which need not be one here
    0x95: _Machine.frame,
    0x94: _Machine.memoize,
    ord("q"): lambda m: m.put("<B"),
    ord("r"): lambda m: m.put("<I"),
    ord("h"): lambda m: m.stack.append(m.memo[m.number("<B")]),
    ord("j"): lambda m: m.stack.append(m.memo[m.number("<I")]),
    ord("N"): lambda m: m.stack.append(None),
    0x88: lambda m: m.stack.append(True),
    0x89: lambda m: m.stack.append(False),
    ord(")"): lambda m: m.stack.append(()),
    ord("]"): lambda m: m.stack.append([]),
    ord("}"): lambda m: m.stack.append({}),
    ord("("): lambda m: m.marks.append(len(m.stack)),
    ord("t"): lambda m: m.put_tuple(m.pop_mark()),
    0x85: lambda m: m.put_tuple(m.pop(1)),
    0x86: lambda m: m.put_tuple(m.pop(2)),
    0x87: lambda m: m.put_tuple(m.pop(3)),
    ord("a"): lambda m: m.append(m.pop(1)),
    ord("e"): lambda m: m.append(m.pop_mark()),
    ord("s"): lambda m: m.set_items(m.pop(2)),
    ord("u"): lambda m: m.set_items(m.pop_mark()),
    ord("c"): _Machine.name,
    0x93: _Machine.named,
    ord("R"): _Machine.call,
    ord("b"): _Machine.build,
}
