"""Float32 numbers in memory, rounded to bfloat16 and written in the order in which tiles take them."""

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic

binding.initialize_native_asmparser()  # for the one instruction that is written as text
NUMBER, SIZE = ir.IntType(32), ir.IntType(64)
FLOATS, PAIRS = ir.VectorType(ir.FloatType(), 16), ir.VectorType(NUMBER, 16)
HALVES, CHOICE = ir.VectorType(ir.IntType(16), 32), ir.VectorType(ir.IntType(1), 16)
ROUND = ir.FunctionType(HALVES, [FLOATS, FLOATS])


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
    """Write a tile to `target`, its 16 lines one after the other.

    Args:
        paired: whether a line of the tile is two lines of the memory, of 16 numbers, by turns; else one line of 32.
        turned: whether the tile's 16 by 16 pairs of numbers are then transposed.
        edge: whether memory holds only so many `lines` and `numbers` of each; the others are zeros.
        source: the first of lines that lie so many bytes `apart`.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        memory = _Memory(builder, values[3], values[4], values[6:] if edge.literal_value else None)
        made = [memory.two_lines(i) if paired.literal_value else memory.line(i) for i in range(16)]
        if turned.literal_value:
            made = _transposed(builder, made)
        for i, line in enumerate(made):
            place = builder.add(values[5], SIZE(64 * i))
            builder.store(line, builder.inttoptr(place, line.type.as_pointer()), align=64)
        return context.get_dummy_value()

    return types.void(paired, turned, edge, *[types.intp] * 5), generate


class _Memory:
    """Lines of float32 numbers, of which only `held` (lines, numbers) may be read; None where all may."""

    def __init__(self, builder: ir.IRBuilder, source: Any, apart: Any, held: Any) -> None:
        self.builder, self.source, self.apart, self.held = builder, source, apart, held

    def line(self, i: int) -> Any:
        """32 numbers of a line, rounded."""
        return self._rounded(self._floats(i, 0), self._floats(i, 16))

    def two_lines(self, i: int) -> Any:
        """16 numbers of two lines, rounded, by turns."""
        rounded = self._rounded(self._floats(2 * i, 0), self._floats(2 * i + 1, 0))
        by_turns = [half for j in range(16) for half in (j, 16 + j)]
        both = self.builder.bitcast(rounded, HALVES)
        return self.builder.bitcast(_shuffled(self.builder, both, both, by_turns), PAIRS)

    def _rounded(self, first: Any, second: Any) -> Any:
        """The numbers of both, the first ones first: to the nearest, of two that are as near to the even one."""
        round_both = ir.InlineAsm(ROUND, "vcvtne2ps2bf16 $2, $1, $0", "=v,v,v")
        return self.builder.bitcast(self.builder.call(round_both, [second, first]), PAIRS)

    def _floats(self, i: int, start: int) -> Any:
        builder = self.builder
        place = builder.add(self.source, builder.add(builder.mul(self.apart, SIZE(i)), SIZE(4 * start)))
        pointer = builder.inttoptr(place, FLOATS.as_pointer())
        if self.held is None:
            return builder.load(pointer, align=4)
        lines, numbers = self.held
        left = builder.sub(numbers, SIZE(start))
        count = builder.trunc(builder.select(builder.icmp_signed("<", SIZE(i), lines), left, SIZE(0)), NUMBER)
        one = builder.insert_element(ir.Constant(PAIRS, ir.Undefined), count, NUMBER(0))
        first = builder.icmp_signed("<", ir.Constant(PAIRS, list(range(16))), _shuffled(builder, one, one, [0] * 16))
        return builder.call(self._masked_load(), [pointer, NUMBER(4), first, FLOATS(None)])

    def _masked_load(self) -> ir.Function:
        name, known = "llvm.masked.load.v16f32.p0", self.builder.module.globals
        load = ir.FunctionType(FLOATS, [FLOATS.as_pointer(), NUMBER, CHOICE, FLOATS])
        return known[name] if name in known else ir.Function(self.builder.module, load, name)


def _transposed(builder: ir.IRBuilder, lines: list[Any]) -> list[Any]:
    """Of 16 lines of 16: in each stage, lines that lie so far apart exchange what lies on the wrong side."""
    for apart in (1, 2, 4, 8):
        near = [place if not place & apart else 16 + place - apart for place in range(16)]
        far = [place + apart if not place & apart else 16 + place for place in range(16)]
        for i in (i for i in range(16) if not i & apart):
            one, other = lines[i], lines[i + apart]
            lines[i], lines[i + apart] = _shuffled(builder, one, other, near), _shuffled(builder, one, other, far)
    return lines


def _shuffled(builder: ir.IRBuilder, one: Any, other: Any, places: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(places)), places)
    return builder.shuffle_vector(one, other, mask)
