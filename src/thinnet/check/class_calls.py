"""Creates an object of a layer class, calls it in either mode, and finds what it stores in its attributes."""

import copy
import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from thinnet.check.location import is_misspelled, location, said
from thinnet.check.modes import strings
from thinnet.check.subject import NOT_WRITTEN, UNKNOWN, CannotCall, parameters, signature, signature_mismatch
from thinnet.checks import kind_of

MODE_ARGUMENTS = re.compile(r"train|mode|phase|infer|^is_?test|^test|^eval|flg$|flag$", re.IGNORECASE)
MODE_ATTRIBUTES = ("train_mode", "training", "is_training", "is_train", "train", "mode", "eval_mode", "test", "testing")
PROBABILITY = re.compile("^(p|rate|ratio|prob|probability|fraction|chance)$|keep|drop|retain", re.IGNORECASE)
INPUT = re.compile(r"^(inputs?|x|z|a|a_prev|data)$", re.IGNORECASE)  # of forward; some pass it to backward too
TRAINING, TEST = ("train", "training"), ("test", "eval", "inference", "testing", "infer", "predict", "evaluate")
# Attributes in which a method may store what it does not return.
OUTPUT = re.compile(r"^(outputs?|out|activations?|y|a)$", re.IGNORECASE)
INPUT_GRADIENT = re.compile(r"^d_?(inputs?|x|in)$|^(grad|delta)(ient)?_?(inputs?|in|x)?$|^(inputs?|x)_?grad", re.I)


