"""What the classifier and the regressor share: checking, training and scoring."""

from __future__ import annotations

import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from thinnet import defaults
from thinnet.checks import check_number
from thinnet.data.batches import BatchOrder
from thinnet.errors import ArgumentError
from thinnet.layers.batchnorm import check_batch
from thinnet.nets import FullyConnectedNet
from thinnet.nets.monte_carlo import monte_carlo_scores
from thinnet.optim import FlatOptimizer
from thinnet.schedules import Constant, Schedule, as_schedule
from thinnet.sklearn import holding_out, options, rows
from thinnet.sklearn.in_memory import check_in_memory
from thinnet.sklearn.sample import MOST_MERGED, Sample, checked_weights
from thinnet.sklearn.training import Passes, SampleRows
from thinnet.standardization import Standardization
from thinnet.training.net_update import NetUpdate
from thinnet.typing import AnyArray, FloatArray

MATRIX = {"accept_sparse": "csr", "dtype": (np.float64, np.float32, np.uint8)}  # other dtypes become float64
MC_SAMPLES = 50  # draws where a spread is asked for and no number is given
MC_STREAM = 1  # keeps the masks of Monte Carlo dropout apart from those of training


@dataclass(repr=False, eq=False)
class ThinNetEstimator(BaseEstimator, metaclass=ABCMeta):
    """The base of `ThinNetClassifier` and `ThinNetRegressor`; the fields are their parameters."""

    hidden_layer_sizes: Any = (100,)
    _: KW_ONLY
    dropout: float = defaults.TABLE_DROPOUT
    dropout_mask: Literal["element", "batch"] = "element"
    normalization: Literal["batchnorm", "layernorm"] | None = defaults.TABLE_NORMALIZATION
    activation: str = defaults.ACTIVATION
    standardize: bool = True
    optimizer: str = defaults.OPTIMIZER
    optimizer_options: dict[str, Any] | None = None
    schedule: str | Schedule = defaults.TABLE_SCHEDULE
    alpha: float = defaults.REG
    batch_size: int | Literal["auto"] = "auto"
    learning_rate_init: float = defaults.TABLE_LEARNING_RATE
    max_iter: int | Literal["auto"] = "auto"
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int = 10
    tol: float = 1e-4
    warm_start: bool = False
    random_state: Any = None
    verbose: bool = False

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # What the two differ in, beside the name of the loss, `_loss`

    @abstractmethod
    def _encoded(self, y: AnyArray, *, fresh: bool, incremental: bool, classes: Any) -> AnyArray:
        """The targets as numbers, (N,) labels or (N, C); learns their form where training starts afresh."""

    @abstractmethod
    def _validation_score(self, scores: FloatArray, targets: AnyArray, weights: FloatArray | None) -> float:
        """How good the scores of the validation rows are; higher is better."""

    def _scaled(self, targets: AnyArray, weights: FloatArray | None, *, fresh: bool) -> AnyArray:
        """The encoded targets on the scale that the net predicts."""
        return targets

    def _class_factors(self, targets: AnyArray, *, incremental: bool) -> FloatArray | None:
        """What each row's weight is multiplied by because of its class."""
        return None

    # Training

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on all rows, from the beginning or, with ``warm_start``, from where the last call of `fit` ended.

        In each pass, the rows are shuffled anew and each comes exactly once: N rows in ⌈N / batch_size⌉ minibatches of
        nearly equal sizes. With batch normalization none is a single row (unless batch_size is 1, which is refused):
        where batch_size is 2 and N odd, one has 3.

        Args:
            X: (N, D) numbers: an array, a sparse matrix, or a data frame.
            y: (N,) targets; for several outputs (N, C).
            sample_weight: (N,) numbers >= 0, how much each row counts.

        Returns:
            The estimator itself.

        Raises:
            ArgumentError: (a `ValueError`) if a parameter is outside its limits.
        """
        return self._fit(X, y, sample_weight, incremental=False)

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, incremental: bool, classes: Any = None) -> Self:
        if incremental and self.early_stopping:
            raise ArgumentError("early_stopping must be False for partial_fit, got True: it holds no rows out.")
        options.check_parameters(self.get_params(deep=False))
        fresh = not (hasattr(self, "_net") and (incremental or self.warm_start))
        sample = self._sample(X, y, sample_weight, fresh=fresh, incremental=incremental, classes=classes)
        if fresh:
            self._seed = self._drawn_seed()
        held_out = None
        if self.early_stopping:
            sample, held_out = self._split(sample)
        num_rows = sample.X.shape[0]
        batch_size = options.auto_batch_size(num_rows) if self.batch_size == "auto" else int(self.batch_size)
        if num_rows <= min(batch_size, MOST_MERGED):
            sample = sample.merged()
        sample = sample.weighing_one()
        over_batches = self.normalization == "batchnorm" and options.hidden_dims(self.hidden_layer_sizes)
        order = BatchOrder(sample.X.shape[0], batch_size, self._seed, fewest=2 if over_batches else 1)
        if over_batches:
            check_batch("batch_size" if batch_size == 1 else "X", order.smallest)
        if fresh:
            self._shift = self._learned_shift(sample, incremental=incremental)
        y_net = self._scaled(sample.targets, sample.weights, fresh=fresh)
        if fresh:
            self._start(y_net.shape[1] if y_net.ndim == 2 else len(self.classes_))
        self._set_up(order.num_rows / order.steps_per_epoch, incremental=incremental)
        self._train(sample._replace(targets=y_net), order, held_out, incremental=incremental)
        return self

    def _sample(self, X: Any, y: Any, sample_weight: Any, *, fresh: bool, incremental: bool, classes: Any) -> Sample:
        """What is given, checked, with the targets as numbers."""
        check_in_memory(X=X, y=y, sample_weight=sample_weight, classes=classes)
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=is_regressor(self), reset=fresh, **MATRIX)
        X, y = _canonical(X), y.toarray() if sparse.issparse(y) else y
        targets = self._encoded(y, fresh=fresh, incremental=incremental, classes=classes)
        sample = Sample(X, targets, checked_weights(sample_weight, X)).without_zeros()
        return sample.times(self._class_factors(sample.targets, incremental=incremental)).without_zeros()

    def _learned_shift(self, sample: Sample, *, incremental: bool) -> Standardization:
        """How rows are standardized from now on.

        A column that is constant in the training rows says nothing, and is left out by a scale of 0; unless more rows
        are to come.
        """
        if not self.standardize:
            return Standardization(np.zeros(sample.X.shape[1]), np.ones(sample.X.shape[1]))
        learned = rows.moments(sample.X, sample.weights)
        scale = np.where(learned.scale == 0, 1.0, learned.scale) if incremental else learned.scale
        return Standardization(learned.mean, scale, rows.LIMIT)

    def _drawn_seed(self) -> int:
        low, high = check_random_state(self.random_state).randint(2**31, size=2)
        return int(high) << 31 | int(low)

    def _split(self, sample: Sample) -> tuple[Sample, Sample]:
        """Training rows, and those that only the validation score sees."""
        train, held = holding_out.split(
            None if is_regressor(self) else sample.targets,
            sample.X.shape[0],
            self.validation_fraction,
            seed=self._seed,
            names=getattr(self, "classes_", np.empty(0)).tolist(),
            fewest=2 if self.normalization == "batchnorm" else 1,
        )
        return sample.take(train), sample.take(held)

    def _start(self, num_outputs: int) -> None:
        """A new net, and nothing learned yet."""
        self._net = FullyConnectedNet(
            options.hidden_dims(self.hidden_layer_sizes),
            self.n_features_in_,
            num_outputs,
            dropout=self.dropout,
            normalization=self.normalization,
            activation=self.activation,
            seed=self._seed,
            loss=self._loss,
            dropout_mask=self.dropout_mask,
        )
        self._optimizer = self._new_optimizer()
        self.n_iter_, self.t_ = 0, 0
        self.loss_curve_: list[float] = []
        self.validation_scores_: list[float] | None = [] if self.early_stopping else None
        self.best_loss_: float | None = None
        self.best_validation_score_: float | None = None

    def _set_up(self, mean_rows: float, *, incremental: bool) -> None:
        """What may change between two calls of training: the net's rates and the optimizer.

        scikit-learn divides alpha by the rows of each minibatch, from whose mean they differ by less than one.
        """
        net = self._net
        fixed = {
            "hidden_layer_sizes": (net.hidden_dims, options.hidden_dims(self.hidden_layer_sizes)),
            "normalization": (net.normalization, self.normalization),
            "activation": (net.activation, self.activation),
            "dropout_mask": (net.dropout_mask, self.dropout_mask),
        }
        for name, (before, now) in fixed.items():
            if now != before:
                raise ArgumentError(
                    f"{name} must stay {before!r} where training goes on, got {now!r}. Clone the estimator, or set "
                    "warm_start=False."
                )
        self._net = net.replace(dropout=float(self.dropout), reg=self.alpha / mean_rows)
        if not incremental or self._optimizer.name != self.optimizer:
            self._optimizer = self._new_optimizer()
        self._optimizer.options["learning_rate"] = self.learning_rate_init

    def _new_optimizer(self) -> FlatOptimizer:
        return FlatOptimizer(self.optimizer, self.optimizer_options, like=self._net.params.flat)

    def _train(self, sample: Sample, order: BatchOrder, held_out: Sample | None, *, incremental: bool) -> None:
        max_iter = options.auto_max_iter(order.steps_per_epoch) if self.max_iter == "auto" else self.max_iter
        num_passes = 1 if incremental else int(max_iter)
        schedule = Constant() if incremental else as_schedule(self.schedule)
        source = SampleRows(rows.reader(sample.X, self._shift, order.largest), sample)
        update = NetUpdate(self._net, source, self._optimizer, order.largest)
        passes = Passes(update, order, schedule, num_passes, self.n_iter_)
        by_loss = isinstance(schedule, Constant) and not incremental  # another schedule goes its whole way
        validate = self._validation(held_out) if held_out else None
        interrupted = False
        try:
            passes.run(lambda loss: self._record(loss, passes, order.num_rows, validate, by_loss))
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=4)
            interrupted = True
        passes.state.weights.restore_best()
        if by_loss and not held_out and not interrupted and passes.state.stop_reason is None:
            warnings.warn(
                f"max_iter={num_passes} iterations were made, and the training loss still falls by more than tol="
                f"{self.tol:g}. Raise max_iter, or take a schedule that ends, such as schedule='cosine'.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _record(
        self, loss: float, passes: Passes, num_rows: int, validate: Callable[[], float] | None, by_loss: bool
    ) -> None:
        """Keep what a pass came to, and stop where it is time."""
        self.loss_ = loss
        self.n_iter_ += 1
        self.t_ += num_rows
        self.loss_curve_.append(loss)
        report = f"Iteration {self.n_iter_}, loss = {loss:.8f}"
        score = -loss if validate is None else validate()
        patience = self.n_iter_no_change if by_loss or validate is not None else None
        passes.score(score, tol=self.tol, patience=patience, keep=validate is not None)
        if validate is None:
            self.best_loss_ = loss if self.best_loss_ is None else min(self.best_loss_, loss)
        else:
            self.validation_scores_ = [*(self.validation_scores_ or []), score]
            self.best_validation_score_ = max(self.validation_scores_)
            report += f", validation score: {score:f}"
        if self.verbose:
            print(report)

    def _validation(self, held_out: Sample) -> Callable[[], float]:
        """A function that scores the net on the validation rows."""
        weights, X = held_out.weights, held_out.X
        y_net = self._scaled(held_out.targets, weights, fresh=False)
        return lambda: self._validation_score(rows.scores(self._net, X, self._shift, np.float32), y_net, weights)

    # Predictions

    def _scores(self, X: Any) -> FloatArray:
        """The net's scores, in float64 where X is float64."""
        X = self._rows(X)
        return rows.scores(self._net, X, self._shift, np.float64 if X.dtype == np.float64 else np.float32)

    def _drawn(
        self, X: Any, mc_samples: int | None, predictions: Callable[[FloatArray], FloatArray]
    ) -> tuple[FloatArray, FloatArray]:
        """Monte Carlo dropout: mean and standard deviation, in float64, of the predictions that thinned nets make."""
        X, draws = self._rows(X), MC_SAMPLES if mc_samples is None else mc_samples
        seed = int(np.random.SeedSequence(self._seed, spawn_key=(MC_STREAM,)).generate_state(1, np.uint64)[0])
        means, spreads = [], []
        # A piece's scores are there as they come, in float64, as predictions, and as what these differ from the mean.
        row_bytes = 32 * check_number("mc_samples", draws) * self.n_outputs_
        scorer, pieces = rows.scoring(self._net, X, self._shift, self._net.dtype, row_bytes)
        for start, piece in pieces:
            scores = monte_carlo_scores(scorer, piece, draws, seed=seed, first_row=start)
            drawn = predictions(scores.astype(np.float64))
            means.append(drawn.mean(axis=0))
            spreads.append(drawn.std(axis=0))
        return np.concatenate(means), np.concatenate(spreads)

    def _rows(self, X: Any) -> Any:
        """X, checked against what the estimator was trained on."""
        check_is_fitted(self)
        check_in_memory(X=X)
        return _canonical(validate_data(self, X, reset=False, **MATRIX))

    # What was learned, under scikit-learn's names

    @property
    def net_(self) -> FullyConnectedNet:
        """The net on the estimator's own parameters. It takes raw rows, since it carries the standardization."""
        check_is_fitted(self, "_net")
        return self._net.with_standardization(self._shift)

    @property
    def coefs_(self) -> list[FloatArray]:
        """The weights of each layer, for standardized rows."""
        return [self._net.params[f"W{i}"] for i in range(1, self._net.num_layers + 1)]

    @property
    def intercepts_(self) -> list[FloatArray]:
        """The biases of each layer."""
        return [self._net.params[f"b{i}"] for i in range(1, self._net.num_layers + 1)]

    @property
    def n_layers_(self) -> int:
        """The number of layers, with those of the inputs and of the outputs."""
        return self._net.spec.num_layers + 1

    @property
    def n_outputs_(self) -> int:
        """The number of scores."""
        return int(self._net.num_classes)

    @property
    def out_activation_(self) -> str:
        """What turns scores into predictions."""
        return "identity" if self._net.loss_name == "mse" else self._net.loss_name


def _canonical(X: Any) -> Any:
    """A sparse matrix in which no element occurs twice; the caller's own is left alone."""
    if sparse.issparse(X) and not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X
