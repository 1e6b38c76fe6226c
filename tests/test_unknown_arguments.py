"""Every public function refuses unknown arguments, and suggests the nearest known one or one that means the same."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import thinnet
from thinnet import ArgumentError, Dataset, FullyConnectedNet, Solver, check, course, layers, optim, report, schedules
from thinnet.arguments import OPTION_OF
from thinnet.callbacks import EarlyStopping  # noqa: F401 - in a text below, like the layers
from thinnet.checks import listed
from thinnet.course.data_utils import get_CIFAR10_data
from thinnet.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array
from thinnet.layers import conv_forward, dropout_forward, max_pool_forward  # noqa: F401


def public() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public function, and every public class that users instantiate."""
    for module in (thinnet, layers):
        for name in module.__all__:
            value = getattr(module, name)
            error_or_base = isinstance(value, type) and (issubclass(value, Exception) or value is thinnet.Callback)
            if callable(value) and not error_or_base and not isinstance(value, types.ModuleType):
                yield name, value
    yield from ((name, row.rule) for name, row in optim.OPTIMIZERS.items())
    yield from schedules.SCHEDULES.items()
    others: list[Any] = [check.check_layers, check.check_path, course.activate, report.write_report]
    for one in (*others, eval_numerical_gradient, eval_numerical_gradient_array, get_CIFAR10_data):
        yield one.__name__, one


@pytest.mark.parametrize(("name", "function"), [pytest.param(name, one, id=name) for name, one in public()])
def test_an_unknown_argument_is_refused_by_name(name: str, function: Callable[..., Any]) -> None:
    with pytest.raises(ArgumentError, match=r"\w+ has no argument 'nonsense'\. It has \w+"):
        function(nonsense=1)


def needs_nothing(function: Callable[..., Any]) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return all(one.default is not one.empty or one.kind in (one.VAR_KEYWORD, one.VAR_POSITIONAL) for one in parameters)


@pytest.mark.parametrize(
    ("name", "function"), [pytest.param(name, one, id=name) for name, one in public() if not needs_nothing(one)]
)
def test_a_call_without_what_is_needed_is_refused_by_name(name: str, function: Callable[..., Any]) -> None:
    with pytest.raises(ArgumentError, match=r"\w+ must be given \w+.*, got nothing\. \w+"):
        function()


FLAGS = [
    pytest.param(one, flag, id=f"{name}-{flag}")
    for name, one in public()
    for flag, parameter in inspect.signature(one).parameters.items()
    if parameter.annotation in (bool, "bool", "bool | None")
]


@pytest.mark.parametrize("value", ["no", "test", [], 0.0])
@pytest.mark.parametrize(("function", "flag"), FLAGS)
def test_a_flag_is_true_or_false(function: Callable[..., Any], flag: str, value: Any) -> None:
    with pytest.raises(ArgumentError, match=rf"^{flag} must be True or False, got "):
        function(**{flag: value})
    known = inspect.signature(function).parameters
    if known[flag].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
        with pytest.raises(ArgumentError, match=rf"^{flag} must be True or False, got "):
            function(*[1] * [*known].index(flag), value)


def test_the_flags_of_methods_are_true_or_false_and_so_may_numbers_be() -> None:
    assert {flag.values[1] for flag in FLAGS} >= {"training", "verbose", "progress", "raise_exception"}
    net = FullyConnectedNet([5], 4, 2, seed=0)
    with pytest.raises(ArgumentError, match="training must be True or False, got 'test'"):
        net.loss(X, np.zeros(4, int), training="test")  # type: ignore[call-overload]
    truths: list[Any] = [1, np.True_]
    for training in truths:
        assert net.loss(X, np.zeros(4, int), training=training)[0] > 0


