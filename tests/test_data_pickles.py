"""Pickles: the content of CIFAR-10 files is read, anything else is refused, and no code in a file ever runs."""

from __future__ import annotations

import os
import pickle
import pickletools
import random
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thinnet.data.files
import thinnet.data.pickles
from thinnet.data.cifar10 import read_cifar10_batch
from thinnet.data.pickles import load_pickle
from thinnet.errors import ArgumentError, DataError

ROWS, LABELS = 3, [7, 0, 9]
PIXELS = np.random.default_rng(0).integers(0, 256, (ROWS, 3072), dtype=np.uint8)
BATCH = {
    b"batch_label": b"one",
    b"labels": LABELS,
    b"data": PIXELS,
    b"filenames": [b"a.png", b"b.png", b"c.png"],
}
FROM_PYTHON_3 = pickle.dumps(BATCH, protocol=2)


def load(tmp_path: Path, raw: bytes) -> dict[str, Any]:
    path = tmp_path / "batch"
    path.write_bytes(raw)
    return load_pickle(path, "a batch", "Fetch it.")


def from_python_2(values: bytes, labels: bytes = b"K\x07K\x00K\x09", shape: bytes = b"K\x03M\x00\x0c") -> bytes:
    """A batch in the opcodes of Python 2's cPickle, with its memo opcodes and 8-bit strings."""
    dtype = b"cnumpy\ndtype\nq\x08U\x02u1K\x00K\x01\x87Rq\x09(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\nq\x05cnumpy\nndarray\nq\x06K\x00\x85U\x01b\x87Rq\x07"
    state = b"(K\x01" + shape + b"\x86" + dtype + b"\x89T" + struct.pack("<i", len(values)) + values + b"t"
    label_list = b"U\x06labelsq\x03]q\x04(" + labels + b"e"
    return b"\x80\x02}q\x01(" + label_list + b"U\x04dataq\x0a" + array + state + b"bu."


