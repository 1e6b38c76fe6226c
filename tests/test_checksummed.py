"""Checksummed files: reading returns what was written, and never anything else."""

from __future__ import annotations

import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from thinnet import FullyConnectedNet
from thinnet.errors import CheckpointError
from thinnet.storage.checkpoint import KIND
from thinnet.storage.checksummed import FORMAT, read_checksummed, verified, with_digest, write_checksummed

HERE = Path("file.safetensors")


def forged(state: Any = "{}", arrays: Any = None, **metadata: Any) -> bytes:
    """A file with a correct digest, even if its content is wrong."""
    written = {"format": str(FORMAT), "kind": "net", "state": state, "sha256": "0" * 64, **metadata}
    written = {key: value for key, value in written.items() if value is not None}
    return with_digest(save({"W1": np.zeros(1)} if arrays is None else arrays, written))


def tiny_net() -> FullyConnectedNet:
    return FullyConnectedNet([1], 1, 1, normalization="batchnorm", dropout=0.5, seed=3, loss="mse")


@pytest.fixture
def net_file(tmp_path: Path) -> bytes:
    tiny_net().save(tmp_path / "net")
    return (tmp_path / "net").read_bytes()


def test_arrays_and_state_come_back_as_they_were(tmp_path: Path) -> None:
    arrays = {
        "floats": np.array([[1.5, -0.0], [np.nan, np.inf]], np.float32),
        "turned": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "bytes": np.arange(5, dtype=np.uint8),
        "none": np.zeros((0, 3)),
    }
    state = {"text": 'quotes " and µ', "number": 0.1, "list": [1, None, True], "far": [float("inf")]}
    write_checksummed(tmp_path / "a", "run", state, arrays)
    contents = read_checksummed(tmp_path / "a", "run")
    assert contents.state == state
    assert {name: (a.dtype, a.tobytes()) for name, a in contents.arrays.items()} == {
        name: (a.dtype, a.tobytes()) for name, a in arrays.items()
    }
    assert load_file(tmp_path / "a").keys() == arrays.keys(), "any other program can read them"


def test_what_is_read_does_not_hold_on_to_the_file(tmp_path: Path) -> None:
    write_checksummed(tmp_path / "a", "run", {}, {"x": np.arange(3.0)})
    contents = read_checksummed(tmp_path / "a", "run")
    (tmp_path / "a").write_bytes(b"")
    np.testing.assert_array_equal(contents.arrays["x"], [0, 1, 2])


def test_every_single_flipped_bit_is_found(net_file: bytes) -> None:
    """In the length, the header, the digest itself and the arrays."""
    content = bytearray(net_file)
    assert verified(HERE, bytes(content), "net")
    for bit in range(8 * len(content)):
        content[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CheckpointError, match=r"must be a whole file as Thinnet wrote it, but .*\. Use an older"):
            verified(HERE, bytes(content), "net")
        content[bit // 8] ^= 1 << bit % 8
    assert bytes(content) == net_file


def test_every_truncation_and_every_longer_file_is_found(net_file: bytes) -> None:
    for length in range(len(net_file)):
        text = r"file\.safetensors must be a whole file as Thinnet wrote it, but .*(is empty|ends too early|SHA-256)"
        with pytest.raises(CheckpointError, match=text):
            verified(HERE, net_file[:length], "net")
    for more in (b"\0", b"more", net_file):
        with pytest.raises(CheckpointError, match="its SHA-256 does not match its bytes"):
            verified(HERE, net_file + more, "net")


def test_two_exchanged_blocks_are_found(net_file: bytes) -> None:
    end = len(net_file)
    exchanged = net_file[: end - 8] + net_file[end - 4 :] + net_file[end - 8 : end - 4]
    assert exchanged != net_file
    with pytest.raises(CheckpointError, match="SHA-256"):
        verified(HERE, exchanged, "net")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (forged(format="2"), r"must be of format 1, got 2\. Read it with the version of Thinnet that wrote it"),
        (forged(format="one"), r"its header cannot be read \(ValueError\)"),
        (forged(format=None), r"its header cannot be read \(KeyError\)"),
        (forged(state=None), r"its header cannot be read \(KeyError\)"),
        (forged(state="{"), r"its header cannot be read \(JSONDecodeError\)"),
        (forged(state="[" * 100_000), r"its header cannot be read \(RecursionError\)"),
        (forged(state="[1]"), "its state is not a mapping"),
        (forged(state="9" * 5000), r"its header cannot be read \(ValueError\)"),
        (forged(kind="run"), "must hold a net, got a run. Name the file that was saved as one"),
        (forged(kind=None), "must hold a net, got a file of unknown kind"),
        (forged(state="{}"), "must hold a run or a net as Thinnet writes it, but its contents do not fit together"),
        (save({}, {"format": "1"}), "it has no SHA-256"),
        (b"", "it is empty"),
        (b"\xff" * 8, "it ends too early"),
        (bytes(8), "it has no SHA-256"),
        (b"PK\3\4" + bytes(100), "it is a zip archive"),
        (b"\x80\2" + bytes(100), "it is a pickle, which can run code"),
        (b"a,b\n1.0,2.0\n", "it is text that begins with 'a,b'.* assigned to a net's params"),
    ],
    ids=range(18),
)
def test_files_that_are_none_of_ours_are_refused(content: bytes, text: str, tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=text):
        FullyConnectedNet.load(path)


def changed(path: Path, **config: Any) -> bytes:
    """A net's file with changed config entries and a correct digest."""
    contents = read_checksummed(path, "net")
    state = {**contents.state, "config": {**contents.state["config"], **config}}
    return forged(json.dumps(state), contents.arrays)


