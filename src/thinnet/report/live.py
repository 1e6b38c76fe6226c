"""The live page of a run, served on the loopback address while the run trains."""

from __future__ import annotations

import threading
import time
from copy import deepcopy
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thinnet.callbacks import Callback
from thinnet.errors import ArgumentError, require
from thinnet.report.folder import Run, read_run
from thinnet.report.groups import group_runs
from thinnet.report.page import page

if TYPE_CHECKING:
    from thinnet.training.state import TrainingState

ADDRESS = "127.0.0.1"  # reachable only from this machine
OWN_NAMES = (ADDRESS, "localhost")
SECONDS_BETWEEN = 1.0  # between copies of the history, besides those at each epoch
WATCHED_WITHIN = 5.0  # seconds; a page requested this recently is still open
LAST_LOOK = 3.0  # seconds that an open page has to request the final report


class Live(Callback):
    """Serve the page of a run from its first step on; use it as a context manager around the whole run.

    Args:
        folder: the folder of the run.
        port: the port on the loopback address; 0 for any free port.

    Attributes:
        url: the URL of the page, on the loopback address.

    Raises:
        MissingExtraError: if Jinja is not installed.
        ArgumentError: if the port is taken.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        require("jinja2", extra="report", purpose="the live page")
        self.folder = folder
        self._run: Run | None = None
        self._ended: str | None = None
        self._copied = self._asked = 0.0
        self._told = threading.Event()
        try:
            self._server = ThreadingHTTPServer((ADDRESS, port), _handler(self))
        except OSError as error:
            raise ArgumentError(
                f"port must be free, got {port} ({error.strerror}). Use another port, or 0 for any free one."
            ) from error
        self._server.daemon_threads = True
        self.url = f"http://{ADDRESS}:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, daemon=True, name="thinnet-live").start()

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def on_train_begin(self, state: TrainingState) -> None:
        self._run = read_run(self.folder)
        self._copy(state)

    def on_step(self, state: TrainingState) -> None:
        if time.monotonic() - self._copied > SECONDS_BETWEEN:
            self._copy(state)

    def on_epoch(self, state: TrainingState) -> None:
        self._copy(state)

    def _copy(self, state: TrainingState) -> None:
        """Copy the history, so that it does not change while a page is rendered."""
        assert self._run is not None
        self._run = replace(self._run, history=deepcopy(state.history))
        self._copied = time.monotonic()

    def html(self) -> str:
        """The page as it is now."""
        self._asked = time.monotonic()
        if self._ended is not None:
            self._told.set()
            return self._ended
        groups = group_runs([self._run]) if self._run else []
        return page(groups, [], f"Training {self.folder.resolve().name}", live=True)

    def end(self, report: Path) -> None:
        """Serve the run's report from now on, and give an open page time to request it."""
        self._ended = report.read_text(encoding="utf-8")
        if time.monotonic() - self._asked < WATCHED_WITHIN:
            self._told.wait(LAST_LOOK)
            time.sleep(0.2)  # until the response is sent


def _handler(live: Live) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Serves only the page."""

        def do_GET(self) -> None:
            # Guards against DNS rebinding, by which another site's page could read ours.
            if self.headers.get("Host", "").partition(":")[0] not in OWN_NAMES:
                self.send_error(HTTPStatus.FORBIDDEN)
            elif self.path != "/":
                self.send_error(HTTPStatus.NOT_FOUND)
            else:
                content = live.html().encode(errors="replace")
                self.send_response(HTTPStatus.OK)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing: the terminal belongs to the run."""

    return Handler
