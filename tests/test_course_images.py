"""The course door's image layers, their fast versions and the convolutional net."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thinnet.course
from course_seeds import printed, write_notebook
from thinnet import ArgumentError
from thinnet.course.notebooks import run_notebook
from thinnet.gradient_check import eval_numerical_gradient
from thinnet.typing import FloatArray

pytestmark = pytest.mark.usefixtures("closed_door", "quick_notebooks")

# The calls in the course's convolution notebook, in order.
CALLS = """
import numpy as np
from cs231n.classifiers.cnn import *
from cs231n.gradient_check import eval_numerical_gradient_array, eval_numerical_gradient
from cs231n.layers import *
from cs231n.fast_layers import *
from cs231n.solver import Solver
np.random.seed(231)

def rel_error(x, y):
    return np.max(np.abs(x - y) / np.maximum(1e-8, np.abs(x) + np.abs(y)))

def worst(forward, gradients, inputs, dout, h=1e-5):
    def numerical(i):
        return eval_numerical_gradient_array(lambda a: forward(*inputs[:i], a, *inputs[i + 1:])[0], inputs[i], dout, h)
    return max(rel_error(numerical(i), gradient) for i, gradient in enumerate(gradients))

x, w, b = np.random.randn(4, 3, 5, 5), np.random.randn(2, 3, 3, 3), np.random.randn(2)
conv_param = {'stride': 1, 'pad': 1}
out, cache = conv_forward_naive(x, w, b, conv_param)
dout = np.random.randn(4, 2, 5, 5)
# It is linear in each input: differences over any width are exact but for rounding, which a wide one makes small.
naive = lambda *a: conv_forward_naive(*a, conv_param)
print(worst(naive, conv_backward_naive(dout, cache), (x, w, b), dout, h=1e-2) < 1e-9)
"""
POOLING = """
x, dout = np.random.randn(3, 2, 8, 8), np.random.randn(3, 2, 4, 4)
pool_param = {'pool_height': 2, 'pool_width': 2, 'stride': 2}
out, cache = max_pool_forward_naive(x, pool_param)
dx = max_pool_backward_naive(dout, cache)
print(worst(lambda a: max_pool_forward_naive(a, pool_param), [dx], [x], dout) < 1e-8)
"""
FAST = """
from cs231n.fast_layers import conv_forward_fast, conv_backward_fast, max_pool_forward_fast, max_pool_backward_fast
from time import time
x, w, b = np.random.randn(10, 3, 31, 31), np.random.randn(25, 3, 3, 3), np.random.randn(25)
dout, conv_param = np.random.randn(10, 25, 16, 16), {'stride': 2, 'pad': 1}
t0 = time()
naive, cache = conv_forward_naive(x, w, b, conv_param)
t1 = time()
fast, cache_fast = conv_forward_fast(x, w, b, conv_param)
speedup = (t1 - t0) / (time() - t1)
print(rel_error(naive, fast), *[rel_error(*p) for p in zip(conv_backward_naive(dout, cache),
                                                         conv_backward_fast(dout, cache_fast))])
out, cache = max_pool_forward_fast(x[:, :, :30, :30], pool_param)
print(max_pool_backward_fast(out, cache).shape)
"""
SANDWICHES = """
from cs231n.layer_utils import conv_relu_forward, conv_relu_backward
from cs231n.layer_utils import conv_relu_pool_forward, conv_relu_pool_backward
from cs231n.layer_utils import conv_bn_relu_forward, conv_bn_relu_backward
x, w, b = np.random.randn(2, 3, 8, 8), np.random.randn(3, 3, 3, 3), np.random.randn(3)
gamma, beta, conv_param = np.random.rand(3) + 1, np.random.randn(3), {'stride': 1, 'pad': 1}
for name, inputs, more, size in (('conv_relu', (x, w, b), (conv_param,), 8),
                                 ('conv_relu_pool', (x, w, b), (conv_param, pool_param), 4),
                                 ('conv_bn_relu', (x, w, b, gamma, beta), (conv_param, {'mode': 'train'}), 8)):
    forward, backward = globals()[name + '_forward'], globals()[name + '_backward']
    dout = np.random.randn(2, 3, size, size)
    out, cache = forward(*inputs, *more)
    gradients = backward(dout, cache)
    print(len(gradients), all(np.allclose(eval_numerical_gradient_array(
        lambda a: forward(*inputs[:i], a, *inputs[i + 1:], *more)[0], inputs[i], dout), gradients[i], atol=1e-6)
        for i in range(len(inputs))))
