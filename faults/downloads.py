"""Downloads that go wrong, from a server on the loopback interface: a complete folder, or DataError and no files."""

from __future__ import annotations

import gzip
import io
import os
import random
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pooch

from figures import Figure
from thinnet.data.download import Archive, fetch_folder
from thinnet.errors import DataError

FILES = {"first": bytes(range(256)) * 40, "second": b"two"}
FOLDER = "some-data"
TIMEOUT = 1.0  # seconds that a server may be silent
WAITS: list[float] = []  # seconds between the pieces of a slow answer
Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


def run(share: float) -> Iterator[Figure]:
    rng = random.Random(0)
    packed = _packed()
    many = max(2, round(100 * share))
    with _server(packed) as server:
        cuts = [partial(_send_cut, at=rng.randrange(len(packed))) for _ in range(many)]
        server.check("cut off", cuts, whole=False)
        yield Figure("a download cut off at a random byte", f"{many} times", "all refused, nothing left behind")
        flips = [partial(_send_flipped, bit=rng.randrange(8 * len(packed))) for _ in range(many)]
        server.check("damaged", flips, whole=False)
        yield Figure("a download with one bit flipped", f"{many} times", "all refused, nothing left behind")
        garbage: list[Answer] = [
            _redirect,
            _redirect_in_circles,
            lambda h, c: _send(h, b""),
            lambda h, c: _send(h, b"\0" * 9999),
        ]
        server.check("garbage", garbage, whole=False)
        yield Figure("redirected to a page, in circles; nothing; zeros", "4 ways", "all refused, nothing left behind")
        _check_slow(server)
        yield Figure("served slowly, a piece at a time", "2 times", "arrived whole")
        server.check("stalled", [_stall], whole=False)
        yield Figure("a server that stops answering", "1 time", "given up after the time-out, nothing left behind")


def _check_slow(server: _Server) -> None:
    """A slow download must arrive; if the whole machine stalled for longer than the time-out, try again."""
    while True:
        WAITS.clear()
        try:
            return server.check("slow", [_slowly] * 2, whole=True)
        except AssertionError:
            time.sleep(0.5)  # let the server notice, too
            if max(WAITS) < TIMEOUT:
                raise


def _packed() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in FILES.items():
            info = tarfile.TarInfo(f"{FOLDER}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


class _Server:
    """The server's URL, and the function that answers the next request."""

    def __init__(self, url: str, packed: bytes) -> None:
        self.url, self.packed = url, packed
        self.answer: Answer = _send

    def check(self, what: str, answers: list[Any], whole: bool) -> None:
        """Fetch the archive once per answer: it must arrive complete if `whole`, else not at all."""
        sums = {name: md5(content, usedforsecurity=False).hexdigest() for name, content in FILES.items()}
        md5_sum = md5(self.packed, usedforsecurity=False).hexdigest()
        archive = Archive(f"{self.url}/data.tar.gz", md5_sum, FOLDER, sums, attempts=1, timeout=TIMEOUT)
        for self.answer in answers:
            with tempfile.TemporaryDirectory() as name:
                came = _fetched(archive, Path(name, "cache"))
                assert came == (FILES if whole else None), what


def _fetched(archive: Archive, parent: Path) -> dict[str, bytes] | None:
    try:
        folder = fetch_folder(archive, parent)
    except DataError:
        assert os.listdir(parent) == []
        return None
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@contextmanager
def _server(packed: bytes) -> Iterator[_Server]:
    os.environ["NO_PROXY"] = "*"
    pooch.get_logger().setLevel("ERROR")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/page":
                _send(self, b"<html>Please log in</html>")
            elif self.path == "/circle":
                _redirect_in_circles(self, b"")
            else:
                server.answer(self, packed)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        server = _Server(f"http://127.0.0.1:{running.server_address[1]}", packed)
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            running.shutdown()
            thread.join()


def _send(handler: BaseHTTPRequestHandler, content: bytes, promised: int | None = None) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content) if promised is None else promised))
    handler.end_headers()
    handler.wfile.write(content)


def _send_cut(handler: BaseHTTPRequestHandler, content: bytes, at: int) -> None:
    _send(handler, content[:at], len(content))


def _send_flipped(handler: BaseHTTPRequestHandler, content: bytes, bit: int) -> None:
    _send(handler, content[: bit // 8] + bytes([content[bit // 8] ^ 1 << bit % 8]) + content[bit // 8 + 1 :])


def _redirect(handler: BaseHTTPRequestHandler, content: bytes, to: str = "/page") -> None:
    handler.send_response(302)
    handler.send_header("Location", to)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def _redirect_in_circles(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    _redirect(handler, content, to="/circle")


def _slowly(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    for start in range(0, len(content), len(content) // 10 + 1):
        began = time.monotonic()
        time.sleep(0.2)
        WAITS.append(time.monotonic() - began)
        handler.wfile.write(content[start : start + len(content) // 10 + 1])
        handler.wfile.flush()


def _stall(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    _send(handler, content[:10], len(content))
    time.sleep(2)
