"""SIMD vectors of numbers, built from LLVM instructions that Numba's own functions cannot express."""

from typing import Any

from llvmlite import ir
from numba import types

from thinnet.kernels.target import VECTOR, declared

NUMBER, SIZE, BIT, NOTHING = ir.IntType(32), ir.IntType(64), ir.IntType(1), ir.VoidType()

# The size of a product block: with a row of the right factor and a number of the left one, it fills the registers.
ROWS = 12 if VECTOR == 64 else 6
VECTORS = 2  # in a row

# Whether to prefetch what later blocks need: with AVX2, on an EPYC, a step takes 3 to 5 % longer that way.
FETCH_AHEAD = VECTOR == 64


class Lanes:
    """Vectors of `count` numbers of `size` bytes each."""

    def __init__(self, builder: ir.IRBuilder, number: Any, size: int, count: int) -> None:
        self.builder, self.number, self.size, self.count = builder, number, size, count
        self.kind, self._choice = ir.VectorType(number, count), ir.VectorType(BIT, count)
        self._name = f"v{count}f{8 * size}"

    def spread(self, number: Any) -> Any:
        """A vector with one number in all lanes."""
        one = self.builder.insert_element(ir.Constant(self.kind, ir.Undefined), number, NUMBER(0))
        return shuffled(self.builder, one, one, [0] * self.count)

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        """a · b + c, rounded once."""
        kind = ir.FunctionType(self.kind, [self.kind] * 3)
        return self.builder.call(declared(self.builder, f"llvm.fma.{self._name}", kind), [a, b, c])

    def read(self, place: Any, held: Any = None) -> Any:
        """The first `held` numbers at an address, then zeros; without `held`, all."""
        pointer = self.builder.inttoptr(place, self.kind.as_pointer())
        if held is None:
            return self.builder.load(pointer, align=self.size)
        kind = ir.FunctionType(self.kind, [self.kind.as_pointer(), NUMBER, self._choice, self.kind])
        load = declared(self.builder, f"llvm.masked.load.{self._name}.p0", kind)
        return self.builder.call(load, [pointer, NUMBER(self.size), self._first(held), self.kind(None)])

    def write(self, numbers: Any, place: Any, held: Any = None) -> None:
        """Write the first `held` numbers to an address; without `held`, all, which some processors do much faster."""
        pointer = self.builder.inttoptr(place, self.kind.as_pointer())
        if held is None:
            self.builder.store(numbers, pointer, align=self.size)
            return
        kind = ir.FunctionType(NOTHING, [self.kind, self.kind.as_pointer(), NUMBER, self._choice])
        store = declared(self.builder, f"llvm.masked.store.{self._name}.p0", kind)
        self.builder.call(store, [numbers, pointer, NUMBER(self.size), self._first(held)])

    def _first(self, held: Any) -> Any:
        """A mask of the first `held` lanes."""
        numbers = ir.VectorType(NUMBER, self.count)
        one = ir.Constant(numbers, ir.Undefined)
        one = self.builder.insert_element(one, self.builder.trunc(held, NUMBER), NUMBER(0))
        everywhere = shuffled(self.builder, one, one, [0] * self.count)
        return self.builder.icmp_signed("<", ir.Constant(numbers, list(range(self.count))), everywhere)


def lanes_of(builder: ir.IRBuilder, dtype: Any) -> Lanes:
    """The processor's widest vectors of a float type."""
    number, size = (ir.FloatType(), 4) if dtype == types.float32 else (ir.DoubleType(), 8)
    return Lanes(builder, number, size, VECTOR // size)


def fetch(builder: ir.IRBuilder, place: Any, cache: int) -> None:
    """Prefetch a cache line into the first or the second cache, without waiting for it."""
    pointer = ir.IntType(8).as_pointer()
    to_read, near, data = NUMBER(0), NUMBER(4 - cache), NUMBER(1)
    ask = declared(builder, "llvm.prefetch.p0", ir.FunctionType(NOTHING, [pointer, NUMBER, NUMBER, NUMBER]))
    builder.call(ask, [builder.inttoptr(place, pointer), to_read, near, data])


def shuffled(builder: ir.IRBuilder, one: Any, other: Any, places: list[int]) -> Any:
    """The numbers at some places of two vectors, counted on from the first into the second."""
    return builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(NUMBER, len(places)), places))
