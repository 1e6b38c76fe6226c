"""Spec: what a fully connected net is, apart from its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np

from thinnet import defaults
from thinnet.checks import LIMITS, check_choice, check_keys, check_names, check_number, shown
from thinnet.errors import ArgumentError
from thinnet.layers import ACTIVATIONS, LOSSES
from thinnet.layers.dropout import MASK_KINDS, SCALINGS, MaskKind, Scaling
from thinnet.masks import fresh_seed
from thinnet.parameters import Order

Normalization: TypeAlias = Literal["batchnorm", "layernorm"]
NORMALIZATIONS = (None, "batchnorm", "layernorm")
DTYPES = ("float32", "float64")
Precision: TypeAlias = Literal["bfloat16"]
PRECISIONS: tuple[Precision | None, ...] = (None, "bfloat16")

Shapes: TypeAlias = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Spec:
    """Dimensions, layers, loss and seed of a net; the arguments are those of `thinnet.FullyConnectedNet`.

    Raises:
        ArgumentError: if an argument is outside its limits.

    >>> spec = Spec([20], input_dim=4, num_classes=3, normalization="layernorm", seed=0)
    >>> spec.shapes()["gamma1"]
    (20,)
    """

    hidden_dims: Sequence[int]
    input_dim: int
    num_classes: int
    dropout: float = defaults.DROPOUT
    dropout_mask: MaskKind = "element"
    scaling: Scaling = "inverted"
    normalization: Normalization | None = None
    activation: str = defaults.ACTIVATION
    loss: str = defaults.LOSS
    label_smoothing: float = defaults.LABEL_SMOOTHING
    reg: float = defaults.REG
    weight_scale: float | Literal["he"] = defaults.WEIGHT_SCALE
    dtype: Any = defaults.DTYPE
    precision: Precision | None = None
    class_names: Sequence[str] = ()
    seed: int = None  # type: ignore[assignment]  # if None, one is drawn and stored, so that the net can be rebuilt

    def __post_init__(self) -> None:
        checked = {
            "hidden_dims": checked_dims(self.hidden_dims),
            "normalization": check_choice("normalization", self.normalization, NORMALIZATIONS),
            "activation": check_choice("activation", self.activation, tuple(ACTIVATIONS)),
            "loss": check_choice("loss", self.loss, tuple(LOSSES)),
            "scaling": check_choice("scaling", self.scaling, SCALINGS),
            "dropout_mask": check_choice("dropout_mask", self.dropout_mask, MASK_KINDS),
            "dtype": _dtype(self.dtype),
            "precision": check_choice("precision", self.precision, PRECISIONS),
            "seed": check_number("seed", fresh_seed() if self.seed is None else self.seed),
        }
        he = isinstance(self.weight_scale, str) and self.weight_scale == "he"
        for name in ("input_dim", "num_classes", "dropout", "label_smoothing", "reg", "weight_scale"):
            if not (he and name == "weight_scale"):
                checked[name] = check_number(name, getattr(self, name))
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        names = check_names(self.class_names, self.num_classes, ArgumentError)
        object.__setattr__(self, "class_names", names)
        if names and LOSSES[self.loss].targets != "labels":
            raise ArgumentError(
                f"class_names must be left out with loss={self.loss!r}, got {len(names)} names. Use loss='softmax' for "
                f"classes."
            )
        if self.label_smoothing > 0 and not LOSSES[self.loss].smooths:
            smoothing = " or ".join(repr(name) for name, loss in LOSSES.items() if loss.smooths)
            raise ArgumentError(
                f"label_smoothing must be 0 with loss={self.loss!r}, got {self.label_smoothing}. Leave it out, or use "
                f"loss={smoothing}."
            )
        if self.precision is not None and self.dtype != np.float32:
            raise ArgumentError(
                f"precision must be None with dtype={self.dtype.name}, got {self.precision!r}. Leave it out, or use "
                f"dtype='float32': then weights and sums are float32, and only what is multiplied is bfloat16."
            )
        if self.dropout_mask == "batch" and self.normalization == "layernorm":
            raise ArgumentError(
                "dropout_mask must be 'element' with layer normalization, got 'batch'. Each unit then depends on all "
                "others of its layer, so none can be left out. Use normalization='batchnorm' or None."
            )

    @property
    def num_layers(self) -> int:
        """The number of affine layers: one more than there are hidden layers."""
        return len(self.hidden_dims) + 1

    @property
    def dims(self) -> tuple[int, ...]:
        """The number of units at each level: inputs, hidden layers, scores."""
        return (self.input_dim, *self.hidden_dims, self.num_classes)

    @property
    def thins(self) -> bool:
        """Whether a training step computes only some of the units."""
        return self.dropout_mask == "batch" and self.dropout > 0 and bool(self.hidden_dims)

    @property
    def order(self) -> Order:
        """The memory layout of matrices: each unit's weights are contiguous if single units are gathered from them."""
        return "F" if self.dropout_mask == "batch" else "C"

    @property
    def loss_options(self) -> dict[str, float]:
        """The arguments of the loss in training, besides scores, targets and weights."""
        return {"label_smoothing": self.label_smoothing} if LOSSES[self.loss].smooths else {}

    def shapes(self) -> Shapes:
        """The shape of each parameter: W1, b1, (gamma1, beta1), W2, ..."""
        shapes: Shapes = {}
        for i, (fan_in, fan_out) in enumerate(pairwise(self.dims), start=1):
            shapes |= {f"W{i}": (fan_in, fan_out), f"b{i}": (fan_out,)}
            if self.normalization and i < self.num_layers:
                shapes |= {f"gamma{i}": (fan_out,), f"beta{i}": (fan_out,)}
        return shapes

    def running_shapes(self) -> Shapes:
        """The shape of each of batch normalization's running statistics."""
        if self.normalization != "batchnorm":
            return {}
        numbered = enumerate(self.hidden_dims, start=1)
        return {f"running_{kind}{i}": (dim,) for i, dim in numbered for kind in ("mean", "var")}

    def check_outputs(self) -> None:
        """Raise ArgumentError if classes have only one score, whose probability would always be 1."""
        if self.num_classes == 1 and LOSSES[self.loss].targets == "labels":
            raise ArgumentError(
                f"num_classes must be an integer >= 2 with loss={self.loss!r}, got 1, which leaves nothing to "
                f"learn. Use num_classes=2 for two classes, or loss='logistic' for yes or no, 'mse' for values."
            )

    def replace(self, **changes: Any) -> Spec:
        """A copy with some fields changed; an unknown name raises an error with the nearest known one."""
        check_keys("changes", changes, FIELDS)
        return replace(self, **changes)

    def of_dtype(self, dtype: Any) -> Spec:
        """A copy with another dtype; float64 turns mixed precision off."""
        return self.replace(dtype=dtype, precision=self.precision if _dtype(dtype) == np.float32 else None)

    def config(self) -> dict[str, Any]:
        """The fields as JSON values."""
        lists = {name: list(getattr(self, name)) for name in ("hidden_dims", "class_names")}
        return {**asdict(self), **lists, "dtype": self.dtype.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Spec:
        """The spec from what `config` returned; missing fields take their defaults."""
        if not isinstance(config, Mapping):
            raise ArgumentError(f"config must be a mapping, got {shown(config)}. Give that of a net: net.config().")
        check_keys("config", config, FIELDS)
        missing = [name for name in ("hidden_dims", "input_dim", "num_classes") if name not in config]
        if missing:
            raise ArgumentError(
                f"config must have hidden_dims, input_dim and num_classes, got no {' and no '.join(missing)}. Add it."
            )
        return cls(**config)


FIELDS = tuple(field.name for field in fields(Spec))


def checked_dims(dims: Any, name: str = "hidden_dims") -> tuple[int, ...]:
    """The dims as a tuple of integers within the limit for `name`."""
    if not np.iterable(dims) or isinstance(dims, str):
        fix = "Write [100] for one hidden layer." if name.startswith("hidden") else LIMITS[name].fix
        raise ArgumentError(f"{name} must be a sequence of integers, got {dims!r}. {fix}")
    return tuple(check_number(f"{name}[{i}]", dim, name) for i, dim in enumerate(dims))


def _dtype(dtype: Any) -> np.dtype[Any]:
    try:
        name = "None" if dtype is None else np.dtype(dtype).name
    except TypeError:
        name = str(dtype)
    return np.dtype(check_choice("dtype", name, DTYPES))
