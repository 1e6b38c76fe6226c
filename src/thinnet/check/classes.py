"""Layer classes with forward and backward, seen as the courses' pairs of functions.

How a class is made and called is guessed from the names of its arguments and attributes.  Where the guess does not fit,
the class is not checked, and nothing is held against it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from thinnet.check.subject import NOT_WRITTEN, UNKNOWN, CannotCall, KnownFault, location, parameters, signature_mismatch

IMAGE_DROPOUTS = ("channeldropout", "spatialdropout", "spatialdropout2d")
NAMES: dict[str, tuple[str, ...]] = {
    "dropout": ("dropout", "inverteddropout", "dropout1d", "dropout2d", *IMAGE_DROPOUTS),
    "relu": ("relu", "reluactivation", "activationrelu"),
    "affine": ("affine", "linear", "dense", "fullyconnected", "fc"),
}
METHODS = (
    ("forward", "forward_pass", "forward_prop", "forward_propagation", "fprop", "__call__"),
    ("backward", "backward_pass", "backward_prop", "backward_propagation", "backprop", "back_propagation", "bprop"),
)
NETS = ("FullyConnectedNet", "TwoLayerNet", "ThreeLayerConvNet")
OTHER_NETS = {"fcnet": NETS[0], "mlp": NETS[0], "multiperceptron": NETS[0], "twomlp": NETS[1]}
OTHER_NETS |= {"twofcnet": NETS[1], "threecnet": NETS[2]}  # by plain names that other courses' nets may have too
EMPTY_WORDS = set(
    str.split(
        "my our own custom simple basic naive vanilla numpy np num py layer module function func op class impl "
        "implementation from scratch manual v version"
    )
)
MODE_ARGUMENTS = re.compile(r"train|mode|phase|infer|^is_?test|^test|^eval|flg$|flag$", re.IGNORECASE)
MODE_ATTRIBUTES = ("train_mode", "training", "is_training", "is_train", "train", "mode", "eval_mode", "test", "testing")
PROBABILITY = re.compile("^(p|rate|ratio|prob|probability|fraction|chance)$|keep|drop|retain", re.IGNORECASE)
# Where a method leaves what it does not return.
OUTPUT = re.compile(r"^(outputs?|out|activations?|y|a)$", re.IGNORECASE)
INPUT_GRADIENT = re.compile(r"^d_?(inputs?|x|in)$|^(grad|delta)(ient)?_?(inputs?|in|x)?$|^(inputs?|x)_?grad", re.I)
# The functions that are dropout with p as their second argument, beside dropout_forward.
DROPOUT_FUNCTIONS = ("dropout_layer", "dropout", "inverted_dropout", "apply_dropout")
IN_THE_CALL = (TypeError, ValueError, IndexError, KeyError, AssertionError)  # where called in another way than meant
WEIGHT = re.compile(r"^w$|^weights?$|^kernel$", re.IGNORECASE)
BIAS = re.compile(r"^b$|^bias(es)?$", re.IGNORECASE)
WEIGHT_GRADIENT = re.compile(r"^(d|grad_?|delta_?)_?(w|weights?)$|^(w|weights?)_?grads?$", re.IGNORECASE)
BIAS_GRADIENT = re.compile(r"^(d|grad_?|delta_?)_?(b|bias(es)?)$|^(b|bias(es)?)_?grads?$", re.IGNORECASE)


def kind_of(name: str) -> str:
    """``"dropout"``, ``"relu"``, ``"affine"`` or "": what a class of this name is taken for.

    >>> kind_of("DropoutLayer"), kind_of("MyReLU"), kind_of("Conv2D")
    ('dropout', 'relu', '')
    """
    plain = plain_name(name)
    return next((kind for kind, names in NAMES.items() if plain in names), "")


def plain_name(name: str) -> str:
    """The name of a class in small letters, without the words that do not say what it is.

    >>> plain_name("My_DropoutLayer2"), plain_name("NumpyReLU"), plain_name("Dropout2d")
    ('dropout', 'relu', 'dropout2d')
    """
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)]
    telling = [word for word in words if word not in EMPTY_WORDS]
    return "".join(telling[:-1] if telling[-1:] and telling[-1].isdigit() else telling).removeprefix("my")


def net_of(name: str) -> str:
    """Which of the courses' nets a class of this name is taken for, or "".

    >>> net_of("MyFullyConnectedNet"), net_of("MLP2"), net_of("FullyConnectedLayer")
    ('FullyConnectedNet', 'FullyConnectedNet', '')
    """
    plain = _plain_net(name)
    return next((net for net in NETS if plain == plain_name(net)), OTHER_NETS.get(plain, ""))


def _plain_net(name: str) -> str:
    return re.sub("neural|network$|nn$", lambda found: "" if found[0] == "neural" else "net", plain_name(name))


def of_courses(name: str) -> bool:
    """Whether a net has a courses' own name, or nearly that."""
    return _plain_net(name) not in OTHER_NETS