"""
NET = """
model = ThreeLayerConvNet()
X, y = np.random.randn(10, 3, 32, 32), np.random.randint(10, size=10)
loss, grads = model.loss(X, y)
model.reg = 0.5
print(abs(loss - np.log(10)) < 1e-3, model.loss(X, y)[0] > loss, sorted(grads))
X = X[:, :, :8, :8] + y[:, None, None, None]
data = {'X_train': X, 'y_train': y, 'X_val': X, 'y_val': y}
model = ThreeLayerConvNet(input_dim=(3, 8, 8), num_filters=4, filter_size=3, hidden_dim=20, weight_scale=1e-2)
solver = Solver(model, data, num_epochs=40, batch_size=25, update_rule='adam', optim_config={'learning_rate': 1e-2},
                verbose=False)
solver.train();
print(np.mean(solver.loss_history[-10:]) < 0.8 * solver.loss_history[0], model.params['W1'].transpose(0, 2, 3, 1).shape)
"""
NORMALIZATIONS = """
x, shape = 4 * np.random.randn(2, 6, 4, 5) + 10, (2, 6, 4, 5)
out, _ = spatial_batchnorm_forward(x, np.ones(6), np.zeros(6), {'mode': 'train'})
print(np.allclose(out.mean(axis=(0, 2, 3)), 0), np.allclose(out.std(axis=(0, 2, 3)), 1, atol=1e-4))
bn_param = {'mode': 'train'}
for t in range(50):
    spatial_batchnorm_forward(2.3 * np.random.randn(10, 4, 11, 12) + 13, np.ones(4), np.zeros(4), bn_param)
bn_param['mode'] = 'test'
out, _ = spatial_batchnorm_forward(2.3 * np.random.randn(10, 4, 11, 12) + 13, np.ones(4), np.zeros(4), bn_param)
print(np.abs(out.mean(axis=(0, 2, 3))).max() < 0.2, np.abs(out.std(axis=(0, 2, 3)) - 1).max() < 0.1)
for gamma, beta in ((np.ones((1, 6, 1, 1)) * 2, np.ones((1, 6, 1, 1))), (np.ones(6) * 2, np.ones(6))):
    out, cache = spatial_groupnorm_forward(x, gamma, beta, 2, {})
    dx, dgamma, dbeta = spatial_groupnorm_backward(np.ones(shape), cache)
    print(out.shape, np.allclose(out.reshape(4, -1).mean(axis=1), 1), dgamma.shape == dbeta.shape == gamma.shape)
