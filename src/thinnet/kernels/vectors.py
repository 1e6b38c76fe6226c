"""A product block computed with vector instructions: all of it stays in registers while products are summed."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from thinnet.kernels.lanes import FETCH_AHEAD, ROWS, SIZE, VECTORS, Lanes, fetch, lanes_of
from thinnet.kernels.target import VECTOR
from thinnet.teams import CACHE_LINE

TOGETHER = 4  # numbers of the depth in one iteration of the loop; panels are padded with zeros


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator, unused-ignore]
def multiply_rows(
    typing_context: Any,
    rows: Any,
    vectors: Any,
    like: Any,
    a: Any,
    b: Any,
    depth: Any,
    more: Any,
    target: Any,
    apart: Any,
    held: Any,
    columns: Any,
    ahead: Any,
    stride: Any,
) -> tuple[Any, Callable[..., Any]]:
    """Write a · b, or if `more`, add it to what is there.

    Args:
        rows: how many rows to compute, a literal.
        vectors: how many vectors of a row to compute, a literal.
        like: a pointer to numbers of the dtype.
        a: the address of `depth` groups of `ROWS` numbers; the first `rows` of each group are used.
        b: the address of `depth` groups of `VECTORS` vectors.
        more: whether to add to what is at the target.
        target: the address of the first row.
        apart: bytes between rows.
        held: how many rows exist; those computed beyond them are not written.
        columns: how many numbers of a row exist.
        ahead: what is needed next and is prefetched meanwhile: a cache line for each number of the depth.
        stride: bytes between these.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        a, b, depth, more, target, apart, held, columns, ahead, stride = values[3:]
        block = _Block(lanes_of(builder, like.dtype), rows.literal_value, vectors.literal_value)
        block.fetch(target, apart, held)
        block.add(a, b, depth, ahead, stride)
        block.write(more, target, apart, held, columns)
        return context.get_dummy_value()

    return types.void(rows, vectors, like, *[types.intp] * 3, types.boolean, *[types.intp] * 6), generate


class _Block:
    """The sums of a block, which the compiler keeps in registers."""

    def __init__(self, lanes: Lanes, rows: int, vectors: int) -> None:
        self.lanes, self.builder, self.rows, self.vectors = lanes, lanes.builder, rows, range(vectors)
        places = [(r, v) for r in range(rows) for v in self.vectors]
        self.sums = {place: cgutils.alloca_once_value(self.builder, lanes.kind(None)) for place in places}

    def fetch(self, target: Any, apart: Any, held: Any) -> None:
        """Prefetch where the sums are to be written; a row of the block may begin within a cache line."""
        for row in self._rows(target, apart, held):
            for byte in range(0, VECTOR * len(self.vectors), CACHE_LINE):
                fetch(self.builder, self.builder.add(row, SIZE(byte)), cache=1)
            fetch(self.builder, self.builder.add(row, SIZE(VECTOR * len(self.vectors) - 1)), cache=1)

    def _rows(self, target: Any, apart: Any, held: Any) -> list[Any]:
        """The addresses of the rows; those that do not exist have the last one's."""
        builder, last = self.builder, self.builder.sub(held, SIZE(1))
        numbers = [builder.select(builder.icmp_signed("<", SIZE(r), last), SIZE(r), last) for r in range(self.rows)]
        return [builder.add(target, builder.mul(number, apart)) for number in numbers]

    def add(self, a: Any, b: Any, depth: Any, ahead: Any, stride: Any) -> None:
        """Add products to the sums."""
        builder, number, vector = self.builder, self.lanes.number.as_pointer(), self.lanes.kind.as_pointer()
        rounds = builder.udiv(builder.add(depth, SIZE(TOGETHER - 1)), SIZE(TOGETHER))
        with cgutils.for_range(builder, rounds) as loop:
            done = builder.mul(loop.index, SIZE(TOGETHER))
            left = builder.gep(builder.inttoptr(a, number), [builder.mul(done, SIZE(ROWS))])
            right = builder.gep(builder.inttoptr(b, vector), [builder.mul(done, SIZE(VECTORS))])
            place = builder.add(ahead, builder.mul(done, stride))
            for k in range(TOGETHER):
                if FETCH_AHEAD:
                    fetch(builder, place, cache=2)
                    place = builder.add(place, stride)
                self._add_row([self._at(left, k * ROWS + r) for r in range(ROWS)], right, k)

    def _add_row(self, left: list[Any], right: Any, k: int) -> None:
        row = [self.builder.load(self._at(right, k * VECTORS + v), align=VECTOR) for v in self.vectors]
        for (r, v), total in self.sums.items():
            if v == 0:
                number = self.lanes.spread(self.builder.load(left[r]))
            self.builder.store(self.lanes.multiply_add(number, row[v], self.builder.load(total)), total)

    def _at(self, pointer: Any, number: int) -> Any:
        return self.builder.gep(pointer, [SIZE(number)])

    def write(self, more: Any, target: Any, apart: Any, held: Any, columns: Any) -> None:
        """Write the sums; rows that do not exist go to the last one's place, and it is written after them."""
        builder, count = self.builder, self.lanes.count
        whole = builder.icmp_signed(">=", columns, SIZE(count * len(self.vectors)))
        with builder.if_else(whole) as (all_columns, some_columns):
            with all_columns:
                self._write(more, target, apart, held, [None] * len(self.vectors))
            with some_columns:
                self._write(more, target, apart, held, [builder.sub(columns, SIZE(v * count)) for v in self.vectors])

    def _write(self, more: Any, target: Any, apart: Any, held: Any, numbers: list[Any]) -> None:
        """`numbers`: how many of each vector of a row exist, or None for all."""
        builder, lanes, rows = self.builder, self.lanes, self._rows(target, apart, held)
        places = {(r, v): builder.add(rows[r], SIZE(VECTOR * v)) for r, v in self.sums}
        with builder.if_then(more):
            for (r, v), total in self.sums.items():
                builder.store(builder.fadd(builder.load(total), lanes.read(places[r, v], numbers[v])), total)
        for (r, v), total in reversed(self.sums.items()):
            lanes.write(builder.load(total), places[r, v], numbers[v])
