r"""FullyConnectedNet: {affine → normalization → ReLU → dropout} × L → affine → loss."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from thinnet import kernels
from thinnet.checks import as_array, check_choice, check_keys, check_number, check_path
from thinnet.errors import ArgumentError
from thinnet.layers import LOSSES
from thinnet.layers.batchnorm import check_batch
from thinnet.layers.dropout import MASK_KINDS, SCALINGS, MaskKind, Scaling
from thinnet.masks import fresh_seed
from thinnet.nets import layered
from thinnet.numerics import check_scores
from thinnet.parallel import BatchPart
from thinnet.parameters import Parameters
from thinnet.sparse_rows import SparseRows
from thinnet.typing import AnyArray, FloatArray, IntArray

if TYPE_CHECKING:
    from thinnet.nets.fused import FusedStep
    from thinnet.nets.thinned import ThinnedStep

Normalization = Literal["batchnorm", "layernorm"]
NORMALIZATIONS = (None, "batchnorm", "layernorm")
DTYPES = ("float32", "float64")
ROWS_AT_ONCE = 1024  # rows scored together: enough for the products to be fast, few enough to stay in the cache


class FullyConnectedNet:
    r"""A fully connected net: affine → normalization → ReLU → dropout for each hidden layer, then affine.

    Args:
        hidden_dims: the number of units of each hidden layer; empty for a linear classifier.
        input_dim: D, the number of features of an example.
        num_classes: C, the number of scores.
        dropout: the rate, the fraction of hidden units dropped in training, 0 <= dropout < 1.
        normalization: ``None``, ``"batchnorm"`` or ``"layernorm"``.
        reg: strength of the L2 penalty 0.5 · reg · Σ W² on the weights (not on biases, γ and β).
        weight_scale: the standard deviation of the initial weights, or ``"he"`` for √(2 / inputs of the layer).
        dtype: ``np.float32`` or ``np.float64``, of parameters and computation.
        seed: 64 bits that fix the initial weights and all masks; ``None`` draws one, kept in `seed`.
        loss: ``"softmax"``, ``"svm"``, ``"mse"`` or ``"logistic"``.
        scaling: how dropout keeps the mean; see `thinnet.layers.dropout_forward`.
        dropout_mask: ``"element"`` drops units of each row on its own; ``"batch"`` drops the same ones in all rows of a
            batch, so that a training step computes and updates the thinned network alone, which is faster.  Not with
            layer normalization, where each unit depends on all others.

    Attributes:
        params: the arrays W1, b1, (gamma1, beta1), ... as `Parameters`: one flat buffer.
        running: batch normalization's running_mean1, running_var1, ..., the same kind of buffer.
        step: how many training steps have drawn masks so far.
        fused: whether to use the compiled kernels where Numba is installed; the layers' own functions otherwise.

    Raises:
        ArgumentError: if an argument is outside its limits.

    Source: Srivastava et al., "Dropout", JMLR 15 (2014); the place of each layer is that of CS231n, assignment 2; one
    mask a batch: Graham, Reizenstein and Robinson, "Efficient batchwise dropout training using submatrices",
    arXiv:1502.02478 (2015).

    >>> net = FullyConnectedNet([20, 20], input_dim=4, num_classes=3, dropout=0.5, seed=0)
    >>> loss, grads = net.loss(np.ones((2, 4)), np.array([0, 2]))
    >>> grads["W1"].shape
    (4, 20)
    >>> net.predict(np.ones((2, 4))).shape
    (2,)
    """

    def __init__(
        self,
        hidden_dims: Sequence[int],
        input_dim: int = 3 * 32 * 32,
        num_classes: int = 10,
        *,
        dropout: float = 0.0,
        normalization: Normalization | None = None,
        reg: float = 0.0,
        weight_scale: float | Literal["he"] = 1e-2,
        dtype: Any = np.float32,
        seed: int | None = None,
        loss: str = "softmax",
        scaling: Scaling = "inverted",
        dropout_mask: MaskKind = "element",
    ) -> None:
        self.hidden_dims = _dims(hidden_dims)
        self.input_dim = check_number("input_dim", input_dim)
        self.num_classes = check_number("num_classes", num_classes)
        self.dropout = check_number("dropout", dropout)
        self.normalization = check_choice("normalization", normalization, NORMALIZATIONS)
        self.reg = check_number("reg", reg)
        self.weight_scale = weight_scale if weight_scale == "he" else check_number("weight_scale", weight_scale)
        self.dtype = _dtype(dtype)
        self.seed = check_number("seed", fresh_seed() if seed is None else seed)
        self.loss_name = check_choice("loss", loss, tuple(LOSSES))
        self.scaling: Scaling = check_choice("scaling", scaling, SCALINGS)
        self.dropout_mask: MaskKind = check_choice("dropout_mask", dropout_mask, MASK_KINDS)
        if self.dropout_mask == "batch" and self.normalization == "layernorm":
            raise ArgumentError(
                "dropout_mask must be 'element' with layer normalization, got 'batch'. Each unit depends on all others "
                "of its layer there, so none can be left out: use normalization='batchnorm' or None."
            )
        self.step = 0
        self.fused = True
        self._fused: FusedStep | None = None
        self._thinned: ThinnedStep | None = None
        # A unit's weights lie together where units are taken out of the matrices one by one.
        self._params = Parameters(self._shapes(), self.dtype, "F" if self.dropout_mask == "batch" else "C")
        self.running = Parameters(self._running_shapes(), self.dtype)
        self._initialize()

    @property
    def params(self) -> Parameters:
        """The parameters. Assigning a mapping copies its arrays into the one buffer; it must have every name."""
        return self._params

    @params.setter
    def params(self, arrays: Mapping[str, AnyArray]) -> None:
        check_keys("params", arrays, self._params)
        missing = [name for name in self._params if name not in arrays]
        if missing:
            raise ArgumentError(
                f"params must be a mapping with every name, got one without {', '.join(missing)}. Add them, or assign "
                f"single arrays: net.params[name] = array."
            )
        whole = self._params.copy()
        whole.update(arrays)  # all of them fit, or none is taken
        self._params.flat[:] = whole.flat

    @property
    def num_layers(self) -> int:
        """The number of affine layers: one more than there are hidden layers."""
        return len(self.hidden_dims) + 1

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        dims = (self.input_dim, *self.hidden_dims, self.num_classes)
        shapes: dict[str, tuple[int, ...]] = {}
        for i, (fan_in, fan_out) in enumerate(pairwise(dims), start=1):
            shapes |= {f"W{i}": (fan_in, fan_out), f"b{i}": (fan_out,)}
            if self.normalization and i < self.num_layers:
                shapes |= {f"gamma{i}": (fan_out,), f"beta{i}": (fan_out,)}
        return shapes

    def _running_shapes(self) -> dict[str, tuple[int, ...]]:
        if self.normalization != "batchnorm":
            return {}
        numbered = enumerate(self.hidden_dims, start=1)
        return {f"running_{kind}{i}": (dim,) for i, dim in numbered for kind in ("mean", "var")}

    def _initialize(self) -> None:
        generator = np.random.default_rng(self.seed)
        for name, array in self.params.items():
            if name.startswith("W"):
                scale = np.sqrt(2 / array.shape[0]) if self.weight_scale == "he" else self.weight_scale
                array[...] = scale * generator.standard_normal(array.shape)
            elif name.startswith("gamma"):
                array[...] = 1
        for name, array in self.running.items():
            array[...] = name.startswith("running_var")

    @overload
    def loss(
        self, X: AnyArray, y: None = None, *, weights: AnyArray | None = None, step: int | None = None
    ) -> FloatArray: ...
    @overload
    def loss(
        self, X: AnyArray, y: AnyArray, *, weights: AnyArray | None = None, step: int | None = None
    ) -> tuple[float, dict[str, FloatArray]]: ...
    def loss(
        self, X: AnyArray, y: AnyArray | None = None, *, weights: AnyArray | None = None, step: int | None = None
    ) -> FloatArray | tuple[float, dict[str, FloatArray]]:
        """The training loss and its gradients; without `y`, the scores in test mode.

        Every call with `y` is a training step: it drops other units than the call before, and updates batch
        normalization's running statistics.

        Args:
            X: (N, input_dim) or (N, ...) inputs, any real dtype.
            y: (N,) integer labels, or (N, num_classes) floats for the losses ``"mse"`` and ``"logistic"``.
            weights: (N,) numbers >= 0, how often each row counts; None for once.
            step: draw the masks of this step, and leave the net's own count alone.  Calls with equal steps drop equal
                units, as a numerical gradient needs.

        Returns:
            The loss and a dict of gradients by the names of `params`, new arrays that belong to the caller; without
            `y` the (N, num_classes) scores.

        Raises:
            ArgumentError: if X or y does not fit the net, or a training batch has one row and is to be normalized.
        """
        if y is None:
            return self.scores(X)
        gradients = self.params.zeros_like()
        loss = self.inplace_gradients(X, y, gradients, weights=weights, step=step)
        return loss, dict(gradients)

    def inplace_gradients(
        self,
        X: AnyArray,
        y: AnyArray,
        gradients: Parameters,
        *,
        weights: AnyArray | None = None,
        step: int | None = None,
        part: BatchPart | None = None,
    ) -> float:
        """Like ``loss(X, y)``, with the gradients written into `gradients`; returns the loss.

        Where the rows are a `part` of a minibatch, and other processes have the others, loss and gradients are those
        of the whole; all of them call this, and use the kernels.
        """
        if self.thins:
            loss, thinned = self.thinned_gradients(X, y, weights=weights, step=step, part=part)
            gradients.flat[:] = 0
            thinned.thinning.scatter(thinned.gradients.flat, gradients.flat)
            return loss
        rows, targets, each, step = self._begin_step(X, y, weights, step, part)
        if self.uses_kernels:
            loss = self._fused_step(len(rows)).gradients(rows, targets, gradients, step, each, part=part)
        else:
            loss = layered.gradients(self, rows, targets, gradients, step, each)
        if part is not None:
            loss = part.inplace_add_up(loss, gradients.flat, self.running.flat)
        return loss + self.inplace_add_penalty(self.params, gradients)

    def thinned_gradients(
        self,
        X: AnyArray,
        y: AnyArray,
        *,
        weights: AnyArray | None = None,
        step: int | None = None,
        part: BatchPart | None = None,
    ) -> tuple[float, ThinnedStep]:
        """Like ``loss(X, y)`` where `thins` holds, with the gradients of the part alone that was not dropped.

        They lie in the second result's `gradients`, until the next call.
        """
        rows, targets, each, step = self._begin_step(X, y, weights, step, part)
        thinned = self._thinned_step(len(rows))
        return thinned.compute(rows, targets, step, each, part), thinned

    @property
    def thins(self) -> bool:
        """Whether a training step works on a part of the units only."""
        return self.dropout_mask == "batch" and self.dropout > 0

    @property
    def uses_kernels(self) -> bool:
        """Whether steps and scores are computed by the kernels, rather than by the layers' functions."""
        return self.fused and kernels.available()

    def _begin_step(
        self, X: AnyArray, y: AnyArray, weights: AnyArray | None, step: int | None, part: BatchPart | None
    ) -> tuple[FloatArray, AnyArray, FloatArray | None, int]:
        """The checked batch and the number of its masks; nothing is changed before all of it is known to be right."""
        rows, targets = self._rows(X), self._targets(y)
        shape = np.empty((len(rows), self.num_classes), self.dtype)
        each = None if weights is None else np.asarray(weights, self.dtype)
        if part is None or len(rows):  # a part may have no rows
            LOSSES[self.loss_name].check(f"{self.loss_name}_loss", shape, targets, each)
        if self.normalization == "batchnorm" and self.hidden_dims:
            check_batch("X", len(rows) if part is None else part.total)
        if step is None:
            step, self.step = self.step, self.step + 1
        return rows, targets, each, check_number("step", step)

    def _fused_step(self, num_rows: int) -> FusedStep:
        """The fast path, with buffers for at least so many rows."""
        from thinnet.nets.fused import FusedStep

        if self._fused is None or self._fused.max_rows < num_rows:
            self._fused = FusedStep(self, num_rows)
        return self._fused

    def _thinned_step(self, num_rows: int) -> ThinnedStep:
        from thinnet.nets.thinned import ThinnedStep

        if self._thinned is None or self._thinned.max_rows < num_rows:
            self._thinned = ThinnedStep(self, num_rows)
        return self._thinned

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_fused": None, "_thinned": None}  # copies and pickles make buffers of their own

    def scores(self, X: AnyArray) -> FloatArray:
        """The (N, num_classes) scores in test mode: nothing dropped, running statistics used and left alone.

        X is turned into floats and scored a piece at a time, so that memory stays bounded.

        Raises:
            ArgumentError: if X does not fit the net, or holds NaN or infinity.
            NumericalError: if a score becomes NaN or infinite although X is finite.
        """
        rows = self._matrix(X)
        score = self._score_function()
        scores = np.empty((len(rows), self.num_classes), self.dtype)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            with np.errstate(all="ignore"):  # what goes wrong is found by the check, and said in better words
                X_part = rows[part].astype(self.dtype, copy=False)
                scores[part] = score(X_part)
                check_scores(X_part, scores[part], start)
        return scores

    def _score_function(self) -> Callable[[FloatArray], FloatArray]:
        """What gives the scores of up to `ROWS_AT_ONCE` rows."""
        if self.uses_kernels:
            from thinnet.nets.fused import FusedScores

            return FusedScores(self, ROWS_AT_ONCE).scores
        return lambda rows: layered.forward(self, rows)[0]

    def predict(self, X: AnyArray) -> IntArray:
        """The (N,) labels with the highest score; X, and what is raised, as in `scores`."""
        labels: IntArray = self.scores(X).argmax(axis=1)
        return labels

    def config(self) -> dict[str, Any]:
        """The arguments with which this net could be built again, as JSON can hold them."""
        return {
            "hidden_dims": list(self.hidden_dims),
            "input_dim": self.input_dim,
            "num_classes": self.num_classes,
            "dropout": self.dropout,
            "normalization": self.normalization,
            "reg": self.reg,
            "weight_scale": self.weight_scale,
            "dtype": self.dtype.name,
            "seed": self.seed,
            "loss": self.loss_name,
            "scaling": self.scaling,
            "dropout_mask": self.dropout_mask,
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the net to a safetensors file with a checksum; a file that is there is replaced whole or not at all.

        The net takes standardized rows, and the data's `shift` and `scale` are no part of it: keep them too.

        Raises:
            OSError: if the file cannot be written.
        """
        from thinnet.nets.saving import save_net

        save_net(self, check_path("path", path))

    def export_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the net's test mode as an ONNX graph from ``X`` to ``scores``, for other programs to run.

        Raises:
            MissingExtraError: if the package onnx is not installed.
            OSError: if the file cannot be written.
        """
        from thinnet.nets.onnx_export import export_onnx

        export_onnx(self, check_path("path", path))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FullyConnectedNet:
        """Read a net that `save` wrote; no code in the file is run.

        Raises:
            CheckpointError: if the file is not a net of Thinnet, or not every byte of it is as it was written.
            OSError: if it cannot be read.
        """
        from thinnet.nets.saving import load_net

        return load_net(check_path("path", path))

    def copy(self, dtype: Any = None) -> FullyConnectedNet:
        """A net of its own with the same parameters, statistics, seed and step, of another dtype if one is given.

        Raises:
            ArgumentError: if the dtype is neither float32 nor float64.
        """
        other = copy.deepcopy(self)
        if dtype is not None and _dtype(dtype) != self.dtype:
            other.dtype = _dtype(dtype)
            other._params = Parameters(self.params.shapes, other.dtype, self.params.order)
            other.running = Parameters(self.running.shapes, other.dtype)
            other.params.flat[:], other.running.flat[:] = self.params.flat, self.running.flat
        return other

    def _rows(self, X: Any) -> Any:
        """X as a matrix of the net's dtype; the estimators' sparse rows as they are."""
        if isinstance(X, SparseRows):
            return X
        return self._matrix(X).astype(self.dtype, copy=False)

    def _matrix(self, X: AnyArray) -> AnyArray:
        """X as a matrix of real numbers, one example a row."""
        array: AnyArray = as_array("X", X)
        if array.dtype.kind not in "fiub":
            raise ArgumentError(f"X must be real numbers, got dtype {array.dtype}. Encode it as numbers first.")
        if array.ndim < 2 or math.prod(array.shape[1:]) != self.input_dim:
            raise ArgumentError(
                f"X must have shape (N, {self.input_dim}), or one that flattens to it, got {array.shape}. "
                f"Put one example in each row, or build the net with another input_dim."
            )
        return array.reshape(array.shape[0], self.input_dim)

    def _targets(self, y: AnyArray) -> AnyArray:
        y = as_array("y", y)
        values = LOSSES[self.loss_name].targets != "labels" and y.dtype.kind in "fiu"
        return y.astype(self.dtype, copy=False) if values else y

    def inplace_add_penalty(self, params: Parameters, gradients: Parameters) -> float:
        """Add the gradient of the weights' L2 penalty; return the penalty."""
        if self.reg == 0:
            return 0.0
        penalty = 0.0
        for i in range(1, self.num_layers + 1):
            W, dW = params[f"W{i}"], gradients[f"W{i}"]
            if self.uses_kernels:
                from thinnet.kernels.penalty import inplace_add_scaled

                squares = inplace_add_scaled(W.ravel("K"), self.dtype.type(self.reg), dW.reshape(-1, order="A"))
            else:
                squares = float(np.sum(W * W))
                dW += self.dtype.type(self.reg) * W
            penalty += 0.5 * self.reg * squares
        return penalty

    def __repr__(self) -> str:
        dims = "-".join(map(str, (self.input_dim, *self.hidden_dims, self.num_classes)))
        return (
            f"<FullyConnectedNet {dims}: dropout {self.dropout:g}, normalization {self.normalization}, "
            f"{self.params.flat.size:,} parameters of {self.dtype}>"
        )


def _dims(hidden_dims: Sequence[int]) -> tuple[int, ...]:
    if not np.iterable(hidden_dims):
        raise ArgumentError(
            f"hidden_dims must be a sequence of integers, got {hidden_dims!r}. Use [100] for one layer of 100 units."
        )
    return tuple(check_number("hidden_dims", dim) for dim in hidden_dims)


def _dtype(dtype: Any) -> np.dtype[Any]:
    try:
        name = "None" if dtype is None else np.dtype(dtype).name
    except TypeError:
        name = str(dtype)
    return np.dtype(check_choice("dtype", name, DTYPES))