X = np.ones((4, 4))
IMAGES = np.ones((2, 3, 6, 6))
DATA = Dataset(X, np.array([0, 1, 0, 1]))


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("dropout_forward(X, p=0.5)", r"'p'\. Did you mean 'rate'\? It is the fraction dropped\.$"),
        ("dropout_forward(X, keep_prob=0.8)", r"'rate'\? It is the fraction dropped, 1 - keep_prob\.$"),
        ("FullyConnectedNet([5], 4, 2, p=0.5)", r"Did you mean 'dropout'\? It is the fraction dropped\.$"),
        ("FullyConnectedNet([5], 4, 2, keep_prob=0.8)", r"Did you mean 'dropout'\? .*, 1 - keep_prob\.$"),
        *(
            (f"dropout_forward(X, {word}=0.5)", r"'rate'\? .* dropped\.$")
            for word in ("drop_prob", "dropout_rate", "prob")
        ),
        *(
            (f"FullyConnectedNet([5], 4, 2, {word}=0.5)", r"'dropout'\? .* dropped\.$")
            for word in ("drop_rate", "prob")
        ),
        ("FullyConnectedNet([5], 4, 2, retain_prob=0.8)", r"Did you mean 'dropout'\? .*, 1 - retain_prob\.$"),
        (
            "dropout_forward(X, keep=0.8)",
            r"given rate, got only x and keep\. .* 'rate' by 'keep'\? .*, 1 - keep\.$",
        ),
        (
            "dropout_forward(X, keep=X > 0)",
            r"given rate, got only x and keep\. rate is the fraction of units dropped: 0",
        ),
        ("dropout_forward(X, 0.5, keep=0.8)", r"got a float\. .* To drop a fraction of the units, use rate\.$"),
        ('dropout_forward(X, dropout_param={"p": 0.5})', r"Did you mean 'rate'\?$"),
        ("layers.batchnorm_forward(X, X, X)", r"given running_mean and running_var, got only x, gamma and beta\. "),
        (
            "FullyConnectedNet()",
            r"must be given hidden_dims, got nothing\. Write FullyConnectedNet\(\[100\], \.\.\.\)\.$",
        ),
        ("layers.affine_forward(X, X)", r"must be given b, got only x and w\. Write affine_forward\(x, w, b\)\.$"),
        ("layers.affine_forward(X, weight=X, bias=X)", r"'weight'\. Did you mean 'w'\?$"),
        ("layers.layernorm_forward(X, X, bias=X)", r"'bias'\. Did you mean 'beta'\?$"),
        ("layers.softmax_loss(logits=X, labels=X)", r"'logits'\. Did you mean 'scores'\?$"),
        ("layers.softmax_loss(X, labels=X)", r"'labels'\. Did you mean 'y'\?$"),
        ("max_pool_forward(IMAGES, kernel_size=2)", r"Did you mean 'pool_height'\?$"),
        ('dropout_forward(X, 0.5, mode="train")', r"'mode'\. Did you mean 'training'\?$"),
        ("conv_forward(IMAGES, X, X, pad=1)", r"'pad'\. Did you mean 'padding'\?$"),
        ('conv_forward(IMAGES, X, X, {"stride": 1})', "by position, got 4. Give the others by name: stride, pad"),
        ("max_pool_forward(IMAGES, 2, 2)", "takes x by position, got 3. Give the others by name: pool_height"),
        (
            "FullyConnectedNet.for_data(DATA, [5], 4, 2)",
            "data and hidden_dims by position, got 4. Give the others by name.",
        ),
        (
            "FullyConnectedNet.for_data(DATA)",
            r"for_data must be given hidden_dims, got only data\. Write for_data\(data, \[",
        ),
        (
            "FullyConnectedNet.for_data(DATA, [5], epochs=3)",
            r"has no argument 'epochs'\. Give it to thinnet\.Solver\.$",
        ),
        ("FullyConnectedNet([5], 4, 2, lr=0.1)", r"has no argument 'lr'\. Give it to thinnet\.Solver\.$"),
        ("FullyConnectedNet([5], 4, 2, dtype='float16')", r"one of 'float32', 'float64', got 'float16'\.$"),
        ("EarlyStopping(epochs=3)", r"EarlyStopping has no argument 'epochs'\. It has patience\.$"),
        ("schedules.Cosine(warm_up=0.1)", r"Cosine has no argument 'warm_up'\. Did you mean 'warmup'\?$"),
    ],
)
def test_words_of_others_are_answered_with_ours(written: str, told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        eval(written)


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("shuffle", r"Solver has no argument 'shuffle'\. Leave it out: each pass takes the rows in a new order\.$"),
        ("device", r"Leave it out: everything is computed on the CPU\.$"),
        ("num_workers", r"Leave it out: everything is computed on the CPU\.$"),
        ("loss", r"Solver has no argument 'loss'\. Give it to the net\.$"),
        ("dropout", r"Give it to the net\.$"),
        ("weight_decay", r"Write optimizer_options=\{'weight_decay': 0.01\}, which adamw and lion take\.$"),
        ("momentum", r"Write optimizer_options=\{'momentum': 0.9\}, which sgd_momentum and nesterov take\.$"),
        (
            "beta1",
            r"Did you mean 'optimizer_options'\? Write optimizer_options=\{'beta1': 0.9\}, which adam, adamw and ",
        ),
        ("beta_1", r"Write optimizer_options=\{'beta1': 0.9\}, which adam, adamw and lion take\.$"),
        ("betas", r"Write optimizer_options=\{'beta1': 0.9\}, which "),
        ("beta_2", r"Write optimizer_options=\{'beta2': 0.999\}, which adam, adamw and lion take\.$"),
        ("epsilon", r"Write optimizer_options=\{'epsilon': 1e-08\}, which rmsprop, adam and adamw take\.$"),
        ("eps", r"Write optimizer_options=\{'epsilon': 1e-08\}, which "),
        ("rho", r"Write optimizer_options=\{'decay_rate': 0.99\}, which rmsprop takes\.$"),
        ("l2", r"Give it to the net, as reg\.$"),
        *((word, r"Did you mean 'learning_rate'\?$") for word in ("lr", "learning_rate_init")),
        *((word, r"Did you mean 'epochs'\?$") for word in ("max_iter", "n_iter", "epoch", "nb_epoch", "max_epochs")),
        *((word, r"Did you mean 'batch_size'\?$") for word in ("batch", "bs", "minibatch", "batchsize")),
        *((word, r"Did you mean 'schedule'\?$") for word in ("scheduler", "lr_schedule", "step_size", "warmup")),
        ("metrics", r"Leave it out: accuracy is measured after each epoch\.$"),
        ("validation_split", r"Give such rows as Dataset\(X_train, y_train, X_val, y_val\)\.$"),
        ("validation_data", r"Give such rows as Dataset\(X_train, y_train, X_val, y_val\)\.$"),
    ],
)
def test_what_other_trainers_take_beside_the_data_is_answered(option: str, text: str) -> None:
    net, given = FullyConnectedNet([5], 4, 2, seed=0), dict[str, Any]([(option, True)])
    with pytest.raises(ArgumentError, match=text):
        Solver(net, Dataset(X, np.array([0, 1, 0, 1])), **given)


def test_the_optimizers_that_an_answer_names_have_the_option() -> None:
    keys = {key for row in optim.OPTIMIZERS.values() for key in row.defaults} - {"learning_rate"}
    assert keys == {*OPTION_OF}
    for key in keys:
        takers = [name for name, row in optim.OPTIMIZERS.items() if key in row.defaults]
        value, text = OPTION_OF[key]
        assert text.rpartition(" ")[0] == listed(takers)
        assert value in [optim.OPTIMIZERS[name].defaults[key] for name in takers]
