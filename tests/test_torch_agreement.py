"""Agreement with PyTorch, which computes gradients differently: layers, losses, optimizers, schedules, a net."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from thinnet import FullyConnectedNet, Solver
from thinnet.layers import LAYERS, LOSSES
from thinnet.masks import keep_mask
from thinnet.optim import OPTIMIZERS, FlatOptimizer
from thinnet.schedules import Cosine, EpochDecay, OneCycle
from thinnet.typing import AnyArray, FloatArray

torch = pytest.importorskip("torch", reason="PyTorch is not installed; install it to compare with it")

SHAPES = [(1, 1, 1), (2, 3, 1), (7, 5, 3), (64, 65, 33)]
IN_EACH_DTYPE = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def leaf(array: AnyArray) -> Any:
    """A new leaf tensor that collects a gradient."""
    return torch.tensor(array, requires_grad=True)


def close(got: AnyArray, wanted: Any, dtype: Any) -> None:
    """Equal up to a hundred rounding errors of the largest element; sums in another order differ by less."""
    wanted = np.asarray(wanted.detach().numpy() if hasattr(wanted, "detach") else wanted)
    assert got.shape == wanted.shape
    assert got.dtype == wanted.dtype == dtype
    scale = max(float(np.abs(wanted).max(initial=0)), 1.0)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=100 * np.finfo(dtype).eps * scale)


@IN_EACH_DTYPE
@pytest.mark.parametrize("shape", SHAPES)
def test_affine(shape: tuple[int, int, int], dtype: Any) -> None:
    N, D, M = shape
    rng = np.random.default_rng(0)
    x, w, b, dout = (rng.standard_normal(s).astype(dtype) for s in ((N, D), (D, M), (M,), (N, M)))
    tensors = [leaf(x), leaf(w), leaf(b)]
    expected = torch.nn.functional.linear(tensors[0], tensors[1].T, tensors[2])
    expected.backward(torch.tensor(dout))
    out, cache = LAYERS["affine"].forward(x, w, b)
    close(out, expected, dtype)
    for got, tensor in zip(LAYERS["affine"].backward(dout, cache), tensors, strict=True):
        close(got, tensor.grad, dtype)


@IN_EACH_DTYPE
def test_relu_with_zeros(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    x, dout = rng.standard_normal((2, 9, 13)).astype(dtype)
    x[::2, ::3] = 0
    tensor = leaf(x)
    expected = torch.relu(tensor)
    expected.backward(torch.tensor(dout))
    out, cache = LAYERS["relu"].forward(x)
    close(out, expected, dtype)
    close(LAYERS["relu"].backward(dout, cache), tensor.grad, dtype)


@IN_EACH_DTYPE
@pytest.mark.parametrize("options", LAYERS["dropout"].options, ids=str)
def test_dropout_given_the_mask(options: dict[str, Any], dtype: Any) -> None:
    """PyTorch draws different bits, so it gets ours: it only does the arithmetic and the gradient."""
    rng = np.random.default_rng(0)
    x, dout = rng.standard_normal((2, 9, 70)).astype(dtype)
    rate, scaling, training = options["rate"], options["scaling"], options["training"]
    tensor = leaf(x)
    if not training:
        expected = torch.nn.functional.dropout(tensor, rate, training=False)
        expected = expected * (1 - rate) if scaling == "classic" else expected
    else:
        expected = tensor * torch.tensor(keep_mask(rate, (9, 70), seed=5))
        expected = expected / (1 - rate) if scaling == "inverted" else expected
    expected.backward(torch.tensor(dout))
    out, cache = LAYERS["dropout"].forward(x, **options, seed=5)
    close(out, expected, dtype)
    close(LAYERS["dropout"].backward(dout, cache), tensor.grad, dtype)


def test_dropout_scales_as_torch_does() -> None:
    """Kept ones become the same number in both; how many are kept is random."""
    for rate in (0.1, 0.5, 0.75):
        theirs = np.unique(torch.nn.functional.dropout(torch.ones(1000, dtype=torch.float64), rate).numpy())
        ours = np.unique(LAYERS["dropout"].forward(np.ones((1, 1000)), rate)[0])
        np.testing.assert_allclose(ours, theirs, rtol=1e-15)
        assert ours.size == 2


@IN_EACH_DTYPE
@pytest.mark.parametrize("momentum", [0.9, 0.3])
@pytest.mark.parametrize("training", [True, False])
def test_batchnorm(training: bool, momentum: float, dtype: Any) -> None:
    """PyTorch's momentum is the weight of the new value, and its running variance is unbiased."""
    N, D = 33, 17
    rng = np.random.default_rng(0)
    x, dout = (2 * rng.standard_normal((N, D)).astype(dtype) + 1 for _ in range(2))
    gamma, beta, mean, var = (rng.uniform(0.5, 1.5, D).astype(dtype) for _ in range(4))
    tensors = [leaf(x), leaf(gamma), leaf(beta)]
    torch_mean, torch_var = torch.tensor(mean), torch.tensor(var)
    expected = torch.nn.functional.batch_norm(
        tensors[0], torch_mean, torch_var, tensors[1], tensors[2], training, 1 - momentum, 1e-5
    )
    expected.backward(torch.tensor(dout))
    old_var = var.copy()
    out, cache = LAYERS["batchnorm"].forward(x, gamma, beta, mean, var, training=training, momentum=momentum)
    close(out, expected, dtype)
    for got, tensor in zip(LAYERS["batchnorm"].backward(dout, cache), tensors, strict=True):
        close(got, tensor.grad, dtype)
    close(mean, torch_mean, dtype)
    if training:
        biased = (torch_var.numpy() - momentum * old_var) * ((N - 1) / N) + momentum * old_var
        close(var, biased.astype(dtype), dtype)
    else:
        np.testing.assert_array_equal(var, torch_var.numpy())


