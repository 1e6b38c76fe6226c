"""Parameters: all arrays of a net in one flat buffer, accessed as a mapping of named arrays."""

from __future__ import annotations

import functools
import itertools
import math
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np

from thinnet.arrays import cast, check_unmasked
from thinnet.errors import ArgumentError
from thinnet.spelling import nearest
from thinnet.typing import AnyArray, FloatArray

Order: TypeAlias = Literal["C", "F"]
CACHE_LINE = 64  # bytes


class Piece(NamedTuple):
    """The gradient of some lines (rows or columns) of a matrix, computed just before it is used.

    Attributes:
        start: where the lines begin in the flat buffer of all parameters, which has no gaps.
        lines: the gradient, line by line.
    """

    start: int
    lines: FloatArray


class Late(NamedTuple):
    """Gradients that have not been computed yet.

    Attributes:
        names: the matrices that they belong to.
        pieces: computes them one by one, each overwriting the one before; once used, its weights may change.
        update: if not None, there are no pieces, and this updates the weights instead. It takes an optimizer's rule,
            flat buffers and hyperparameters, as in `thinnet.flat_updates`.
    """

    names: Collection[str]
    pieces: Iterable[Piece] = ()
    update: Callable[[Any, Sequence[FloatArray], FloatArray], None] | None = None


