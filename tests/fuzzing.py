"""What is fuzzed: how inputs are made, and what must hold of each. The tests run a few, `make faults` very many."""

from __future__ import annotations

import contextlib
import gzip
import io
import math
import pickle
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, TypeVar
from unittest import mock

import numpy as np
from hypothesis import strategies as st

from thinnet import Dataset, FullyConnectedNet, Solver, cli
from thinnet.cli import experiments
from thinnet.data.cifar10 import read_cifar10_batch
from thinnet.data.idx import read_idx
from thinnet.errors import CheckpointError, DataError
from thinnet.masks import keep_mask
from thinnet.nets.saving import load_net
from thinnet.storage import checkpoint, locks  # noqa: F401  (loaded before it is watched what is executed)
from thinnet.storage.sealed import DIGITS, MARK, packed, unsealed, with_digest
from thinnet.typing import AnyArray, FloatArray

# No code runs

RUNNING = {"exec", "compile", "os.system", "os.exec", "subprocess.Popen", "pickle.find_class", "marshal.loads"}
_watched: list[str] | None = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watched is not None and event in RUNNING:
        _watched.append(f"{event} {arguments!r}")


sys.addaudithook(_hook)  # for the rest of the process; it does nothing outside of `no_code`


@contextlib.contextmanager
def no_code() -> Iterator[None]:
    """Within it, Python's own audit must see nothing compiled, executed, unpickled or started."""
    global _watched
    _watched = []
    try:
        yield
        seen = _watched
    finally:
        _watched = None
    assert not seen, seen


T = TypeVar("T")


def outcome(call: Callable[[], T], documented: type[Exception]) -> tuple[T | None, str]:
    """What a call gives, or the text of the documented error; any other one goes on to the test."""
    with no_code():
        try:
            return call(), ""
        except documented as error:
            return None, str(error)


# Bytes, and valid files changed a little


def random_bytes(rng: Random, most: int) -> bytes:
    return bytes(rng.randrange(256) for _ in range(rng.randrange(most + 1)))


def changed(rng: Random, content: bytes) -> bytes:
    """The content with up to five changes; every second one hits its first or last bytes."""
    data = bytearray(content)
    for _ in range(rng.randrange(1, 6)):
        at = (
            rng.randrange(len(data) + 1)
            if rng.randrange(2)
            else rng.choice((rng.randrange(99), len(data) - rng.randrange(9)))
        )
        at, value = min(max(at, 0), len(data)), rng.randrange(256)
        kind = rng.randrange(6)
        if kind == 0:
            data[at : at + 1] = bytes([value])
        elif kind == 1:
            data[at : at + 1] = bytes(b ^ 1 << value % 8 for b in data[at : at + 1])
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            del data[at : at + value % 9]
        elif kind == 4:
            data[at:at] = bytes([value]) * (1 + value % 5)
        else:
            data[at:at] = data[value : value + 16]
    return bytes(data)


FOLDER = tempfile.TemporaryDirectory()


def file_with(content: bytes) -> Path:
    """The file that is read again and again, with this content."""
    path = Path(FOLDER.name, "file")
    path.write_bytes(content)
    return path


# CIFAR-10's pickles

PIECES = [  # of the stack machine's programs, some of them dangerous to another machine
    *(b"\x80\x02", b"(", b"]", b"}", b")", b"N", b"\x88", b"K\x05", b"M\x00\x0c", b"J\xff\xff\xff\xff", b"."),
    *(b"J\xff\xff\xff\x7f", b"U\x04data", b"U\x06labels", b"T\x04\x00\x00\x00data", b"T\xff\xff\xff\x7f", b"U\x01b"),
    *(b"X\x03\x00\x00\x00abc", b"X\x02\x00\x00\x00u1", b"X\x06\x00\x00\x00latin1", b"q\x00", b"q\x01"),
    *(b"r\xff\xff\xff\xff", b"h\x00", b"h\x01", b"j\x00\x00\x00\x00", b"a", b"e", b"s", b"u", b"t", b"0", b"2", b"o"),
    *(b"\x85", b"\x86", b"\x87", b"R", b"b", b"P", b"\x93", b"\x81", b"\x95" + bytes(8), b"cnumpy\nndarray\n"),
    *(b"cnumpy\ndtype\n", b"c_codecs\nencode\n", b"cnumpy.core.multiarray\n_reconstruct\n", b"cos\nsystem\n"),
    *(b"cbuiltins\nexec\n", b"c__builtin__\neval\n", b"i\nos\nsystem\n"),
]


