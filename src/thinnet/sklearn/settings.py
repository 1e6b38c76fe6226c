"""What "auto" stands for: a rule based on the numbers of rows and columns, not a search.

The net sees a small table 50 times (100 times in regression), and a large one until it has seen 200,000 rows in total.
From 3,000 rows on, the rule is less careful: less dropout, and larger minibatches at a higher rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from thinnet.schedules import Cosine, OneCycle
from thinnet.sklearn.parameters import check_lbfgs, hidden_dims, is_auto
from thinnet.spec import Normalization

LARGE = 3000  # rows; from here on, noise is a smaller risk than too small a net
FEWEST_CALIBRATED = 100  # rows; a fifth of them is enough to find a temperature
BATCHES = {20_000: 1024, LARGE: 128, 0: 64}  # from this many rows on, about this many in a minibatch
ROWS_SEEN = 200_000  # in all passes together
FEWEST_PASSES, MOST_PASSES, FAST_PASSES = 12, 100, 50
ROWS_A_BIN, MOST_BINS = 50, 16
MOST_COLUMNS = 512  # of bins, all columns of numbers together
DECAY, FEWEST = 1000.0, 100  # the penalty's strength times the number of rows; fewer rows count as FEWEST
DECAY_OF_BATCH = 16.0  # the same from LARGE on, for each row of a minibatch
NORMALIZATION: Normalization = "layernorm"
SCHEDULE, WEIGHT_DECAY = "cosine", 1.0
LEARNING_RATE, FAST_RATE, FASTEST_RATE, LARGE_BATCH = 5e-3, 1e-2, 2e-2, 512
DROPOUT, SMALL_DROPOUT = 0.25, 0.4
SIZES = (100,)
MANY_CLASSES, MANY_CLASSES_SIZES, LARGE_SIZES = 10, (256,), (256, 256)
NARROW = 16  # units; a layer with fewer has none to spare for dropout, and too few for layer normalization
PLAIN: dict[str, Any] = {  # scikit-learn's net, which is what L-BFGS is for
    "hidden_layer_sizes": (100,),
    "dropout": 0.0,
    "normalization": None,
    "label_smoothing": 0.0,
    "alpha": 1e-4,
    "weight_decay": 0.0,
    "max_iter": 200,
    "numeric_bins": None,
    "learning_rate": "constant",
}


class Shape(NamedTuple):
    """What the rule looks at."""

    num_rows: int
    num_columns: int
    num_classes: int  # if each row has one; 0 for regression, and for several labels per row
    whole: bool = True  # whether these are all rows, or the first of many


@dataclass(frozen=True)
class Settings:
    """The parameters that may be ``"auto"``, each as it was given or as the rule sets it."""

    hidden_layer_sizes: tuple[int, ...]
    dropout: float
    normalization: Normalization | None
    label_smoothing: float
    alpha: float
    weight_decay: float
    batch_size: int
    learning_rate: Any
    learning_rate_init: float
    max_iter: int
    numeric_bins: int | None


OF_THE_NET = ("hidden_layer_sizes", "normalization", "numeric_bins")  # cannot change when training continues
OF_THE_ROWS = ("batch_size", "max_iter")  # each call of training sets these for its own rows
NAMES = tuple(field.name for field in fields(Settings))


def resolve(params: Mapping[str, Any], shape: Shape, before: Settings | None = None) -> Settings:
    """The settings for a table of this shape; when training continues, the rule keeps them as they were `before`."""
    given = {name: params[name] for name in NAMES if not is_auto(params[name])}
    if "hidden_layer_sizes" in given:
        given["hidden_layer_sizes"] = hidden_dims(given["hidden_layer_sizes"])
    plain = PLAIN if params["solver"] == "lbfgs" else {}
    if before is not None:
        kept = {name: getattr(before, name) for name in NAMES if name not in OF_THE_ROWS}
        given = {**kept, **{name: plain[name] for name in plain if name not in OF_THE_NET}, **given}
    given = {**plain, **given}
    large = shape.num_rows >= LARGE
    many = LARGE_SIZES if large else MANY_CLASSES_SIZES
    sizes = given.setdefault("hidden_layer_sizes", many if shape.num_classes >= MANY_CLASSES else SIZES)
    narrow = min(sizes, default=0) < NARROW
    usual = "batchnorm" if params["dropout_mask"] == "batch" else NORMALIZATION
    given.setdefault("normalization", None if narrow else usual)
    learning_rate = given.setdefault("learning_rate", "constant" if params["solver"] == "sgd" else SCHEDULE)
    ends = _ends(learning_rate) and shape.whole
    batch_size = given.setdefault("batch_size", auto_batch_size(shape.num_rows, grows=ends))
    fast_rate = FASTEST_RATE if batch_size >= LARGE_BATCH else FAST_RATE
    decay = (DECAY_OF_BATCH * batch_size if large else DECAY) / max(shape.num_rows, FEWEST)
    automatic = {
        "dropout": 0.0 if narrow else DROPOUT if large or not shape.whole else SMALL_DROPOUT,
        "label_smoothing": 0.0,
        "alpha": decay if shape.whole else 0.0,
        "weight_decay": WEIGHT_DECAY if ends and large else 0.0,
        "learning_rate_init": fast_rate if ends and (large or shape.num_classes) else LEARNING_RATE,
        "max_iter": auto_max_iter(shape.num_rows, fast=bool(ends and shape.num_classes)),
        "numeric_bins": _bins(shape),
    }
    settings = Settings(**{**automatic, **given})
    if params["solver"] == "lbfgs":
        check_lbfgs({**params, **vars(settings)})
    return settings


def _ends(learning_rate: Any) -> bool:
    """Whether the rate, and with it the decay, goes to zero."""
    return learning_rate in ("cosine", "one_cycle") or isinstance(learning_rate, Cosine | OneCycle)


def _bins(shape: Shape) -> int | None:
    bins = min(shape.num_rows // ROWS_A_BIN, MOST_BINS, MOST_COLUMNS // shape.num_columns)
    return bins if bins >= 2 else None


def auto_batch_size(num_rows: int, *, grows: bool) -> int:
    """About 64 or, if it `grows`, 128 from 3,000 rows on and 1,024 from 20,000, adjusted to split the rows evenly."""
    about = next(size for fewest, size in BATCHES.items() if num_rows * grows >= fewest)
    return -(-num_rows // max(1, round(num_rows / about)))


def auto_max_iter(num_rows: int, *, fast: bool) -> int:
    """The number of passes for 200,000 rows in total: at least 12, and at most 100, or 50 if training is `fast`."""
    return min(max(ROWS_SEEN // num_rows, FEWEST_PASSES), FAST_PASSES if fast else MOST_PASSES)
