"""Config: all settings that determine a training run, from a TOML file, the command line, or both."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, NamedTuple

import tomli_w

from thinnet import defaults
from thinnet.arguments import instead_of, knows_arguments
from thinnet.checks import check_choice, check_number, check_path, shown
from thinnet.data.augmentation import FLIPS, PADDING_MODES
from thinnet.data.catalog import CATALOG
from thinnet.data.dataset import STANDARDIZATIONS
from thinnet.data.files import looked_for
from thinnet.distributed.exchange import BATCH_STATISTICS
from thinnet.errors import ArgumentError
from thinnet.layers import ACTIVATIONS, LOSSES
from thinnet.layers.dropout import MASK_KINDS, SCALINGS
from thinnet.masks import fresh_seed
from thinnet.optim import OPTIMIZERS
from thinnet.schedules import SCHEDULES
from thinnet.spec import DTYPES, NORMALIZATIONS, PRECISIONS, checked_dims
from thinnet.typing import AnyPath

NONE = "none"  # TOML has no null
AUTO = "auto"  # whatever suits the data
PRECISION_NAMES = (NONE, *filter(None, PRECISIONS))


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))  # no shell has expanded ~ in a config file


def _option(
    default: Any, help: str, kind: Callable[[str], Any] = str, choices: tuple[str, ...] = (), limit: str | int = ""
) -> Any:
    """A field with metadata for command line and checks; `limit` is a key of LIMITS (its own if empty) or a minimum."""
    return field(default=default, metadata={"help": help, "kind": kind, "choices": choices, "limit": limit})


def _number_or_word(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


@knows_arguments
@dataclass(frozen=True)
class Config:
    """All settings that determine a training run; each field is a key in TOML and an option of ``thinnet train``.

    Raises:
        ArgumentError: if a value is of the wrong kind or outside its limits.

    >>> "dropout = 0.3" in Config(dropout=0.3).to_toml()
    True
    """

    data: str = _option("digits", f"{', '.join(CATALOG)}, or an .npz file with X_train, y_train, X_val, ...")
    root: str = _option("", "the folder with the data; without it, Thinnet looks for the data, or downloads them")
    num_train: int = _option(0, "how many of the training rows to train on; 0 for all", int, limit=0)
    data_seed: int = _option(
        -1, "the seed that draws num_train of the training rows; -1 takes the first ones", int, limit=-1
    )
    standardization: str = _option(
        "feature", "mean centers each feature; feature also scales each; global all alike", choices=STANDARDIZATIONS
    )
    flip: str = _option("none", "mirror training images, left to right", choices=FLIPS)
    translate: int = _option(0, "shift training images by up to this many pixels; 0 for none", int)
    padding_mode: str = _option("zeros", "what fills the gap: zeros, or the mirrored border", choices=PADDING_MODES)
    cutout: int = _option(0, "side of a square in each image that is set to the mean; 0 for none", int)
    image_shape: tuple[int, ...] = _option((), "channels, height and width of an image, if the data do not say", tuple)
    hidden_dims: tuple[int, ...] = _option((100,), "units of each hidden layer", tuple)
    dropout: float = _option(defaults.DROPOUT, "the fraction of hidden units dropped", float)
    dropout_mask: str = _option("element", "a mask for each row, or one for the whole minibatch", choices=MASK_KINDS)
    scaling: str = _option("inverted", "how dropout makes up for the units that are missing", choices=SCALINGS)
    normalization: str = _option(
        NONE, "of each hidden layer, before its activation", choices=(NONE, *(name for name in NORMALIZATIONS if name))
    )
    activation: str = _option(
        defaults.ACTIVATION, "activation function of the hidden layers", choices=tuple(ACTIVATIONS)
    )
    loss: str = _option(AUTO, "the loss; auto is softmax for labels and mse for values", choices=(AUTO, *LOSSES))
    label_smoothing: float = _option(
        defaults.LABEL_SMOOTHING, "the share of each target that is spread over all classes", float
    )
    reg: float = _option(defaults.REG, "strength of the L2 penalty", float)
    weight_scale: str | float = _option(
        defaults.WEIGHT_SCALE,
        "standard deviation of the initial weights; 'he' sets it by the number of inputs",
        _number_or_word,
    )
    dtype: str = _option(defaults.DTYPE, "number type of the weights and the computation", choices=DTYPES)
    precision: str = _option(NONE, "bfloat16 for mixed precision, on a processor that has it", choices=PRECISION_NAMES)
    optimizer: str = _option(defaults.OPTIMIZER, "the rule that changes the weights", choices=tuple(OPTIMIZERS))
    learning_rate: float = _option(defaults.LEARNING_RATE, "the optimizer's step size", float)
    weight_decay: float = _option(0.01, "decoupled weight decay, for the optimizers adamw and lion", float)
    schedule: str = _option(defaults.SCHEDULE, "how the learning rate changes", choices=tuple(SCHEDULES))
    weight_decay_schedule: str = _option("constant", "how the weight decay changes", choices=tuple(SCHEDULES))
    decay: float = _option(0.95, "factor after each epoch, for the schedule epoch_decay", float, limit="factor")
    batch_size: int = _option(defaults.BATCH_SIZE, "rows in a minibatch", int)
    epochs: int = _option(defaults.EPOCHS, "passes over the training rows", int)
    batch_statistics: str = _option(
        "global",
        "with several processes, batch normalization over the whole minibatch or each process's part",
        choices=BATCH_STATISTICS,
    )
    mixup: float = _option(0.0, "mix pairs of rows, with shares from Beta(MIXUP, MIXUP); 0 for none", float)
    ema_decay: float = _option(0.0, "decay of the average of the weights, such as 0.99; 0 for no average", float)
    patience: int = _option(
        0, "stop when validation accuracy has not risen for this many epochs; 0 for never", int, limit=0
    )
    seed: int = _option(-1, "fixes weights, masks and minibatches; -1 draws one", int, limit=-1)

    def __post_init__(self) -> None:
        for known in fields(self):
            object.__setattr__(self, known.name, _checked(known.name, getattr(self, known.name), known.metadata))

    def resolved(self) -> Config:
        """A copy with a seed drawn if it has none, and with absolute paths."""
        return replace(
            self,
            data=_absolute(self.data) if self.is_file else self.data,
            root=_absolute(self.root) if self.root else "",
            seed=self.seed if self.seed >= 0 else fresh_seed() & 0x7FFFFFFF,
        )

    @property
    def is_file(self) -> bool:
        """Whether the data come from a file of arrays rather than a named data set."""
        return self.data.lower().endswith(".npz")

    @property
    def decays(self) -> bool:
        """Whether the optimizer has weight decay."""
        return "weight_decay" in OPTIMIZERS[self.optimizer].defaults

    def to_toml(self, *, explained: bool = False) -> str:
        """One line per field; if `explained`, with a comment on special values, such as 0 for all."""
        lines = tomli_w.dumps({name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()})
        for name in (known.name for known in fields(self) if explained and self.special(known.name)):
            lines = re.sub(rf"^{name} = .*", rf"\g<0>  # {self.special(name)}", lines, flags=re.MULTILINE)
        return lines

    def special(self, name: str) -> str:
        """The meaning of a special value, from the field's help: "all" if num_train is 0; empty for ordinary values."""
        value, about = getattr(self, name), {known.name: known.metadata["help"] for known in fields(self)}[name]
        return about.partition(f"; {value:g} ")[2].removeprefix("for ") if isinstance(value, int | float) else ""

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], where: str = "config") -> Config:
        """A config from a mapping of field names to values.

        Raises:
            ArgumentError: if a name is not a field; the message suggests the nearest one.
        """
        names = [known.name for known in fields(cls)]
        for name, value in values.items():
            if isinstance(value, Mapping):
                raise ArgumentError(
                    f"{where} must have its keys at the top, got a section [{name}]. Remove that line, and keep the "
                    f"keys below it."
                )
            if name not in names:
                raise ArgumentError(
                    f"{where} must have only the keys {', '.join(names)}, got {name!r}. {instead_of(name, names)}"
                )
        return cls(**values)

    @classmethod
    def from_toml(cls, path: AnyPath) -> Config:
        """A config from a TOML file; missing fields take their defaults.

        Raises:
            ArgumentError: if the file is not TOML, or has a key that is not a field, or an invalid value.
            OSError: if it cannot be read.
        """
        return cls.from_mapping(read_toml(path), str(path))