@cache
def cifar_batch() -> bytes:
    return pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": [3], b"filenames": [b"a.png"]}, protocol=2)


def random_pickle(rng: Random) -> bytes:
    kind = rng.randrange(4)
    if kind == 0:
        return random_bytes(rng, 60)
    if kind == 1:
        return b"".join(rng.choice(PIECES) for _ in range(rng.randrange(25)))
    return changed(rng, cifar_batch())


def check_pickle(content: bytes) -> bool:
    """A batch comes out, or DataError; returns whether it was a batch."""
    path = file_with(content)
    batch, refusal = outcome(lambda: read_cifar10_batch(path), DataError)
    if batch is None:
        assert refusal.startswith(f"{path} must be ")
        return False
    X, y = batch
    assert X.dtype == np.uint8
    assert X.shape == (len(y), 3072)
    assert y.dtype == np.int64
    assert ((y >= 0) & (y < 10)).all()
    return True


# IDX


def idx_file(code: int, dims: list[int], values: bytes) -> bytes:
    return struct.pack(">HBB", 0, code, len(dims)) + b"".join(struct.pack(">I", d) for d in dims) + values


VALID_IDX = idx_file(8, [2, 3], b"abcdef")


def random_idx(rng: Random) -> bytes:
    kind = rng.randrange(6)
    if kind == 0:
        return random_bytes(rng, 40)
    if kind < 3:
        return changed(rng, rng.choice((VALID_IDX, gzip.compress(VALID_IDX, mtime=0))))
    dims = [rng.choice((rng.randrange(5), rng.randrange(5), rng.randrange(2**32))) for _ in range(rng.randrange(7))]
    exact = math.prod(dims) if math.prod(dims) < 999 and rng.randrange(4) else rng.randrange(30)
    content = idx_file(rng.choice((8, 8, 8, 9, 13, 0)), dims, bytes(exact))
    return gzip.compress(content, 1, mtime=0) if kind == 5 else content


def check_idx(content: bytes) -> bool:
    """An array as large as the file says comes out, or DataError."""
    path = file_with(content)
    array, refusal = outcome(lambda: read_idx(path), DataError)
    if array is None:
        assert refusal.startswith(f"{path} must be ")
        return False
    assert array.dtype == np.uint8
    assert 1 <= array.ndim <= 4
    plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    assert plain[4 + 4 * array.ndim :] == array.tobytes()
    return True


# Checkpoints

DATA = Dataset(np.arange(24, dtype=np.uint8).reshape(8, 3), np.arange(8) % 2)


def tiny_net() -> FullyConnectedNet:
    return FullyConnectedNet([2], 3, 2, normalization="batchnorm", dropout=0.5, seed=1)


@cache
def valid_checkpoint(kind: str) -> bytes:
    """A net or a run, as it is written."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.safetensors")
        if kind == "net":
            tiny_net().save(path)
            return path.read_bytes()
        options: Any = {"update_rule": "adam", "batch_size": 4, "num_epochs": 1, "verbose": False}
        Solver(tiny_net(), DATA, checkpoint_dir=folder, checkpoint_every=2, **options).train()
        return next(Path(folder).glob("*.safetensors")).read_bytes()


def sealed_anew(content: bytes) -> bytes:
    """The content with a digest that is right, wherever a digest is found."""
    start = content.find(MARK) + len(MARK)
    if start < len(MARK):
        return content
    return with_digest(content[:start] + b"0" * DIGITS + content[start + DIGITS :])


LEAVES = [None, True, False, -1, 0, 1, 2, 5, 0.5, -2.5, math.nan, math.inf, 2**64, 10**400, "", "he", "adam", "float64"]


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
    """The way to every value within a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield (*path, key)
        yield from places(part, (*path, key))


def forged(rng: Random, kind: str) -> bytes:
    """A whole file whose state or arrays are others in places."""
    sealed = unsealed(Path("valid"), valid_checkpoint(kind), kind)
    for _ in range(rng.randrange(3)):
        *way, last = rng.choice(list(places(sealed.state)))
        place = sealed.state
        for key in way:
            place = place[key]
        if rng.randrange(5):
            place[last] = random_json(rng)
        else:
            del place[last]
        if not sealed.state:
            break
    for _ in range(rng.randrange(2)):
        sealed.arrays[rng.choice([*sorted(sealed.arrays), "more"])] = random_array(rng)
    return packed(kind, sealed.state, sealed.arrays)


