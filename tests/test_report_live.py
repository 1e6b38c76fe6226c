"""Following a run: the live page, for this machine only, and event files for TensorBoard."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from chromium import browser
from thinnet import cli, kernels
from thinnet.report.live import Live

# The epochs in the page's first chart; undefined if there is none yet.
EPOCHS = "JSON.parse(document.querySelector('.chart')?.dataset.chart ?? '{}').series?.[0].x"
QUICK = ["--num-train", "200", "--hidden-dims", "20", "--batch-size", "20", "--seed", "0"]


def epochs_shown(page: Any) -> list[str]:
    """The epochs on the page; none while it reloads: its policy does not let the browser wait for an expression."""
    with contextlib.suppress(pytest.importorskip("playwright.sync_api").Error):
        return list(page.evaluate(EPOCHS) or [])
    return []


def test_the_live_page_grows_in_a_browser_and_ends_as_the_report(tmp_path: Path) -> None:
    """The run waits in its second epoch until the page has been checked, so that timing does not affect the result."""
    go = tmp_path / "go"
    script = (
        "import pathlib, sys, time\nfrom thinnet import Solver, cli\nstep = Solver.step\n"
        f"go = pathlib.Path({str(go)!r})\n"
        "def waiting(self):\n"
        "    while self.iteration == 15 and not go.exists(): time.sleep(0.01)\n    return step(self)\n"
        "Solver.step = waiting\nsys.exit(cli.main(['train', *sys.argv[1:]]))"
    )
    command = [*QUICK, "--epochs", "5", "--live", "--quiet", "--output", str(tmp_path / "run")]
    with browser() as chromium:
        environment = {**os.environ, kernels.SWITCH: "0"}  # they take longer to load than the run
        process: Any = subprocess.Popen(
            [sys.executable, "-c", script, *command], env=environment, stderr=subprocess.PIPE, text=True
        )
        try:
            word, address = process.stderr.readline().split()
            assert word == "live"
            page = chromium.new_page()
            complaints: list[str] = []
            requests: set[str] = set()
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("request", lambda request: requests.add(request.url))
            page.goto(address)
            # The first page may be older than the first epoch; it reloads by itself.
            latest = time.monotonic() + 60
            while "1" not in epochs_shown(page):
                assert time.monotonic() < latest, page.content()
                page.wait_for_timeout(20)
            assert page.locator("h2", has_text="A closer look").count() == 0
            go.touch()
            page.wait_for_selector("h2:has-text('A closer look')", timeout=30_000)
            assert epochs_shown(page) == ["0", "1", "2", "3", "4", "5"]
            assert complaints == []
            assert {url for url in requests if not url.startswith("data:")} == {address}
        finally:
            go.touch()
            assert process.wait(60) == 0
            process.stderr.close()
    assert (tmp_path / "run" / "report.html").is_file()


def answer(live: Live, path: str = "/", host: str | None = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", int(live.url.rstrip("/").rpartition(":")[2]))
    connection.request("GET", path, headers={"Host": host} if host else {})
    status = connection.getresponse().status
    connection.close()
    return status


def test_it_answers_nobody_but_this_machine(tmp_path: Path) -> None:
    with Live(tmp_path) as live:
        assert answer(live) == 200
        assert answer(live, "/../config.toml") == 404
        assert answer(live, host="somewhere.example:80") == 403
        assert live._server.server_address[0] == "127.0.0.1"


def test_before_the_first_step_there_is_a_page_that_says_so(tmp_path: Path) -> None:
    with Live(tmp_path) as live, urllib.request.urlopen(live.url) as page:
        assert "No epoch is finished yet." in page.read().decode()


def test_a_port_that_is_taken_is_an_error_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert cli.main(["train", *QUICK, "--output", str(tmp_path / "run"), "--live", port]) == 2
    assert "port must be free, got" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_run_that_nobody_looks_at_ends_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", *QUICK, "--epochs", "1", "--output", str(tmp_path / "run"), "--live", "--quiet"]) == 0
    assert "http://127.0.0.1:" in capsys.readouterr().err
    assert (tmp_path / "run" / "report.html").is_file()
