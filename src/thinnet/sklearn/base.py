"""What the classifier and the regressor share: from the data to a trained net, and from there to predictions."""

import copy
import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from sklearn.base import BaseEstimator, is_regressor
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from thinnet import defaults
from thinnet.arguments import Known
from thinnet.arrays import warn_of_order
from thinnet.checks import check_number
from thinnet.data.batches import BatchOrder
from thinnet.errors import ArgumentError, NumericalError
from thinnet.layers.batchnorm import check_batch
from thinnet.nets import FullyConnectedNet
from thinnet.optim import FlatOptimizer
from thinnet.schedules import Schedule
from thinnet.sklearn import holding_out, inputs, lbfgs, members, parameters, settings, training, trials
from thinnet.sklearn.learned import Learned
from thinnet.sklearn.sample import MOST_MERGED, Sample
from thinnet.sklearn.settings import Settings, Shape
from thinnet.sklearn.training_rows import TrainingRows
from thinnet.spec import Spec
from thinnet.state import State
from thinnet.training.compilation import told_of_compilation
from thinnet.typing import AnyArray, FloatArray

NOT_IN_PARTS = (
    ("ema_decay", 0, "averages over a whole training"),
    *((name, False, "holds rows out") for name in ("early_stopping", "tune", "calibrate")),
)
MC_SAMPLES = 50  # draws if a spread is requested without a number

Auto: TypeAlias = Literal["auto"]


def takes_parts(estimator: Any) -> bool:
    """Whether an estimator has `partial_fit`: L-BFGS needs all rows at once."""
    if estimator.solver == "lbfgs":
        raise AttributeError("partial_fit does not work with solver='lbfgs', which needs all rows at once. Use 'adam'.")
    return True


