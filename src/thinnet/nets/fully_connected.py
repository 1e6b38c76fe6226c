r"""FullyConnectedNet: {affine → normalization → activation → dropout} × L → affine → loss."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from thinnet import defaults
from thinnet.arguments import known_arguments
from thinnet.checks import check_path, kind_of
from thinnet.data.augmentation import flip_shape, flipped
from thinnet.data.checking import check_classes, check_no_values, check_no_words, warn_of_one_hot
from thinnet.errors import ArgumentError
from thinnet.layers import LOSSES
from thinnet.layers.dropout import MaskKind, Scaling
from thinnet.nets.base import Net
from thinnet.nets.predictions import prediction, probabilities
from thinnet.nets.raw_rows import as_inputs
from thinnet.nets.summary import summary
from thinnet.numerics import check_inputs, check_scores
from thinnet.spec import FIELDS, Normalization, Precision, Spec, checked_dims
from thinnet.state import State
from thinnet.steps import choose
from thinnet.steps.base import Step
from thinnet.steps.batches import as_matrix, checked_batch
from thinnet.steps.readable import ReadableStep
from thinnet.typing import AnyArray, FloatArray

if TYPE_CHECKING:
    from thinnet.data.dataset import Dataset
    from thinnet.standardization import Standardization

ROWS_AT_ONCE = 1024  # rows scored at a time: enough for fast matrix products, few enough to stay in the cache


class FullyConnectedNet(Net):
    r"""A fully connected net: affine → normalization → activation → dropout for each hidden layer, then affine.

    Args:
        hidden_dims: the number of units of each hidden layer; empty for a linear classifier.
        input_dim: D, the number of features of an example.
        num_classes: C, the number of scores.
        dropout: the rate, the fraction of hidden units dropped in training, 0 <= dropout < 1.
        normalization: ``None``, ``"batchnorm"`` or ``"layernorm"``.
        activation: ``"relu"``, ``"tanh"``, ``"sigmoid"``, ``"gelu"``, ``"silu"`` or ``"identity"``.
        label_smoothing: e, 0 <= e < 1, in training with the losses ``"softmax"`` and ``"logistic"``: a target y
            becomes (1 − e) · y + e / C, or (1 − e) · y + e / 2.  Evaluation uses the plain loss.
        reg: strength of the L2 penalty 0.5 · reg · Σ W² on the weights (not on biases, γ and β).
        weight_scale: the standard deviation of the initial weights, or ``"he"`` for √(2 / inputs of the layer).
        dtype: ``np.float32`` or ``np.float64``, for parameters and computation.
        seed: 64 bits that determine the initial weights and all masks; ``None`` draws one, stored in `seed`.
        loss: ``"softmax"`` or ``"svm"`` for labels, ``"mse"`` for values, ``"logistic"`` for several labels
            per row, ``"poisson"`` for counts and other values >= 0, whose logarithms are the scores.
        scaling: how dropout preserves the mean; see `thinnet.layers.dropout_forward`.
        dropout_mask: ``"element"`` drops units independently in each row; ``"batch"`` drops the same units in all rows
            of a batch, so a training step computes and updates only the thinned network, which is faster.  Not with
            layer normalization, where each unit depends on all others.
        precision: None, or ``"bfloat16"`` for mixed precision: the factors of matrix products are rounded to bfloat16;
            weights, sums, statistics, the loss and the optimizer stay in float32.  Training with it requires a
            processor with AMX, and is faster there, most of all with large minibatches; without AMX it raises an
            error.  Scores can be computed on any machine and agree up to rounding.
        class_names: what `predict` returns, one name per class; without them it returns numbers. A net for text labels
            takes them from its data set.

    Attributes:
        params: the arrays W1, b1, (gamma1, beta1), ... as `Parameters`: one flat buffer.
        running: batch normalization's running_mean1, running_var1, ..., in the same kind of buffer.
        step: the number of training steps that have drawn masks.
        fused: whether to use the compiled kernels if Numba is installed, rather than the layers' functions.
        products: what multiplies matrices, ``"thinnet"`` or ``"numpy"``; assignable, see its own docstring.

    Every argument is also an attribute of the same name; to change one, see `replace`.

    Raises:
        ArgumentError: if an argument is unknown or outside its limits.

    Source: Srivastava et al., "Dropout", JMLR 15 (2014); the order of the layers is that of CS231n, assignment 2; one
    mask per batch: Graham, Reizenstein and Robinson, "Efficient batchwise dropout training using submatrices",
    arXiv:1502.02478 (2015); precision: Kalamkar et al., "A study of bfloat16 for deep learning training",
    arXiv:1905.12322 (2019).

    >>> net = FullyConnectedNet([20, 20], input_dim=4, num_classes=3, dropout=0.5, seed=0)
    >>> loss, gradients = net.loss(np.ones((2, 4)), np.array([0, 2]), training=True)
    >>> gradients["W1"].shape
    (4, 20)
    >>> net.predict(np.ones((2, 4))).shape
    (2,)
    """

    @known_arguments
    def __init__(
        self,
        hidden_dims: Sequence[int],
        input_dim: int | None = None,
        num_classes: int | None = None,
        *,
        dropout: float = defaults.DROPOUT,
        normalization: Normalization | None = None,
        activation: str = defaults.ACTIVATION,
        label_smoothing: float = defaults.LABEL_SMOOTHING,
        reg: float = defaults.REG,
        weight_scale: float | Literal["he"] = defaults.WEIGHT_SCALE,
        dtype: Any = defaults.DTYPE,
        seed: int | None = None,
        loss: str = defaults.LOSS,
        scaling: Scaling = "inverted",
        dropout_mask: MaskKind = "element",
        precision: Precision | None = None,
        class_names: Sequence[str] = (),
    ) -> None:
        given = {**locals(), "hidden_dims": checked_dims(hidden_dims)}
        for name in ("input_dim", "num_classes"):
            if given[name] is None:
                raise ArgumentError(
                    f"{name} must be an integer >= 1, got None. Write FullyConnectedNet([100], input_dim=64, "
                    f"num_classes=10), or take both from a Dataset: FullyConnectedNet.for_data(data, [100])."
                )
        spec = Spec(**{name: given[name] for name in FIELDS})
        spec.check_outputs()
        self._build(spec, State.initial(spec))

    @classmethod
    def for_data(cls, data: Dataset, hidden_dims: Sequence[int], **options: Any) -> FullyConnectedNet:
        """A net with the inputs, outputs and loss that a data set needs.

        Args:
            data: determines the numbers of features and classes; if its targets are values, the default loss is
                ``"mse"``. With ``"mse"``, ``"logistic"`` or ``"poisson"``, labels of shape (N,) are one column of
                values, and the net has one output.  Text labels become the net's `class_names`.
            hidden_dims, options: as for the class.

        Raises:
            ArgumentError: as for the class; also if there is only one class, or labels are so sparse that almost no
                output would have a label.

        >>> from thinnet import load_digits
        >>> FullyConnectedNet.for_data(load_digits(), [100], seed=0).input_dim
        64
        """
        if not hasattr(data, "y_train"):
            raise ArgumentError(
                f"data must be a Dataset, got {kind_of(data)}. Make one with Dataset(X_train, y_train, X_val, "
                f"y_val), or give FullyConnectedNet its dimensions."
            )
        for name in {"input_dim", "num_classes"} & options.keys():
            raise ArgumentError(f"{name} must come from the data in for_data, got {options[name]!r}. Leave it out.")
        if data.y_train.ndim == 2 and "loss" not in options:
            warn_of_one_hot(data)
        loss = options.pop("loss", defaults.LOSS if data.y_train.ndim == 1 else "mse")
        if loss in LOSSES and LOSSES[loss].targets == "labels":
            check_no_values(data, loss)
        column = data.y_train.ndim == 1 and loss in LOSSES and LOSSES[loss].targets != "labels"
        if column:
            check_no_words(data, loss, LOSSES[loss].targets)
        elif data.y_train.ndim == 1:
            check_classes(data, loss)
            options = {"class_names": data.class_names if data.text_labels else (), **options}
        outputs = 1 if column else data.num_classes
        if not outputs:
            raise ArgumentError("data must have at least one training row or class_names, got neither.")
        return cls(hidden_dims, data.num_features, outputs, loss=loss, **options)

    def __repr__(self) -> str:
        return summary(self.spec, self.state, self.standardization is not None)

    @overload
    def loss(
        self,
        X: AnyArray,
        y: None = ...,
        *,
        weights: AnyArray | None = ...,
        training: bool = ...,
        step: int | None = ...,
    ) -> FloatArray: ...
    @overload
    def loss(
        self, X: AnyArray, y: AnyArray, *, weights: AnyArray | None = ..., training: bool = ..., step: int | None = ...
    ) -> tuple[float, dict[str, FloatArray]]: ...
    def loss(
        self,
        X: AnyArray,
        y: AnyArray | None = None,
        *,
        weights: AnyArray | None = None,
        training: bool = False,
        step: int | None = None,
    ) -> FloatArray | tuple[float, dict[str, FloatArray]]:
        """The loss and its gradients; without `y`, the scores.

        The default is test mode, which changes nothing: no unit is dropped, and no running statistics are updated.
        With ``training=True`` every call is a training step: it smooths labels, drops different units each time, and
        updates batch normalization's running statistics. It does not update the parameters; the `Solver` does.

        Args:
            X: (N, input_dim) or (N, ...) inputs, any real dtype.
            y: (N,) integer labels, or names if the net has `class_names`; (N, num_classes) numbers for ``"mse"``,
                ``"logistic"`` and ``"poisson"``.
            weights: (N,) numbers >= 0, how many times each row counts; None for once.
            training: whether to compute a training step.
            step: draw the masks of this step, without advancing the net's own count.  Calls with the same step drop
                the same units, as a numerical gradient requires.

        Returns:
            The mean loss, including the L2 penalty, and a dict of gradients with the names of `params`, in new arrays
            that belong to the caller; without `y`, the (N, num_classes) scores.

        Raises:
            ArgumentError: if X or y does not fit the net, X has NaN or infinity, or a training batch for batch
                normalization has only one row.
        """
        if step is not None and not training:
            raise ArgumentError(f"step must be None unless training=True, got {step!r}. Leave it out, or set training.")
        if y is None:
            if training:
                raise ArgumentError("y must be given with training=True, got None. For scores, leave training out.")
            return self.scores(X)
        X = self._rows(X)
        X = X if self.standardization is None else as_inputs(self.spec, self.standardization, X)
        batch = checked_batch(self.spec, X, y, weights, self.step if step is None else step, training=training)
        check_inputs(batch.X)
        if not training:
            evaluated = ReadableStep(self.spec, len(batch)).evaluate(self.state, batch)
            return evaluated.loss, dict(evaluated.arrays)
        if step is None:
            self.step += 1
        computed = self._step(len(batch)).compute(self.state, batch)
        return computed.loss, dict(computed.whole(self.params))

    def _rows(self, X: Any) -> Any:
        """The input matrix, not yet standardized; subclasses may build it from something else."""
        return X

    def _step(self, num_rows: int) -> Step:
        """The object that computes a training step, with buffers for at least `num_rows` rows."""
        if self._training_step is None or self._training_step.max_rows < num_rows:
            self._training_step = choose.training_step(self.spec, num_rows, fused=self.fused, products=self.products)
        return self._training_step

    def scores(self, X: AnyArray, *, flip: bool | tuple[int, ...] = False) -> FloatArray:
        """The (N, num_classes) scores in test mode: no dropout, and running statistics are used but not updated.

        X is converted to floats and scored in pieces, so memory stays bounded.

        Args:
            X: (N, input_dim) or (N, ...) inputs, any real dtype.
            flip: whether to average the scores of each image and its mirror image, left and right swapped: True if X is
                (N, channels, height, width) or (N, height, width); if rows are flat, the shape of an image, such as
                ``(3, 32, 32)``. As in training, rows are standardized before they are flipped.

        Raises:
            ArgumentError: if X does not fit the net, has NaN or infinity, or its rows are not images to flip.
            NumericalError: if a score becomes NaN or infinite although X is finite.
        """
        X = self._rows(X)
        rows, shape = as_matrix(self.spec, X), flip_shape(X, flip)
        scores, at_once = np.empty((len(rows), self.num_classes), self.dtype), min(ROWS_AT_ONCE, len(rows))
        scorer = choose.scorer(self.spec, self.state, at_once, fused=self.fused, products=self.products)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            with np.errstate(all="ignore"):  # a check below raises a clearer error
                X_part = as_inputs(self.spec, self.standardization, rows[part], start)
                scores[part] = scorer.scores(X_part)
                if shape:
                    scores[part] = (scores[part] + scorer.scores(flipped(X_part, shape))) / 2
                check_scores(X_part, scores[part], start)
        return scores

    def __call__(self, X: AnyArray, *, flip: bool | tuple[int, ...] = False) -> FloatArray:
        """Return the scores; see `scores`."""
        return self.scores(X, flip=flip)

    def predict(self, X: AnyArray, *, flip: bool | tuple[int, ...] = False) -> AnyArray:
        """What the net predicts for each row; X, flip and the errors are those of `scores`.

        Returns:
            It depends on the loss. ``"softmax"`` and ``"svm"``: the (N,) labels with the highest score, or their names
            if the net has `class_names`. ``"mse"``: the (N, num_classes) values. ``"poisson"``: the exponentials of the
            scores. ``"logistic"``: (N, num_classes) ones and zeros, one if a label is more likely than not.
        """
        predicted = prediction(self.loss_name, self.scores(X, flip=flip))
        return np.array(self.class_names)[predicted] if self.class_names else predicted

    def predict_proba(self, X: AnyArray, *, flip: bool | tuple[int, ...] = False) -> FloatArray:
        """The probabilities of the labels; X, flip and the errors are those of `scores`.

        Returns:
            (N, num_classes) numbers between 0 and 1: the softmax of the scores, which sums to 1 in each row; with
            ``loss="logistic"``, the sigmoid of each score.

        Raises:
            ArgumentError: if the net's loss is neither ``"softmax"`` nor ``"logistic"``: its scores are not
                probabilities.
        """
        return probabilities(self.loss_name, self.scores(X, flip=flip))

    def save(self, path: str | os.PathLike[str], standardization: Standardization | None = None) -> None:
        """Write the net to a safetensors file with a checksum; an existing file is replaced atomically.

        Args:
            path: the file.
            standardization: the standardization of the training data, ``data.standardization``, to save with the net:
                the net that `load` returns then takes raw rows. See `with_standardization`.

        Raises:
            ArgumentError: if the standardization does not fit the net, or the net already has one.
            OSError: if the file cannot be written.
        """
        from thinnet.nets.saving import save_net

        if standardization is not None and self.standardization is not None:
            raise ArgumentError(
                "standardization must be None for a net that has one, got another: raw rows would be standardized "
                "twice or differently. Leave it out, or save net.with_standardization(None)."
            )
        net = self if standardization is None else self.with_standardization(standardization)
        save_net(net, check_path("path", path))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FullyConnectedNet:
        """Read a net that `save` wrote; no code from the file is executed.

        If it was saved with a standardization, the net takes raw rows and has it as its attribute `standardization`;
        otherwise it takes the kind of rows that it was trained on.

        Raises:
            CheckpointError: if the file is not a Thinnet net, or its bytes have changed; if it does not exist, the
                error is also a `FileNotFoundError`.
            OSError: if it cannot be read.
        """
        from thinnet.nets.saving import load_net

        return load_net(cls, check_path("path", path))

    def export_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the net in test mode as an ONNX graph from ``X`` to ``scores``, for other programs to run.

        Rows have the net's dtype or, if the net has a `standardization`, are raw and float64.

        Raises:
            MissingExtraError: if the package onnx is not installed.
            OSError: if the file cannot be written.
        """
        from thinnet.nets.onnx_export import export_onnx

        export_onnx(self, check_path("path", path))