@IN_EACH_DTYPE
@pytest.mark.parametrize("shape", [(1, 5), (7, 3), (64, 65)])
def test_layernorm(shape: tuple[int, int], dtype: Any) -> None:
    rng = np.random.default_rng(0)
    x, dout = (2 * rng.standard_normal(shape).astype(dtype) + 1 for _ in range(2))
    gamma, beta = (rng.uniform(0.5, 1.5, shape[1]).astype(dtype) for _ in range(2))
    tensors = [leaf(x), leaf(gamma), leaf(beta)]
    expected = torch.nn.functional.layer_norm(tensors[0], shape[1:], tensors[1], tensors[2], 1e-5)
    expected.backward(torch.tensor(dout))
    out, cache = LAYERS["layernorm"].forward(x, gamma, beta)
    close(out, expected, dtype)
    for got, tensor in zip(LAYERS["layernorm"].backward(dout, cache), tensors, strict=True):
        close(got, tensor.grad, dtype)


TORCH_LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "softmax": torch.nn.functional.cross_entropy,
    # PyTorch divides by the number of classes as well
    "svm": lambda scores, y: torch.nn.functional.multi_margin_loss(scores, y) * scores.shape[1],
    "mse": torch.nn.functional.mse_loss,
    "logistic": torch.nn.functional.binary_cross_entropy_with_logits,
    # PyTorch leaves out terms that do not depend on the scores, and divides by the number of columns as well
    "poisson": lambda scores, y: (
        (torch.nn.functional.poisson_nll_loss(scores, y) + (torch.xlogy(y, y) - y).mean()) * scores.shape[1]
    ),
}


@IN_EACH_DTYPE
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (7, 3), (64, 10)])
@pytest.mark.parametrize("name", TORCH_LOSSES)
def test_losses(name: str, shape: tuple[int, int], dtype: Any) -> None:
    rng = np.random.default_rng(0)
    scores: FloatArray = 3 * rng.standard_normal(shape).astype(dtype)
    y: AnyArray = rng.integers(shape[1], size=shape[0])
    if LOSSES[name].targets != "labels":
        y = rng.random(shape).astype(dtype)
    tensor = leaf(scores)
    expected = TORCH_LOSSES[name](tensor, torch.tensor(y))
    expected.backward()
    loss, gradient = LOSSES[name].function(scores, y)
    assert loss == pytest.approx(expected.item(), rel=100 * float(np.finfo(dtype).eps))
    close(gradient, tensor.grad, dtype)


