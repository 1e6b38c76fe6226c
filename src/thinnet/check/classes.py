"""Adapts layer classes with forward and backward to the courses' pairs of functions.

How to construct and call a class is guessed from the names of its arguments and attributes.  If the guess does not fit,
the class is not checked, and no fault is reported.
"""

import contextlib
import copy
import functools
import inspect
import itertools
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from thinnet.check import class_calls as calls
from thinnet.check.image_classes import convolution, pooling
from thinnet.check.loss_classes import NAME, SoftmaxWithLoss
from thinnet.check.subject import UNKNOWN, CannotCall, KnownFault, parameters, signature

IMAGE_DROPOUTS = ("channeldropout", "spatialdropout", "spatialdropout2d")
NAMES: dict[str, tuple[str, ...]] = {
    "dropout": ("dropout", "inverteddropout", "dropout1d", "dropout2d", *IMAGE_DROPOUTS),
    "relu": ("relu", "reluactivation", "activationrelu"),
    "affine": ("affine", "linear", "dense", "fullyconnected", "fc"),
    "batchnorm": ("batchnorm", "batchnormalization", "bn", "batchnorm1d", "batchnormalization1d"),
    "layernorm": ("layernorm", "layernormalization", "ln"),
    "sigmoid": ("sigmoid", "sigmoidactivation", "activationsigmoid"),
    "tanh": ("tanh", "tanhactivation", "activationtanh"),
    "conv": ("conv", "conv2d", "convolution", "convolution2d", "convolutional"),
    "max_pool": ("maxpool", "maxpool2d", "maxpooling", "maxpooling2d"),
}
LOSSES = {"softmax_loss": SoftmaxWithLoss}  # adapters of classes that are checked as a whole
METHODS = (
    ("forward", "forward_pass", "forward_prop", "forward_propagation", "fprop", "__call__"),
    ("backward", "backward_pass", "backward_prop", "backward_propagation", "backprop", "back_propagation", "bprop"),
)
ROLES = {"w": "W", "weight": "W", "weights": "W", "b": "b", "bias": "b", "biases": "b"}
NETS = ("FullyConnectedNet", "TwoLayerNet", "ThreeLayerConvNet")
OTHER_NETS = {"fcnet": NETS[0], "mlp": NETS[0], "multiperceptron": NETS[0], "twomlp": NETS[1]}
OTHER_NETS |= {"twofcnet": NETS[1], "threecnet": NETS[2]}  # plain names that nets of other courses may have too
EMPTY_WORDS = set(
    str.split(
        "my our own custom simple basic naive vanilla numpy np num py layer module function func op class impl "
        "implementation from scratch manual v version capa camada couche schicht"
    )
)
EPSILON, EPS, SMALL = re.compile(r"^_?eps(ilon)?$", re.IGNORECASE), 1e-5, 0.01
OLD = r"^(running|moving|run|mov|ema|global|avg)_?"
RUNNING = {
    "running_mean": re.compile(rf"{OLD}(m|mean|avg|average|mu)s?$", re.IGNORECASE),
    "running_var": re.compile(rf"{OLD}(v|var|variance|sigma2)s?$", re.IGNORECASE),
}


def kind_of(name: str) -> str:
    """The kind of layer that a class of this name is assumed to be, one of `NAMES` or `LOSSES`, or "".

    >>> kind_of("DropoutLayer"), kind_of("MyReLU"), kind_of("Conv2D"), kind_of("Softmax")
    ('dropout', 'relu', 'conv', '')
    """
    plain = plain_name(name)
    if NAME.fullmatch(plain):
        return "softmax_loss"
    return next((kind for kind, names in NAMES.items() if plain in names), "")