class Use(NamedTuple):
    """What an option needs, so as not to be ignored: the option that decides, in which configs, and how to write it."""

    by: str
    used: Callable[[Config], Any]
    fix: str
    neutral: Any = None  # a value without effect, if it is not the default


_DROPS = Use("dropout", lambda config: config.dropout, "dropout=0.5, for example")
_HAS_HIDDEN = Use("hidden_dims", lambda config: config.hidden_dims, "hidden_dims=(100,), for example")
USES = {
    "root": Use("data", lambda config: config.data != "digits", "data='cifar10' or 'fashion-mnist'"),
    "data_seed": Use("num_train", lambda config: config.num_train, "num_train=100, for example"),
    "padding_mode": Use("translate", lambda config: config.translate, "translate=2, for example"),
    "image_shape": Use(
        "flip",
        lambda config: config.flip != "none" or config.translate or config.cutout,
        "flip='random', translate=2 or cutout=2, for example",
    ),
    **dict.fromkeys(("dropout", "normalization", "activation"), _HAS_HIDDEN),
    **dict.fromkeys(("dropout_mask", "scaling"), _DROPS),
    "batch_statistics": Use(
        "normalization", lambda config: config.normalization == "batchnorm", "normalization='batchnorm'"
    ),
    "weight_decay": Use(
        "optimizer",
        lambda config: config.decays,
        f"optimizer={' or '.join(repr(name) for name, rule in OPTIMIZERS.items() if 'weight_decay' in rule.defaults)}",
        0,
    ),
    "weight_decay_schedule": Use("weight_decay", lambda config: config.weight_decay, "weight_decay=0.01, for example"),
    "decay": Use(
        "schedule",
        lambda config: "epoch_decay" in (config.schedule, config.weight_decay_schedule),
        "schedule='epoch_decay'",
        1,
    ),
}