def is_layer(value: Any) -> bool:
    """Whether this is a class for one of those layers, with forward and backward."""
    if not isinstance(value, type) or not kind_of(value.__name__):
        return False
    return bool(methods_of(dir(value)))


def methods_of(names: Iterable[str]) -> tuple[str, ...]:
    """The names by which a class has forward and backward, or nothing.

    >>> methods_of(["backprop", "forward", "update"])
    ('forward', 'backprop')
    """
    found = [next((name for name in known if name in [*names]), "") for known in METHODS]
    return tuple(found) if all(found) else ()


def functions_of(owner: type) -> dict[str, Any]:
    """The pair of functions that a class stands for, by the courses' names."""
    kind = kind_of(owner.__name__)
    own = dict(zip(("forward", "backward"), methods_of(dir(owner)), strict=True))
    owner = type(owner.__name__, (owner,), {name: getattr(owner, method) for name, method in own.items()})
    made = {"dropout": _dropout, "relu": _relu, "affine": _affine}[kind](owner)
    # 11-785 calls the gradient delta, and its own reference does not scale it.
    unscaled = "delta" in parameters(getattr(owner, "backward", None))
    functions = {f"{kind}_forward": made[0], f"{kind}_backward": made[1]}
    return {**functions, "__class_adapter__": True, "__unscaled_backward__": unscaled}


def as_dropout_forward(function: Callable[..., Any]) -> dict[str, Any]:
    """``dropout_layer(X, p)`` and its like, which return the output, with the mask or without."""
    names = parameters(function)

    def forward(x: Any, dropout_param: dict[str, Any]) -> tuple[Any, Any]:
        if len(names) < 2 or not (PROBABILITY.search(names[1]) or names[1] in ("level", "q")):
            raise CannotCall(f"it is not clear where {function.__name__}({', '.join(names)}) takes a probability")
        out = _in_mode(partial(_call, function), names, x, dropout_param)
        out, mask = out if isinstance(out, tuple) and len(out) == 2 else (out, None)
        if np.shape(out) != x.shape:
            raise CannotCall(f"{function.__name__} does not return an array of the shape of its first argument")
        return out, mask

    return {"dropout_forward": forward, "__class_adapter__": True}


def plain_functions(namespace: Mapping[str, Any]) -> Mapping[str, Any]:
    """A namespace in which ``dropout_forward(x, keep_prob, training)`` takes a course's dropout_param instead.

    Where it takes one anyway, the namespace as it is.
    """
    names = parameters(namespace.get("dropout_forward"))
    if len(names) < 2 or "param" in names[1] or not PROBABILITY.search(names[1]):
        return namespace

    def with_param(x: Any, dropout_param: dict[str, Any]) -> Any:
        return _in_mode(namespace["dropout_forward"], names, x, dropout_param)

    return {**namespace, "dropout_forward": with_param, "__class_adapter__": True}


def _in_mode(call: Callable[..., Any], names: list[str], x: Any, dropout_param: dict[str, Any]) -> Any:
    """What ``f(x, p, ...)`` gives in a mode; x itself where it has no test mode."""
    training = dropout_param["mode"] == "train"
    modes = {name: _mode_value(name, training) for name in names[2:] if MODE_ARGUMENTS.search(name)}
    return call(x, dropout_param["p"], **modes) if modes or training else (x, None)


Pair = tuple[Callable[..., Any], Callable[..., Any]]