def plain_name(name: str) -> str:
    """The name of a class in lowercase, without the words that do not say what it is.

    >>> plain_name("My_DropoutLayer2"), plain_name("NumpyReLU"), plain_name("Dropout2d")
    ('dropout', 'relu', 'dropout2d')
    """
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)]
    pairs = zip(words, [*words, ""][1:], strict=True)
    telling = [word for word, after in pairs if word not in EMPTY_WORDS or word + after[:4] == "layernorm"]
    return "".join(telling[:-1] if telling[-1:] and telling[-1].isdigit() else telling).removeprefix("my")


def net_of(name: str) -> str:
    """Which of the courses' nets a class of this name is assumed to be, or "".

    >>> net_of("MyFullyConnectedNet"), net_of("MLP2"), net_of("FullyConnectedLayer")
    ('FullyConnectedNet', 'FullyConnectedNet', '')
    """
    plain = _plain_net(name)
    return next((net for net in NETS if plain == plain_name(net)), OTHER_NETS.get(plain, ""))


def _plain_net(name: str) -> str:
    return re.sub("(network|nn)$", "net", plain_name(name).replace("neural", ""))


def of_courses(name: str) -> bool:
    """Whether a net has one of the courses' names, or nearly so."""
    return _plain_net(name) not in OTHER_NETS


@functools.cache
def role(key: Any) -> tuple[str, int]:
    """What a parameter is, and the number of its layer: ("W", 1) for "W1", "layer1_W" and (1, "W"); else ("", -1)."""
    text = "".join(map(str, key)) if isinstance(key, tuple) else str(key)
    match = re.fullmatch(r"(?:[A-Za-z]+\W*_?(?=\d))?(?P<before>\d*)\W*_?(?P<kind>[A-Za-z]+)\W*_?(?P<after>\d*)", text)
    if not match or bool(match["before"]) == bool(match["after"]):
        return "", -1
    kind = match["kind"].lower()
    return ROLES.get(kind, kind), int(match["before"] or match["after"])


def methods_of(names: Iterable[str]) -> tuple[str, ...]:
    """A class's names for forward and backward, or nothing.

    >>> methods_of(["backprop", "forward", "update"])
    ('forward', 'backprop')
    """
    found = [next((name for name in known if name in [*names]), "") for known in METHODS]
    return tuple(found) if all(found) else ()


def function_of(kind: str, method: str) -> str:
    """The course's function that a method of a class of this kind stands for."""
    return f"{kind}_{method}_naive" if kind in ("conv", "max_pool") else f"{kind}_{method}"


def functions_of(name: str, owner: type) -> dict[str, Any]:
    """The functions that a class stands for, by the courses' names: a pair or, of a loss, one."""
    kind = kind_of(owner.__name__)
    own = dict(zip(("forward", "backward"), methods_of(dir(owner)), strict=True))
    methods = {name: inspect.getattr_static(owner, method) for name, method in own.items()}  # static ones stay static
    owner = type(owner.__name__, (owner,), methods)
    if kind in LOSSES:
        return {kind: LOSSES[kind](owner), "__class_adapter__": True, "__own_names__": {kind: name}}
    forward, backward = PAIRS[kind](owner)
    # 11-785 calls the gradient delta, and its own reference does not scale it.
    unscaled = "delta" in parameters(getattr(owner, "backward", None))
    functions: dict[str, Any] = {function_of(kind, "forward"): forward, function_of(kind, "backward"): backward}
    own_names: dict[str, str] = getattr(forward, "own_names", {})  # to which forward may add
    own_names |= {function_of(kind, method): f"{name}.{method}" for method in own}
    return {**functions, "__class_adapter__": True, "__own_names__": own_names, "__unscaled_backward__": unscaled}


Pair = tuple[Callable[..., Any], Callable[..., Any]]


