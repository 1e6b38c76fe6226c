"""The AMX instructions: a core has eight tiles, each of 16 lines of 64 bytes, and multiplies one by another.

`zero(0)` is for tile 0, and so on: tile numbers are part of the instructions and must be literals. Places are memory
addresses, and sizes are in bytes. If the processor has no tiles, the instructions do nothing.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from thinnet.kernels.target import HAS_TILES, declared

BYTE, PLACE, NOTHING = ir.IntType(8), ir.IntType(8).as_pointer(), ir.VoidType()


def _instruction(name: str, kinds: str) -> Any:
    """A function for one instruction; `kinds` has a letter for each operand: tile, place or size."""

    def made(*given: Any) -> tuple[Any, Callable[..., Any]]:
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
            if HAS_TILES:
                operands = [_operand(builder, *each) for each in zip(kinds, given, values, strict=True)]
                kind = ir.FunctionType(NOTHING, [operand.type for operand in operands])
                builder.call(declared(builder, f"llvm.x86.{name}", kind), operands)
            return context.get_dummy_value()

        return types.void(*(given[i] if kind == "t" else types.intp for i, kind in enumerate(kinds))), generate

    with_operands: dict[int, Callable[..., Any]] = {  # by the number of operands, which Numba must know
        0: lambda typing_context: made(),
        1: lambda typing_context, a: made(a),
        3: lambda typing_context, a, b, c: made(a, b, c),
    }
    return intrinsic(prefer_literal=True)(with_operands[len(kinds)])


def _operand(builder: ir.IRBuilder, kind: str, given: Any, value: Any) -> Any:
    if kind == "t":
        return BYTE(given.literal_value)
    return builder.inttoptr(value, PLACE) if kind == "p" else value


configure = _instruction("ldtilecfg", "p")  #: configure the tiles, with the shapes in 64 bytes at a place
release = _instruction("tilerelease", "")  #: release them
zero = _instruction("tilezero", "t")  #: fill a tile with zeros
load = _instruction("tileloadd64", "tps")  #: fill it with lines that start at a place, this many bytes apart
store = _instruction("tilestored64", "tps")  #: write it to such lines
#: out += a · b: a has 16 by 32 numbers, b 32 by 16, two rows interleaved in each line; `out` has 16 by 16 in float32
multiply = _instruction("tdpbf16ps", "ttt")