def check_used(configs: Sequence[Config], named: Collection[str] = (), among: Collection[str] = tuple(USES)) -> None:
    """Check that no option is given that all of these configs ignore: a sweep may vary what decides.

    Args:
        configs: of one run, or of those of a sweep.
        named: fields that were given, so that they are checked even if they are the defaults.
        among: fields to check.

    Raises:
        ArgumentError: if one would be ignored.
    """
    for name in filter(set(among).__contains__, USES):
        use, default = USES[name], getattr(Config, name)
        without_effect = {default if use.neutral is None else use.neutral, *(() if name in named else (default,))}
        config = next((each for each in configs if getattr(each, name) not in without_effect), None)
        if config is not None and not any(map(use.used, configs)):
            raise ArgumentError(
                f"{name} must be left out with {use.by}={getattr(config, use.by)!r}, which ignores it, got "
                f"{getattr(config, name)!r}. It needs {use.fix}."
            )


def check_config(config: Any) -> Config:
    """The config, after checking its type."""
    if not isinstance(config, Config):
        raise ArgumentError(f"config must be a Config, got {shown(config)}. Write Config(epochs=5), for example.")
    return config


def read_toml(path: AnyPath) -> dict[str, Any]:
    """The contents of a TOML file.

    Raises:
        ArgumentError: if it is not TOML, or does not exist.
    """
    path = check_path("path", path)
    if path.is_dir():
        raise ArgumentError(f"{path} must be a TOML file, got a folder. Name the config.toml of a run.")
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        raise ArgumentError(f"{path} must be a TOML file, got no such file. {looked_for(path)}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ArgumentError(
            f"{path} must be a TOML file in UTF-8, got another encoding in line {line}. Save it as UTF-8."
        ) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ArgumentError(
            f"{path} must be a TOML file, got one that cannot be read: {error}. Fix that line."
        ) from None


def _checked(name: str, value: Any, about: Mapping[str, Any]) -> Any:
    if about["choices"]:
        return check_choice(name, value, about["choices"])
    if about["kind"] is _number_or_word:
        return value if value == "he" else check_number(name, value)
    if about["kind"] is tuple:
        return checked_dims(value, name)
    if about["kind"] is str:
        if not isinstance(value, str):
            raise ArgumentError(f"{name} must be a string, got {value!r}. Put it in quotation marks.")
        if not value.isascii() and value != value.encode(errors="replace").decode():
            raise ArgumentError(f"{name} must be a name in UTF-8, got {value!r}. Rename the file or the folder.")
        return value
    lowest = about["limit"]
    if isinstance(lowest, str):
        return check_number(name, value, lowest or name)
    if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
        raise ArgumentError(f"{name} must be an integer >= {lowest}, got {value!r}. {about['help'].capitalize()}.")
    return value