def _dropout(owner: type) -> Pair:
    """A new object for each p; the cache is the object as it was after forward."""
    objects: dict[float, Any] = {}
    whole, last = plain_name(owner.__name__) in ("dropout2d", *IMAGE_DROPOUTS), False

    def forward(x: Any, dropout_param: dict[str, Any]) -> tuple[Any, Any]:
        nonlocal last
        p, training = dropout_param["p"], dropout_param["mode"] == "train"
        last = last or (whole and not objects and _channels_stand_last(owner, p))
        given = _as_images(x, last) if whole else x
        if any("param" in name for name in parameters(getattr(owner, "forward", None))):
            layer = calls.made(owner)
            out, cache = calls.split(layer, given, calls.call(layer.forward, given, dict(dropout_param)))
            return out, (cache, training)
        if p not in objects:
            objects[p] = _with_probability(owner, p)
        out, cache = calls.split(objects[p], given.copy(), calls.call_forward(objects[p], given, training, p))
        if whole:
            x[...] = _first_pixels(given, last)  # so that changes to it are noticed
        return (_of_channels(owner, out, given, last) if whole else out), (cache, training)

    def backward(dout: Any, cache: Any) -> Any:
        with contextlib.suppress(Exception):  # some classes delete their mask in backward
            cache = copy.deepcopy(cache)
        dx = calls.call_backward(_as_images(dout, last) if whole else dout, *cache)
        return _first_pixels(dx, last) if whole and np.ndim(dx) == 4 else dx

    return forward, backward


def _with_probability(owner: type, p: float) -> Any:
    names = parameters(owner)
    chosen = next(filter(calls.PROBABILITY.search, names), None)
    if chosen:
        return calls.made(owner, **{chosen: p})
    if any(map(calls.PROBABILITY.search, parameters(getattr(owner, "forward", None)))):
        return calls.made(owner)
    raise CannotCall(f"it is not clear where {owner.__name__}({', '.join(names)}) takes a probability")


def _channels_stand_last(owner: type, p: float) -> bool:
    """Whether a class drops whole channels of images, with channels as the last axis."""
    x = np.ones((200, 2, 2, 6))
    try:
        out = np.asarray(calls.call_forward(_with_probability(owner, p), x, True, p))
    except Exception:
        return False
    return bool(out.shape == x.shape and np.ptp(out) and np.array_equal(out, out[:, :1, :1] + np.zeros(x.shape)))


def _as_images(x: Any, last: bool) -> Any:
    """Each element as a channel of four equal pixels."""
    images = np.broadcast_to(x[:, :, None, None], (*x.shape, 2, 2))
    return np.array(np.moveaxis(images, 1, 3) if last else images)


def _first_pixels(images: Any, last: bool) -> Any:
    return images[:, 0, 0] if last else images[:, :, 0, 0]


def _of_channels(owner: type, out: Any, given: Any, last: bool) -> Any:
    """One pixel for each channel of an output; channels must be dropped as a whole."""
    if np.shape(out) != given.shape:
        return out
    if not np.array_equal(out, _as_images(_first_pixels(out, last), last)):
        message = "channels of equal pixels came out with pixels that differ"
        raise KnownFault("channels-not-dropped-whole", f"{owner.__name__}.forward dropped parts of channels: {message}")
    return _first_pixels(out, last)


def _activation(owner: type) -> Pair:
    def forward(x: Any) -> tuple[Any, Any]:
        layer = calls.made(owner)
        return calls.split(layer, x, calls.call_forward(layer, x, True))

    def backward(dout: Any, cache: Any) -> Any:
        dx, (layer, _, extra) = calls.call_backward(dout, cache), cache
        if extra is None and not any(isinstance(value, np.ndarray) for value in vars(layer).values()):
            after, before = forward(dout + SMALL**3)[0], forward(dout - SMALL**3)[0]
            if np.allclose(2 * SMALL**3 * np.asarray(dx), after - before, rtol=1e-3, atol=SMALL**6):
                raise CannotCall(f"{owner.__name__}.backward returns the slope at its argument, not a gradient of x")
        return dx

    return forward, backward


