r"""Optimizers: pure functions ``(w, dw, config) -> (next_w, config)``, and one pass of an optimizer over a flat buffer.

`config` holds the hyperparameters and, from the second call on, the state; missing hyperparameters take the defaults
in `OPTIMIZERS`.  `w`, `dw` and the given `config` are not changed.  Numbers too small to matter become zero, with the
same limits in every optimizer; see `thinnet.subnormal`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from thinnet import kernels
from thinnet.arguments import known_arguments
from thinnet.checks import check_arrays, check_choice, check_number, check_takes, listed, merge_options
from thinnet.errors import ArgumentError
from thinnet.parameters import Late, Parameters, is_own
from thinnet.subnormal import scaled_square, settled, settled_average
from thinnet.teams import ONE_THREAD, Team
from thinnet.thinning import Thinning
from thinnet.typing import FloatArray

if TYPE_CHECKING:
    from thinnet.kernels.optimizers import RuleKernel

Config: TypeAlias = dict[str, Any]
Rule: TypeAlias = Callable[[FloatArray, FloatArray, Config | None], tuple[FloatArray, Config]]

CHUNK = 1 << 15  # elements updated at a time: few enough that the temporaries stay in the cache


@known_arguments
def sgd(w: FloatArray, dw: FloatArray, config: Config | None = None) -> tuple[FloatArray, Config]:
    r"""Stochastic gradient descent: w ← w − η · dw.

    Args:
        w, dw: weights and gradient, any shape, one float dtype.
        config: ``learning_rate`` η (0.01).

    Returns:
        The new weights and the config.

    Raises:
        ArgumentError: if the shapes differ, or a hyperparameter is unknown or outside its limits.

    >>> sgd(np.array([1.0]), np.array([2.0]), {"learning_rate": 0.25})[0]
    array([0.5])
    """
    config = _begin("sgd", w, dw, config)
    return settled(w - _scalar(w, config["learning_rate"]) * dw), config


@known_arguments
def sgd_momentum(w: FloatArray, dw: FloatArray, config: Config | None = None) -> tuple[FloatArray, Config]:
    r"""Heavy-ball momentum: v ← μ·v − η·dw, w ← w + v.

    Args, returns and raises as `sgd`; config: ``learning_rate`` η (0.01), ``momentum`` μ (0.9); state ``velocity``.

    Source: Polyak, "Some methods of speeding up the convergence of iteration methods" (1964).

    >>> sgd_momentum(np.array([1.0]), np.array([2.0]), {"velocity": np.array([1.0]), "momentum": 0.5})[0]
    array([1.48])
    """
    config = _begin("sgd_momentum", w, dw, config)
    velocity = _velocity(w, dw, config)
    return settled(w + velocity), {**config, "velocity": velocity}


@known_arguments
def nesterov(w: FloatArray, dw: FloatArray, config: Config | None = None) -> tuple[FloatArray, Config]:
    r"""Nesterov's momentum, with the gradient taken at w: v' ← μ·v − η·dw, w ← w + v' + μ·(v' − v).

    Args, returns and raises as `sgd`; config: ``learning_rate`` η (0.01), ``momentum`` μ (0.9); state ``velocity``.

    Source: Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum", ICML 2013.

    >>> nesterov(np.array([1.0]), np.array([2.0]), {"velocity": np.array([1.0]), "momentum": 0.5})[0]
    array([1.22])
    """
    config = _begin("nesterov", w, dw, config)
    velocity = _velocity(w, dw, config)
    ahead = _scalar(w, config["momentum"]) * (velocity - config["velocity"])
    return settled(w + velocity + ahead), {**config, "velocity": velocity}


def _velocity(w: FloatArray, dw: FloatArray, config: Config) -> FloatArray:
    kept = _scalar(w, config["momentum"]) * config["velocity"]
    return settled_average(kept - _scalar(w, config["learning_rate"]) * dw)


@known_arguments
def rmsprop(w: FloatArray, dw: FloatArray, config: Config | None = None) -> tuple[FloatArray, Config]:
    r"""RMSProp: a ← ρ·a + (1 − ρ)·dw², w ← w − η · dw / (√a + ε).

    Args, returns and raises as `sgd`; config: ``learning_rate`` η (0.01), ``decay_rate`` ρ (0.99), ``epsilon`` ε
    (1e-8); state ``cache`` a.

    Source: Tieleman and Hinton, "Lecture 6.5: RMSProp", Coursera (2012).

    >>> rmsprop(np.array([1.0]), np.array([2.0]))[0].round(6)
    array([0.9])
    """
    config = _begin("rmsprop", w, dw, config)
    rho = config["decay_rate"]
    cache = settled_average(_scalar(w, rho) * config["cache"] + scaled_square(_scalar(w, 1 - rho), dw))
    step = _scalar(w, config["learning_rate"]) * dw / (np.sqrt(cache) + _scalar(w, config["epsilon"]))
    return settled(w - step), {**config, "cache": cache}


@known_arguments
def adam(w: FloatArray, dw: FloatArray, config: Config | None = None) -> tuple[FloatArray, Config]:
    r"""Adam, with bias correction.

        m ← β₁·m + (1 − β₁)·dw        v ← β₂·v + (1 − β₂)·dw²        t ← t + 1
        w ← w − η · m̂ / (√v̂ + ε)      m̂ = m / (1 − β₁ᵗ)              v̂ = v / (1 − β₂ᵗ)

    Args, returns and raises as `sgd`; config: ``learning_rate`` η (0.001), ``beta1`` (0.9), ``beta2`` (0.999),
    ``epsilon`` ε (1e-8); state ``m``, ``v``, ``t``.

    Source: Kingma and Ba, "Adam", arXiv 1412.6980 (2014).

    >>> adam(np.array([1.0]), np.array([2.0]))[0].round(6)
    array([0.999])
    """
    return _adam(w, dw, _begin("adam", w, dw, config))


@known_arguments
def adamw(w: FloatArray, dw: FloatArray, config: Config | None = None) -> tuple[FloatArray, Config]:
    r"""Adam with decoupled weight decay: w ← (1 − η·λ)·w, then Adam's step.

    Args, returns and raises as `sgd`; config as `adam`, and ``weight_decay`` λ (0.01).  As in PyTorch, every
    parameter is decayed, biases too.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", arXiv 1711.05101 (2017).

    >>> adamw(np.array([1.0]), np.array([2.0]), {"learning_rate": 0.1})[0].round(6)
    array([0.899])
    """
    config = _begin("adamw", w, dw, config)
    decay = _scalar(w, 1 - config["learning_rate"] * config["weight_decay"])
    return _adam(decay * w, dw, config)


def _adam(w: FloatArray, dw: FloatArray, config: Config) -> tuple[FloatArray, Config]:
    beta1, beta2, t = config["beta1"], config["beta2"], config["t"] + 1
    m = settled_average(_scalar(w, beta1) * config["m"] + _scalar(w, 1 - beta1) * dw)
    v = settled_average(_scalar(w, beta2) * config["v"] + scaled_square(_scalar(w, 1 - beta2), dw))
    root = np.sqrt(v / _scalar(w, 1 - beta2**t)) + _scalar(w, config["epsilon"])
    step = _scalar(w, config["learning_rate"] / (1 - beta1**t)) * m / root
    return settled(w - step), {**config, "m": m, "v": v, "t": t}


@known_arguments
def lion(w: FloatArray, dw: FloatArray, config: Config | None = None) -> tuple[FloatArray, Config]:
    r"""Lion: steps of equal size along the sign of a momentum term, with decoupled weight decay.

        w ← (1 − η·λ)·w − η · sign(β₁·m + (1 − β₁)·dw)        m ← β₂·m + (1 − β₂)·dw

    Args, returns and raises as `sgd`; config: ``learning_rate`` η (1e-4; a tenth to a third of Adam's works well),
    ``beta1`` (0.9), ``beta2`` (0.99), ``weight_decay`` λ (0; three to ten times AdamW's works well); state ``m``.

    Source: Chen et al., "Symbolic discovery of optimization algorithms", arXiv 2302.06675 (2023), algorithm 2.

    >>> lion(np.array([1.0, 1.0]), np.array([2.0, -0.1]), {"learning_rate": 0.25})[0]
    array([0.75, 1.25])
    """
    config = _begin("lion", w, dw, config)
    beta1, beta2, rate = config["beta1"], config["beta2"], config["learning_rate"]
    ahead = _scalar(w, beta1) * config["m"] + _scalar(w, 1 - beta1) * dw
    m = settled_average(_scalar(w, beta2) * config["m"] + _scalar(w, 1 - beta2) * dw)
    step = _scalar(w, rate) * np.sign(ahead)
    return settled(_scalar(w, 1 - rate * config["weight_decay"]) * w - step), {**config, "m": m}


@dataclass(frozen=True)
class Optimizer:
    """An update rule, its default hyperparameters, and the names of its state: arrays like w, and the step count t."""

    rule: Rule
    defaults: Config
    state: tuple[str, ...] = ()


_ADAM = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}

OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Optimizer(sgd, {"learning_rate": 1e-2}),
    "sgd_momentum": Optimizer(sgd_momentum, {"learning_rate": 1e-2, "momentum": 0.9}, ("velocity",)),
    "nesterov": Optimizer(nesterov, {"learning_rate": 1e-2, "momentum": 0.9}, ("velocity",)),
    "rmsprop": Optimizer(rmsprop, {"learning_rate": 1e-2, "decay_rate": 0.99, "epsilon": 1e-8}, ("cache",)),
    "adam": Optimizer(adam, _ADAM, ("m", "v", "t")),
    "adamw": Optimizer(adamw, {**_ADAM, "weight_decay": 0.01}, ("m", "v", "t")),
    "lion": Optimizer(lion, {"learning_rate": 1e-4, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.0}, ("m",)),
}


class FlatOptimizer:
    """An optimizer that updates a net's flat buffer in place.

    Args:
        name: a key of `OPTIMIZERS`.
        options: hyperparameters; missing ones take the defaults.
        like: the flat buffer to update; the state takes its shape and dtype.

    Attributes:
        options: the current hyperparameters.
        state: arrays like the buffer, and the step count ``t``.

    >>> w = np.array([1.0, 2.0])
    >>> FlatOptimizer("sgd", {"learning_rate": 0.5}, like=w).inplace_update(w, np.array([1.0, 0.0]))
    >>> w
    array([0.5, 2. ])
    """

    def __init__(self, name: str, options: Config | None, like: FloatArray) -> None:
        self.name = check_choice("optimizer", name, tuple(OPTIMIZERS))
        self.options = merge_options("optimizer_options", OPTIMIZERS[name].defaults, options, _of_others(name))
        self.state = _fresh_state(name, like)
        self._size, self._dtype = like.size, like.dtype

    def inplace_update(
        self,
        w: FloatArray,
        dw: FloatArray | Parameters,
        changes: Mapping[str, float] | None = None,
        thinning: Thinning | None = None,
        *,
        team: Team = ONE_THREAD,
        late: Late | None = None,
    ) -> None:
        """Change `w` in place by one step along `dw`.

        Args:
            w: the whole flat buffer.
            dw: its gradient, flat or as arrays; with a `thinning`, only that of the kept part.
            changes: hyperparameters that override the configured ones for this step.
            thinning: the part of the buffer that is updated. All other weights, and their moments, do not change: a
                weight's moments are averages over the steps in which it was kept.
            team: the threads that may share the work, if kernels do it.
            late: computes the matrices' gradients that `dw` lacks; only if `takes_pieces`, and not with a thinning.

        Raises:
            ArgumentError: if `w` or `dw` is not flat and contiguous, or has the wrong size or dtype.
        """
        self._check("w", w)
        flat = dw.flat if isinstance(dw, Parameters) else dw
        self._check("dw", flat, None if thinning is None else thinning.size())
        options = {**self.options, **(changes or {})}
        kernel = self._kernel()
        if kernel is not None:
            numbers = np.array(kernel.numbers(options, self.state.get("t", 0) + 1), self._dtype)
            none = np.empty(0, self._dtype)
            buffers = [w, *[*self._arrays().values(), none, none][:2]]  # a rule with less state gets empty arrays
            if thinning is None:
                _compiled().update_whole(kernel.at(self._dtype), buffers, dw, numbers, team, late)
            else:
                _compiled().update_kept(kernel.at(self._dtype), buffers, flat, numbers, team, thinning)
        elif thinning is not None:
            self._apply(w, flat, self._arrays(), options, thinning.positions())
        else:
            arrays = self._arrays()
            for start in range(0, w.size, CHUNK):
                chunk = slice(start, start + CHUNK)
                self._apply(w, flat[chunk], arrays, options, chunk)
        if "t" in self.state:
            self.state["t"] += 1

    @property
    def takes_pieces(self) -> bool:
        """Whether gradients may come late, in pieces: only if a kernel does the update."""
        return self._kernel() is not None

    def scheduled(self, factors: Mapping[str, float]) -> dict[str, float]:
        """The hyperparameters in `factors`, multiplied by their factors: the `changes` of a step."""
        return {name: self.options[name] * factor for name, factor in factors.items()}

    def _arrays(self) -> dict[str, FloatArray]:
        """The state's arrays, to be changed in place; read-only arrays and views of files are copied first."""
        arrays = {key: value for key, value in self.state.items() if key != "t"}
        for key, array in arrays.items():
            if not is_own(array):
                arrays[key] = self.state[key] = np.array(array)
        return arrays

    def _check(self, name: str, array: FloatArray, size: int | None = None) -> None:
        """Check the array: with any other, the kernels would read and write out of bounds."""
        shape = (self._size if size is None else size,)
        if not (array.shape == shape and array.dtype == self._dtype and array.flags.c_contiguous):
            raise ArgumentError(
                f"{name} must be a contiguous array of shape {shape} and dtype {self._dtype}, "
                f"got {array.dtype} of shape {array.shape}. Pass the buffer that the optimizer was made for."
            )

    def _kernel(self) -> RuleKernel | None:
        """The rule's kernel, if there is one and Numba is installed."""
        return _compiled().RULE_KERNELS.get(self.name) if kernels.available() else None

    def _apply(self, w: FloatArray, dw: FloatArray, arrays: dict[str, FloatArray], options: Config, index: Any) -> None:
        """Apply the rule to the elements at `index`; `dw` is their gradient."""
        pieces = {key: array[index] for key, array in arrays.items()}
        count = {"t": self.state["t"]} if "t" in self.state else {}
        w[index], new = OPTIMIZERS[self.name].rule(w[index], dw, {**options, **pieces, **count})
        for key, array in arrays.items():
            array[index] = new[key]


@functools.cache  # an import statement would take longer than a small step's update
def _compiled() -> Any:
    """The module that runs the rules' kernels; it needs Numba."""
    from thinnet import flat_updates

    return flat_updates


def optimizer_options_of(optimizer: str | Rule, learning_rate: float | None, options: Config | None) -> Config:
    """The checked hyperparameters of an optimizer, including its learning rate if one is given or has a default.

    Raises:
        ArgumentError: if the optimizer is not a name or a function, or an option is unknown or outside its limits.
    """
    if not isinstance(optimizer, str) and (isinstance(optimizer, type) or not callable(optimizer)):
        raise ArgumentError(
            f"optimizer must be a name ({', '.join(OPTIMIZERS)}) or a function (w, dw, config) -> (w, config), got "
            f"{optimizer!r}. Use 'adam', for example."
        )
    if not isinstance(optimizer, str):
        check_takes("optimizer", optimizer, "optimizer(w, dw, config)", None, None, {})
    if not isinstance(options, Mapping | None):
        raise ArgumentError(
            f"optimizer_options must be a mapping, got {options!r}. Write {{'weight_decay': 0.01}}, for example."
        )
    options = {} if options is None else options
    if "learning_rate" in options:
        raise ArgumentError(
            f"optimizer_options must not have 'learning_rate', got {options['learning_rate']!r}. It is a "
            f"separate argument: learning_rate={options['learning_rate']!r}."
        )
    given = {} if learning_rate is None else {"learning_rate": check_number("learning_rate", learning_rate)}
    if isinstance(optimizer, str):
        defaults = dict(OPTIMIZERS[check_choice("optimizer", optimizer, tuple(OPTIMIZERS))].defaults)
        rate = {"learning_rate": defaults.pop("learning_rate"), **given}
        return {**merge_options("optimizer_options", defaults, options, _of_others(optimizer)), **rate}
    return {**options, **given}


@functools.cache  # rules ask for it in each step
def _of_others(name: str) -> dict[str, str]:
    """What to say of each option that the optimizer `name` lacks, while others have it."""
    takers: dict[str, list[str]] = {}
    for other, optimizer in OPTIMIZERS.items():
        for key in optimizer.defaults.keys() - OPTIMIZERS[name].defaults:
            takers.setdefault(key, []).append(other)
    return {
        key: f"{name} takes no {key}; {listed(names)} {'do' if names[1:] else 'does'}." for key, names in takers.items()
    }


def _begin(name: str, w: FloatArray, dw: FloatArray, config: Config | None) -> Config:
    """The full config: defaults, the given values, and a new state if there is none yet."""
    optimizer = OPTIMIZERS[name]
    letters = " ".join("ABCDEFGH"[: getattr(w, "ndim", 0)])
    check_arrays(name, w=(w, letters), dw=(dw, letters))
    config = {} if config is None else config
    if not isinstance(config, Mapping):
        return merge_options("config", optimizer.defaults, config)  # raises the error
    state = {key: config[key] for key in optimizer.state if key in config}
    _check_state(name, w, state)
    given = {key: value for key, value in config.items() if key not in state}
    fresh = {} if len(state) == len(optimizer.state) else _fresh_state(name, w)
    return {**merge_options("config", optimizer.defaults, given, _of_others(name)), **fresh, **state}


def _check_state(name: str, w: FloatArray, state: Config) -> None:
    for key, value in state.items():
        is_array, is_number = isinstance(value, np.ndarray), isinstance(value, Real)
        if is_number and (key != "t" or float(value) >= 0):
            continue
        if is_array and key != "t" and value.shape == w.shape:
            continue
        expected = "a number >= 0" if key == "t" else f"an array of shape {w.shape}, like w"
        came = f"an array of shape {value.shape}" if is_array else repr(value)
        raise ArgumentError(
            f"{name}: config[{key!r}] must be {expected}, got {came}. It comes from the step before: give each array "
            f"of weights its own config."
        )


def _fresh_state(name: str, like: FloatArray) -> Config:
    return {key: 0 if key == "t" else np.zeros_like(like) for key in OPTIMIZERS[name].state}


def _scalar(like: FloatArray, value: float) -> Any:
    return like.dtype.type(value)
