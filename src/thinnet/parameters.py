"""Parameters: every array of a net in one flat buffer, seen as a mapping of named arrays."""

from __future__ import annotations

import functools
import math
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np

from thinnet.checks import nearest
from thinnet.errors import ArgumentError
from thinnet.typing import AnyArray, FloatArray

Order: TypeAlias = Literal["C", "F"]
CACHE_LINE = 64  # bytes
WIDE = 128  # elements of a line from which on it is worth a place of its own


class Place(NamedTuple):
    """Where an array lies in a buffer, in elements: `lines` lines of `length`, `pitch` apart.

    The lines of a matrix are its rows in order C, and its columns in order F; other arrays are one line.
    """

    start: int
    length: int
    pitch: int
    lines: int

    @property
    def stop(self) -> int:
        """Where it ends."""
        return self.start + self.pitch * self.lines


class Piece(NamedTuple):
    """The gradient of some lines of a matrix, made just before it is used.

    Attributes:
        start: where the lines begin in the flat buffer of all parameters, which has no gaps.
        lines: the gradient, one line after the other; there may be gaps between them.
    """

    start: int
    lines: FloatArray


class Late(NamedTuple):
    """Gradients that are not there yet.

    Attributes:
        names: of the matrices that they belong to.
        pieces: makes them all, each in the place of the one before; whoever has used one may change its weights.
    """

    names: Collection[str]
    pieces: Iterable[Piece]