def _affine(owner: type) -> Pair:
    """Weights and bias go into the constructor or the attributes, transposed if the class stores them that way."""
    columns = False  # whether examples are columns

    def turned(value: Any) -> Any:
        return value.T if columns and isinstance(value, np.ndarray) else value

    def forward(x: Any, w: Any, b: Any) -> tuple[Any, Any]:
        nonlocal columns
        names = [name for name in parameters(owner) if calls.WEIGHT.search(name) or calls.BIAS.search(name)]
        if len(names) >= 2:
            layer = calls.made(owner, **{names[0]: w.copy(), names[1]: b.copy()})
        else:
            more = {name: 0.1 for name in parameters(owner)[2:] if re.search("scale|std|^lr$|learning", name)}
            layer = calls.made(owner, *w.shape, **more)
            calls.put(layer, calls.WEIGHT, w)
            calls.put(layer, calls.BIAS, b)
        try:
            returned = calls.call_forward(layer, turned(x), True)
        except CannotCall as error:
            columns = True
            try:
                returned = calls.call_forward(layer, turned(x), True)
            except CannotCall:
                raise error from None
        out, cache = calls.split(layer, turned(x), returned)
        return turned(out), cache

    def backward(dout: Any, cache: Any) -> tuple[Any, Any, Any]:
        steps = [UNKNOWN, UNKNOWN]
        with contextlib.suppress(Exception):  # most store their gradients instead, and some cannot be copied
            moves, rows = calls.learned(turned(dout), cache, calls.WEIGHT, calls.BIAS), turned(cache[1])
            steps = [move * np.linalg.norm(rows.T @ dout) / np.linalg.norm(moves[0]) for move in moves]
        dx, *kept = calls.gradients(turned(dout), cache, calls.WEIGHTS, calls.BIASES)
        dw, db = kept if steps[0] is UNKNOWN or any(map(np.ndim, kept)) else steps
        w = calls.found_in(vars(cache[0]), calls.WEIGHT)
        if isinstance(dw, np.ndarray) and np.ndim(w) == 2 and w.shape[0] < w.shape[1]:  # our weights have more rows
            dw = dw.T
        return turned(dx), dw, db.reshape(-1) if hasattr(db, "reshape") else db

    return forward, backward


