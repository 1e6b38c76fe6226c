"""Saved nets and checkpoints of runs: damaged, damaged but with a correct digest, and forged."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from fuzzing import FOLDER, changed, outcome, random_bytes
from thinnet import Dataset, FullyConnectedNet, Solver
from thinnet.errors import CheckpointError
from thinnet.storage import checkpoint, locks  # noqa: F401  (loaded before it is watched what is executed)
from thinnet.storage.checksummed import DIGITS, MARK, packed, verified, with_digest
from thinnet.training import resuming  # noqa: F401  (likewise)
from thinnet.typing import AnyArray

DATA = Dataset(np.arange(24, dtype=np.uint8).reshape(8, 3), np.arange(8) % 2)
LEAVES = [None, True, False, -1, 0, 1, 2, 5, 0.5, -2.5, math.nan, math.inf, 2**64, 10**400, "", "he", "adam", "float64"]


def tiny_net() -> FullyConnectedNet:
    return FullyConnectedNet([2], 3, 2, normalization="batchnorm", dropout=0.5, seed=1)


@cache
def valid_checkpoint(kind: str) -> bytes:
    """The bytes of a saved net or run."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.safetensors")
        if kind == "net":
            tiny_net().save(path)
            return path.read_bytes()
        options: Any = {"optimizer": "adam", "batch_size": 4, "epochs": 1, "verbose": False}
        Solver(tiny_net(), DATA, checkpoint_dir=folder, checkpoint_every=2, **options).train()
        return next(Path(folder).glob("*.safetensors")).read_bytes()


def with_new_digest(content: bytes) -> bytes:
    """The content with every digest in it corrected."""
    start = content.find(MARK) + len(MARK)
    if start < len(MARK):
        return content
    return with_digest(content[:start] + b"0" * DIGITS + content[start + DIGITS :])


def random_json(rng: Random) -> Any:
    kind = rng.randrange(8)
    if kind == 0:
        return [random_json(rng) for _ in range(rng.randrange(4))]
    if kind == 1:
        return {rng.choice(("name", "__class__", "W1", "a")): random_json(rng) for _ in range(rng.randrange(4))}
    return rng.choice(LEAVES)


def random_array(rng: Random) -> AnyArray:
    shape = [rng.randrange(4) for _ in range(rng.randrange(4))]
    return np.full(shape, rng.choice((0, 1, 2))).astype(rng.choice(("float32", "float64", "uint8", "int64", "bool")))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to each value within a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield (*path, key)
        yield from places(part, (*path, key))


def forged(rng: Random, kind: str) -> bytes:
    """A whole file with some of its state or arrays replaced."""
    contents = verified(Path("valid"), valid_checkpoint(kind), kind)
    for _ in range(rng.randrange(3)):
        *way, last = rng.choice(list(places(contents.state)))
        place = contents.state
        for key in way:
            place = place[key]
        if rng.randrange(5):
            place[last] = random_json(rng)
        else:
            del place[last]
        if not contents.state:
            break
    for _ in range(rng.randrange(2)):
        contents.arrays[rng.choice([*sorted(contents.arrays), "more"])] = random_array(rng)
    return packed(kind, contents.state, contents.arrays)


def random_checkpoint(rng: Random) -> tuple[str, bytes]:
    """Damaged files, damaged files with a correct digest, and forged ones."""
    kind, way = rng.choice(("net", "run")), rng.randrange(4)
    if way == 0:
        return kind, random_bytes(rng, 60)
    if way == 1:
        return kind, forged(rng, kind)
    content = changed(rng, valid_checkpoint(kind))
    return kind, with_new_digest(content) if way == 2 else content


def check_checkpoint(kind: str, content: bytes) -> bool:
    """Reading it must give a net, or a solver that could go on, or raise CheckpointError."""
    folder = Path(FOLDER.name, "run")
    folder.mkdir(exist_ok=True)
    path = folder / "step-000000002.safetensors"
    path.write_bytes(content)
    net, refusal = outcome(lambda: FullyConnectedNet.load(path) if kind == "net" else _resumed(folder), CheckpointError)
    if net is None:
        assert "must" in refusal
        return False
    assert set(net.params) == set(net.params.shapes)
    return True


def _resumed(folder: Path) -> FullyConnectedNet:
    net: FullyConnectedNet = Solver.resume(folder, DATA, progress=False).model
    return net