def random_checkpoint(rng: Random) -> tuple[str, bytes]:
    """Damaged files, ones with a right digest over the damage, and forged ones."""
    kind, way = rng.choice(("net", "run")), rng.randrange(4)
    if way == 0:
        return kind, random_bytes(rng, 60)
    if way == 1:
        return kind, forged(rng, kind)
    content = changed(rng, valid_checkpoint(kind))
    return kind, sealed_anew(content) if way == 2 else content


def check_checkpoint(kind: str, content: bytes) -> bool:
    """A net, or a solver that could go on, comes out; or CheckpointError."""
    folder = Path(FOLDER.name, "run")
    folder.mkdir(exist_ok=True)
    path = folder / "step-000000002.safetensors"
    path.write_bytes(content)
    net, refusal = outcome(lambda: load_net(path) if kind == "net" else _resumed(folder), CheckpointError)
    if net is None:
        assert "must" in refusal
        return False
    assert set(net.params) == set(net.params.shapes)
    return True


def _resumed(folder: Path) -> FullyConnectedNet:
    net: FullyConnectedNet = Solver.resume(folder, DATA, progress=False).model
    return net


# The command line

WORDS = [
    *("experiment", "course", "run", "new", "dropout", "cifar10-fc", "cifar10-speed", "resume", "export", "--help"),
    *("--version", "--seeds", "--rates", "--num-train", "--epochs", "--output", "--root", "--seed", "--quiet", "--e"),
    *("--dialect", "--scaling", "--data", "--dropout-mask", "--", "-", "-x", "0", "1", "0.5", "-1", "nan", "1e999"),
    *("9" * 5000, "digits", "element", "nndl", "cs231n-2017", "unscaled", "x.ipynb", "--rates=0.5", "--epochs=", "@f"),
    *("--output=/proc/x", "", " ", "\N{SNOWMAN}", "\udcff", "--\N{SUPERSCRIPT TWO}", "\N{SUPERSCRIPT TWO}", "%s", "{}"),
]


def random_line(rng: Random) -> list[str]:
    begin = rng.choice(([], ["experiment"], ["experiment", "dropout"], ["course", "run"], ["course", "new"]))
    return [*begin, *(rng.choice(WORDS) for _ in range(rng.randrange(6)))]


class Commands:
    """The command line with nothing behind it."""

    def __init__(self) -> None:
        self.ran = False
        with contextlib.ExitStack() as stack:
            stubs: dict[str, Any] = {name: self._run for name in vars(cli) if name.startswith("_run_")}
            stack.enter_context(mock.patch.multiple(cli, **stubs))
            doing_nothing = {name: replace(one, run=self._run) for name, one in experiments.EXPERIMENTS.items()}
            stack.enter_context(mock.patch.dict(experiments.EXPERIMENTS, doing_nothing))
            self._parser = cli.parser()

    def _run(self, options: Any) -> int:
        self.ran = True
        return 0

    def check(self, words: list[str]) -> bool:
        """Status 0 or 2 and no traceback; returns whether a command would have run."""
        self.ran = False
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.object(cli, "parser", return_value=self._parser),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                status: Any = cli.main(words)
            except SystemExit as end:
                status = end.code
        assert status in (0, 2), words
        assert (status == 2) == bool(err.getvalue()), words
        assert "Traceback" not in err.getvalue()
        return self.ran


# The net against a reference