class Parameters(MutableMapping[str, FloatArray]):
    """Named arrays that are views of one flat buffer.

    Assigning ``params["W1"] = array`` copies the values into the buffer and never detaches the name from it, so that
    whoever holds `flat` (the optimizer, a checkpoint) sees the change.  Names can be neither added nor deleted.

    Args:
        shapes: the shape of each name, in the order in which they lie in the buffer.
        dtype: of all of them.
        order: how matrices lie in the buffer: ``"C"``, row after row, or ``"F"``, column after column.
        flat: a buffer to use, at least as large as needed; by default one of zeros is made.
        padded: whether to leave gaps, so that each array and each line of a wide matrix begins at a cache line of its
            own: libraries write products faster to where lines do not share cache lines.

    Attributes:
        flat: the buffer, (total size,), gaps among it, whose values mean nothing.
        places: where each array lies in it.

    Raises:
        ArgumentError: on assigning an unknown name, another shape, or something that is not numbers.

    >>> params = Parameters({"W1": (2, 3), "b1": (3,)}, np.float32)
    >>> params["b1"] = [1, 2, 3]
    >>> params.flat
    array([0., 0., 0., 0., 0., 0., 1., 2., 3.], dtype=float32)
    """

    flat: FloatArray

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        dtype: Any = np.float32,
        order: Order = "C",
        flat: FloatArray | None = None,
        padded: bool = False,
    ) -> None:
        self.shapes = dict(shapes)
        self.order: Order = order
        self.padded = padded
        itemsize = np.dtype(dtype if flat is None else flat.dtype).itemsize
        places = _places(tuple(self.shapes.values()), order, padded, itemsize)
        self.places = dict(zip(self.shapes, places, strict=True))
        size = max((place.stop for place in self.places.values()), default=0)
        self._see(_zeros(self.shapes, size, np.dtype(dtype)) if flat is None else flat[:size])

    def _see(self, flat: FloatArray) -> None:
        """Make this the buffer, and the named arrays views of it."""
        self.__dict__["flat"] = flat
        self._views: dict[str, FloatArray] = {}
        for name, place in self.places.items():
            piece = flat[place.start : place.stop]
            if place.pitch == place.length:
                self._views[name] = piece.reshape(self.shapes[name], order=self.order)
            else:
                matrix = piece.reshape(place.lines, place.pitch)[:, : place.length]
                self._views[name] = matrix if self.order == "C" else matrix.T

    def make_writable(self) -> None:
        """Copy the buffer if it, or a named array, is read-only or a mapped file; training calls this first.

        Processes that share a net through a file, as joblib's do, thus train one of their own.
        """
        if not all(map(is_own, (self.flat, *self._views.values()))):
            self._see(np.array(self.flat))
            self.__dict__.pop("vectors", None)  # views of the former buffer

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of every array."""
        return self.flat.dtype

    @functools.cached_property
    def vectors(self) -> list[FloatArray]:
        """All one-dimensional arrays; those that lie side by side in the buffer (b1, gamma1, beta1) as one."""
        bounds: list[list[int]] = []
        for name, place in self.places.items():
            if len(self.shapes[name]) != 1:
                continue
            if bounds and bounds[-1][1] == place.start:
                bounds[-1][1] = place.stop
            else:
                bounds.append([place.start, place.stop])
        return [self.flat[start:stop] for start, stop in bounds if start < stop]

    @functools.cached_property
    def size(self) -> int:
        """How many elements all arrays have, without gaps."""
        return sum(place.lines * place.length for place in self.places.values())

    def packed(self) -> FloatArray:
        """All arrays in one flat buffer without gaps: `flat` itself where it has none."""
        return self.copy().flat if self.padded else self.flat

    def zeros_like(self) -> Parameters:
        """New arrays of the same names and shapes, all zero."""
        return Parameters(self.shapes, self.dtype, self.order)

    def copy(self) -> Parameters:
        """A copy with a buffer of its own, without gaps."""
        other = self.zeros_like()
        if self.padded:
            other.update(self)
        else:
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
        array = np.asarray(value)
        view = self._views[name]
        if array is view:
            return
        if array.dtype.kind not in "fiub":
            raise ArgumentError(f"params[{name!r}] must be real numbers, got dtype {array.dtype}.")
        if array.shape != view.shape:
            raise ArgumentError(
                f"params[{name!r}] must have shape {view.shape}, got {array.shape}. Build the net with other "
                f"dimensions if another shape is meant."
            )
        if not is_own(view):
            self.make_writable()
        self._views[name][...] = array

    if not TYPE_CHECKING:  # to which every attribute would be known otherwise

        def __setattr__(self, name: str, value: Any) -> None:
            """Assigning to `flat` copies the values in, as it does for a named array."""
            if name in vars(self).get("places", ()):
                raise ArgumentError(
                    f"params.{name} must not be assigned to: it changes no array. Write params[{name!r}]."
                )
            if name != "flat":
                super().__setattr__(name, value)
            elif value is not self.flat:
                array = np.asarray(value)
                if array.shape != self.flat.shape or array.dtype.kind not in "fiub":
                    came = f"{array.dtype} of shape {array.shape}"
                    raise ArgumentError(f"params.flat must be numbers of shape {self.flat.shape}, got {came}.")
                self.make_writable()
                self.flat[...] = array

        def __getattr__(self, name: str) -> Any:
            hint = f". Write params[{name!r}]." if name in vars(self).get("places", ()) else ""
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
        return _rebuild, (self.shapes, self.packed(), self.order)

    def _unknown(self, name: Any) -> str:
        return f"params has no {name!r}, only {', '.join(self._views)}. {nearest(name, self._views)}".rstrip()


def layer_number(name: str) -> int:
    """The number at the end of an array's name: that of its layer, counted from 1.

    >>> layer_number("running_mean12")
    12
    """
    return int(name[len(name.rstrip("0123456789")) :])


def whole_lines(matrix: FloatArray) -> FloatArray:
    """The rows of a matrix in order C with the gaps behind them: a contiguous array, as kernels need it."""
    if not matrix.size or matrix.flags.c_contiguous:  # where there are no gaps
        return matrix
    across = max(matrix.strides[0] // matrix.itemsize, matrix.shape[1])
    return np.lib.stride_tricks.as_strided(matrix, (len(matrix), across), writeable=matrix.flags.writeable)


def is_own(array: AnyArray) -> bool:
    """Whether an array may be changed in place: neither read-only nor a view of a file."""
    return array.flags.writeable and not isinstance(array, np.memmap)


@functools.lru_cache(maxsize=64)  # each call of a net's loss makes gradients of the same shapes
def _places(shapes: tuple[tuple[int, ...], ...], order: Order, padded: bool, itemsize: int) -> tuple[Place, ...]:
    places, start, unit = [], 0, CACHE_LINE // itemsize if padded else 1
    for shape in shapes:
        count, length = (1, math.prod(shape)) if len(shape) != 2 else shape if order == "C" else shape[::-1]
        # An odd number of cache lines apart, so that neighbors do not compete for the same places of the cache.
        pitch = (-(-length // unit) | 1) * unit if padded and count > 1 and length >= WIDE else length
        places.append(Place(start, length, pitch, count))
        start = -(-(start + pitch * count) // unit) * unit
    return tuple(places)


def _zeros(shapes: Mapping[str, tuple[int, ...]], size: int, dtype: np.dtype[Any]) -> FloatArray:
    """A buffer that begins at a cache line.

    Refused where it cannot be, since the system would only end the process when it is filled.
    """
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        memory = sys.maxsize  # what an address can reach, where the system does not say
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