def _names(names: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Patterns for parameters with these names, and for their gradients."""
    gradients = rf"^_?(d|delta|grad(ient)?|d(l|j|e|loss|cost)_?d)_?({names})$|^_?({names})_?grad(ient)?s?$"
    return re.compile(rf"^_?({names})$", re.IGNORECASE), re.compile(gradients, re.IGNORECASE)


WEIGHTS = WEIGHT, WEIGHT_GRADIENT = _names("w|weights?|kernels?|filters?")
BIASES = BIAS, BIAS_GRADIENT = _names("b|bias(es)?")
SCALES = SCALE, SCALE_GRADIENT = _names("gammas?|scale|weights?|w|g|bw")
SHIFTS = SHIFT, SHIFT_GRADIENT = _names("betas?|shift|bias(es)?|b|bb")
DATA = {"data": "", "value": "", "val": "", "grad": "d", "gradient": "d"}  # attributes of a parameter that is an object
ARRAYS = (np.ndarray, np.generic)
IN_THE_CALL = (TypeError, ValueError, IndexError, KeyError, AssertionError)  # if called in an unintended way

SLIPS = re.compile("'tuple' object cannot be interpreted as an integer|Cannot cast ufunc")  # mistakes in any call


class Returned(tuple[Any, ...]):
    """Gradients as backward returns them, without names, in its own order."""


def put(layer: Any, pattern: re.Pattern[str], value: Any) -> None:
    """Store a value under the name that matches, in the shape of the array stored there."""
    found = list(places(vars(layer), pattern, ARRAYS))
    if not found or any(holder[key].size != value.size for holder, key in found[:1]):
        raise CannotCall(f"{type(layer).__name__} has no array of {value.size} elements under a usual name")
    # Of several dicts, one holds the parameters, others may hold an optimizer's state for them.
    for holder, key in found[:1] if found[0][0] is vars(layer) else found:
        old = holder[key].shape
        turned = value.ndim == 2 and old == value.shape[::-1]
        holder[key] = (value.T if turned else value.reshape(old)).copy()


def found_in(attributes: dict[str, Any], pattern: re.Pattern[str]) -> Any:
    """The array with a matching name, or `UNKNOWN`."""
    return next((holder[key] for holder, key in places(attributes, pattern, ARRAYS)), UNKNOWN)


def places(attributes: dict[str, Any], pattern: re.Pattern[str], kinds: Any) -> Iterator[tuple[Any, Any]]:
    """Where values with matching names are: first attributes, then items of dicts and of lists of two, w and b."""
    named: list[tuple[Any, Any, str]] = [(attributes, name, name) for name in attributes]
    for name, value in sorted(attributes.items(), key=lambda item: "param" not in item[0].lower()):
        d = "d" if "grad" in name.lower() else ""
        if isinstance(value, dict):
            alone = [key for key in value if not d or str(key).lower().startswith(("d", "grad"))]
            named += [(value, key, str(key)) for key in alone]
            named += [(value, key, told) for key in value for told in (f"{d}{key}", f"{name}_{key}")]
        elif {*DATA} & {*(inner := getattr(value, "__dict__", ()))}:  # an object with an array and its gradient
            named += [(inner, key, kind + name) for key, kind in DATA.items() if key in inner]
        elif isinstance(value, list | tuple if d else list) and len(value) == 2:
            named += [(value, i, d + kind) for i, kind in enumerate("wb")]
    return ((holder, key) for holder, key, name in named if pattern.search(name) and isinstance(holder[key], kinds))


def split(layer: Any, x: Any, out: Any) -> tuple[Any, Any]:
    """The output, and as a cache the object, its input, and what else forward returned."""
    if isinstance(out, tuple) and len(out) == 2:
        return out[0], (layer, x, out[1])
    return out, (layer, x, None)


def call_backward(dout: Any, cache: Any, training: bool = True) -> Any:
    """Call backward with the gradient and what else it seems to take, such as the mode of the forward pass."""
    layer, x, extra = cache
    named = parameters(layer.backward)
    more: dict[str, Any] = _mode(layer.backward, named[1:], training)
    names, given = [name for name in named if name not in more], [dout]
    more |= {name: 0.1 for name in names if re.search("^lr$|learning", name)}
    if extra is not None and len(names) > 1:
        given, more = [dout, extra], {}
    elif signature_mismatch(layer.backward, dout, **more) and len([*filter(INPUT.search, names[:2])]) == 1:
        given = [x if INPUT.search(name) else dout for name in names[:2]]
    return _result(layer, layer.backward, INPUT_GRADIENT, *given, **more)


def gradients(dout: Any, cache: Any, *names: tuple[re.Pattern[str], re.Pattern[str]]) -> tuple[Any, ...]:
    """dx and the gradients of the parameters with these names, which backward returns or stores under such names.

    A gradient is None if backward leaves nothing for it, but leaves another. Returned gradients may be in any order, if
    their sizes identify them.
    """
    layer, x, _ = cache
    before = [np.copy(array) for array in arrays(layer)]
    returned = call_backward(dout, cache)
    if isinstance(returned, tuple) and len(returned) == 3:
        sizes = [np.size(x), *(np.size(found_in(vars(layer), of_parameter)) for of_parameter, _ in names)]
        orders = itertools.permutations(returned)
        return Returned(next((order for order in orders if [*map(np.size, order)] == sizes), returned))
    dx, *more = returned if isinstance(returned, tuple) else [returned]
    beside = {f"returned_grads{i}": list(one) if isinstance(one, tuple) else one for i, one in enumerate(more)}
    found = [found_in({**beside, **vars(layer)}, of_gradient) for _, of_gradient in names]
    if all(one is UNKNOWN for one in found):  # they may be computed later, when they are used
        return dx, *found
    named = {id(one) for one in found}
    made = [one for one in arrays([more, layer]) if not any(np.array_equal(one, old) for old in before)]
    others = [one.size for one in made if id(one) not in named]
    sizes = [np.size(found_in(vars(layer), of_parameter)) for of_parameter, _ in names]
    known = (one if one is not UNKNOWN or size in others else None for one, size in zip(found, sizes, strict=True))
    return dx, *known


def arrays(value: Any, depth: int = 4) -> Iterator[Any]:
    """All arrays in an object and in the objects that it holds."""
    if isinstance(value, np.ndarray):
        yield value
    elif depth:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
        for one in (*inner, *getattr(value, "__dict__", {}).values()):
            yield from arrays(one, depth - 1)


def learned(dout: Any, cache: Any, *names: re.Pattern[str]) -> list[Any]:
    """How far backward moves each parameter, up to a common rate, if it updates them itself, linearly in dout."""

    def moved(times: int) -> list[Any]:
        twin = copy.deepcopy(cache)
        before = [np.array(found_in(vars(twin[0]), name)) for name in names]
        call_backward(times * dout, twin)
        return [old - found_in(vars(twin[0]), name) for old, name in zip(before, names, strict=True)]

    steps, twice = ([far - near for far, near in zip(moved(n), moved(0), strict=True)] for n in (1, 2))
    if not any(map(np.any, steps)) or not all(np.allclose(two, 2 * one) for one, two in zip(steps, twice, strict=True)):
        return [UNKNOWN] * len(names)
    return steps


def call_forward(layer: Any, x: Any, training: bool, p: float | None = None) -> Any:
    """Call forward in this mode; if there is no way to choose one, test mode uses `predict`, or returns x itself."""
    given = parameters(layer.forward)
    options: dict[str, Any] = {name: p for name in given[1:] if p is not None and PROBABILITY.search(name)}
    if mode := _mode(layer.forward, given, training):
        return _result(layer, layer.forward, OUTPUT, x, **options, **mode)
    switch: Callable[[], Any] | None = getattr(layer, "train" if training else "eval", None)
    attribute = next((name for name in MODE_ATTRIBUTES if isinstance(getattr(layer, name, None), (bool, str))), "")
    if callable(switch):
        call(switch)
    elif attribute:
        setattr(layer, attribute, mode_value(attribute, training, layer.forward, getattr(layer, attribute)))
    elif not training:
        predict: Callable[..., Any] | None = getattr(layer, "predict", None)
        return _result(layer, predict, OUTPUT, x) if callable(predict) else x
    return _result(layer, layer.forward, OUTPUT, x, **options)


def _mode(method: Callable[..., Any], names: list[str], training: bool) -> dict[str, Any]:
    """The first of these arguments that selects a method's mode, with its value, if there is one."""
    name = next(filter(MODE_ARGUMENTS.search, names), "")
    return {name: mode_value(name, training, method, signature(method)[name].default)} if name else {}


def made(owner: type, *args: Any, **kwargs: Any) -> Any:
    """An object of a class, created with what its constructor seems to take, including initializer functions."""
    known = signature(owner)
    begin = [name for name in [*known][len(args) :] if re.search("init(ial)?", name) and name not in kwargs]
    kwargs |= {name: np.random.randn for name in begin if known[name].default is known[name].empty}
    try:
        return call(owner, *args, **kwargs)
    except (*IN_THE_CALL, AttributeError) as error:
        if is_misspelled(error):
            raise
        message = f"{owner.__name__} could not be created: {said(error)}, {location(error)}"
        raise CannotCall(message) from error


def _result(layer: Any, method: Callable[..., Any], left: re.Pattern[str], *args: Any, **kwargs: Any) -> Any:
    """What a method returns or, if that is None, stores in an attribute with a matching name."""
    try:
        result = call(method, *args, **kwargs)
    except IN_THE_CALL as error:
        alone = left is INPUT_GRADIENT and isinstance(error, ValueError) and len(args) + len(kwargs) == 1
        if NOT_WRITTEN in str(error) or alone or SLIPS.search(str(error)):  # another way to call it would not help
            raise
        shapes = " and ".join(str(argument.shape) for argument in args if isinstance(argument, np.ndarray))
        message = f"{method.__qualname__} stops when called with an array of shape {shapes}"
        raise CannotCall(f"{message}: {said(error)}, {location(error)}") from error
    except AttributeError as error:
        # Attributes that forward lacks may be meant to be set from outside, such as the mode or the input shape.
        certain = left is INPUT_GRADIENT or error.name in parameters(type(layer))  # given to the constructor, not kept
        if (error.obj is layer and certain) or is_misspelled(error):
            raise
        raise CannotCall(f"{method.__qualname__} must be called in another way: {error}, {location(error)}") from error
    if result is None:
        found = found_in(vars(layer), left)
        return None if found is UNKNOWN else np.array(found)
    if not isinstance(result, (*ARRAYS, int, float, tuple, list)):
        raise CannotCall(f"{method.__qualname__} returns {kind_of(result)} instead of an array")
    return result


def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function if it takes these arguments."""
    why = signature_mismatch(function, *args, **kwargs)
    if why:
        raise CannotCall(f"it is not clear how to call {getattr(function, '__qualname__', 'it')}: {why}")
    return function(*args, **kwargs)


def mode_value(name: str, training: bool, function: Any, usual: Any = None) -> bool | str:
    """The value of an argument or attribute of this name that selects a mode, in the code's own words."""
    if isinstance(usual, bool) or name not in ("mode", "phase"):
        return training if not re.search("test|eval|infer", name, re.IGNORECASE) else not training
    words = TRAINING if training else TEST
    if str(usual).lower() in words:  # else a slip such as 'Train', where the default is 'train', would go unnoticed
        return str(usual)
    said = [*strings(getattr(getattr(function, "__code__", None), "co_consts", ()))]
    return next((one for word in words for one in said if one.lower() == word), words[0])
