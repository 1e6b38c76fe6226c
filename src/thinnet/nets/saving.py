"""Nets in checksummed files: their arguments, parameters and running statistics."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from thinnet.data.files import looked_for
from thinnet.errors import CheckpointError, MissingCheckpointError, ThinnetError
from thinnet.nets.base import Net
from thinnet.parameters import Parameters
from thinnet.spec import Spec
from thinnet.standardization import Standardization
from thinnet.state import State
from thinnet.storage.checksummed import read_checksummed, write_checksummed
from thinnet.typing import AnyArray

N = TypeVar("N", bound=Net)
STANDARDIZATION = "standardization/"  # prefix of its arrays


def save_net(net: Net, path: Path) -> None:
    """Write only a net: its arguments, parameters and running statistics."""
    state, arrays, carried = net_state(net), net_arrays(net), net.standardization
    if carried is not None:
        state["standardization"] = {"limit": carried.limit if carried.limit < np.inf else None}
        arrays |= {f"{STANDARDIZATION}mean": carried.mean, f"{STANDARDIZATION}scale": carried.scale}
    write_checksummed(path, "net", state, arrays)


def load_net(kind: type[N], path: Path) -> N:
    """Read a net that `save_net` wrote, as an instance of `kind`."""
    if path.is_dir():
        inside = path / "net.safetensors"
        fix = f"Name {inside}." if inside.is_file() else "Name a file in it that FullyConnectedNet.save wrote."
        raise CheckpointError(f"{path} must be the file of a net, got a folder. {fix}")
    try:
        contents = read_checksummed(path, "net")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingCheckpointError(
            f"{path} must be the file of a net, got no such file. Name one that FullyConnectedNet.save wrote. "
            f"{looked_for(path)}"
        ) from error
    with readable_contents(str(path)):
        net = net_from(kind, contents.state, contents.arrays)
        return net.with_standardization(_standardization(contents.state, contents.arrays))


def _standardization(state: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> Standardization | None:
    """The standardization saved with a net, if any."""
    if not ("standardization" in state or any(name.startswith(STANDARDIZATION) for name in arrays)):
        return None
    limit = state["standardization"]["limit"]
    mean, scale = (arrays[f"{STANDARDIZATION}{name}"] for name in ("mean", "scale"))
    if mean.dtype != np.float64 or scale.dtype != np.float64:
        raise ValueError(f"the standardization is of dtype {mean.dtype} and {scale.dtype} instead of float64")
    return Standardization(mean, scale, np.inf if limit is None else float(limit))


def net_state(net: Net) -> dict[str, Any]:
    return {"config": net.config(), "step": net.step, "fused": net.fused}


def net_arrays(net: Net) -> dict[str, AnyArray]:
    return named("params/", net.params) | named("running/", net.running)


def net_from(kind: type[N], state: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> N:
    config = dict(state["config"])
    dims = (config["input_dim"], *config["hidden_dims"], config["num_classes"])
    for i, shape in enumerate(pairwise(dims), start=1):
        if arrays[f"params/W{i}"].shape != shape:  # checked before a net of these dimensions is allocated
            raise ValueError(f"W{i} has shape {arrays[f'params/W{i}'].shape} instead of {shape}")
    spec = Spec.from_config(config)
    net = kind.from_parts(spec, State.empty(spec), fused=bool(state["fused"]))
    net.step = state["step"]
    given = {name for name in arrays if name.startswith(("params/", "running/"))}
    if given != set(net_arrays(net)):
        raise ValueError(f"the arrays are {', '.join(sorted(given))}")
    fill(net.params, arrays, "params/")
    fill(net.running, arrays, "running/")
    return net


def named(prefix: str, parameters: Parameters) -> dict[str, AnyArray]:
    return {f"{prefix}{name}": array for name, array in parameters.items()}


def fill(parameters: Parameters, arrays: Mapping[str, AnyArray], prefix: str) -> None:
    for name, target in parameters.items():
        array = arrays[prefix + name]
        if array.dtype != target.dtype:
            raise ValueError(f"{prefix + name} is of dtype {array.dtype} instead of {target.dtype}")
        parameters[name] = array


@contextmanager
def readable_contents(what: str) -> Iterator[None]:
    """Turn any error from the contents of an intact file that is not ours into a CheckpointError."""
    try:
        yield
    except CheckpointError:
        raise
    except (ThinnetError, KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise CheckpointError(
            f"{what} must hold a run or a net as Thinnet writes it, but its contents do not fit together: {error}. "
            f"Use a file that Thinnet wrote."
        ) from error
