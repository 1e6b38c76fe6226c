"""The kernels of the rules in `thinnet.optim`: each makes one pass over flat buffers and updates them in place.

A rule updates a line of weights `w` from its gradient `dw`, with up to two lines of state. Its hyperparameters come in
an array, `numbers`, and are read into variables before the loop: the compiler cannot know that writing to `w` leaves
that array alone, and would not vectorize the loop otherwise.

A kernel takes its rule as an address, so that it is compiled once for all of them.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import from_dtype, types

from thinnet.kernels.addresses import address_of, call, least_normal
from thinnet.kernels.compile import inline, inner, kernel
from thinnet.kernels.share import bounds, in_parts
from thinnet.typing import AnyArray, FloatArray

LINE = 1 << 12  # weights that are updated together


@kernel()
def update(share: Any, *arguments: Any) -> None:
    """One step of a rule, with each array split into equal parts.

    The arrays of `state` that the rule does not use are empty. A row of `table` says where an array starts and stops,
    and where its gradient starts.
    """
    in_parts(share, _update_whole, arguments)


@inner()
def _update_whole(
    rule: int,
    w: FloatArray,
    dw: FloatArray,
    state: tuple[FloatArray, FloatArray],
    numbers: FloatArray,
    table: AnyArray,
    part: int,
    parts: int,
) -> None:
    first, second = state
    for a in range(len(table)):
        start, stop, dw_start = table[a]
        for number in range(*bounds((stop - start + LINE - 1) // LINE, part, parts)):
            begin = start + number * LINE
            end, shift = min(begin + LINE, stop), dw_start - start
            line, dline = slice(begin, end), slice(begin + shift, end + shift)
            update_line(rule, w[line], dw[dline], first[line], second[line], numbers)


@inline()
def update_line(
    rule: int, w: FloatArray, dw: FloatArray, first: FloatArray, second: FloatArray, numbers: FloatArray
) -> None:
    """One step of a rule for some contiguous weights."""
    places = w.ctypes.data, dw.ctypes.data, first.ctypes.data, second.ctypes.data
    call(rule, (places[0], places[1], places[2], places[3], w.size, numbers.ctypes.data))


@kernel()
def update_part(share: Any, *arguments: Any) -> None:
    """The same for the part of whole buffers that `thinnet.thinning.Thinning` keeps; `part_dw` is its gradient.

    A line with only some elements kept is updated as a whole in `scratch`, which has four lines for each part, and the
    kept elements are copied back: this can be vectorized, unlike gathering elements. `keep` and `plan` are those of
    `thinnet.thinning`.
    """
    in_parts(share, _update_part, arguments)


@inner()
def _update_part(
    rule: int,
    w: FloatArray,
    part_dw: FloatArray,
    state: tuple[FloatArray, FloatArray],
    numbers: FloatArray,
    keep: AnyArray,
    plan: tuple[AnyArray, AnyArray, AnyArray, AnyArray],
    scratch: FloatArray,
    part: int,
    parts: int,
) -> None:
    (first, second), (table, starts, counts, indices) = state, plan
    at = 0
    for a in range(len(table)):
        start, length, lines, across = table[a]
        count = counts[across]
        index = indices[starts[across] : starts[across] + count]
        kept = keep[starts[across] : starts[across] + length]
        for i in range(*bounds(counts[lines], part, parts)):
            begin = start + length * indices[starts[lines] + i]
            end = begin + length
            dw = part_dw[at + i * count : at + (i + 1) * count]
            if count == length:
                update_line(rule, w[begin:end], dw, first[begin:end], second[begin:end], numbers)
                continue
            spread = scratch[part, 0, :length]
            spread[:] = 0
            for j in range(count):
                spread[index[j]] = dw[j]
            copy_w, copy_first = scratch[part, 1, :length], scratch[part, 2, : first[begin:end].size]
            copy_second = scratch[part, 3, : second[begin:end].size]
            _copy(w[begin:end], copy_w)
            _copy(first[begin:end], copy_first)
            _copy(second[begin:end], copy_second)
            update_line(rule, copy_w, spread, copy_first, copy_second, numbers)
            _copy_kept(copy_w, kept, w[begin:end])
            _copy_kept(copy_first, kept, first[begin:end])
            _copy_kept(copy_second, kept, second[begin:end])
        at += counts[lines] * count


@inner()
def _copy(source: FloatArray, target: FloatArray) -> None:
    for j in range(source.size):
        target[j] = source[j]


@inner()
def _copy_kept(source: FloatArray, keep: AnyArray, target: FloatArray) -> None:
    for j in range(source.size):
        new, old = source[j], target[j]  # both are always read, so that no branch is needed
        target[j] = new if keep[j] else old


@inline()
def settled(x: Any, least: Any) -> Any:
    """x, or zero where |x| < least, as in `thinnet.subnormal`: a select, so that loops can be vectorized."""
    return x - x if np.abs(x) < least else x  # written this way so that NaN stays NaN


def _sgd(w: Any, dw: Any, first: Any, second: Any, size: int, numbers: Any) -> None:
    rate, least = numbers[0], np.sqrt(least_normal(numbers))
    for i in range(size):
        w[i] = settled(w[i] - rate * dw[i], least)


def _sgd_momentum(w: Any, dw: Any, velocity: Any, second: Any, size: int, numbers: Any) -> None:
    rate, momentum, tiny = numbers[0], numbers[1], least_normal(numbers)
    least = np.sqrt(tiny)
    for i in range(size):
        velocity[i] = settled(momentum * velocity[i] - rate * dw[i], tiny)
        w[i] = settled(w[i] + velocity[i], least)


def _nesterov(w: Any, dw: Any, velocity: Any, second: Any, size: int, numbers: Any) -> None:
    rate, momentum, tiny = numbers[0], numbers[1], least_normal(numbers)
    least = np.sqrt(tiny)
    for i in range(size):
        old = velocity[i]
        velocity[i] = settled(momentum * old - rate * dw[i], tiny)
        w[i] = settled(w[i] + (velocity[i] + momentum * (velocity[i] - old)), least)


def _rmsprop(w: Any, dw: Any, cache: Any, second: Any, size: int, numbers: Any) -> None:
    rate, decay, one_less_decay, epsilon = numbers[0], numbers[1], numbers[2], numbers[3]
    tiny = least_normal(numbers)
    least, least_squared = np.sqrt(tiny), np.sqrt(tiny / one_less_decay)
    for i in range(size):
        g = settled(dw[i], least_squared)
        cache[i] = settled(decay * cache[i] + one_less_decay * g * g, tiny)
        w[i] = settled(w[i] - rate * dw[i] / (np.sqrt(cache[i]) + epsilon), least)


def _adam(w: Any, dw: Any, m: Any, v: Any, size: int, numbers: Any) -> None:
    """The numbers are 1 − η·λ, η / (1 − β₁ᵗ), β₁, 1 − β₁, β₂, 1 − β₂, 1 / √(1 − β₂ᵗ), ε."""
    keep, rate, beta1, one_less_beta1 = numbers[0], numbers[1], numbers[2], numbers[3]
    beta2, one_less_beta2, inverse_root, epsilon = numbers[4], numbers[5], numbers[6], numbers[7]
    tiny = least_normal(numbers)
    least, least_squared = np.sqrt(tiny), np.sqrt(tiny / one_less_beta2)
    for i in range(size):
        g = settled(dw[i], least_squared)
        m[i] = settled(beta1 * m[i] + one_less_beta1 * dw[i], tiny)
        v[i] = settled(beta2 * v[i] + one_less_beta2 * g * g, tiny)
        w[i] = settled(keep * w[i] - rate * m[i] / (np.sqrt(v[i]) * inverse_root + epsilon), least)


def _lion(w: Any, dw: Any, m: Any, second: Any, size: int, numbers: Any) -> None:
    """The numbers are 1 − η·λ, η, β₁, 1 − β₁, β₂, 1 − β₂."""
    keep, rate, beta1, one_less_beta1 = numbers[0], numbers[1], numbers[2], numbers[3]
    beta2, one_less_beta2, tiny = numbers[4], numbers[5], least_normal(numbers)
    least = np.sqrt(tiny)
    for i in range(size):
        ahead = beta1 * m[i] + one_less_beta1 * dw[i]
        m[i] = settled(beta2 * m[i] + one_less_beta2 * dw[i], tiny)
        step = rate if ahead > 0 else (-rate if ahead < 0 else ahead)  # written this way so that NaN stays NaN
        w[i] = settled(keep * w[i] - step, least)


@kernel()
def inplace_average(share: Any, *arguments: Any) -> None:
    """average += portion · (w − average); the kernel of `thinnet.steps.averaging`."""
    in_parts(share, _inplace_average, arguments)


@inner()
def _inplace_average(average: FloatArray, w: FloatArray, portion: Any, part: int, parts: int) -> None:
    least = np.sqrt(np.finfo(w.dtype).tiny)
    for i in range(*bounds(w.size, part, parts)):
        average[i] = settled(average[i] + portion * (w[i] - average[i]), least)


def _momentum_numbers(options: dict[str, Any], t: int) -> tuple[float, ...]:
    return options["learning_rate"], options["momentum"]


def _rmsprop_numbers(options: dict[str, Any], t: int) -> tuple[float, ...]:
    return options["learning_rate"], options["decay_rate"], 1 - options["decay_rate"], options["epsilon"]


def _adam_numbers(options: dict[str, Any], t: int) -> tuple[float, ...]:
    beta1, beta2, rate = options["beta1"], options["beta2"], options["learning_rate"]
    keep, inverse_root = 1 - rate * options.get("weight_decay", 0.0), (1 - beta2**t) ** -0.5
    return keep, rate / (1 - beta1**t), beta1, 1 - beta1, beta2, 1 - beta2, inverse_root, options["epsilon"]


def _lion_numbers(options: dict[str, Any], t: int) -> tuple[float, ...]:
    beta1, beta2, rate = options["beta1"], options["beta2"], options["learning_rate"]
    return 1 - rate * options["weight_decay"], rate, beta1, 1 - beta1, beta2, 1 - beta2


class RuleKernel(NamedTuple):
    """How the kernels run a rule of `thinnet.optim`."""

    step: Callable[..., None]
    numbers: Callable[[dict[str, Any], int], tuple[float, ...]]  # from the hyperparameters and the step number

    def at(self, dtype: Any) -> int:
        """The address of its step, compiled for a dtype."""
        return _address(self.step, dtype)


@functools.cache
def _address(step: Callable[..., None], dtype: Any) -> int:
    numbers = types.CPointer(from_dtype(dtype))
    return address_of(step, *[numbers] * 4, types.intp, numbers)


# By the names in thinnet.optim.OPTIMIZERS.
RULE_KERNELS: dict[str, RuleKernel] = {
    "sgd": RuleKernel(_sgd, lambda options, t: (options["learning_rate"],)),
    "sgd_momentum": RuleKernel(_sgd_momentum, _momentum_numbers),
    "nesterov": RuleKernel(_nesterov, _momentum_numbers),
    "rmsprop": RuleKernel(_rmsprop, _rmsprop_numbers),
    "adam": RuleKernel(_adam, _adam_numbers),
    "adamw": RuleKernel(_adam, _adam_numbers),
    "lion": RuleKernel(_lion, _lion_numbers),
}
