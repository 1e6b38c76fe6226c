"""The table of bad inputs: the call, the error, and its text: the argument, its limit, what was given, and the fix.

One row per mistake that a user of the public interface may make, unless another test checks it more thoroughly.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thinnet
from thinnet import (
    ArgumentError,
    Callback,
    DataError,
    Dataset,
    EarlyStopping,
    FullyConnectedNet,
    Solver,
    check_gradients,
    load_cifar10,
    load_digits,
    load_fashion_mnist,
    optim,
    schedules,
)
from thinnet.data.batches import BatchOrder
from thinnet.data.cifar10 import read_cifar10_batch, read_cifar10_folder
from thinnet.data.idx import read_idx
from thinnet.data.rows import RowReader
from thinnet.errors import MissingCheckpointError, MissingDataError
from thinnet.masks import keep_mask, keep_units
from thinnet.optim import OPTIMIZERS, FlatOptimizer
from thinnet.parameters import Parameters
from thinnet.steps.hidden import Activations

X = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
Y = np.arange(6) % 3


def net(**options: Any) -> FullyConnectedNet:
    return FullyConnectedNet([5], 4, 3, **{"seed": 0, **options})


def trained() -> Solver:
    done = solver()
    done.train()
    return done


def solver(model: Any = None, data: Any = None, **options: Any) -> Solver:
    usual = {"verbose": False, "batch_size": 2, "epochs": 1, "progress": False}
    data = {"X_train": X, "y_train": Y, "X_val": X, "y_val": Y} if data is None else data
    return Solver(net() if model is None else model, data, **{**usual, **options})


def model_that_returns(result: Any) -> Any:
    """A model that is not ours, whose loss(X, y) returns this."""

    class Model:
        params = {"W": np.zeros((4, 3))}  # noqa: RUF012 - one model, one use

        def loss(self, X: Any, y: Any = None) -> Any:
            return X @ self.params["W"] if y is None else result

    return Model()


def read(reader: Callable[[Path], Any], content: bytes) -> Callable[[Path], Any]:
    """Read a file with this content."""

    def call(folder: Path) -> Any:
        path = folder / "file"
        path.write_bytes(content)
        return reader(path)

    return call


def batch(**entries: Any) -> bytes:
    """A batch of CIFAR-10 with some entries replaced."""
    whole: dict[str, Any] = {"data": np.zeros((2, 3072), np.uint8), "labels": [0, 9], **entries}
    kept = {key.encode(): value for key, value in whole.items() if value is not None}
    return pickle.dumps(kept, protocol=2)


def train(*args: Any, **options: Any) -> Callable[[], Any]:
    return lambda: solver(*args, **options).train()


class Evil:
    """An object whose pickle runs code when loaded, unless by our readers."""

    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('code ran')",)


def idx(code: int = 8, dims: tuple[int, ...] = (2,), values: bytes = b"ab", start: bytes = b"\0\0") -> bytes:
    return start + bytes([code, len(dims)]) + b"".join(d.to_bytes(4, "big") for d in dims) + values


@dataclass(frozen=True)
class Row:
    """One mistake: `call` takes nothing, or an empty folder; `text` is a regular expression."""

    what: str
    call: Callable[..., Any]
    error: type[Exception]
    text: str


def rows(error: type[Exception], table: dict[str, tuple[Callable[..., Any], str]]) -> list[Row]:
    return [Row(what, call, error, text) for what, (call, text) in table.items()]


NETS = rows(
    ArgumentError,
    {
        "hidden_dims: zero": (lambda: FullyConnectedNet([0], 4, 3), r"hidden_dims\[0\] must be an integer >= 1, got 0\. It is the number"),
        "hidden_dims: a number": (lambda: FullyConnectedNet(100, 4, 3), r"sequence of integers, got 100\. Write \[100\] for one hidden"),  # type: ignore[arg-type]
        "hidden_dims: text": (lambda: FullyConnectedNet("100", 4, 3), r"hidden_dims must be a sequence of integers, got '100'"),  # type: ignore[arg-type]
        "hidden_dims: a float": (lambda: FullyConnectedNet([10.0], 4, 3), r"an integer >= 1, got 10\.0 \(float\)"),  # type: ignore[list-item]
        "hidden_dims: None": (lambda: FullyConnectedNet(None, 4, 3), r"hidden_dims must be a sequence of integers, got None"),  # type: ignore[arg-type]
        "hidden_dims: huge": (lambda: FullyConnectedNet([10**9], 10**9, 10),
                              r"a net and its minibatch must fit into memory, got 1,000,000,011,000,000,010 numbers, .* most of them in W1"),
        "hidden_dims: beyond all addresses": (lambda: FullyConnectedNet([10**30], 3072, 10), r"must fit into memory, got 3,083,0"),
        "input_dim: zero": (lambda: FullyConnectedNet([1], 0, 3), r"input_dim must be an integer >= 1, got 0"),
        "input_dim: a bool": (lambda: FullyConnectedNet([1], True, 3), r"input_dim must be an integer >= 1, got True \(bool\)"),
        "input_dim: not given": (lambda: FullyConnectedNet([64, 50, 10]), r"input_dim must be an integer >= 1, got None\. Write .*for_data"),
        "num_classes: not given": (lambda: FullyConnectedNet([5], 4), r"num_classes must be an integer >= 1, got None\."),
        "net: a course's word": (lambda: FullyConnectedNet([5], 4, 3, use_batchnorm=True), r"has no argument 'use_batchnorm'\. Did you mean 'normalization'\?"),  # type: ignore[call-arg]
        "net: a misspelled word": (lambda: FullyConnectedNet([5], 4, 3, droput=0.5), r"no argument 'droput'\. Did you mean 'dropout'\?"),  # type: ignore[call-arg]
        "net: an assignment": (lambda: setattr(net(), "dropout", 0.3), r"dropout must stay 0\.0, got .* net = net\.replace\(dropout=0\.3\)"),
        "net: an unknown attribute": (lambda: setattr(net(), "droput", 0.3), r"one that it has, got .* 'droput'\. Did you mean 'dropout'\?"),
        "replace: a shape": (lambda: net().replace(hidden_dims=[7]), r"replace must leave the shapes .* got hidden_dims"),
        "replace: unknown": (lambda: net().replace(drop=0.3), r"replace has no argument 'drop'\. Did you mean 'dropout'\?"),
        "activation: unknown": (lambda: net(activation="relu6"), r"activation must be one of 'relu', .* got 'relu6'\. Did you mean 'relu'"),
        "probabilities: of values": (lambda: net(loss="mse").predict_proba(X), r"loss must be 'softmax' or 'logistic' for probabilities, got 'mse'"),
        "step: without training": (lambda: net().loss(X, Y, step=1), r"step must be None unless training=True"),
        "y: none in training": (lambda: net().loss(X, training=True), r"y must be given with training=True"),
        "num_classes: negative": (lambda: FullyConnectedNet([1], 4, -3), r"num_classes must be an integer >= 1, got -3"),
        "dropout: a percentage": (lambda: net(dropout=50), r"dropout must be a number in \[0, 1\), got 50\. dropout is"),
        "dropout: NaN": (lambda: net(dropout=np.nan), r"dropout must be a number in \[0, 1\), got nan"),
        "normalization: unknown": (lambda: net(normalization="batch"), r"normalization must be one of None, 'batchnorm', "),
        "activation: None": (lambda: net(activation=None), r"activation must be one of .*, got None\.$"),
        "normalization: True": (lambda: net(normalization=True), r"normalization must be one of .*, got True"),
        "normalization: a list": (lambda: net(normalization=["batchnorm"]), r"normalization must be one of .*, got \['b"),
        "normalization: an array": (lambda: net(normalization=np.ones(2)), r"normalization must be one of .*, got array"),
        "reg: negative": (lambda: net(reg=-1), r"reg must be a finite number >= 0, got -1\. reg is the strength"),
        "reg: infinite": (lambda: net(reg=np.inf), r"reg must be a finite number >= 0, got inf"),
        "reg: beyond all floats": (lambda: net(reg=10**400), r"reg must be a finite number >= 0, got a number too large for a float"),
        "weight_scale: text": (lambda: net(weight_scale="xavier"), r"weight_scale must be .* 'xavier' .* or 'he'"),
        "weight_scale: negative": (lambda: net(weight_scale=-1.0), r"weight_scale must be a finite number >= 0, got -1\.0"),
        "dtype: half": (lambda: net(dtype=np.float16), r"dtype must be one of 'float32', 'float64', got 'float16'"),
        "dtype: nonsense": (lambda: net(dtype="real"), r"dtype must be one of .*, got 'real'"),
        "dtype: misspelled": (lambda: net(dtype="flaot32"), r"got 'flaot32'\. Did you mean 'float32'\?"),
        "dtype: None": (lambda: net(dtype=None), r"dtype must be one of 'float32', 'float64', got 'None'"),
        "seed: negative": (lambda: net(seed=-1), r"seed must be an integer from 0 to .*, got -1\. Use a whole number"),
        "seed: a float": (lambda: net(seed=1.0), r"seed must be an integer .* got 1\.0 \(float\)"),
        "loss: unknown": (lambda: net(loss="hinge"), r"loss must be one of 'softmax', 'svm', 'mse', 'logistic', 'poisson', got 'hinge'"),
        "scaling: misspelled": (lambda: net(scaling="scaled"), r"scaling must be .* got 'scaled'\. Did you mean 'uns"),
        "dropout_mask: layer normalization": (lambda: net(dropout_mask="batch", normalization="layernorm"),
                                              r"dropout_mask must be 'element' with layer normalization, got 'batch'"),
        "dropout_mask: unknown": (lambda: net(dropout_mask="row"), r"dropout_mask must be one of 'element', 'batch', got"),
        "X: None": (lambda: net().predict(None), r"X must be real numbers, got None\. Fill in"),  # type: ignore[arg-type]
        "X: dicts": (lambda: net().predict([{"a": 1.0}]), r"X must be an array in memory, got a list of dicts\. Give pandas\.DataFrame\(list\(X\)\)"),  # type: ignore[arg-type]
        "y: beyond int64": (lambda: net().loss(X, Y.astype(np.uint64) + np.uint64(2**63), training=True), r"y must hold labels within int64, got 922"),
        "X: rows of unequal lengths": (lambda: net().predict([[1.0], [1.0, 2.0]]), r"X must be an array, got a list that"),  # type: ignore[arg-type]
        "X: empty batch": (lambda: net().loss(X[:0], Y[:0], training=True), r"scores must have at least one row .* Skip empty batches"),
        "y: out of range": (lambda: net().loss(X, Y + 1, training=True), r"y must be labels from 0 to 2, got y\[2\] = 3"),
        "y: floats": (lambda: net().loss(X, Y + 0.5, training=True), r"integer class labels, got dtype float64"),
        "y: too few": (lambda: net().loss(X, Y[:5], training=True), r"y must be of shape \(6,\), one label per row, got \(5,\)"),
        "y: rows of unequal lengths": (lambda: net().loss(X, [[1], [1, 2]], training=True), r"y must be an array, got a list that"),  # type: ignore[call-overload]
        "y: text": (lambda: net().loss(X, np.array(["cat"] * 6), training=True), r"y must be numbers, got text such as 'cat'\. .*np\.unique"),
        "X: beyond float32": (lambda: net().loss(X.astype(float) * 1e200, Y, training=True), r"X must hold numbers that stay within float32, .* in column"),
        "y: labels for mse": (lambda: net(loss="mse").loss(X, Y, training=True), r"y must have shape \(N, C\) .*, got \(6,\)"),
        "step: a float": (lambda: net().loss(X, Y, step=1.5, training=True), r"step must be an integer .* got 1\.5"),  # type: ignore[call-overload]
        "step: negative": (lambda: net().loss(X, Y, step=-1, training=True), r"step must be an integer from 0 to .*, got -1"),
        "batch_size: more than memory": (lambda: Activations.empty(net().spec, 10**13, 5), r"minibatch must fit into memory, .* z of shape \(10000000000000, 5\)\. Use fewer units, columns or classes, or a smaller batch"),
        "loss: more by position": (lambda: net().loss(X, Y, 1), r"loss takes X and y by position, got 3\. Give the others by name: weights, training, step"),  # type: ignore[call-overload]
        "params: more than memory": (lambda: Parameters({"W": (10**8, 10**8)}), r"must fit into memory, got 10,000,000,000"),
        "save: a number": (lambda: net().save(7), r"path must be a path, got 7\. Give a file or a folder as a string"),  # type: ignore[arg-type]
        "load: None": (lambda: FullyConnectedNet.load(None), r"path must be a path, got None"),  # type: ignore[arg-type]
    },
)  # fmt: skip

TRAINING = rows(
    ArgumentError,
    {
        "solver: rows and labels": (lambda: Solver(net(), X, Y), r"Solver takes model and data by position, got 3\. .*data=Dataset\(X, y\)"),  # type: ignore[call-arg, arg-type]
        "solver: rows by name": (lambda: Solver(net(), X=X, y=Y), r"no argument 'X'\. Did you mean 'data'\?"),  # type: ignore[call-arg]
        "model: data": (lambda: solver(Dataset(X, Y)), r"model must be .* <Dataset.*: write Solver\(net, data\)\."),
        "model: a class": (lambda: solver(FullyConnectedNet), r"model must be an object with a mapping params and a method"),
        "model: text": (lambda: solver("net"), r"model must be .* got 'net'\. Pass a FullyConnectedNet, for example"),
        "model: returns a number": (train(model_that_returns(1.0)), r"loss\(X, y\) must return a pair .* got a float\. Fix"),
        "model: returns None": (train(model_that_returns(None)), r"must return a pair of a number and a mapping .* got None\."),
        "model: returns a loss a row": (train(model_that_returns((np.ones(2), {}))), r"must return a pair of a number"),
        "data: other features": (lambda: solver(data={"X_train": X[:, :2], "y_train": Y}),
                                 r"data must have 4 features, the net's input_dim, got 2\. Build the net with input_dim=2"),
        "data: more classes": (lambda: solver(data={"X_train": X, "y_train": Y + 1}), r"y_train must hold labels from 0 to 2"),
        "data: more classes in validation": (lambda: solver(data={"X_train": X, "y_train": Y, "X_val": X, "y_val": Y + 7}),
                                             r"y_val must hold labels from 0 to 2, .* got 9"),
        "data: no rows": (lambda: solver(data={"X_train": X[:0], "y_train": Y[:0]}), r"at least one training row, got none"),
        "data: values for labels": (lambda: solver(data={"X_train": X, "y_train": X[:, :3]}),
                                    r"y_train must hold labels, since the net's loss is 'softmax', got values such as .* in 3 columns"),
        "data: labels for values": (lambda: solver(net(loss="mse")), r"y_train must hold values, since .* loss is 'mse'"),
        "data: other columns": (lambda: solver(net(loss="mse"), {"X_train": X, "y_train": X[:, :2]}),
                                r"y_train must have 3 columns, the net's num_classes, got 2\. Build the net with num_cl"),
        "data: weights for a rule of one's own": (lambda: solver(data=Dataset(X, Y, weights=np.ones(6)), optimizer=optim.sgd),
                                                  r"data must have weights=None unless the model .* apply them in the model's own"),
        "optimizer: unknown": (lambda: solver(optimizer="adagrad"), r"optimizer must be one of 'sgd', .* got 'adagrad'"),
        "optimizer: a number": (lambda: solver(optimizer=5), r"optimizer must be a name .* got 5\. Use 'adam'"),
        "optimizer: None": (lambda: solver(optimizer=None), r"optimizer must be a name .* got None"),
        "optimizer: a class": (lambda: solver(optimizer=FlatOptimizer), r"or a function .*got <class"),
        "optimizer: returns weights alone": (train(optimizer=lambda w, dw, config: w), r"must return a pair .* ndarray"),
        "optimizer: returns None": (train(optimizer=lambda w, dw, c: None), r"must return a pair .* got None\. End"),
        "optimizer: returns another shape": (train(optimizer=lambda w, dw, c: (w[:1], c)), r"weights of shape \(4, 5\)"),
        "optimizer: returns no array": (train(optimizer=lambda w, dw, c: (1.0, c)), r"as it was given, got a float"),
        "optimizer_options: an unknown key": (lambda: solver(optimizer_options={"lr": 1}), r"only the keys 'beta1', .* got 'lr'"),
        "optimizer_options: for somebody else's model": (lambda: solver(model_that_returns(1.0), optimizer_options={"lr": 1}),
                                                    r"optimizer_options must be a mapping with only the keys .* got 'lr'"),
        "optimizer_options: text": (lambda: solver(learning_rate="1e-3"), r"learning_rate must be .* '1e-3' \(st"),
        "optimizer_options: a number": (lambda: solver(optimizer_options=0.1), r"optimizer_options must be a mapping, got 0\.1\. Write"),
        "optimizer_options: for a function": (lambda: solver(optimizer=optim.sgd, optimizer_options=0.1), r"must be a mapping, got 0"),
        "optimizer_options: NaN": (lambda: solver(learning_rate=np.nan), r"learning_rate must be .* got nan"),
        "optimizer_options: beta of one": (lambda: solver(optimizer="adam", optimizer_options={"beta2": 1}), r"beta2 must be .* got 1"),
        "batch_size: zero": (lambda: solver(batch_size=0), r"batch_size must be an integer >= 1, got 0"),
        "batch_size: text": (lambda: solver(batch_size="100"), r"batch_size must be an integer >= 1, got '100' \(str\)"),
        "epochs: negative": (lambda: solver(epochs=-1), r"epochs must be an integer >= 1, got -1"),
        "epochs: infinite": (lambda: solver(epochs=np.inf), r"epochs must be an integer >= 1, got inf"),
        "eval_train_rows: zero": (lambda: solver(eval_train_rows=0), r"eval_train_rows must be an integer >= 1, got 0"),
        "eval_val_rows: negative": (lambda: solver(eval_val_rows=-5), r"eval_val_rows must be an integer >= 1, got -5"),
        "print_every: zero": (lambda: solver(print_every=0), r"print_every must be an integer >= 1, got 0"),
        "seed: of a solver": (lambda: solver(seed=-1), r"seed must be an integer from 0 to .*, got -1"),
        "solver: the courses' words": (lambda: solver(update_rule="sgd"), r"Solver has no argument 'update_rule'\. Did you mean 'optimizer'\?"),
        "solver: a course's epochs": (lambda: solver(num_epochs=3), r"no argument 'num_epochs'\. Did you mean 'epochs'\?"),
        "solver: its decay": (lambda: solver(lr_decay=0.9), r"no argument 'lr_decay'\. Did you mean 'schedule'\?"),
        "learning_rate: among the options": (lambda: solver(optimizer_options={"learning_rate": 0.1}), r"It is a separate argument: learning_rate=0\.1"),
        "schedule: a class": (lambda: solver(schedule=schedules.Cosine), r"object of thinnet\.schedules, got <class"),
        "schedule: an unknown name": (lambda: solver(schedule="cosin"), r"schedule must be one of .* got 'cosin'\. Did you mean 'cosine'"),
        "train: after its end": (lambda: trained().train(), r"epochs must be given to train beyond the end, .* Write train\(epochs=10\)"),
        "train: no epochs": (lambda: trained().train(epochs=0), r"epochs must be an integer >= 1, got 0"),
        "callbacks: a class": (lambda: solver(callbacks=[Callback]), r"callbacks must be a list of .* got <class .*Callback"),
        "callbacks: a function": (lambda: solver(callbacks=[print]), r"callbacks must be a list of .* got <built-in"),
        "callbacks: one alone": (lambda: solver(callbacks=EarlyStopping(3)), r"list of thinnet\.callbacks\.Callback .* got <"),
        "callbacks: a number": (lambda: solver(callbacks=5), r"callbacks must be a list of .* got 5\. Write callbacks=\["),
        "callbacks: None": (lambda: solver(callbacks=None), r"callbacks must be a list of .* got None"),
        "patience: zero": (lambda: solver(patience=0), r"patience must be an integer >= 1, got 0"),
        "patience: without validation": (lambda: solver(data={"X_train": X, "y_train": Y}, patience=2), r"Give X_val"),
        "sampling: unknown": (lambda: solver(sampling="random"), r"sampling must be one of 'epoch', 'replacement', got"),
        "split: unknown": (lambda: solver().accuracy("valid"), r"split must be one of 'train', 'val', 'test', got 'valid'"),
        "resume: a number": (lambda: Solver.resume(3, {}), r"checkpoint_dir must be a path, got 3"),  # type: ignore[arg-type]
        "optimizer: a config of text": (lambda: optim.sgd(np.ones(1), np.ones(1), "fast"), r"config must be a mapping"),  # type: ignore[arg-type]
        "mask: a number for a shape": (lambda: keep_mask(0.5, 5, seed=0), r"shape must be a pair \(rows, columns\), got 5"),  # type: ignore[arg-type]
        "mask: three sizes": (lambda: keep_mask(0.5, (1, 2, 3), seed=0), r"shape must be a pair .* got \(1, 2, 3\)"),  # type: ignore[arg-type]
        "mask: a negative size": (lambda: keep_mask(0.5, (-1, 2), seed=0), r"shape must be an integer >= 0, got -1"),
        "mask: units": (lambda: keep_units(0.5, 2.0, seed=0), r"num_units must be an integer >= 0, got 2\.0"),  # type: ignore[arg-type]
        "check_gradients: no model": (lambda: check_gradients(None, X, Y), r"model must be an object with a mapping params"),
        "check_gradients: no step": (lambda: check_gradients(net(), X, Y, h=0), r"h must be a finite number > 0, got 0"),
        "check_gradients: tolerance": (lambda: check_gradients(net(), X, Y, tolerance=-1), r"tolerance must be .* got -1"),
    },
)  # fmt: skip

DATA = rows(
    DataError,
    {
        "Dataset: None": (lambda: Dataset(None, None), r"X_train and y_train must be arrays, got None\. Give the training"),  # type: ignore[arg-type]
        "Dataset: no labels": (lambda: Dataset(X, None), r"X_train and y_train must be given together, got only one"),  # type: ignore[arg-type]
        "Dataset: a pair": (lambda: Dataset((X, Y), (X, Y)), r"y_train must be an array, got a tuple of arrays of shapes \(6, 4\) and \(6,\)\. Give each of them under its own name"),  # type: ignore[arg-type]
        "Dataset: rows alone": (lambda: solver(data=X), r"got an ndarray\. Write Dataset\(X, y\)"),
        "Dataset: a number": (lambda: solver(data=5), r"data must be a Dataset or a dict with X_train and y_train, got an int"),
        "Dataset: arrays": (lambda: solver(data=(X, Y)), r"data must be a Dataset or a dict .*, got a tuple"),
        "Dataset: wrong keys": (lambda: solver(data={"X": X, "y": Y}), r"X_train and y_train, got the keys \['X', 'y'\]"),
        "Dataset: a key misspelled": (lambda: solver(data={"X_train": X, "y_train": Y, "X_valid": X}), r"Did you mean 'X_val'"),
        "Dataset: fewer labels": (lambda: Dataset(X, Y[:5]), r"one label per row, got X of shape \(6, 4\) and y of shape \(5"),
        "Dataset: dates": (lambda: Dataset(X.astype("M8[s]"), Y), r"X_train must be real numbers, got dates\. Convert them"),
        "Dataset: objects": (lambda: Dataset(np.array([[None]] * 6), Y), r"X_train must be real numbers, got None\. Fill"),
        "Dataset: masked": (lambda: Dataset(np.ma.masked_less(X, 0), Y), r"X_train must have no masked elements, got some"),
        "Dataset: complex labels": (lambda: Dataset(X, Y * 1j), r"y_train must be labels or real numbers, got complex numbers\. Give both"),
        "Dataset: missing labels": (lambda: Dataset(X, np.array(["a", None] * 3)), r"y_train must have a label .* got None in row 1"),
        "Dataset: text beside numbers": (lambda: Dataset(X, np.array(["a"] * 6), X, Y), r"y_val must be \(N,\) text where other labels are"),
        "Dataset: no such name": (lambda: Dataset(X, np.array(["a", "c"] * 3), class_names=("a", "b")), r"labels in class_names, got 'c'"),
        "Dataset: negative labels": (lambda: Dataset(X, Y - 1), r"y_train must hold labels .* got labels from -1 to 1"),
        "Dataset: labels beyond the names": (lambda: Dataset(X, Y, class_names=("a", "b")), r"there are 2 class_names"),
        "Dataset: beyond float64": (lambda: Dataset(X.astype(np.longdouble) * np.longdouble("1e400"), Y), r"stay within float64"),
        "Dataset: labels beyond int64": (lambda: Dataset(X, Y.astype(np.uint64) + np.uint64(2**63)), r"y_train must hold labels within int64, got 9223372036854775810\. Number the classes: names, y = np\.unique\(y_train"),
        "Dataset: pairs of rows": (lambda: Dataset(X, X[:2], Y, Y[:2]), r"y of shape \(2, 4\)\. These seem to be the rows of two splits: write Dataset\(X_train, y_train, X_val, y_val\)"),
        "Dataset: no weight": (lambda: Dataset(X, Y, weights=np.zeros(6)), r"weights must have at least one number above zero, got zero for every row\. Leave weights out if"),
        "Dataset: a generator": (lambda: Dataset((row for row in X), Y), r"X_train must be an array in memory, got a generator\. Give list\(X_train\)"),  # type: ignore[arg-type]
        "Dataset: a file": (lambda: Dataset("rows.csv", Y), r"X_train must be an array in memory, got the text 'rows\.csv'\. If that is a file, read it"),  # type: ignore[arg-type]
        "Dataset: records": (lambda: Dataset(np.rec.fromarrays(X.T), Y), r"X_train must be an array in memory, got a recarray of records\. Give pandas\.Data"),
        "Dataset: a vector": (lambda: Dataset(X[:, 0], Y), r"X_train must have shape \(N, D\)"),
        "Dataset: rows of unequal lengths": (lambda: Dataset([[1.0], [1.0, 2.0]], Y[:2]), r"Make all rows the same length"),  # type: ignore[arg-type]
        "Dataset: other features": (lambda: Dataset(X, Y, X[:, :2], Y), r"X_val must have 4 columns, like X_train, got 2"),
        "Dataset: image_shape": (lambda: Dataset(X, Y, image_shape=(3, 3)), r"image_shape must have . elements, as many as X_tr"),
        "Dataset: an absent split": (lambda: Dataset(X, Y).batch("val"), r"split must be one that data has, got 'val', which"),
        "Dataset: a split to measure": (lambda: solver().accuracy("test"), r"split must be one that data has, got 'test', which"),
        "Dataset: nothing to standardize": (lambda: Dataset(X[:0], Y[:0]).standardized(), r"at least one row to standardize"),
        "CIFAR-10: no pickle": (read(read_cifar10_batch, b"GIF89a"), r"must be a batch of CIFAR-10: .* got text that begins with 'GIF89a'"),
        "CIFAR-10: code": (read(read_cifar10_batch, pickle.dumps(Evil(), 2)), r"got a pickle that names '\w+\.exec'"),
        "CIFAR-10: cut": (read(read_cifar10_batch, batch()[:-50]), r"got a file cut short|got a truncated or damaged pickle"),
        "CIFAR-10: no labels": (read(read_cifar10_batch, batch(labels=None)), r"got the keys data\. Put the file from"),
        "CIFAR-10: a label too large": (read(read_cifar10_batch, batch(labels=[0, 10])), r"integers from 0 to 9, got 10"),
        "CIFAR-10: too few labels": (read(read_cifar10_batch, batch(labels=[1])), r"a list of 2 labels, one per row, got 1"),
        "CIFAR-10: another shape": (read(read_cifar10_batch, batch(data=np.zeros((2, 3), np.uint8))), r"got uint8 of shape \(2, 3\)"),
        "CIFAR-10: a directory": (lambda folder: read_cifar10_batch(folder), r"got a directory\. Name the file itself"),
        "IDX: empty": (read(read_idx, b""), r"got an empty file\. Download it again"),
        "IDX: no magic": (read(read_idx, idx(start=b"PK")), r"got a file of an unknown kind, whose first bytes are 50 4b 08 01"),
        "IDX: floats": (read(read_idx, idx(code=13)), r"got the data type 0x0d rather than 0x08"),
        "IDX: no dimension": (read(read_idx, idx(dims=())), r"got 0 dimensions rather than 1 to 4"),
        "IDX: cut": (read(read_idx, idx(values=b"a")), r"an IDX file of 2 values, for the shape \(2,\), got 1"),
        "IDX: longer": (read(read_idx, idx(values=b"abc")), r"an IDX file of 2 values, .* got more"),
        "IDX: absurd sizes": (read(read_idx, idx(dims=(2**32 - 1,) * 4)), r"got the shape .* more than 268,435,456 bytes"),
        "IDX: absurd sizes beside none": (read(read_idx, idx(dims=(0, 2**32 - 1, 2**31), values=b"")), r"got the shape \(0,"),
        "IDX: a damaged gzip file": (read(read_idx, b"\x1f\x8b" + bytes(20)), r"got a damaged or truncated gzip file"),
        "digits: more than there are": (lambda: load_digits(num_train=5000), r"must be at most 1,797, .* got 5,800\. Ask for"),
    },
)  # fmt: skip

OTHERS = [
    *rows(
        ArgumentError,
        {
            "standardized: unknown": (lambda: Dataset(X, Y).standardized("minmax"), r"method must be one of 'none', 'mean'"),
            "batch: a float for rows": (lambda: Dataset(X, Y).batch("train", 10.0), r"rows must be row numbers, a slice, or a mask of 6 booleans, got 10\.0\. Write slice\(0, 10\) for that many rows, \[10\]"),  # type: ignore[arg-type]
            "batch: floats for rows": (lambda: Dataset(X, Y).batch("train", np.array([2.0])), r"rows must be .*, got dtype float64 of shape \(1,\)\. Give np\.array\(rows, int\)"),
            "batch: NaN for rows": (lambda: Dataset(X, Y).batch("train", float("nan")), r"a mask of 6 booleans, got nan\. Rows are numbered 0, 1, 2 and so on\.$"),  # type: ignore[arg-type]
            "batch: half a row": (lambda: Dataset(X, Y).batch("train", 2.5), r"got 2\.5\. Rows are numbered 0"),  # type: ignore[arg-type]
            "batch: -1 for rows": (lambda: Dataset(X, Y).batch("train", -1), r"got -1\. Write \[-1\] for row -1\.$"),  # type: ignore[arg-type]
            "batch: NaN among rows": (lambda: Dataset(X, Y).batch("train", [0, float("nan")]), r"got dtype float64 of shape \(2,\)\. Rows are numbered"),  # type: ignore[list-item]
            "held: beyond the last row": (lambda: Dataset(X, Y).held("train", [6]), r"rows must be numbers from 0 to 5, got 6"),
            "held: NaN": (lambda: Dataset(X, Y).held("train", float("nan")), r"rows must be row numbers, .* got nan\. Rows are numbered"),  # type: ignore[arg-type]
            "held: no such split of a share": (lambda: Dataset(X, Y).shared(0, 2).held("training", np.arange(2)), r"split must be one of 'train', .* got 'training'\. Did"),
            "batch: True for rows": (lambda: Dataset(X, Y).batch("train", True), r"rows must be .*, got True\. Leave it out for all rows"),  # type: ignore[arg-type]
            "batch: beyond the last row": (lambda: Dataset(X, Y).batch("train", [0, 6]), r"rows must be numbers from 0 to 5, got 6\. Count"),
            "batch: before the first row": (lambda: Dataset(X, Y).batch("train", [-7, 0]), r"rows must be numbers from 0 to 5, got -7\."),
            "batch: fractions": (lambda: Dataset(X, Y).batch("train", [0.5]), r"rows must be .*, got dtype float64 of shape \(1,\)"),  # type: ignore[list-item]
            "batch: another number of truths": (lambda: Dataset(X, Y).batch("train", [True] * 5), r"a mask of 6 booleans, got dtype bool of shape \(5,\)"),
            "batch: a slice of fractions": (lambda: Dataset(X, Y).batch("train", slice(0, 2.5)), r"rows must be a slice of whole numbers, got slice\(0, 2\.5"),
            "batch: integers": (lambda: Dataset(X, Y).batch("train", [0], "int8"), r"dtype must be a float type, got 'int8'\. Use 'float32' or"),
            "reader: beyond the last row": (lambda: RowReader(Dataset(X, Y), "train", 2).read(np.array([6])), r"rows must be numbers from 0 to 5, got 6"),
            "reader: more rows than room": (lambda: RowReader(Dataset(X, Y), "train", 2).read(np.arange(3)), r"rows must be at most 2 \(max_rows\), got 3"),
            "order: of no rows": (lambda: BatchOrder(0, batch_size=2, seed=0), r"num_rows must be an integer >= 1, got 0"),
            "order: half a step": (lambda: BatchOrder(6, batch_size=2, seed=0).rows(1.5), r"step must be an integer from 0 to 4294967295, got 1\.5 \(float\)\. Steps"),  # type: ignore[arg-type]
            "order: a step before the first": (lambda: BatchOrder(6, batch_size=2, seed=0).rows(-1), r"step must be .*, got -1\. Steps count from 0"),
            "order: the epoch of NaN": (lambda: BatchOrder(6, batch_size=2, seed=0).epoch(float("nan")), r"step must be .*, got nan"),  # type: ignore[arg-type]
            "shared: text": (lambda: Dataset(X, Y).shared("0", 2), r"rank must be an integer >= 0, got '0' \(str\)"),  # type: ignore[arg-type]
            "shared: beyond the last": (lambda: Dataset(X, Y).shared(2, 2), r"rank must be from 0 to 1, below size, got 2"),
            "first: more than there are": (lambda: Dataset(X, Y).first(7), r"num_train must be at most 6, .* got 7"),
            "CIFAR-10: no images": (lambda folder: load_cifar10(folder, num_train=0), r"num_train must be an integer >= 1"),
            "CIFAR-10: a number for a folder": (lambda: load_cifar10(5), r"root must be a path, got 5"),  # type: ignore[arg-type]
            "CIFAR-10: None for a file": (lambda: read_cifar10_batch(None), r"path must be a path, got None"),  # type: ignore[arg-type]
            "Fashion-MNIST: None": (lambda: load_fashion_mnist(None), r"root must be a path, got None"),  # type: ignore[arg-type]
            "Fashion-MNIST: a fraction": (lambda folder: load_fashion_mnist(folder, num_val=0.1), r"num_val must be .* 0\.1"),  # type: ignore[arg-type]
            "IDX: a number": (lambda: read_idx(5), r"path must be a path, got 5"),  # type: ignore[arg-type]
            "IDX: a zero byte": (lambda: read_idx("a\0b"), r"path must be a path, got 'a\\x00b'"),
            "digits: by position": (lambda: load_digits(100), r"load_digits takes nothing by position, got 1\. Give the others by name: num_train, "),  # type: ignore[call-arg]
            "digits: a bool": (lambda: load_digits(num_val=True), r"num_val must be an integer >= 0, got True \(bool\)"),
            "digits: a seed of text": (lambda: load_digits(seed="a"), r"seed must be an integer .* got 'a' \(str\)"),  # type: ignore[arg-type]
        },
    ),
    *rows(MissingCheckpointError, {"load: missing": (lambda folder: FullyConnectedNet.load(folder / "x"), r"no such file")}),
    *rows(
        MissingDataError,
        {
            "CIFAR-10: nothing there": (lambda folder: load_cifar10(folder), r"root must be cifar-10-batches-py or the folder"),
            "CIFAR-10: files missing": (lambda folder: read_cifar10_folder(folder), r"data_batch_1 must be .* got no such file"),
            "Fashion-MNIST: nothing there": (lambda folder: load_fashion_mnist(folder), r"root must be a folder with train-im"),
            "IDX: missing": (lambda folder: read_idx(folder / "x"), r"must be an IDX file of uint8 values, got no such file"),
        },
    ),
    *rows(FileNotFoundError, {"save: nowhere": (lambda folder: net().save(folder / "x" / "y"), r"Make the folder first")}),
]  # fmt: skip

TABLE = [*NETS, *TRAINING, *DATA, *OTHERS]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.what)
def test_a_mistake_is_said_in_words(row: Row, tmp_path: Path) -> None:
    takes_folder = row.call.__code__.co_argcount
    with pytest.raises(row.error, match=row.text) as caught:
        row.call(*[tmp_path] * takes_folder)
    assert caught.type is row.error
    if issubclass(row.error, thinnet.ThinnetError):
        assert str(caught.value)[-1] in ".?)", "a sentence"


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_limit_of_every_rule_holds(name: str) -> None:
    for key in OPTIMIZERS[name].defaults:
        for bad in (-1, np.nan, np.inf, "0.1", True, [0.1]):
            given: Any = {key: bad} if key == "learning_rate" else {"optimizer_options": {key: bad}}
            with pytest.raises(ArgumentError, match=rf"^{key} must be a (finite )?number .*, got "):
                solver(optimizer=name, **given)
