"""The page in a real browser: no errors, no requests, hover and switches work, it fits a phone, it follows a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chromium import browser
from thinnet import runs
from thinnet.config import Config
from thinnet.report import write_report

QUICK = Config(num_train=100, hidden_dims=(20, 10), epochs=3, batch_size=25)


@pytest.fixture(scope="module")
def opened() -> Iterator[Any]:
    with browser() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page about two rates and two seeds, with a title that must not be parsed as HTML."""
    folder = tmp_path_factory.mktemp("runs")
    for rate in (0.0, 0.5):
        for seed in (0, 1):
            config = Config(**{**vars(QUICK), "dropout": rate, "seed": seed, "data_seed": seed})
            runs.start(config, folder / f"{rate}-{seed}", lambda text: None, verbose=False, progress=False)
    page = write_report([folder], title="<img src=x onerror=alert(1)> & co")
    return page.as_uri()


class Visit:
    """A page in the browser, with all its requests and error messages."""

    def __init__(self, chromium: Any, address: str, width: int = 1280, scheme: str = "light") -> None:
        self.page = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(address)

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [380, 800, 1280])
def test_it_loads_alone_and_fits(opened: Any, address: str, width: int, scheme: str) -> None:
    with Visit(opened, address, width, scheme) as visit:
        visit.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        assert visit.complaints == []
        assert [url for url in visit.requests if not url.startswith("data:")] == [address]
        assert visit.page.title() == "<img src=x onerror=alert(1)> & co"
        assert visit.page.locator("h1 img").count() == 0


def test_the_two_schemes_differ(opened: Any, address: str) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        with Visit(opened, address, scheme=scheme) as visit:
            grounds.append(visit.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] != grounds[1]


def test_the_result_is_in_the_first_screenful(opened: Any, address: str) -> None:
    with Visit(opened, address) as visit:
        for selector in (".verdict", ".tile .value", ".legend button", ".chart"):
            box = visit.page.locator(selector).first.bounding_box()
            assert box["y"] + box["height"] <= 800, selector


def test_no_chart_is_alone_in_its_row(opened: Any, address: str) -> None:
    with Visit(opened, address) as visit:
        cards = visit.page.locator("[aria-label=Curves] .card")
        tops = [round(cards.nth(k).bounding_box()["y"]) for k in range(cards.count())]
        assert sorted(map(tops.count, set(tops))) == [2, 2]


def test_hovering_shows_the_values_at_that_place(opened: Any, address: str) -> None:
    with Visit(opened, address) as visit:
        reading, chart = visit.page.locator("#reading"), visit.page.locator(".chart").first
        assert not reading.is_visible()
        box = chart.bounding_box()
        visit.page.mouse.move(box["x"] + box["width"] * 388 / 400, box["y"] + box["height"] / 2)
        assert reading.is_visible()
        lines = reading.inner_text().split("\n")
        assert lines[0] == "Epoch 3"
        assert [line for line in lines if line.startswith("dropout")] == ["dropout 0", "dropout 0.5"]
        assert sum("±" in line for line in lines) == 2
        assert chart.locator(".cursor circle").count() == 2
        visit.page.mouse.move(5, 5)
        assert not reading.is_visible()


def test_the_keyboard_shows_them_too(opened: Any, address: str) -> None:
    with Visit(opened, address) as visit:
        visit.page.locator(".chart").first.focus()
        visit.page.keyboard.press("ArrowRight")
        assert visit.page.locator("#reading").inner_text().startswith("Epoch 0")
        visit.page.keyboard.press("ArrowRight")
        assert visit.page.locator("#reading").inner_text().startswith("Epoch 1")
        visit.page.keyboard.press("Escape")
        assert not visit.page.locator("#reading").is_visible()


def test_a_switch_hides_a_group_everywhere_and_shows_it_again(opened: Any, address: str) -> None:
    with Visit(opened, address) as visit:
        button = visit.page.locator("[data-switch='1']")
        parts = visit.page.locator("main [data-group='1']")
        assert parts.first.is_visible()
        button.click()
        assert button.get_attribute("aria-pressed") == "false"
        assert not any(part.is_visible() for part in parts.all())
        box = visit.page.locator(".chart").first.bounding_box()
        visit.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        assert "dropout 0.5" not in visit.page.locator("#reading").inner_text()
        visit.page.mouse.move(5, 5)
        button.click()
        assert parts.first.is_visible()


def test_every_figure_has_an_alternative_text(opened: Any, address: str) -> None:
    with Visit(opened, address) as visit:
        assert visit.page.locator("svg").count() >= 7
        assert visit.page.locator("svg:not([role=img][aria-label])").count() == 0
        assert visit.page.locator("img:not([alt])").count() == 0
        assert visit.page.locator("img").count() > 2


def test_it_prints(opened: Any, address: str) -> None:
    with Visit(opened, address) as visit:
        visit.page.emulate_media(media="print")
        assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert visit.page.pdf()[:5] == b"%PDF-"


def test_what_was_unfolded_stays_so_when_the_page_follows_a_run(opened: Any, address: str) -> None:
    with Visit(opened, address) as visit:
        summary = visit.page.get_by_text("Versions, machine, data")
        summary.click()
        folded = """() => {
            const before = document.querySelector("main"), after = before.cloneNode(true);
            for (const one of after.querySelectorAll("details")) one.open = false;
            keepOpen(before, after);
            return [...after.querySelectorAll("details")].map((one) => one.open);
        }"""
        assert sum(visit.page.evaluate(folded)) == 1
        summary.click()
        assert sum(visit.page.evaluate(folded)) == 0


def test_very_long_names_fit_a_phone(opened: Any, tmp_path: Path) -> None:
    """Names without spaces, in the legend, the headings, the table and the commands."""
    X = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    for name in ("a" * 120, "b" * 120):
        np.savez(tmp_path / f"{name}.npz", X_train=X, y_train=(X[:, 0] > 0).astype(int))
        config = Config(data=str(tmp_path / f"{name}.npz"), hidden_dims=(5,), epochs=1, batch_size=20, seed=0)
        runs.start(config, tmp_path / name, lambda text: None, verbose=False, progress=False)
    with Visit(opened, write_report([tmp_path]).as_uri(), 380) as visit:
        visit.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 380
