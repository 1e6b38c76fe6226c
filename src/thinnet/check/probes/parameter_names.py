"""What the names of a net's parameters say: which is the weight, which the bias, and of which layer."""

import re
from typing import Any

ROLES = {"w": "W", "weight": "W", "weights": "W", "b": "b", "bias": "b", "biases": "b"}


def role(key: Any) -> tuple[str, int]:
    """What a parameter is, and the number of its layer: ("W", 1) for "W1", "layer1_W" and (1, "W"); else ("", -1)."""
    text = "".join(map(str, key)) if isinstance(key, tuple) else str(key)
    match = re.fullmatch(r"(?:[A-Za-z]+\W*_?(?=\d))?(?P<before>\d*)\W*_?(?P<kind>[A-Za-z]+)\W*_?(?P<after>\d*)", text)
    if not match or bool(match["before"]) == bool(match["after"]):
        return "", -1
    kind = match["kind"].lower()
    return ROLES.get(kind, kind), int(match["before"] or match["after"])