def _dropout(owner: type) -> Pair:
    """A new object for each p; the cache is the object, as it stood after forward."""
    objects: dict[float, Any] = {}
    whole, last = plain_name(owner.__name__) in ("dropout2d", *IMAGE_DROPOUTS), False

    def forward(x: Any, dropout_param: dict[str, Any]) -> tuple[Any, Any]:
        nonlocal last
        p, mode = dropout_param["p"], dropout_param["mode"]
        last = last or (whole and not objects and _channels_stand_last(owner, p))
        given = _as_images(x, last) if whole else x
        if any("param" in name for name in parameters(getattr(owner, "forward", None))):
            layer = _made(owner)
            return _split(layer, _call(layer.forward, given, dict(dropout_param)))
        if p not in objects:
            objects[p] = _with_probability(owner, p)
        out, cache = _split(objects[p], _forward(objects[p], given, mode == "train", p))
        if whole:
            x[...] = _first_pixels(given, last)  # what was changed in it shows
        return (_of_channels(owner, out, given, last) if whole else out), cache

    def backward(dout: Any, cache: Any) -> Any:
        dx = _backward(_as_images(dout, last) if whole else dout, cache)
        return _first_pixels(dx, last) if whole and np.ndim(dx) == 4 else dx

    return forward, backward


def _with_probability(owner: type, p: float) -> Any:
    names = parameters(owner)
    chosen = next(filter(PROBABILITY.search, names), None)
    if chosen:
        return _made(owner, **{chosen: p})
    if any(map(PROBABILITY.search, parameters(getattr(owner, "forward", None)))):
        return _made(owner)
    raise CannotCall(f"it is not clear where {owner.__name__}({', '.join(names)}) takes a probability")


def _channels_stand_last(owner: type, p: float) -> bool:
    """Whether a class drops whole channels of images whose channels are the last axis."""
    x = np.ones((200, 2, 2, 6))
    try:
        out = np.asarray(_forward(_with_probability(owner, p), x, True, p))
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
    """The channels of an output, which must be dropped as a whole."""
    if np.shape(out) != given.shape:
        return out
    if not np.array_equal(out, _as_images(_first_pixels(out, last), last)):
        message = "channels of equal pixels came out with pixels that differ"
        raise KnownFault("channels-not-dropped-whole", f"{owner.__name__}.forward dropped parts of channels: {message}")
    return _first_pixels(out, last)


def _relu(owner: type) -> Pair:
    def forward(x: Any) -> tuple[Any, Any]:
        layer = _made(owner)
        return _split(layer, _forward(layer, x, True))

    return forward, _backward


def _affine(owner: type) -> Pair:
    """Weights and bias go into the constructor or into the attributes, turned round where they stand so."""

    def forward(x: Any, w: Any, b: Any) -> tuple[Any, Any]:
        names = [name for name in parameters(owner) if WEIGHT.search(name) or BIAS.search(name)]
        if len(names) >= 2:
            layer = _made(owner, **{names[0]: w.copy(), names[1]: b.copy()})
        else:
            layer = _made(owner, *w.shape)
            _put(layer, WEIGHT, w)
            _put(layer, BIAS, b)
        try:
            out = _forward(layer, x, True)
        except ValueError as error:  # most likely it has the examples in columns
            raise CannotCall(f"{owner.__name__}.forward does not take an array of shape {x.shape}: {error}") from None
        return _split(layer, out)

    def backward(dout: Any, cache: Any) -> tuple[Any, Any, Any]:
        layer = cache[0]
        returned = _backward(dout, cache)
        if isinstance(returned, tuple) and len(returned) == 3:
            return returned
        dx = returned[0] if isinstance(returned, tuple) else returned
        (_, dw), (_, db), (_, w) = (_found(layer, name) for name in (WEIGHT_GRADIENT, BIAS_GRADIENT, WEIGHT))
        if dw is not UNKNOWN and w is not UNKNOWN and w.ndim == 2 and w.shape[0] < w.shape[1]:  # ours has more rows
            dw = dw.T
        return dx, dw, db if db is UNKNOWN else db.reshape(-1)

    return forward, backward


def _put(layer: Any, pattern: re.Pattern[str], value: Any) -> None:
    """Put a value into the attribute that is named so, in the shape in which it stands there."""
    name, old = _found(layer, pattern)
    if not name or old.size != value.size:
        raise CannotCall(f"{type(layer).__name__} has no array of {value.size} elements under a usual name")
    turned = value.ndim == 2 and old.shape == value.shape[::-1]
    setattr(layer, name, (value.T if turned else value.reshape(old.shape)).copy())