@dataclass(repr=False, eq=False)
class ThinNetEstimator(Learned, Known, BaseEstimator, metaclass=ABCMeta):
    """The base of `ThinNetClassifier` and `ThinNetRegressor`; the fields are their parameters."""

    _instead = dict.fromkeys(("save", "load"), "Write joblib.dump(estimator, path), and joblib.load(path).")
    hidden_layer_sizes: Any = "auto"
    activation: str = defaults.ACTIVATION
    _: KW_ONLY
    solver: str = "adam"
    alpha: float | Auto = "auto"
    batch_size: int | Auto = "auto"
    learning_rate: str | Schedule = "auto"
    learning_rate_init: float | Auto = "auto"
    power_t: float = 0.5
    max_iter: int | Auto = "auto"
    shuffle: bool = True
    random_state: Any = None
    tol: float = 1e-4
    verbose: bool | int = False
    warm_start: bool = False
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    early_stopping: bool = False
    validation_fraction: float = 0.1
    beta_1: float = 0.9
    beta_2: float = 0.95
    epsilon: float = 1e-8
    n_iter_no_change: float = 10
    max_fun: int = 15000
    dropout: float | Auto = "auto"
    dropout_mask: Literal["element", "batch"] = "element"
    normalization: Literal["batchnorm", "layernorm", "auto"] | None = "auto"
    label_smoothing: float | Auto = "auto"
    weight_decay: float | Auto = "auto"
    standardize: bool = True
    categorical_features: Any = "from_dtype"
    numeric_bins: int | Auto | None = "auto"
    ensemble: int = 1
    tune: bool = False
    precision: Literal["bfloat16"] | None = None
    ema_decay: float = 0.0
    mixup: float = 0.0

    def _way(self, name: str) -> str:
        return "Call fit first." if name.endswith("_") and not hasattr(self, "_nets") else super()._way(name)

    def __copy__(self) -> Self:
        """A copy with its own weights, since training changes them in place; the parameters are the same objects."""
        return copy.deepcopy(self, {id(value): value for value in self.get_params(deep=False).values()})

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags

    # What the two differ in, besides the name of the loss, `_loss`

    @abstractmethod
    def _encoded(self, y: AnyArray, *, fresh: bool, incremental: bool, classes: Any) -> AnyArray:
        """The targets as numbers, (N,) labels or (N, C); learns their form if training starts from scratch."""

    @abstractmethod
    def _validation_score(
        self, scores: FloatArray, targets: AnyArray, weights: FloatArray | None
    ) -> tuple[float, float]:
        """How good the validation rows' scores are: the value to report and the value to compare; higher is better."""

    def _scaled(
        self, targets: AnyArray, weights: FloatArray | None, *, fresh: bool, incremental: bool = False
    ) -> AnyArray:
        """The encoded targets on the scale that the net predicts."""
        return targets

    def _class_factors(self, targets: AnyArray, *, incremental: bool) -> FloatArray | None:
        """The factor that each row's class gives for its weight."""
        return None

    def _calibrates(self, num_rows: int) -> bool:
        """Whether training on this many rows also finds a temperature."""
        return False

    # Training

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on all rows, from scratch or, with ``warm_start``, from where the last call of `fit` ended.

        In each pass, the rows are reshuffled and each is used exactly once: N rows in ⌈N / batch_size⌉ minibatches of
        nearly equal size. With batch normalization no minibatch is a single row (batch_size=1 raises an error): if
        batch_size is 2 and N is odd, one has 3. With ``solver="lbfgs"``, each iteration uses all rows at once.

        Args:
            X: (N, D) rows: an array of numbers, a sparse matrix, or a data frame with numbers, text and categories.
            y: (N,) targets, or (N, C) for several outputs.
            sample_weight: (N,) numbers >= 0, how much each row counts.

        Returns:
            The estimator itself.

        Raises:
            ArgumentError: (a `ValueError`) if a parameter is outside its limits, or a column cannot be used.
        """
        return self._fit(X, y, sample_weight, incremental=False)

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, incremental: bool, classes: Any = None) -> Self:
        parameters.check_parameters(self.get_params(deep=False))
        for name, off, why in NOT_IN_PARTS if incremental else ():
            if (given := getattr(self, name, off)) not in (off, parameters.AUTO):
                raise ArgumentError(f"partial_fit does not support {name}={given!r}, which {why}. Set {name}={off}.")
        fresh = not (hasattr(self, "_nets") and (incremental or self.warm_start))
        before = vars(self).copy()
        try:
            sample = self._sample(X, y, sample_weight, fresh=fresh, incremental=incremental, classes=classes)
            with told_of_compilation(bool(self.verbose)):
                if fresh:
                    self._seed = self._drawn_seed()
                    self._try(sample, incremental=incremental)
                interrupted = self._train_on(sample, fresh=fresh, incremental=incremental)
        except BaseException as error:  # restore what was learned before; keep bad numbers, to look at them
            if not isinstance(error, NumericalError):
                self.__dict__ = before
            raise
        if interrupted:
            warnings.warn("Training interrupted by user.", stacklevel=4)
        return self

    def _try(self, sample: Sample, *, incremental: bool) -> None:
        """If wanted, learn the best settings and the temperature from trials on part of the rows."""
        self.best_params_: dict[str, Any] | None = None
        self._temperature = 1.0
        if not incremental and (self.tune or self._calibrates(sample.X.shape[0])):
            asked = "tune" if self.tune else "calibrate" if getattr(self, "calibrate", False) is True else None
            if trial := trials.best(self, sample, asked):
                self.best_params_ = trial.params if self.tune else None
                self._temperature = trial.temperature

    def _train_on(self, sample: Sample, *, fresh: bool, incremental: bool) -> bool:
        """Train on a sample with encoded targets; return whether the user interrupted it."""
        held_out = None
        if self.early_stopping and self.solver != "lbfgs":
            fewest = 2 if "batch" in (self.dropout_mask, str(self.normalization)[:5]) else 1
            sample, held_out = self._split(sample, self.validation_fraction, fewest)
        before: Settings | None = None if fresh else self.settings_
        num_rows, num_columns = sample.X.shape
        self.settings_: Settings = self._settings_for(num_rows, num_columns, before, incremental=incremental)
        if num_rows <= min(self.settings_.batch_size, MOST_MERGED):  # one minibatch holds all
            sample = sample.merged(inputs.comparable(sample.X))
        sample = sample.weighing_one()
        order = self._order(sample)
        if fresh:
            self._inputs = inputs.learn(self, sample, incremental=incremental)
        targets = self._scaled(sample.targets, sample.weights, fresh=fresh, incremental=incremental)
        rows = TrainingRows(self._inputs, sample, targets, self._dtype)
        if fresh:
            self._start(rows)
        self._set_up(order.num_rows / order.steps_per_epoch, incremental=incremental)
        if self.solver == "lbfgs":
            return lbfgs.train(self, rows)
        return training.train(self, rows, order, held_out, incremental=incremental)

    def _settings_for(
        self, num_rows: int, num_columns: int, before: Settings | None = None, *, incremental: bool = False
    ) -> Settings:
        """The settings for a table with this many rows and columns."""
        num_classes = len(self.classes_) if self._loss == "softmax" else 0
        shape = Shape(num_rows, num_columns, num_classes, whole=not incremental)
        params = {**self.get_params(deep=False), **(getattr(self, "best_params_", None) or {})}
        return settings.resolve(params, shape, before)

    def _sample(self, X: Any, y: Any, sample_weight: Any, *, fresh: bool, incremental: bool, classes: Any) -> Sample:
        """The given data, checked, with the targets as numbers."""
        before = None if fresh else self._inputs
        given = inputs.checked(self, X, before)
        warn_of_order(X, {"y": y, "sample_weight": sample_weight}, stacklevel=5)
        y, weights = inputs.checked_beside(self, y, sample_weight, given.shape[0])
        targets = self._encoded(y, fresh=fresh, incremental=incremental, classes=classes)
        sample = Sample(given, targets, weights).without_zeros()
        return sample.times(self._class_factors(sample.targets, incremental=incremental)).without_zeros()

    @property
    def _dtype(self) -> Any:
        """The dtype of the nets: L-BFGS needs float64."""
        return np.float64 if self.solver == "lbfgs" else np.float32

    def _drawn_seed(self) -> int:
        try:
            state = check_random_state(self.random_state)
        except (ValueError, TypeError):
            raise ArgumentError(
                f"random_state must be None, an integer from 0 to {2**32 - 1}, or a numpy.random.RandomState, got "
                f"{self.random_state!r}. Use random_state=0, for example."
            ) from None
        low, high = state.randint(2**31, size=2)
        return int(high) << 31 | int(low)

    def _split(self, sample: Sample, fraction: float, fewest: int) -> tuple[Sample, Sample]:
        """The rows to train on, at least `fewest`, and those held out."""
        labels, num_rows = None if is_regressor(self) else sample.targets, sample.X.shape[0]
        names = getattr(self, "classes_", np.empty(0)).tolist()
        train, held = holding_out.split(labels, num_rows, fraction, seed=self._seed, names=names, fewest=fewest)
        return sample.take(train), sample.take(held)

    def _start(self, rows: TrainingRows) -> None:
        """Create new nets, with nothing learned yet."""
        targets, how = rows.targets, self.settings_
        specs = [
            Spec(
                how.hidden_layer_sizes,
                rows.num_features,
                targets.shape[1] if targets.ndim == 2 else len(self.classes_),
                normalization=how.normalization,
                activation=parameters.ACTIVATIONS[self.activation],
                seed=seed,
                loss=self._loss,
                dropout_mask=self.dropout_mask,
            )
            for seed in members.seeds(self._seed, self.ensemble)
        ]
        # Not by the constructor, which rejects a single class: scikit-learn's classifiers learn to always predict it.
        self._nets = [FullyConnectedNet.from_parts(spec, State.initial(spec)) for spec in specs]
        if is_regressor(self):
            members.silence(self._nets, np.ptp(targets, axis=0) == 0)
        self._optimizers: list[FlatOptimizer] = []
        self.n_iter_, self.t_, self._passes = 0, 0, 0
        self.loss_curve_: list[float] = []
        stops_early = self.early_stopping and self.solver != "lbfgs"
        self.validation_scores_: list[float] | None = [] if stops_early else None
        self.best_loss_: float | None = None
        self.best_validation_score_: float | None = None

    def _order(self, sample: Sample) -> BatchOrder:
        num_rows, how = sample.X.shape[0], self.settings_
        batch_size = num_rows if self.solver == "lbfgs" else how.batch_size
        fewest = 2 if how.normalization == "batchnorm" and how.hidden_layer_sizes else 1
        order = BatchOrder(num_rows, batch_size, self._seed, fewest=fewest, shuffle=bool(self.shuffle))
        if fewest == 2:
            check_batch("batch_size" if self.batch_size == 1 else "X", order.smallest)
        return order

    def _set_up(self, mean_rows: float, *, incremental: bool) -> None:
        """Set what may change between two calls of training: the nets' rates and the optimizers.

        scikit-learn divides alpha by the size of each minibatch, which differs from the mean size by less than one.
        """
        net, how = self._nets[0], self.settings_
        fixed = {
            "hidden_layer_sizes": (net.hidden_dims, how.hidden_layer_sizes),
            "normalization": (net.normalization, how.normalization),
            "activation": (net.activation, parameters.ACTIVATIONS[self.activation]),
            "dropout_mask": (net.dropout_mask, self.dropout_mask),
            "ensemble": (len(self._nets), self.ensemble),
            "numeric_bins": (self._inputs.bins, how.numeric_bins),
            "standardize": (self._inputs.has_means, bool(self.standardize)),
            "categorical_features": (self._inputs.categorical, np.asarray(self.categorical_features).tolist()),
        }
        for name, (before, now) in fixed.items():
            if now != before:
                raise ArgumentError(
                    f"{name} must stay {before!r} when training continues, got {now!r}. Clone the estimator, or set "
                    "warm_start=False."
                )
        changes = {
            "dropout": how.dropout,
            "reg": how.alpha / mean_rows,
            "label_smoothing": how.label_smoothing,
            "dtype": self._dtype,
            "precision": self.precision,
        }
        self._nets = [net.replace(**changes) for net in self._nets]
        if self.solver == "lbfgs":
            self._optimizers = []
            return
        name, options = parameters.optimizer(self.solver, self.get_params(deep=False))
        options["learning_rate"] = how.learning_rate_init
        if not incremental or [optimizer.name for optimizer in self._optimizers] != [name] * len(self._nets):
            self._optimizers = [FlatOptimizer(name, options, like=net.params.flat) for net in self._nets]
        for optimizer in self._optimizers:
            optimizer.options |= options

    # Predictions

    def _scores(self, X: Any) -> FloatArray:
        """The mean of the nets' scores, in float64 if X is float64."""
        given = self._rows(X)  # first, since it raises if there are no nets yet
        return members.scores(self._nets, self._inputs, given)

    def _drawn(
        self, X: Any, mc_samples: int | None, predictions: Callable[[FloatArray], FloatArray], *, return_std: bool
    ) -> tuple[FloatArray, FloatArray]:
        """Monte Carlo dropout: mean and standard deviation, in float64, of the thinned nets' predictions."""
        given, draws = self._rows(X), check_number("mc_samples", MC_SAMPLES if mc_samples is None else mc_samples)
        if return_std and draws * len(self._nets) < 2:
            raise ArgumentError(
                "mc_samples must be at least 2 with return_std=True, got 1. One draw has no spread: use 50, say."
            )
        means, spreads = [], []
        for scores in members.drawn_scores(self._nets, self._inputs, given, draws, self._seed):
            drawn = predictions(scores)
            means.append(drawn.mean(axis=0))
            spreads.append(drawn.std(axis=0))
        return np.concatenate(means), np.concatenate(spreads)

    def _rows(self, X: Any) -> Any:
        """X, checked against what the estimator was trained on."""
        check_is_fitted(self)
        return inputs.checked(self, X, self._inputs)