TORCH_OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "sgd": lambda w, lr: torch.optim.SGD(w, lr=lr),
    # At a constant rate PyTorch's buffer is ours divided by -lr, so the steps are the same.
    "sgd_momentum": lambda w, lr: torch.optim.SGD(w, lr=lr, momentum=0.9),
    "nesterov": lambda w, lr: torch.optim.SGD(w, lr=lr, momentum=0.9, nesterov=True),
    "rmsprop": lambda w, lr: torch.optim.RMSprop(w, lr=lr, alpha=0.99, eps=1e-8),
    "adam": lambda w, lr: torch.optim.Adam(w, lr=lr, betas=(0.9, 0.999), eps=1e-8),
    "adamw": lambda w, lr: torch.optim.AdamW(w, lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01),
}


@IN_EACH_DTYPE
@pytest.mark.parametrize("name", TORCH_OPTIMIZERS)
def test_optimizers_take_the_same_steps(name: str, dtype: Any) -> None:
    rng = np.random.default_rng(0)
    start = rng.standard_normal((7, 5)).astype(dtype)
    gradients = rng.standard_normal((12, 7, 5)).astype(dtype)
    gradients[3] = 0
    tensor = leaf(start)
    theirs = TORCH_OPTIMIZERS[name]([tensor], 0.05)
    w, config = start, {"learning_rate": 0.05}
    flat = start.ravel().copy()
    ours = FlatOptimizer(name, {"learning_rate": 0.05}, like=flat)
    for gradient in gradients:
        tensor.grad = torch.tensor(gradient)
        theirs.step()
        w, config = OPTIMIZERS[name].rule(w, gradient, config)
        ours.inplace_update(flat, gradient.ravel())
        close(w, tensor, dtype)
        close(flat.reshape(7, 5), tensor, dtype)
    assert np.abs(w - start).max() > 0.1, "the steps were large enough to compare"


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam", "adamw"])
def test_optimizers_take_the_same_steps_at_a_changing_rate(name: str) -> None:
    """Except those with momentum: our velocity includes past learning rates, PyTorch's does not."""
    rng = np.random.default_rng(1)
    w = rng.standard_normal(11)
    tensor = leaf(w)
    theirs = TORCH_OPTIMIZERS[name]([tensor], 0.05)
    ours = FlatOptimizer(name, None, like=w)
    for step in range(8):
        gradient = rng.standard_normal(11)
        theirs.param_groups[0]["lr"] = 0.05 / (1 + step)
        tensor.grad = torch.tensor(gradient)
        theirs.step()
        ours.inplace_update(w, gradient, {"learning_rate": 0.05 / (1 + step)})
        close(w, tensor, np.float64)


