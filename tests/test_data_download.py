"""Downloads: checked, complete or not at all. The server is on the loopback interface, and the archive is made here."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import thinnet.data.cifar10 as cifar10
import thinnet.data.download as download
from thinnet.data.download import Archive, fetch_folder
from thinnet.errors import DataError

FILES = {"first": b"one" * 1000, "second": b"two"}
FOLDER = "some-data"
BY_HAND = "or download and unpack it by hand, and give the folder that has some-data as root, or set THINNET_DATA to it"


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder without logging; the first `failures` requests fail."""

    failures = 0
    requests = 0

    def do_GET(self) -> None:
        type(self).requests += 1
        if type(self).requests <= type(self).failures:
            self.fail()
        else:
            super().do_GET()

    def fail(self) -> None:
        self.send_error(503)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server:
    """A running server, with the folder that it serves and its handler's counters."""

    def __init__(self, folder: Path, url: str, handler: type[Handler]) -> None:
        self.folder, self.url, self.handler = folder, url, handler

    def publish(self, members: list[tuple[tarfile.TarInfo, bytes]], name: str = "data.tar.gz") -> Archive:
        """Put an archive with `members` on the server; return its description for clients."""
        with tarfile.open(self.folder / name, "w:gz") as tar:
            for info, content in members:
                tar.addfile(info, io.BytesIO(content))
        sums = {name: md5(content) for name, content in FILES.items()}
        whole = md5((self.folder / name).read_bytes())
        return Archive(f"{self.url}/{name}", whole, FOLDER, sums, attempts=2)


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def regular(name: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o600
    return info, content


def whole() -> list[tuple[tarfile.TarInfo, bytes]]:
    return [regular(f"{FOLDER}/{name}", content) for name, content in FILES.items()]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    folder = tmp_path / "served"
    folder.mkdir()
    handler = type("CountingHandler", (Handler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Server(folder, f"http://127.0.0.1:{running.server_address[1]}", handler)
        running.shutdown()
        thread.join()


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_refused(archive: Archive, parent: Path, text: str) -> None:
    with pytest.raises(DataError, match=text) as caught:
        fetch_folder(archive, parent)
    assert f"{archive.url} could not be fetched into {parent}: " in str(caught.value)
    assert BY_HAND in str(caught.value)
    assert os.listdir(parent) == []


def test_the_folder_arrives_whole_with_the_umasks_permissions(server: Server, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        folder = fetch_folder(server.publish(whole()), tmp_path / "new" / "cache")
    finally:
        os.umask(before)
    assert folder == tmp_path / "new" / "cache" / FOLDER
    assert content_of(folder) == FILES
    assert oct(folder.stat().st_mode & 0o777) == oct(0o750)
    assert {oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == {oct(0o640)}
    assert os.listdir(folder.parent) == [FOLDER]


def test_a_terminal_sees_the_progress(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    fetch_folder(server.publish(whole()), tmp_path / "cache")
    assert "100%" in terminal.getvalue()


def test_a_failing_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    archive = server.publish(whole())
    server.handler.failures = 1
    assert content_of(fetch_folder(archive, tmp_path)) == FILES
    assert server.handler.requests == 2


def test_attempts_end(server: Server, tmp_path: Path) -> None:
    archive = server.publish(whole())
    server.handler.failures = 99
    assert_refused(archive, tmp_path / "cache", "HTTPError: 503 Server Error")
    assert server.handler.requests == 2


def test_a_connection_that_breaks_is_tried_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def promise_more_than_comes(self: Handler) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"cut short")

    monkeypatch.setattr(Handler, "fail", promise_more_than_comes)
    archive = server.publish(whole())
    server.handler.failures = 1
    assert content_of(fetch_folder(archive, tmp_path / "cache")) == FILES
    server.handler.failures = 99
    assert_refused(archive, tmp_path / "other", "Error: .*Connection broken|in 2 attempts it did not come")


def test_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    archive = Archive("http://127.0.0.1:1/data.tar.gz", "0" * 32, FOLDER, {}, attempts=1)
    assert_refused(archive, tmp_path / "cache", "ConnectionError")


def test_an_archive_with_another_hash(server: Server, tmp_path: Path) -> None:
    archive = replace(server.publish(whole()), md5="0" * 32)
    assert_refused(archive, tmp_path / "cache", "none of 2 downloads had the MD5 sum 0000")


def test_an_answer_without_an_end(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def go_on(self: Handler) -> None:
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            while True:
                self.wfile.write(bytes(2**16))

    monkeypatch.setattr(download, "LARGEST_DOWNLOAD", 2**20)
    monkeypatch.setattr(Handler, "fail", go_on)
    archive = server.publish(whole())
    server.handler.failures = 1
    assert_refused(archive, tmp_path / "cache", "the answer is longer than 1,048,576 bytes")


def test_something_that_is_no_archive(server: Server, tmp_path: Path) -> None:
    archive = server.publish(whole())
    (server.folder / "data.tar.gz").write_bytes(b"a notice of maintenance")
    archive = replace(archive, md5=md5(b"a notice of maintenance"))
    assert_refused(archive, tmp_path / "cache", "it is not a gzipped tar archive")


def test_a_member_with_another_hash(server: Server, tmp_path: Path) -> None:
    archive = server.publish([*whole()[:1], regular(f"{FOLDER}/second", b"too")])
    assert_refused(archive, tmp_path / "cache", r"some-data/second must have the MD5 sum b8a.*, got ")


def test_a_member_of_absurd_size(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "LARGEST_FILE", 100)
    assert_refused(server.publish(whole()), tmp_path / "cache", "some-data/first in the archive has 3,000 bytes")


def test_only_regular_files_that_are_needed_are_unpacked(server: Server, tmp_path: Path) -> None:
    outside = [regular(name, b"!") for name in ("../escaped", "/tmp/escaped", f"{FOLDER}/../escaped", f"{FOLDER}/more")]
    folder = fetch_folder(server.publish([*outside, *whole()]), tmp_path / "cache")
    assert content_of(folder) == FILES
    assert os.listdir(tmp_path / "cache") == [FOLDER]
    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE], ids=["symlink", "link", "fifo"])
def test_links_are_not_followed(server: Server, tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo(f"{FOLDER}/second")
    info.type, info.linkname = kind, "/etc/hostname"
    archive = server.publish([*whole()[:1], (info, b"")])
    assert_refused(archive, tmp_path / "cache", "the archive lacks the regular files second")


def test_a_folder_in_the_way_is_kept(server: Server, tmp_path: Path) -> None:
    in_the_way = tmp_path / "cache" / FOLDER
    in_the_way.mkdir(parents=True)
    (in_the_way / "second").write_bytes(b"mine")
    with pytest.raises(DataError, match="not empty"):
        fetch_folder(server.publish(whole()), tmp_path / "cache")
    (in_the_way / "first").write_bytes(FILES["first"])
    with pytest.raises(DataError, match="not empty"):
        fetch_folder(server.publish(whole()), tmp_path / "cache")
    assert content_of(in_the_way)["second"] == b"mine"
    assert os.listdir(tmp_path / "cache") == [FOLDER]


def test_a_destination_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="NotADirectoryError"):
        fetch_folder(server.publish(whole()), tmp_path / "file" / "cache")


def test_another_process_that_was_quicker(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, unpack = server.publish(whole()), download._unpack

    def lose_the_race(*arguments: Any) -> None:
        monkeypatch.undo()
        monkeypatch.setenv("NO_PROXY", "*")
        fetch_folder(archive, tmp_path / "cache")
        unpack(*arguments)

    monkeypatch.setattr(download, "_unpack", lose_the_race)
    assert content_of(fetch_folder(archive, tmp_path / "cache")) == FILES
    assert os.listdir(tmp_path / "cache") == [FOLDER]


def test_two_processes_at_once(server: Server, tmp_path: Path) -> None:
    archive = server.publish(whole())
    code = (
        "import sys, pathlib; from thinnet.data.download import Archive, fetch_folder; "
        f"print(fetch_folder({archive!r}, pathlib.Path(sys.argv[1])))"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(tmp_path / "cache")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=30)
        assert out == f"{tmp_path / 'cache' / FOLDER}\n", err
        assert "\r" not in err, "a progress bar where no terminal is"
    assert content_of(tmp_path / "cache" / FOLDER) == FILES


def test_the_loader_downloads_into_the_variables_folder(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cifar10, "ARCHIVE", server.publish(whole()))
    monkeypatch.setenv("THINNET_DATA", str(tmp_path / "mine"))
    monkeypatch.chdir(server.folder)
    assert cifar10.find_cifar10() == tmp_path / "mine" / FOLDER


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert download.cache_folder().name == "thinnet"
