"""Packing: write numbers from memory in the order in which the blocks of a product read them.

A panel is a few columns of a factor whose first dimension is the one that is summed over. `deep` means that lines of
memory run along that dimension, and `edge` that memory holds only `lines` lines, with `numbers` numbers each; the rest
are zeros. Lines are `apart` bytes apart.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic

from thinnet.kernels.lanes import NUMBER, ROWS, SIZE, VECTORS, Lanes, lanes_of, shuffled
from thinnet.kernels.target import HAS_TILES

binding.initialize_native_asmparser()  # for the one instruction written as assembly text
TILE_LANES = 16  # float32 numbers in a line of a tile
PAIRS, HALVES = ir.VectorType(NUMBER, TILE_LANES), ir.VectorType(ir.IntType(16), 2 * TILE_LANES)


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator, unused-ignore]
def pack_vectors(
    typing_context: Any,
    left: Any,
    deep: Any,
    edge: Any,
    x: Any,
    source: Any,
    apart: Any,
    target: Any,
    lines: Any,
    numbers: Any,
) -> tuple[Any, Callable[..., Any]]:
    """Write as many lines of a panel as a vector holds numbers of x's type; `left`: of the left factor."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        lanes = lanes_of(builder, x.dtype)
        columns = ROWS if left.literal_value else VECTORS * lanes.count
        memory = _Memory(lanes, values[4], values[5], values[7:] if edge.literal_value else None)
        for start in range(0, columns, lanes.count):
            count = min(lanes.count, columns - start)
            if deep.literal_value:
                nothing = [lanes.kind(None)] * (lanes.count - count)
                made = _transposed(builder, [*(memory.read(start + i, 0) for i in range(count)), *nothing])
            else:
                made = [memory.read(i, start, count) for i in range(lanes.count)]
            for i, line in enumerate(made):
                place = builder.add(values[6], SIZE(lanes.size * (i * columns + start)))
                line = shuffled(builder, line, line, list(range(count)))
                builder.store(line, builder.inttoptr(place, line.type.as_pointer()), align=lanes.size)
        return context.get_dummy_value()

    return types.void(left, deep, edge, x, *[types.intp] * 5), generate


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator, unused-ignore]
def pack_tile(
    typing_context: Any,
    paired: Any,
    turned: Any,
    edge: Any,
    source: Any,
    apart: Any,
    target: Any,
    lines: Any,
    numbers: Any,
) -> tuple[Any, Callable[..., Any]]:
    """Write a tile of float32 numbers, its 16 lines one after the other, rounded to bfloat16.

    Args:
        paired: whether a line of the tile interleaves two lines of memory, of 16 numbers each; else it is one of 32.
        turned: whether the tile's 16 by 16 pairs of numbers are then transposed.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        if not HAS_TILES:
            return context.get_dummy_value()
        lanes = Lanes(builder, ir.FloatType(), 4, TILE_LANES)
        memory = _Memory(lanes, values[3], values[4], values[6:] if edge.literal_value else None)
        if paired.literal_value:
            both = [(memory.read(2 * i, 0), memory.read(2 * i + 1, 0)) for i in range(16)]
            made = [_by_turns(builder, _rounded(builder, *each)) for each in both]
        else:
            made = [_rounded(builder, memory.read(i, 0), memory.read(i, TILE_LANES)) for i in range(16)]
        for i, line in enumerate(_transposed(builder, made) if turned.literal_value else made):
            place = builder.add(values[5], SIZE(64 * i))
            builder.store(line, builder.inttoptr(place, line.type.as_pointer()), align=64)
        return context.get_dummy_value()

    return types.void(paired, turned, edge, *[types.intp] * 5), generate


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def copy_line(typing_context: Any, source: Any, target: Any, numbers: Any) -> tuple[Any, Callable[..., Any]]:
    """Copy float32 numbers, at most as many as a line of a tile has; none if `numbers` is below one."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        lanes, (source, target, numbers) = Lanes(builder, ir.FloatType(), 4, TILE_LANES), values
        lanes.write(lanes.read(source, numbers), target, numbers)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


class _Memory:
    """Lines of numbers; only the first `held` (lines, numbers) may be read, or all if it is None."""

    def __init__(self, lanes: Lanes, source: Any, apart: Any, held: Any) -> None:
        self.lanes, self.source, self.apart, self.held = lanes, source, apart, held

    def read(self, i: int, start: int, most: int | None = None) -> Any:
        """A vector from line i, starting at its number `start`; only the first `most` numbers are needed."""
        builder, count = self.lanes.builder, most or self.lanes.count
        place = builder.add(builder.mul(self.apart, SIZE(i)), SIZE(self.lanes.size * start))
        place = builder.add(self.source, place)
        if self.held is None:
            kind = ir.VectorType(self.lanes.number, count)
            return builder.load(builder.inttoptr(place, kind.as_pointer()), align=self.lanes.size)
        lines, numbers = self.held
        left = builder.sub(numbers, SIZE(start))
        return self.lanes.read(place, builder.select(builder.icmp_signed("<", SIZE(i), lines), left, SIZE(0)))


def _rounded(builder: ir.IRBuilder, first: Any, second: Any) -> Any:
    """The numbers of both vectors, in order, rounded to nearest, ties to even."""
    kind = ir.FunctionType(HALVES, [first.type, second.type])
    round_both = ir.InlineAsm(kind, "vcvtne2ps2bf16 $2, $1, $0", "=v,v,v")
    return builder.bitcast(builder.call(round_both, [second, first]), PAIRS)


def _by_turns(builder: ir.IRBuilder, rounded: Any) -> Any:
    by_turns = [half for j in range(TILE_LANES) for half in (j, TILE_LANES + j)]
    both = builder.bitcast(rounded, HALVES)
    return builder.bitcast(shuffled(builder, both, both, by_turns), PAIRS)


def _transposed(builder: ir.IRBuilder, lines: list[Any]) -> list[Any]:
    """Transpose a square of vectors: in each stage, lines that are `apart` apart swap what is on the wrong side."""
    side, apart = len(lines), 1
    while apart < side:
        near = [place if not place & apart else side + place - apart for place in range(side)]
        far = [place + apart if not place & apart else side + place for place in range(side)]
        for i in (i for i in range(side) if not i & apart):
            one, other = lines[i], lines[i + apart]
            lines[i], lines[i + apart] = shuffled(builder, one, other, near), shuffled(builder, one, other, far)
        apart *= 2
    return lines
