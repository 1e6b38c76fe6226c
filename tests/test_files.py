"""Writing files: completely or not at all, with permissions from the umask."""

from __future__ import annotations

import os
import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from thinnet.storage.files import current_umask, write_atomically

ON_POSIX = pytest.mark.skipif(os.name != "posix", reason="permissions and umask are POSIX's")


@pytest.fixture(params=[0o022, 0o077, 0o002, 0o000], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    old = os.umask(request.param)
    yield request.param
    os.umask(old)


@pytest.mark.parametrize(
    "content", [b"", b"some bytes\r\n\0", bytes(range(256)) * 10_000], ids=["none", "some", "many"]
)
def test_the_file_holds_the_content_and_nothing_else_is_there(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    write_atomically(path, content)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["model.safetensors"]


def test_an_old_file_is_replaced_by_a_new_one(tmp_path: Path) -> None:
    """A process that has the old file open still reads the old bytes, since the file was not overwritten in place."""
    path = tmp_path / "history.json"
    path.write_bytes(b"old and longer than the new")
    with path.open("rb") as reader:
        write_atomically(path, b"new")
        assert reader.read() == b"old and longer than the new"
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["history.json"]


@ON_POSIX
def test_permissions_are_those_of_any_new_file(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "ours"
    (tmp_path / "any").touch()
    for _ in range(2):
        write_atomically(path, b"x")
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == stat.S_IMODE((tmp_path / "any").stat().st_mode) == 0o666 & ~umask
        path.chmod(0o600)  # a file that replaces another gets the umask's permissions too


@ON_POSIX
def test_the_umask_is_read_and_left_alone(umask: int) -> None:
    assert current_umask() == umask
    assert current_umask() == umask


@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize("existed", [True, False])
def test_a_failure_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, step: str, error: type[BaseException], existed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error("on purpose")

    path = tmp_path / "state.json"
    if existed:
        path.write_bytes(b"old")
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(error, match="on purpose"):
        write_atomically(path, b"new")
    assert os.listdir(tmp_path) == (["state.json"] if existed else [])
    assert not existed or path.read_bytes() == b"old"


@pytest.mark.parametrize("place", ["nowhere/file", "file/net.safetensors", "."])
def test_a_place_where_no_file_can_be_is_told_in_words(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    expected = {
        "nowhere/file": r"must be a file in a folder that exists\. Make the folder first\. There is no folder .*here\.",
        "file/net.safetensors": r"must be a file in a folder, got .*file, a file\. Name a folder\.$",
        ".": r"must be a file to write, got a folder\. Name a file in it\.",
    }[place]
    path = tmp_path / place
    with pytest.raises(OSError, match=rf"^{re.escape(str(path))} {expected}") as caught:
        write_atomically(path, b"x")
    assert type(caught.value) is {".": IsADirectoryError, "nowhere/file": FileNotFoundError}.get(
        place, NotADirectoryError
    )
    assert os.listdir(tmp_path) == ["file"]


def test_a_disk_that_is_full_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    text = r"must be a file to write, got an error while writing it \(No space left on device\)\. Check"
    with pytest.raises(OSError, match=text) as caught:
        write_atomically(tmp_path / "file", b"x")
    assert "Errno" not in str(caught.value)


@pytest.mark.posix
def test_links_and_pipes_stay_what_they_are(tmp_path: Path) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to("file")
    for content in (b"new", b"newer"):
        write_atomically(link, content)
        assert link.is_symlink()
        assert (tmp_path / "file").read_bytes() == content
    os.mkfifo(pipe)
    with open(os.open(pipe, os.O_RDWR), "rb", buffering=0) as reader:
        write_atomically(pipe, b"said")
        assert pipe.is_fifo()
        assert reader.read(4) == b"said"


def test_readers_see_one_whole_content_or_the_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = [bytes([number]) * 50_000 for number in range(2)]
    write_atomically(path, contents[0])
    done = threading.Event()
    seen: set[bytes] = set()

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 40):
        write_atomically(path, contents[number % 2])
    done.set()
    reader.join()
    assert seen <= set(contents)