class Parameters(MutableMapping[str, FloatArray]):
    """Named arrays that are views of one flat buffer.

    Assigning ``params["W1"] = array`` copies the values into the buffer and never detaches the name from it, so all
    code that holds `flat` (the optimizer, a checkpoint) sees the change.  Names cannot be added or deleted.

    Args:
        shapes: the shape of each array by name, in the order of the buffer.
        dtype: the dtype of all arrays.
        order: the memory layout of matrices: ``"C"``, row by row, or ``"F"``, column by column.
        flat: a buffer to use, at least as large as needed; by default a new one of zeros.

    Attributes:
        flat: the buffer, (total size,).
        starts: where each array begins in the buffer.

    Raises:
        ArgumentError: on assigning to an unknown name, or assigning values of the wrong shape, values that are not
            numbers, or numbers too large for the dtype.

    >>> params = Parameters({"W1": (2, 3), "b1": (3,)}, np.float32)
    >>> params["b1"] = [1, 2, 3]
    >>> params.flat
    array([0., 0., 0., 0., 0., 0., 1., 2., 3.], dtype=float32)
    """

    flat: FloatArray
    shapes: dict[str, tuple[int, ...]]
    order: Order
    size: int
    starts: dict[str, int]
    _views: dict[str, FloatArray]

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        dtype: Any = np.float32,
        order: Order = "C",
        flat: FloatArray | None = None,
    ) -> None:
        *starts, size = _starts(tuple(shapes.values()))
        known: dict[str, Any] = {"shapes": dict(shapes), "order": order, "size": size}
        known["starts"] = dict(zip(shapes, starts, strict=True))
        self.__dict__.update(known)  # bypasses `__setattr__`, which is slow
        self._see(_zeros(self.shapes, self.size, np.dtype(dtype)) if flat is None else flat[: self.size])

    def _see(self, flat: FloatArray) -> None:
        """Use this buffer, and make the named arrays views of it."""
        ends = [*self.starts.values(), self.size][1:]
        views = {
            name: flat[start:stop].reshape(self.shapes[name], order=self.order)
            for (name, start), stop in zip(self.starts.items(), ends, strict=True)
        }
        self.__dict__.update(flat=flat, _views=views)  # bypasses `__setattr__`

    def make_writable(self) -> None:
        """Copy the buffer if it, or a named array, is read-only or memory-mapped; training calls this first.

        So processes that share a net through a file, as joblib's do, each train their own copy.
        """
        if not all(map(is_own, (self.flat, *self._views.values()))):
            self._see(np.array(self.flat))
            self.__dict__.pop("vectors", None)  # views of the old buffer

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of every array."""
        return self.flat.dtype

    @functools.cached_property
    def vectors(self) -> list[FloatArray]:
        """All one-dimensional arrays; neighbors in the buffer (b1, gamma1, beta1) are joined into one."""
        bounds: list[list[int]] = []
        for name, start in self.starts.items():
            if len(self.shapes[name]) != 1:
                continue
            stop = start + self.shapes[name][0]
            if bounds and bounds[-1][1] == start:
                bounds[-1][1] = stop
            else:
                bounds.append([start, stop])
        return [self.flat[start:stop] for start, stop in bounds if start < stop]

    def zeros_like(self) -> Parameters:
        """New arrays with the same names and shapes, all zero."""
        return Parameters(self.shapes, self.dtype, self.order)

    def copy(self) -> Parameters:
        """A copy with its own buffer."""
        other = self.zeros_like()
        other.flat[:] = self.flat
        return other

    def __getitem__(self, name: str) -> FloatArray:
        try:
            return self._views[name]
        except KeyError:
            raise KeyError(self._unknown(name)) from None

    def __setitem__(self, name: str, value: Any) -> None:
        if name not in self._views:
            raise ArgumentError(self._unknown(name))
        if value is self._views[name]:
            return
        array = _fitting(f"params[{name!r}]", value, self._views[name])
        if not is_own(self._views[name]):
            self.make_writable()
        self._views[name][...] = array

    if not TYPE_CHECKING:  # otherwise mypy would accept every attribute

        def __setattr__(self, name: str, value: Any) -> None:
            """Assigning to `flat` copies the values in, as it does for a named array."""
            if name in vars(self).get("starts", ()):
                raise ArgumentError(
                    f"params.{name} must not be assigned to: that changes no array. Write params[{name!r}]."
                )
            if name != "flat":
                super().__setattr__(name, value)
            elif value is not self.flat:
                array = _fitting("params.flat", value, self.flat)
                self.make_writable()
                self.flat[...] = array

        def __getattr__(self, name: str) -> Any:
            hint = f". Write params[{name!r}]." if name in vars(self).get("starts", ()) else ""
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{hint}")

    def __delitem__(self, name: str) -> None:
        raise ArgumentError(f"params[{name!r}] must stay, got a deletion. A net keeps all of its parameters.")

    def __ior__(self, other: Mapping[str, Any]) -> Parameters:
        self.update(other)
        return self

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def __repr__(self) -> str:
        inside = ", ".join(f"{name} {shape}" for name, shape in self.shapes.items())
        return f"<Parameters of {self.dtype}: {inside}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameters:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.shapes, self.flat, self.order)

    def _unknown(self, name: Any) -> str:
        return f"params has no {name!r}, only {', '.join(self._views)}. {nearest(name, self._views)}".rstrip()


def _fitting(name: str, value: Any, like: FloatArray) -> AnyArray:
    """Numbers in the shape and dtype of an array that they are copied to; errors call it `name`."""
    check_unmasked(name, value)
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise ArgumentError(f"{name} must be real numbers, got dtype {array.dtype}. Convert them.")
    if array.shape != like.shape:
        raise ArgumentError(
            f"{name} must have shape {like.shape}, got {array.shape}. Give an array of that shape, or build the net "
            f"with other dimensions."
        )
    return cast(name, array, like.dtype)


def layer_number(name: str) -> int:
    """The layer number at the end of an array's name, counted from 1.

    >>> layer_number("running_mean12")
    12
    """
    return int(name[len(name.rstrip("0123456789")) :])


def is_own(array: AnyArray) -> bool:
    """Whether an array may be changed in place: not read-only, and not a view of a file."""
    return array.flags.writeable and not isinstance(array, np.memmap)


@functools.lru_cache(maxsize=64)  # each call to a net's loss makes gradients of the same shapes
def _starts(shapes: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
    """Where each of the consecutive arrays begins, and where the last one ends."""
    return 0, *itertools.accumulate(map(math.prod, shapes))


def _zeros(shapes: Mapping[str, tuple[int, ...]], size: int, dtype: np.dtype[Any]) -> FloatArray:
    """A buffer of zeros that begins at a cache line.

    Raise if memory is too small: the system might allow it now and kill the process when the buffer is filled.
    """
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        memory = sys.maxsize  # the address space, if the system does not tell
    if (needed := size * dtype.itemsize) > memory:
        largest = max(shapes, key=lambda name: math.prod(shapes[name]))
        raise ArgumentError(
            f"a net and its minibatch must fit into memory, got {size:,} numbers, which take {needed:,} bytes, most of "
            f"them in {largest} of shape {shapes[largest]}. Use fewer units, columns or classes, or a smaller batch."
        )
    buffer = np.zeros(size + CACHE_LINE // dtype.itemsize, dtype)
    start = -buffer.ctypes.data % CACHE_LINE // buffer.itemsize
    return buffer[start : start + size]


def _rebuild(shapes: dict[str, tuple[int, ...]], flat: FloatArray, order: Order) -> Parameters:
    params = Parameters(shapes, flat.dtype, order)
    params.flat[:] = flat
    return params