def reference(net: FullyConnectedNet, X: AnyArray, y: AnyArray, step: int) -> tuple[float, dict[str, FloatArray]]:
    """Loss and gradients of a net in float64, written down anew: no layer, no kernel, no buffer of ours."""
    p = {name: array.astype(np.float64) for name, array in net.params.items()}
    g: dict[str, FloatArray] = {}
    if net.dropout_mask == "batch":  # weights of dropped units take no part, in the penalty neither
        for i in range(1, net.num_layers):
            kept = keep_mask(net.dropout, (1, p[f"b{i}"].size), seed=net.seed, step=step, layer=i - 1)[0]
            p[f"W{i}"], p[f"W{i + 1}"] = p[f"W{i}"] * kept, p[f"W{i + 1}"] * kept[:, None]
    last, h, caches = net.num_layers, np.asarray(X, np.float64), []
    for i in range(1, last):
        z = h @ p[f"W{i}"] + p[f"b{i}"]
        axis = {"batchnorm": 0, "layernorm": 1}.get(str(net.normalization))
        hat, std = z, np.ones((1, 1))
        if axis is not None:
            std = np.sqrt(z.var(axis=axis, keepdims=True) + 1e-5)
            hat = (z - z.mean(axis=axis, keepdims=True)) / std
            z = p[f"gamma{i}"] * hat + p[f"beta{i}"]
        shape = (len(X), z.shape[1]) if net.dropout_mask == "element" else (1, z.shape[1])
        keep = keep_mask(net.dropout, shape, seed=net.seed, step=step, layer=i - 1)
        factor = keep / (1 - net.dropout if net.scaling == "inverted" else 1.0) * (z > 0)
        caches.append((h, hat, std, axis, factor))
        h = z * factor
    scores = h @ p[f"W{last}"] + p[f"b{last}"]
    rows = np.arange(len(X))
    if net.loss_name == "softmax":
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        odds /= odds.sum(axis=1, keepdims=True)
        loss, d = -np.log(odds[rows, y]).mean(), (odds - np.eye(scores.shape[1])[y]) / len(X)
    elif net.loss_name == "svm":
        margins = np.maximum(scores - scores[rows, y][:, None] + 1, 0) * (1 - np.eye(scores.shape[1])[y])
        d = (margins > 0) / len(X)
        d[rows, y] -= d.sum(axis=1)
        loss = margins.sum() / len(X)
    else:
        loss, d = np.square(scores - y).mean(), 2 * (scores - y) / scores.size
    for i in range(last, 0, -1):
        below = caches[i - 1][0] if i < last else h
        if i < last:
            _, hat, std, axis, factor = caches[i - 1]
            d = d * factor
            if axis is not None:
                g[f"gamma{i}"], g[f"beta{i}"] = (d * hat).sum(axis=0), d.sum(axis=0)
                d = d * p[f"gamma{i}"]
                means = d.mean(axis=axis, keepdims=True), (d * hat).mean(axis=axis, keepdims=True)
                d = (d - means[0] - hat * means[1]) / std
        g[f"W{i}"], g[f"b{i}"] = below.T @ d + net.reg * p[f"W{i}"], d.sum(axis=0)
        d = d @ p[f"W{i}"].T
    penalty = 0.5 * net.reg * sum(float((p[f"W{i}"] ** 2).sum()) for i in range(1, last + 1))
    return float(loss) + penalty, g


def make_net(
    dims: list[int],
    dtype: str,
    dropout: float,
    normalization: Any,
    mask: Any,
    loss: str,
    scaling: Any,
    reg: float,
    seed: int,
) -> FullyConnectedNet:
    if normalization == "layernorm":
        mask = "element"
    return FullyConnectedNet(
        dims[1:-1], dims[0], dims[-1], dropout=dropout, normalization=normalization, reg=reg, weight_scale="he",
        dtype=dtype, seed=seed, loss=loss, scaling=scaling, dropout_mask=mask,
    )  # fmt: skip


NETS = st.builds(
    make_net,
    st.lists(st.integers(1, 70), min_size=2, max_size=5),
    st.sampled_from(("float32", "float64")),
    st.sampled_from((0.0, 0.1, 0.5, 0.9)),
    st.sampled_from((None, "batchnorm", "layernorm")),
    st.sampled_from(("element", "batch")),
    st.sampled_from(("softmax", "svm", "mse")),
    st.sampled_from(("inverted", "classic", "unscaled")),
    st.sampled_from((0.0, 0.1)),
    st.integers(0, 2**64 - 1),
)


def check_net(net: FullyConnectedNet, rows: int, step: int, fused: bool) -> None:
    """Loss and gradients are the reference's, to rounding."""
    rng = np.random.default_rng(net.seed)
    X = rng.standard_normal((rows, net.input_dim)).astype(net.dtype)
    y: Any = rng.integers(net.num_classes, size=rows)
    if net.loss_name == "mse":
        y = rng.standard_normal((rows, net.num_classes)).astype(net.dtype)
    for name, array in net.params.items():
        if not name.startswith("W"):
            array[...] += 0.3 * rng.standard_normal(array.shape)
    net.fused = fused
    expected_loss, expected = reference(net, X, y, step)
    loss, gradients = net.loss(X, y, step=step)
    close = 1e-9 if net.dtype == np.float64 else 1e-4
    assert math.isclose(loss, expected_loss, rel_tol=close, abs_tol=close)
    largest = max(float(np.abs(g).max()) for g in expected.values())
    for name, gradient in gradients.items():
        assert gradient.shape == net.params[name].shape
        assert np.abs(gradient - expected[name]).max() <= 30 * close * max(largest, 1e-2), name