"""


def test_the_notebook_on_convolution_runs_from_top_to_bottom(tmp_path: Path) -> None:
    cells = [CALLS, POOLING, FAST, SANDWICHES, NET, NORMALIZATIONS]
    write_notebook(tmp_path / "n.ipynb", cells)
    run = run_notebook(tmp_path / "n.ipynb", dialect="cs231n-2021")
    assert run.failure is None, run.failure
    text = "".join(printed(run.output))
    assert "False" not in text, text
    assert text.count("True") == 16, text
    assert "0.0 0.0 0.0 0.0" in text


def test_nndls_modules_on_convolution_are_there() -> None:
    thinnet.course.activate("nndl")
    from nndl.cnn import ThreeLayerConvNet, conv_relu_pool_forward
    from nndl.conv_layer_utils import conv_bn_relu_forward, conv_forward_fast, conv_relu_backward  # noqa: F401
    from nndl.conv_layers import affine_forward, max_pool_forward_naive, spatial_batchnorm_forward  # noqa: F401

    assert conv_relu_pool_forward(np.ones((1, 1, 2, 2)), np.ones((1, 1, 1, 1)), np.ones(1),
        {"stride": 1, "pad": 0}, {"pool_height": 2, "pool_width": 2, "stride": 2})[0] == 2  # fmt: skip
    with pytest.raises(ArgumentError, match="use_batchnorm must be False"):
        ThreeLayerConvNet(use_batchnorm=True)


@pytest.mark.parametrize("reg", [0.0, 0.3])
@pytest.mark.parametrize("package", ["cs231n.classifiers.cnn", "nndl.cnn"])
def test_the_gradients_of_the_convolutional_net(package: str, reg: float) -> None:
    import importlib

    thinnet.course.activate("nndl")
    np.random.seed(1)
    owner: Any = importlib.import_module(package).ThreeLayerConvNet
    net = owner((2, 5, 7), 3, 3, hidden_dim=4, num_classes=3, weight_scale=0.2, reg=reg, dtype=np.float64)
    X, y = np.random.randn(3, 2, 5, 7), np.array([0, 2, 1])
    loss, gradients = net.loss(X, y)
    assert loss == pytest.approx(np.log(3) + 0.5 * reg * sum(np.sum(net.params[f"W{i}"] ** 2) for i in (1, 2, 3)), 0.3)
    assert {key: value.shape for key, value in gradients.items()} == {k: v.shape for k, v in net.params.items()}
    for key, array in net.params.items():
        numerical = eval_numerical_gradient(lambda _: float(net.loss(X, y)[0]), array, verbose=False)
        np.testing.assert_allclose(gradients[key], numerical, rtol=0, atol=1e-8)


@pytest.mark.parametrize(("padding", "stride"), [(0, 1), (1, 2)])
def test_columns_go_back_to_the_images_they_came_from(padding: int, stride: int) -> None:
    thinnet.course.activate("nndl")
    from cs231n.im2col import col2im_indices, im2col_indices
    from cs231n.im2col_cython import col2im_6d_cython, col2im_cython, im2col_cython

    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 3, 5, 7)), rng.standard_normal((4, 3, 3, 2))
    columns: FloatArray = im2col_indices(x, 3, 2, padding, stride)
    np.testing.assert_array_equal(im2col_cython(x, 3, 2, padding, stride), columns)
    out = thinnet.layers.conv_forward(x, w, np.zeros(4), stride=stride, padding=padding)[0]
    P, Q = out.shape[2:]
    np.testing.assert_allclose((w.reshape(4, -1) @ columns).reshape(4, P, Q, 2).transpose(3, 0, 1, 2), out, atol=1e-12)
    other = rng.standard_normal(columns.shape)
    back = col2im_indices(other, x.shape, 3, 2, padding, stride)
    assert np.sum(back * x) == pytest.approx(np.sum(other * columns))  # the transpose
    np.testing.assert_array_equal(col2im_cython(other, *x.shape, 3, 2, padding, stride), back)
    six = other.reshape(3, 3, 2, P, Q, 2).transpose(0, 1, 2, 5, 3, 4)
    np.testing.assert_array_equal(col2im_6d_cython(six, *x.shape, 3, 2, padding, stride), back)


def test_a_students_own_convolution_and_ours_take_each_others_caches() -> None:
    thinnet.course.activate("nndl")
    from cs231n.layers import conv_backward_naive, conv_forward_naive

    x, w, b, param = np.ones((1, 1, 3, 3)), np.ones((2, 1, 3, 3)), np.zeros(2), {"stride": 1, "pad": 1}
    _, cache = conv_forward_naive(x, w, b, param)
    assert all(one is other for one, other in zip(cache, (x, w, b, param), strict=True))
    assert conv_backward_naive(np.ones((1, 2, 3, 3)), (x, w, b, param))[1].shape == w.shape
    with pytest.raises(ArgumentError, match=r"conv_param must have the key 'pad', got only \['stride'\]"):
        conv_forward_naive(x, w, b, {"stride": 1})


@pytest.mark.parametrize("whole", [1, 1.0])
def test_a_padding_that_was_halved_by_a_slash_is_taken(whole: float) -> None:
    from thinnet.course.conv_layers import conv_backward_naive, conv_forward_naive

    x, w = np.ones((1, 1, 3, 3)), np.ones((1, 1, 3, 3))
    out, cache = conv_forward_naive(x, w, np.zeros(1), {"stride": 1, "pad": whole})
    assert conv_backward_naive(out, cache)[0].shape == x.shape


@pytest.mark.parametrize("year", ["2016", "2019", "skimage"])
def test_pictures_are_read_as_in_each_year(year: str, tmp_path: Path) -> None:
    plt = pytest.importorskip("matplotlib.pyplot")
    imports, resized = {
        "2016": ("from scipy.misc import imread, imresize", "imresize(puppy, (20, 30))"),
        "2019": (
            "from imageio import imread\nfrom PIL import Image",
            "np.array(Image.fromarray(puppy).resize((30, 20)))",
        ),
        "skimage": (
            "from imageio import imread\nfrom skimage.transform import resize",
            "255 * resize(puppy, (20, 30))",
        ),
    }[year]
    cell = f"""
    import numpy as np
    {imports.replace(chr(10), chr(10) + "    ")}
    kitten, puppy = imread('kitten.jpg'), imread('images/puppy.jpg')
    d = kitten.shape[1] - kitten.shape[0]
    print(kitten[:, d//2:-d//2, :].shape, puppy.shape)
    small = {resized}
    print(small.shape, abs(small.mean() - puppy.mean()) < 3, imread('mine.png').shape)
    """
    plt.imsave(tmp_path / "mine.png", np.zeros((4, 5, 3)))
    (tmp_path / "images").mkdir()
    plt.imsave(tmp_path / "images" / "puppy.jpg", np.full((50, 50, 3), 0.5))

    write_notebook(tmp_path / "n.ipynb", [textwrap.dedent(cell)])
    run = run_notebook(tmp_path / "n.ipynb", dialect="cs231n-2018")
    assert run.failure is None, run.failure
    told = "[thinnet] kitten.jpg: there is no such file; using a drawn picture instead"
    assert printed(run.output) == [f"{told}\n(300, 300, 3) (50, 50, 3)\n(20, 30, 3) True (4, 5, 3)\n"]