class Calls:
    """Pickled as a call of `function`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.pair = function, arguments

    def __reduce__(self) -> Any:
        return self.pair


def with_older_names(raw: bytes) -> bytes:
    """A pickle as NumPy 1 writes it, without frames, whose lengths would change."""
    for opcode, _, place in reversed([*pickletools.genops(raw)]):
        if opcode.name == "FRAME" and place is not None:
            raw = raw[:place] + raw[place + 9 :]
    for name in (b"multiarray", b"numeric"):
        new, old = b"numpy._core." + name, b"numpy.core." + name
        raw = raw.replace(bytes([0x8C, len(new)]) + new, bytes([0x8C, len(old)]) + old).replace(b"c" + new, b"c" + old)
    return raw


LABEL_FORMS = {
    "list": LABELS,
    "array": np.array(LABELS),
    "int32": np.array(LABELS, np.int32),
    "uint8": np.array(LABELS, np.uint8),
    "scalars": [*np.array(LABELS)],
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("module", ["numpy.core", "numpy._core"])
@pytest.mark.parametrize("labels", LABEL_FORMS.values(), ids=LABEL_FORMS.keys())
@pytest.mark.parametrize("order", ["C", "F", "read-only"])
def test_batches_pickled_anew_are_read(tmp_path: Path, protocol: int, module: str, labels: Any, order: str) -> None:
    data = np.asfortranarray(PIXELS) if order == "F" else PIXELS.copy()
    data.setflags(write=order != "read-only")
    for encode in (str.encode, str):
        content = {encode("labels"): labels, encode("data"): data, encode("filenames"): ["a.png", "ä.png"]}
        raw = pickle.dumps(content, protocol)
        path = tmp_path / "anew"
        path.write_bytes(with_older_names(raw) if module == "numpy.core" else raw)
        X, y = read_cifar10_batch(path)
        np.testing.assert_array_equal(X, PIXELS)
        assert X.dtype == np.uint8
        assert y.dtype == np.int64
        assert y.tolist() == LABELS


@pytest.mark.parametrize("raw", [FROM_PYTHON_3, from_python_2(PIXELS.tobytes())], ids=["python3", "python2"])
def test_batches_written_by_python_2_and_3_are_read(tmp_path: Path, raw: bytes) -> None:
    batch = load(tmp_path, raw)
    assert batch["labels"] == LABELS
    np.testing.assert_array_equal(batch["data"], PIXELS)
    assert batch["data"].dtype == np.uint8


def test_numpys_newer_module_name_and_fortran_order_are_read(tmp_path: Path) -> None:
    raw = pickle.dumps({b"data": np.asfortranarray(PIXELS)}, protocol=2)
    for module in (b"numpy.core", b"numpy._core"):
        named = raw.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
        named = named.replace(b"numpy.core.multiarray", module + b".multiarray")
        np.testing.assert_array_equal(load(tmp_path, named)["data"], PIXELS)


PY2 = b"\x80\x02"
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
U1 = b"cnumpy\ndtype\nU\x02u1\x85R"
REFUSED = {
    "os.system": (pickle.dumps(Calls(os.system, "touch ran"), 2), "names 'posix.system'"),
    "eval": (pickle.dumps(Calls(eval, "1/0"), 2), "names '__builtin__.eval'"),
    "getattr of an admitted name": (
        PY2 + b"cnumpy.core.multiarray\n_reconstruct.__globals__\n.",
        "names 'numpy.core.multiarray._reconstruct.__globals__'",
    ),
    "nested getattr": (pickle.dumps(Calls(getattr, np.ndarray, "tofile"), 2), "names '__builtin__.getattr'"),
    "call of an array type": (PY2 + b"cnumpy\nndarray\n)R.", "of type NoneType rather than a dict"),
    "call of a number": (PY2 + b"K\x01)R.", "'int' object is not callable"),
    "state for a function": (PY2 + b"c_codecs\nencode\nN}U\x01aK\x01s\x86b.", "sets the state of a function"),
    "state for a name": (PY2 + b"c_codecs\nencode\n}b.", "sets the state of a function"),
    "persistent id": (PY2 + b"K\x01Q.", "opcode BINPERSID at byte 4"),
    "new object": (PY2 + b"cnumpy\nndarray\n)\x81.", "opcode NEWOBJ at byte 18"),
    "protocol 1": (pickle.dumps(BATCH, 1), "a file of an unknown kind, whose first bytes are 7d 71 00"),
    "protocol 6": (b"\x80\x06}.", "unsupported pickle protocol: 6"),
    "os.system in protocol 4": (pickle.dumps(Calls(os.system, "touch ran"), 4), "names 'posix.system'"),
    "eval in protocol 5": (pickle.dumps(Calls(eval, "1/0"), 5), "names 'builtins.eval'"),
    "a name in a name": (b"\x80\x04\x8c\x05numpy\x8c\x0cndarray.data\x93.", "names 'numpy.ndarray.data'"),
    "a name of no text": (b"\x80\x04K\x01K\x02\x93.", "STACK_GLOBAL requires str"),
    "a frame beyond the end": (b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f}.", "truncated or damaged pickle"),
    "bytes beyond the end": (b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f}.", "truncated or damaged pickle"),
    "integers in another order": (pickle.dumps({b"labels": np.arange(3, dtype=">i8")}, 4), "in the byte order '>'"),
    "objects": (pickle.dumps({b"data": np.array([None])}, 2), "dtype 'O8' rather than uint8"),
    "floats": (pickle.dumps({b"data": np.ones(3)}, 2), "dtype 'f8' rather than uint8"),
    "dtype by a number": (PY2 + b"cnumpy\ndtype\nK\x01\x85R.", "type int in place of a short string"),
    "another codec": (PY2 + b"c_codecs\nencode\nX\x01\0\0\0aU\x03rot\x86R.", "other than latin1"),
    "huge shape": (
        PY2 + RECONSTRUCT + b"(K\x01J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86" + U1 + b"\x89U\x00tb.",
        "cannot reshape array of size 0 into shape (2147483647,2147483647)",
    ),
    "no bytes in a buffer": (
        b"\x80\x05\x8c\x12numpy.core.numeric\x8c\x0b_frombuffer\x93(K\x01" + U1 + b"K\x01\x85\x8c\x01CtR.",
        "a bytes-like object is required",
    ),
    "no dtype": (PY2 + RECONSTRUCT + b"(K\x01K\x01\x85N\x89U\x01atb.", "truncated or damaged pickle ("),
    "unfilled array": (PY2 + RECONSTRUCT + b".", "of type _Array rather than a dict"),
    "a list": (PY2 + b"].", "a pickle of type list rather than a dict"),
    "list in a list": (PY2 + b"]]a.", "of type list rather than a dict"),
    "list in a list in the dict": (pickle.dumps({b"labels": [[1]]}, 2), "a value of type list"),
    "dict in the dict": (pickle.dumps({b"labels": {b"a": 1}}, 2), "a value of type dict"),
    "tuple in the dict": (pickle.dumps({b"labels": (1,)}, 2), "a value of type tuple"),
    "arrays in a list": (pickle.dumps({b"data": [np.zeros(2, np.uint8)]}, 2), "a value of type array"),
    "unfilled array in the dict": (PY2 + b"}U\x01a" + RECONSTRUCT + b"s.", "a value of type array"),
    "dtype in the dict": (pickle.dumps({b"data": np.dtype("u1")}, 2), "a value of type dtype"),
    "array type in the dict": (pickle.dumps({b"data": np.ndarray}, 2), "a value of type function"),
    "list of no list": (PY2 + b"}K\x01a.", "'dict' object has no attribute 'append'"),
    "items of no dict": (PY2 + b"]U\x01aK\x01s.", "list indices must be integers"),
    "key that is no string": (PY2 + b"}K\x01K\x01s.", "type int in place of a short string"),
    "pop": (PY2 + b"}}0.", "opcode POP at byte 4"),
    "huge memo": (PY2 + b"}r\xfe\xff\xff\xff.", "needs, at byte 3, more steps or memory"),
    "missing memo": (PY2 + b"h\x07.", "truncated or damaged"),
    "deep tuple": (PY2 + b"}N" + b"\x85" * 300_000 + b"Ns.", "needs, at byte 1,004, more steps or memory"),
    "deep tuple, deleted in between": (
        PY2 + b"}N" + (b"\x85" + b"}Nb" + b"\x86") * 100_000 + b"Ns.",
        "more steps or memory than any such file",
    ),
    "tuple of tuples shared by the next": (
        PY2 + b"})" + b"".join(b"q%ch%c\x86" % (k, k) for k in range(60)) + b"Ns.",
        "uses a value twice, at byte 6, as no such file does",
    ),
    "shared tuple behind an empty list of items": (
        PY2 + b"})" + b"".join(b"(eq%ch%c\x86" % (k, k) for k in range(60)) + b"Ns.",
        "uses a value twice, at byte 8, as no such file does",
    ),
    "sharing that multiplies": (
        PY2
        + b"(c_codecs\nencode\nX\x80\0\0\0"
        + b"a" * 128
        + b"q\x01U\x06latin1\x86R"
        + b"c_codecs\nencode\nh\x01U\x06latin1\x86R" * 9
        + b"e.",
        "more text than the file has bytes",
    ),
    "empty stack": (PY2 + b"\x86.", "unpickling stack underflow"),
    "bytes after the end": (PY2 + b"}.}", "ends at byte 3 of 5"),
    "cut short": (FROM_PYTHON_3[:5000], "truncated or damaged pickle (expected 13812 bytes"),
    "negative length": (PY2 + b"T\xff\xff\xff\xff.", "byte count < 0"),
    "empty": (b"", "an empty file"),
    "a web page": (b"<!DOCTYPE html><html>Not found</html>", "an HTML page"),
}


@pytest.mark.parametrize(("raw", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_anything_else_is_refused_by_name(
    tmp_path: Path, raw: bytes, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        load(tmp_path, raw)
    message = str(caught.value)
    assert text in message
    assert message.startswith(f"{tmp_path / 'batch'} must be a batch, got ")
    assert message.endswith(" Fetch it.")
    assert os.listdir(tmp_path) == ["batch"], "something in the file was executed"


def test_no_file_changes_how_the_next_is_read(tmp_path: Path) -> None:
    """Setting the state of a function that a file names must not affect how the next file is read."""
    state = b"c_codecs\nencode\nN}X\x08\0\0\0__call__Ns\x86b."
    for code in (state, PY2 + state, PY2 + RECONSTRUCT + b"N}X\x06\0\0\0valuesNs\x86b."):
        with pytest.raises(DataError):
            load(tmp_path, code)
    assert load(tmp_path, FROM_PYTHON_3)["labels"] == LABELS


def test_endless_pickles_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thinnet.data.pickles, "MOST_STEPS", 100)
    with pytest.raises(DataError, match="needs, at byte 101, more steps"):
        load(tmp_path, PY2 + b"]" * 200)


def test_every_prefix_is_refused(tmp_path: Path) -> None:
    raw = from_python_2(b"", labels=b"K\x01", shape=b"K\x00M\x00\x0c")
    load(tmp_path, raw)
    for end in range(len(raw)):
        with pytest.raises(DataError):
            load(tmp_path, raw[:end])


@given(raw=st.binary(max_size=200), head=st.sampled_from([b"", PY2, PY2 + b"}(", PY2 + RECONSTRUCT]))
@settings(max_examples=300)
def test_garbage_is_refused(tmp_path: Path, raw: bytes, head: bytes) -> None:
    path = tmp_path / "garbage"
    path.write_bytes(head + raw)
    with pytest.raises(DataError):
        read_cifar10_batch(path)


OPCODES = [bytes([code]) for code in b"KMJUTqrhjN)(]}Xtaesu cRbCB\x80\x85\x86\x87\x88\x89\x8c\x8e\x93\x94\x95\x96"]
PIECES = [*OPCODES, U1, RECONSTRUCT, b"c_codecs\nencode\n", b"U\x01a", b"U\x06latin1", b"K\x01"]


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=30))
@settings(max_examples=300)
def test_programs_of_known_opcodes_are_refused(tmp_path: Path, pieces: list[bytes]) -> None:
    path = tmp_path / "program"
    path.write_bytes(PY2 + b"".join(pieces) + b".")
    with pytest.raises(DataError):
        read_cifar10_batch(path)


@pytest.mark.parametrize("raw", [FROM_PYTHON_3, from_python_2(PIXELS.tobytes())], ids=["python3", "python2"])
def test_flipped_bits_give_a_batch_or_a_data_error(tmp_path: Path, raw: bytes) -> None:
    """Flips in the pixels cannot be detected, so most flips here are near the two ends, where the structure is."""
    draw = random.Random(0)
    ends = [*range(200), *range(len(raw) - 200, len(raw))]
    for place in [*ends, *draw.sample(range(len(raw)), 50)]:
        damaged = bytearray(raw)
        damaged[place] ^= 1 << draw.randrange(8)
        path = tmp_path / "flipped"
        path.write_bytes(damaged)
        try:
            X, y = read_cifar10_batch(path)
        except DataError:
            continue
        assert X.shape == (len(y), 3072)


@pytest.mark.posix
def test_missing_directory_pipe_and_unreadable_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"absent must be a batch.*got no such file. Put the file"):
        read_cifar10_batch(tmp_path / "absent")
    with pytest.raises(ArgumentError, match=r"path must be a path, got 'a.x00b'"):
        read_cifar10_batch("a\0b")
    with pytest.raises(DataError, match=r"got a directory\. Name the file itself"):
        read_cifar10_batch(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="not a regular file"):
        read_cifar10_batch(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DataError, match=r"an error while reading it \(.*\)\. Check its permissions"):
        read_cifar10_batch(tmp_path / "loop")

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "locked").write_bytes(FROM_PYTHON_3)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match=r"an error while reading it \(Permission denied\)"):
        read_cifar10_batch(tmp_path / "locked")


def test_files_of_absurd_size_are_not_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(thinnet.data.files.LARGEST_FILE + 1)
    with pytest.raises(DataError, match="got 268,435,457 bytes, more than 268,435,456"):
        read_cifar10_batch(tmp_path / "sparse")


def test_no_warnings_even_of_bytes_compared_with_text(tmp_path: Path) -> None:
    (tmp_path / "batch").write_bytes(FROM_PYTHON_3)
    code = "import sys; from thinnet.data.cifar10 import read_cifar10_batch as r; print(r(sys.argv[1])[1].sum())"
    command = [sys.executable, "-W", "error", "-bb", "-c", code, str(tmp_path / "batch")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("16\n", "")


def test_no_opcode_has_python_import_anything(tmp_path: Path) -> None:
    """Text of protocol 0 is decoded before it is refused, and its codec is a module of the standard library."""
    (tmp_path / "batch").write_bytes(PY2 + b"Vabc\n.")
    code = (
        "import sys; from thinnet import DataError; from thinnet.data.cifar10 import read_cifar10_batch as r\n"
        "sys.addaudithook(lambda event, _: event == 'exec' and print('something ran'))\n"
        "try: r(sys.argv[1])\nexcept DataError as error: print('UNICODE' in str(error))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "batch")]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == "True\n"
