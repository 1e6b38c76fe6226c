"""The courses' backward functions refuse what is not the cache of their own forward function."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from thinnet.check.call_recorder import right_layers
from thinnet.errors import ArgumentError

RNG = np.random.default_rng(0)
ROWS, SQUARE, VECTOR = RNG.normal(size=(6, 5)), RNG.normal(size=(5, 5)), RNG.normal(size=5)
IMAGES, FILTERS = RNG.normal(size=(2, 5, 4, 4)), RNG.normal(size=(3, 5, 3, 3))
# All sizes fit one another, so that only the cache itself can tell.
CALLS: dict[str, tuple[Any, ...]] = {
    "affine": (ROWS, SQUARE, VECTOR),
    "relu": (ROWS,),
    "batchnorm": (ROWS, VECTOR, VECTOR, {"mode": "train"}),
    "layernorm": (ROWS, VECTOR, VECTOR, {}),
    "dropout": (ROWS, {"mode": "train", "p": 0.5}),
    "conv": (IMAGES, FILTERS, VECTOR[:3], {"stride": 1, "pad": 1}),
    "max_pool": (IMAGES, {"pool_height": 2, "pool_width": 2, "stride": 2}),
    "spatial_batchnorm": (IMAGES, VECTOR, VECTOR, {"mode": "train"}),
    "spatial_groupnorm": (IMAGES, VECTOR, VECTOR, 5, {}),
}
SHARED = {("batchnorm", "spatial_batchnorm"), ("spatial_batchnorm", "batchnorm")}  # one calls the other
LAYERS = right_layers("keep")


def function(layer: str, direction: str) -> Any:
    name = f"{layer}_{direction}"
    return LAYERS.get(name) or LAYERS[f"{name}_naive"]


CACHES = {layer: function(layer, "forward")(*arguments) for layer, arguments in CALLS.items()}


@pytest.mark.parametrize("other", CALLS)
@pytest.mark.parametrize("layer", CALLS)
def test_the_cache_of_another_layer_is_refused(layer: str, other: str) -> None:
    out, _ = CACHES[layer]
    backward = function(layer, "backward")
    if layer == other:
        backward(out, CACHES[other][1])
    elif (layer, other) not in SHARED:
        with pytest.raises(ArgumentError):
            backward(out, CACHES[other][1])


@pytest.mark.parametrize("layer", CALLS)
@pytest.mark.parametrize("cache", [None, (), {}, 3, "x", (ROWS,), (ROWS, SQUARE)], ids=repr)
def test_what_is_no_cache_is_refused(layer: str, cache: Any) -> None:
    with pytest.raises(ArgumentError, match="cache must be"):
        function(layer, "backward")(CACHES[layer][0], cache)


def test_the_refusal_names_the_parts_and_the_right_call() -> None:
    both = CACHES["affine"]
    text = "affine_backward: cache must be (x, w, b), the second of the two values of affine_forward, got "
    for cache, came in ((both, "a tuple of 2"), (both[0], "an ndarray"), (None, "None")):
        fix = " Write out, cache = affine_forward(...), and then affine_backward(dout, cache)."
        with pytest.raises(ArgumentError, match=re.escape(f"{text}{came}.{fix}")):
            LAYERS["affine_backward"](both[0], cache)