@pytest.mark.parametrize(
    "config",
    [
        {"hidden_dims": [2]},
        {"hidden_dims": [10**12]},
        {"hidden_dims": "1"},
        {"hidden_dims": None},
        {"input_dim": 1.0},
        {"input_dim": 10**15},
        {"num_classes": True},
        {"dropout": 1},
        {"dropout": "a"},
        {"dtype": "float64"},
        {"dtype": "object"},
        {"loss": ["softmax"]},
        {"normalization": None},
        {"normalization": {}},
        {"seed": -1},
        {"seed": 1.5},
        {"weight_scale": []},
        {"other": 1},
    ],
    ids=str,
)
def test_a_net_that_does_not_fit_its_file_is_refused(config: dict[str, Any], tmp_path: Path) -> None:
    """Before anything of its size is allocated, even with a correct digest, which anyone can compute."""
    tiny_net().save(tmp_path / "net")
    content = changed(tmp_path / "net", **config)
    (tmp_path / "net").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"its contents do not fit together: .* Use a file that Thinnet wrote"):
        FullyConnectedNet.load(tmp_path / "net")


def test_a_file_of_another_kind_is_not_taken_for_a_run(net_file: bytes) -> None:
    with pytest.raises(CheckpointError, match="must hold a run, got a net"):
        verified(HERE, net_file, KIND)


def test_saving_and_loading_a_net(tmp_path: Path) -> None:
    options: list[dict[str, Any]] = [
        {"dtype": np.float64},
        {"dropout_mask": "batch", "normalization": "batchnorm"},
        {"normalization": "layernorm", "loss": "mse", "weight_scale": 0.5, "reg": 0.1, "scaling": "classic"},
    ]
    X = np.random.default_rng(0).standard_normal((6, 5))
    for given in options:
        net = FullyConnectedNet([7, 3], 5, 4, dropout=0.3, seed=2**63 + 1, **given)
        y: Any = np.zeros((6, 4)) if net.loss_name == "mse" else np.arange(6) % 4
        net.loss(X, y, training=True)
        net.fused = False
        net.save(tmp_path / "net.safetensors")
        other = FullyConnectedNet.load(str(tmp_path / "net.safetensors"))
        assert other.config() == net.config()
        assert (other.step, other.fused) == (1, False)
        assert other.params.flat.tobytes() == net.params.flat.tobytes()
        assert other.running.flat.tobytes() == net.running.flat.tobytes()
        assert other.params.order == net.params.order
        assert other.loss(X, y, training=True)[0] == net.loss(X, y, training=True)[0], "it goes on with the same masks"
    assert os.listdir(tmp_path) == ["net.safetensors"]


def test_a_net_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_net().save(tmp_path / "net")
    before = (tmp_path / "net").read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("thinnet.storage.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        tiny_net().save(tmp_path / "net")
    assert (tmp_path / "net").read_bytes() == before
    assert os.listdir(tmp_path) == ["net"]


def test_equal_nets_are_equal_files(tmp_path: Path) -> None:
    contents = set()
    for number in range(12):
        tiny_net().save(tmp_path / str(number))
        contents.add((tmp_path / str(number)).read_bytes())
    assert len(contents) == 1


@pytest.mark.parametrize("normalization", [None, "batchnorm", "layernorm"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_net_written_before_there_were_activations_is_one_with_relu(
    normalization: Any, dtype: Any, tmp_path: Path
) -> None:
    """The file is as the first version wrote it, byte for byte except for the order of its metadata."""
    rng = np.random.default_rng(0)
    dims = [3, 5, 4, 2]
    arrays: dict[str, Any] = {}
    for i, (fan_in, fan_out) in enumerate(pairwise(dims), start=1):
        shapes: dict[str, Any] = {f"params/W{i}": (fan_in, fan_out), f"params/b{i}": fan_out}
        if normalization and i < 3:
            shapes |= {f"params/gamma{i}": fan_out, f"params/beta{i}": fan_out}
        if normalization == "batchnorm" and i < 3:
            shapes |= {f"running/running_mean{i}": fan_out, f"running/running_var{i}": fan_out}
        arrays |= {name: rng.random(shape).astype(dtype) for name, shape in shapes.items()}
    config = {
        "hidden_dims": [5, 4], "input_dim": 3, "num_classes": 2, "dropout": 0.5, "normalization": normalization,
        "reg": 0.0, "weight_scale": 0.01, "dtype": np.dtype(dtype).name, "seed": 7, "loss": "softmax",
        "scaling": "inverted", "dropout_mask": "element",
    }  # fmt: skip
    (tmp_path / "old").write_bytes(forged(json.dumps({"config": config, "step": 12, "fused": True}), arrays))
    net = FullyConnectedNet.load(tmp_path / "old")
    assert (net.activation, net.step, net.seed, net.dropout) == ("relu", 12, 7, 0.5)
    h = X = rng.random((6, 3)).astype(dtype)
    for i in (1, 2):
        h = h @ arrays[f"params/W{i}"] + arrays[f"params/b{i}"]
        if normalization:
            mean, var = h.mean(axis=1, keepdims=True), h.var(axis=1, keepdims=True)
            if normalization == "batchnorm":
                mean, var = arrays[f"running/running_mean{i}"], arrays[f"running/running_var{i}"]
            h = arrays[f"params/gamma{i}"] * (h - mean) / np.sqrt(var + 1e-5) + arrays[f"params/beta{i}"]
        h = np.maximum(h, 0)
    np.testing.assert_allclose(net(X), h @ arrays["params/W3"] + arrays["params/b3"], rtol=1e-4)
    net.save(tmp_path / "new")
    later = {"activation": "relu", "label_smoothing": 0.0, "precision": None, "class_names": []}
    assert FullyConnectedNet.load(tmp_path / "new").config() == {**config, **later}