def _found(layer: Any, pattern: re.Pattern[str]) -> tuple[str, Any]:
    """The name and the value of the array that is named so, or nothing."""
    for name, value in vars(layer).items():
        if pattern.search(name) and isinstance(value, (np.ndarray, np.generic)):
            return name, value
    return "", UNKNOWN


def _split(layer: Any, out: Any) -> tuple[Any, Any]:
    """The output, and the object with what forward gave beside it."""
    if isinstance(out, tuple) and len(out) == 2:
        return out[0], (layer, out[1])
    return out, (layer, None)


def _backward(dout: Any, cache: Any) -> Any:
    layer, extra = cache
    if extra is not None and len(parameters(layer.backward)) > 1:
        return _result(layer, layer.backward, INPUT_GRADIENT, dout, extra)
    rates = {name: 0.1 for name in parameters(layer.backward) if re.search("^lr$|learning", name)}
    return _result(layer, layer.backward, INPUT_GRADIENT, dout, **rates)


def _forward(layer: Any, x: Any, training: bool, p: float | None = None) -> Any:
    """In this mode; where there is no way to choose one, x itself is what test mode gives."""
    given = parameters(layer.forward)
    options: dict[str, Any] = {name: p for name in given[1:] if p is not None and PROBABILITY.search(name)}
    names = [name for name in given if MODE_ARGUMENTS.search(name)]
    if names:
        return _result(layer, layer.forward, OUTPUT, x, **options, **{names[0]: _mode_value(names[0], training)})
    switch: Callable[[], Any] | None = getattr(layer, "train" if training else "eval", None)
    attribute = next((name for name in MODE_ATTRIBUTES if isinstance(getattr(layer, name, None), (bool, str))), "")
    if callable(switch):
        _call(switch)
    elif attribute:
        setattr(layer, attribute, _mode_value(attribute, training))
    elif not training:
        predict: Callable[..., Any] | None = getattr(layer, "predict", None)
        return _result(layer, predict, OUTPUT, x) if callable(predict) else x
    return _result(layer, layer.forward, OUTPUT, x, **options)


def _made(owner: type, *args: Any, **kwargs: Any) -> Any:
    """An object of a class, made with what its constructor seems to take."""
    try:
        return _call(owner, *args, **kwargs)
    except (*IN_THE_CALL, AttributeError) as error:
        message = f"{owner.__name__} cannot be made so: {type(error).__name__}: {error}, {location(error)}"
        raise CannotCall(message) from error


def _result(layer: Any, method: Callable[..., Any], left: re.Pattern[str], *args: Any, **kwargs: Any) -> Any:
    """What a method returns, or, where that is nothing, leaves in an attribute that is named so."""
    try:
        result = _call(method, *args, **kwargs)
    except IN_THE_CALL as error:
        alone = left is INPUT_GRADIENT and isinstance(error, ValueError) and len(args) + len(kwargs) == 1
        if NOT_WRITTEN in str(error) or alone:  # forward was called rightly, and so is what has one argument
            raise
        shapes = " and ".join(str(argument.shape) for argument in args if isinstance(argument, np.ndarray))
        message = f"{method.__qualname__} stops, called with an array of shape {shapes}"
        raise CannotCall(f"{message}: {type(error).__name__}: {error}, {location(error)}") from error
    except AttributeError as error:
        # What forward lacks, others may set from outside, such as the mode or the shape of what comes before.
        if f"'{type(layer).__name__}' object" in str(error) and left is INPUT_GRADIENT:
            raise
        raise CannotCall(f"{method.__qualname__} is to be called in another way: {error}, {location(error)}") from error
    if result is None:
        _, found = _found(layer, left)
        return None if found is UNKNOWN else np.array(found)
    if not isinstance(result, (np.ndarray, np.generic, int, float, tuple, list)):
        raise CannotCall(f"{method.__qualname__} gives a {type(result).__name__} instead of an array")
    return result


def _call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call it, if these arguments fit."""
    why = signature_mismatch(function, *args, **kwargs)
    if why:
        raise CannotCall(f"it is not clear how to call {getattr(function, '__qualname__', 'it')}: {why}")
    return function(*args, **kwargs)


def _mode_value(name: str, training: bool) -> bool | str:
    if name in ("mode", "phase"):
        return "train" if training else "test"
    return training if not re.search("test|eval|infer", name, re.IGNORECASE) else not training