def torch_factors(make: Callable[[Any], Any], steps: int) -> list[float]:
    """The learning rates of a scheduler for an optimizer with rate 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    factors = []
    for _ in range(steps):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(factors) < steps:
            scheduler.step()
    return factors


@pytest.mark.parametrize("floor", [0.0, 0.1])
@pytest.mark.parametrize("steps", [2, 5, 100])
def test_cosine_without_warmup_is_torchs(steps: int, floor: float) -> None:
    schedule = Cosine(floor=floor)
    ours = [schedule(step, steps_per_epoch=1, total_steps=steps) for step in range(steps)]
    theirs = torch_factors(
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=steps - 1, eta_min=floor), steps
    )
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13)


def test_the_warmup_of_cosine_is_torchs_linear_one() -> None:
    steps, peak = 101, 20
    ours = [Cosine(warmup=0.2)(step, steps_per_epoch=1, total_steps=steps) for step in range(peak + 1)]
    theirs = torch_factors(
        lambda o: torch.optim.lr_scheduler.LinearLR(o, start_factor=1 / (peak + 1), total_iters=peak), peak + 1
    )
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("steps", "warmup"), [(11, 0.3), (101, 0.3), (50, 0.25), (1000, 0.111)])
def test_one_cycle_is_torchs(steps: int, warmup: float) -> None:
    """PyTorch puts the peak at pct_start · steps − 1, we at warmup · (steps − 1)."""
    start, final_div = 0.04, 1e4
    schedule = OneCycle(warmup=warmup, start=start, floor=start / final_div)
    ours = [schedule(step, steps_per_epoch=1, total_steps=steps) for step in range(steps)]
    theirs = torch_factors(
        lambda o: torch.optim.lr_scheduler.OneCycleLR(
            o,
            max_lr=1.0,
            total_steps=steps,
            pct_start=(warmup * (steps - 1) + 1) / steps,
            div_factor=1 / start,
            final_div_factor=final_div,
            cycle_momentum=False,
        ),
        steps,
    )
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


def test_epoch_decay_is_torchs_exponential_one() -> None:
    schedule = EpochDecay(0.9)
    ours = [schedule(3 * epoch + 2, steps_per_epoch=3, total_steps=30) for epoch in range(10)]
    theirs = torch_factors(lambda o: torch.optim.lr_scheduler.ExponentialLR(o, gamma=0.9), 10)
    np.testing.assert_allclose(ours, theirs, rtol=1e-13)


class TorchNet(torch.nn.Module):  # type: ignore[misc, name-defined]
    """The net with PyTorch's layers, our parameters and our masks."""

    def __init__(self, net: FullyConnectedNet) -> None:
        super().__init__()
        self.net = net
        self.step = 0
        dims = (net.input_dim, *net.hidden_dims, net.num_classes)
        kinds = {"batchnorm": torch.nn.BatchNorm1d, "layernorm": torch.nn.LayerNorm, None: torch.nn.Identity}
        self.affines = torch.nn.ModuleList(torch.nn.Linear(a, b) for a, b in itertools.pairwise(dims))
        self.norms = torch.nn.ModuleList(kinds[net.normalization](dim) for dim in net.hidden_dims)
        self.double()
        with torch.no_grad():
            for i, affine in enumerate(self.affines, start=1):
                affine.weight.copy_(torch.tensor(net.params[f"W{i}"].T))
                affine.bias.copy_(torch.tensor(net.params[f"b{i}"]))

    def forward(self, X: Any) -> Any:
        h = X
        for i, (affine, norm) in enumerate(zip(self.affines, self.norms, strict=False)):
            h = torch.relu(norm(affine(h)))
            if self.training:
                keep = keep_mask(self.net.dropout, tuple(h.shape), seed=self.net.seed, step=self.step, layer=i)
                h = h * torch.tensor(keep) / (1 - self.net.dropout)
        self.step += self.training
        return self.affines[-1](h)


@pytest.mark.parametrize("loss", TORCH_LOSSES)
@pytest.mark.parametrize("normalization", [None, "batchnorm", "layernorm"])
def test_whole_trainings_take_the_same_course(normalization: Any, loss: str) -> None:
    """Ten steps of Adam at dropout one half with an L2 penalty; then the scores in test mode."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 6))
    y: AnyArray = rng.integers(3, size=40) if LOSSES[loss].targets == "labels" else rng.random((40, 3))
    net = FullyConnectedNet(
        [20, 10],
        input_dim=6,
        num_classes=3,
        dropout=0.5,
        normalization=normalization,
        reg=0.1,
        weight_scale="he",
        dtype=np.float64,
        seed=3,
        loss=loss,
    )
    model = TorchNet(net)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    solver = Solver(net, {"X_train": X, "y_train": y}, optimizer="adam", learning_rate=0.01, batch_size=20)
    for step in range(10):
        rows = solver.order.rows(step)
        optimizer.zero_grad()
        penalty = sum(0.5 * 0.1 * (affine.weight**2).sum() for affine in model.affines)
        expected = TORCH_LOSSES[loss](model(torch.tensor(X[rows])), torch.tensor(y[rows])) + penalty
        expected.backward()
        optimizer.step()
        assert solver.step() == pytest.approx(expected.item(), rel=1e-10), step
    for i, affine in enumerate(model.affines, start=1):
        np.testing.assert_allclose(net.params[f"W{i}"], affine.weight.detach().numpy().T, rtol=0, atol=1e-9)
    if normalization != "batchnorm":  # PyTorch's running variance is unbiased
        model.eval()
        np.testing.assert_allclose(net.scores(X), model(torch.tensor(X)).detach().numpy(), rtol=0, atol=1e-8)