def _normalization(owner: type) -> Pair:
    """A new object for each call; gamma, beta and running statistics are set as attributes."""
    given = signature(owner)
    needed = [name for name in given if given[name].default in (inspect.Parameter.empty, None)]
    scales, shifts = (list(filter(pattern.search, needed)) for pattern in (calls.SCALE, calls.SHIFT))
    weight = next(filter(re.compile("momentum|decay").search, given), "")
    of_new = bool(weight) and isinstance(given[weight].default, float) and given[weight].default < 0.5  # as in PyTorch
    own_names: dict[str, str] = {}
    times = 0.0  # x is multiplied by this, so that a large hard-coded epsilon has the effect of ours

    def new_layer(x: Any, gamma: Any, beta: Any, momentum: float | None) -> Any:
        options: dict[str, Any] = {name: EPS for name in given if EPSILON.search(name)}
        if weight and momentum is not None:
            options[weight] = 1 - momentum if of_new else momentum
        if scales and shifts:
            return calls.made(owner, **options, **{scales[0]: gamma.copy(), shifts[0]: beta.copy()})
        required = (name for name in needed if given[name].default is not None and name not in {*options, weight})
        layer = calls.made(owner, **options, **dict.fromkeys(itertools.islice(required, 1), len(gamma)))
        if calls.found_in(vars(layer), calls.SCALE) is UNKNOWN:
            calls.call_forward(layer, x, True)  # some create them in the first forward pass
        calls.put(layer, calls.SCALE, gamma)
        calls.put(layer, calls.SHIFT, beta)
        return layer

    def forward(x: Any, gamma: Any, beta: Any, param: dict[str, Any]) -> tuple[Any, Any]:
        nonlocal times
        if not times:
            times, axis = 1.0, 0 if "mode" in param else 1
            small = SMALL * (-1.0) ** np.indices((6, len(gamma))).sum(axis=0)
            out = np.asarray(forward(small, np.ones_like(gamma), 0 * beta, {"mode": "train"} if not axis else {})[0])
            square = ((small - small.mean(axis=axis, keepdims=True)) / out) ** 2
            eps = np.median(square - small.var(axis=axis, keepdims=True))
            times = float(np.sqrt(eps / EPS)) if 10 * EPS < eps < 0.1 else 1.0
        units, plain, x = {"running_mean": times, "running_var": times**2}, x, times * x
        layer = new_layer(x, gamma, beta, param.get("momentum"))
        vars(layer).update({name: EPS for name, value in vars(layer).items() if EPSILON.search(name) and value})
        if "mode" not in param:  # layer normalization
            return calls.split(layer, x, calls.call_forward(layer, x, True))
        running = _running_statistics(layer, x)
        own_names.update(_own_names(layer, running))
        for key, (holder, name) in running.items():
            if key in param:
                shape = np.shape(holder[name]) if np.size(holder[name]) == param[key].size else param[key].shape
                holder[name] = units[key] * param[key].reshape(shape)
        out = calls.call_forward(layer, x, param["mode"] == "train")
        if out is x:
            raise CannotCall(f"it is not clear how to call {owner.__name__}.forward in test mode")
        for key, batch in (("running_mean", plain.mean(axis=0)), ("running_var", plain.var(axis=0))):
            new = np.array(running[key][0][running[key][1]]) / units[key]
            param[key] = _with_momentum(new, param[key], batch, param["momentum"]) if "momentum" in param else new
        return calls.split(layer, x, out)

    def backward(dout: Any, cache: Any) -> tuple[Any, ...]:
        dx, *more = found = calls.gradients(dout, cache, calls.SCALES, calls.SHIFTS)
        return type(found)((dx * times if times != 1 and isinstance(dx, np.ndarray) else dx, *more))

    vars(forward)["own_names"] = own_names
    return forward, backward


def _running_statistics(layer: Any, x: Any) -> dict[str, tuple[Any, Any]]:
    """Where a layer stores its running statistics; some create them in the first forward pass."""

    def found(key: str) -> tuple[Any, Any] | None:
        return next(calls.places(vars(layer), RUNNING[key], object), None)

    if not all(map(found, RUNNING)):
        calls.call_forward(layer, x, True)
    for key in RUNNING:
        if found(key) is None:
            raise CannotCall(f"{type(layer).__name__} has no {key} under a usual name")
    return {key: place for key in RUNNING if (place := found(key))}


def _own_names(layer: Any, running: dict[str, tuple[Any, Any]]) -> dict[str, str]:
    """A layer's own terms in place of the courses'."""
    names = [f"self.{name}" if holder is vars(layer) else repr(name) for holder, name in running.values()]
    own = {f"bn_param[{key!r}]": name for key, name in zip(running, names, strict=True)}
    return {**own, "into bn_param": f"into {' and '.join(names)}"}


def _with_momentum(new: Any, old: Any, batch: Any, momentum: float) -> Any:
    """Running statistics converted to this momentum, if a class has averaged them with another of its own."""
    if new.size != batch.size:
        return new
    share = (new.reshape(-1) - batch) / (old.reshape(-1) - batch)
    if np.ptp(share) > 1e-6 or not 0 < share[0] < 1:
        return new
    return batch + (momentum if share[0] > 0.5 else 1 - momentum) * (old.reshape(-1) - batch)


PAIRS: dict[str, Callable[[type], Pair]] = {
    "dropout": _dropout,
    **dict.fromkeys(("relu", "sigmoid", "tanh"), _activation),
    "affine": _affine,
    "batchnorm": _normalization,
    "layernorm": _normalization,
    "conv": convolution,
    "max_pool": pooling,
}
