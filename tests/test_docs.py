"""The pages in docs/: examples run, figures are drawn again, and every public name is in the reference."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import re
import runpy
import subprocess
import sys
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import joblib
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

import thinnet
from thinnet.sklearn import ThinNetClassifier, ThinNetRegressor

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
TABLE = (DOCS / "sklearn.md").read_text(encoding="utf-8").partition("## Coming from MLPClassifier")[2]
FIGURES = [path for path in sorted((DOCS / "figures").glob("*.py")) if path.stem != "drawing"]
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAGES = [page for page in sorted(DOCS.glob("*.md")) if BLOCK.search(page.read_text(encoding="utf-8"))]

# The code that checks a page's console blocks: each command runs, and prints the output below it.
CONSOLE = """
def _console(block):
    import contextlib, doctest, io, shlex
    from thinnet import cli

    for part in block.split("$ ")[1:]:
        command, _, expected = part.partition("\\n")
        program, *arguments = shlex.split(command)
        assert program == "thinnet", command
        with contextlib.redirect_stdout(io.StringIO()) as out:
            status = cli.main(arguments)
        assert status == 0, command
        same = doctest.OutputChecker().check_output(expected, out.getvalue(), doctest.ELLIPSIS)
        assert same, f"{command} printed\\n{out.getvalue()}"

"""

# Pages that do not run in this process: one adds to the registries, and test_parallel.py runs the script of the other.
ALONE = {"adding", "parallel"}
ENVIRONMENT = {**os.environ, "JOBLIB_MULTIPROCESSING": "0"}  # as below

# Internal modules; all others are in the reference.
INTERNAL = {
    "arguments", "arrays", "bars", "check.*", "checks", "cli", "cli.*", "course.*", "ctrl_c", "data.checking",
    "data.cifar10", "data.dataset", "data.digits", "data.download", "data.fashion_mnist", "data.fields", "data.files",
    "data.idx", "data.moments", "data.npz", "data.pickles", "data.row_numbers", "data.shares", "flat_updates",
    "kernels", "kernels.*", "layers.*", "nets.base", "nets.fixed", "nets.fully_connected", "nets.onnx_export",
    "nets.predictions", "nets.raw_rows", "nets.saving", "nets.summary", "numerics", "old_names", "old_python",
    "python2", "report.*", "sklearn.*", "slopes", "sparse_rows", "spelling", "steps.averaging", "steps.bad_rows",
    "steps.batches", "steps.fused_scores", "steps.hidden", "steps.penalty", "steps.plan", "steps.weight_gradients",
    "storage", "storage.*", "subnormal", "targets", "thinning", "training", "training.*", "typing", "__main__",
}  # fmt: skip


# Slow code on the pages, and its replacement here.
SHORTER = {
    "ThinNetClassifier(dropout=0.25, random_state=0)": "ThinNetClassifier(dropout=0.25, max_iter=10, random_state=0)",
    "ThinNetClassifier(early_stopping=True, ": "ThinNetClassifier(early_stopping=True, max_iter=5, ",
    '{"dropout": [0.0, 0.25, 0.5], "hidden_layer_sizes": [(50,), (100,)]}': '{"dropout": [0.0, 0.5]}',
    "quick = ThinNetClassifier(max_iter=5, ": "quick = ThinNetClassifier(max_iter=2, ",
}


def program(page: Path) -> str:
    """A page's examples, in order, as one script."""
    text = page.read_text(encoding="utf-8")
    for long, short in SHORTER.items():
        text = text.replace(long, short)
    found = BLOCK.findall(text)
    return CONSOLE + "\n".join(f"_console({block!r})" if kind == "console" else block for kind, block in found)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed_door: None) -> Path:
    """The folder where a page or script runs, in this process, which is faster than starting Python for each."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.posix] * (page.stem == "parallel"), id=page.stem)
        for page in PAGES
        if page.stem not in ALONE
    ],
)
def test_the_examples_of_a_page_run_with_warnings_as_errors(page: Path, workplace: Path) -> None:
    with joblib.parallel_config("threading"):  # several processes are tested elsewhere, and start slowly
        exec(compile(program(page), page.name, "exec"), {"__name__": "__main__"})


def test_the_examples_that_change_what_there_is_run_alone(tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text(program(DOCS / "adding.md"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "page.py"], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("peer", [MLPClassifier, MLPRegressor])
def test_each_parameter_that_a_migrant_knows_has_a_row(peer: type) -> None:
    for name in inspect.signature(peer).parameters:
        assert f"`{name}" in TABLE or f"{name}=" in TABLE, name


@pytest.mark.parametrize("estimator", [ThinNetClassifier, ThinNetRegressor])
def test_each_parameter_of_ours_has_a_row(estimator: type) -> None:
    for name in inspect.signature(estimator).parameters:
        assert f"`{name}" in TABLE, name


@pytest.mark.parametrize("script", FIGURES, ids=lambda path: path.stem)
def test_each_figure_can_be_drawn_anew(
    script: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch, without_kernels: None
) -> None:
    monkeypatch.syspath_prepend(script.parent)
    monkeypatch.setattr(sys, "argv", [str(script), "--quick", "--output", str(workplace)])
    runpy.run_path(str(script), run_name="__main__")
    assert sorted(path.name for path in workplace.iterdir()) == sorted(
        path.name for path in (DOCS / "figures").glob(f"{script.stem}.*") if path != script
    )


@pytest.mark.parametrize("figure", sorted((DOCS / "figures").glob("*.svg")), ids=lambda path: path.stem)
def test_each_figure_is_whole_and_follows_light_and_dark(figure: Path) -> None:
    text = figure.read_text(encoding="utf-8")
    ElementTree.fromstring(text)
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"(href|src)=\"(?!#)|url\((?!#)|@import|<script", text)


def test_the_picture_names_modules_that_exist() -> None:
    named = set(re.findall(r"thinnet(?:\.[a-z_]+)+", (DOCS / "figures" / "way.svg").read_text(encoding="utf-8")))
    assert len(named) > 10
    for name in named:
        importlib.import_module(name)


def test_each_number_about_dropout_was_measured() -> None:
    """Each number with a decimal point in the text is also in an example of the page, or in a table from a script."""
    text = (DOCS / "dropout.md").read_text(encoding="utf-8")
    measured = " ".join(path.read_text(encoding="utf-8") for path in (DOCS / "figures").glob("*.md"))
    measured += " ".join(block for _, block in BLOCK.findall(text))
    prose = re.sub(r"https?://\S+|arXiv [0-9.]+", "", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    numbers = set(re.findall(r"(?<![\w.])[0-9]*\.[0-9]+", prose))
    assert len(numbers) > 10
    known = {float(number) for number in re.findall(r"[0-9]*\.[0-9]+", measured)}
    assert {number for number in numbers if float(number) not in known} == set()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built pages; every Sphinx warning is an error."""
    pytest.importorskip("sphinx", reason="the pages are built with Sphinx, of the extra docs")
    folder = tmp_path_factory.mktemp("pages")
    # Without garbage collection, since a build keeps almost all its objects.
    program = "import gc, sys; gc.disable(); from sphinx.cmd.build import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "-W", "--keep-going", "-q", "-b", "html", str(DOCS), str(folder)]
    # Without function names in the tables of contents, which are copied to every page.
    command += ["-D", "toc_object_entries=0"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


class Addresses(HTMLParser):
    """Collects what a page loads, and the ids of elements that links may point to."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "img", "iframe", "source") and given.get("src"):
            self.loaded.append(str(given["src"]))
        if tag == "link" and given.get("rel") in ("stylesheet", "icon", "preload", "preconnect"):
            self.loaded.append(str(given["href"]))
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))


def test_the_pages_load_nothing_from_elsewhere_and_lead_nowhere_wrong(built: Path) -> None:
    pages = list(built.rglob("*.html"))
    assert len(pages) > 25
    for page in pages:
        addresses = Addresses()
        addresses.feed(page.read_text(encoding="utf-8"))
        assert addresses.loaded
        for address in addresses.loaded:
            assert not re.match(r"[a-z]+:|//", address), (page.name, address)
            assert (page.parent / address.partition("?")[0]).is_file(), (page.name, address)
        for link in addresses.links:
            path = link.partition("#")[0]
            if not re.match(r"[a-z]+:", link) and path:
                assert (page.parent / path).exists(), (page.name, link)
    for style in built.rglob("*.css"):
        assert not re.search(r"@import|url\(\s*['\"]?(https?:)?//", style.read_text(encoding="utf-8")), style.name


def test_options_keep_their_two_dashes_on_the_pages(built: Path) -> None:
    verdicts = (built / "verdicts.html").read_text(encoding="utf-8")
    assert "--timeout allows more seconds" in verdicts
    assert "write print(...)" in verdicts


def described(built: Path) -> set[str]:
    """Every Python name that the reference describes, from Sphinx's inventory."""
    content = (built / "objects.inv").read_bytes()
    lines = zlib.decompress(content.split(b"\n", 4)[4]).decode().splitlines()
    return {line.split()[0] for line in lines if line.split()[1].startswith("py:")}


def public_modules() -> Iterator[ModuleType]:
    """The modules that are not `INTERNAL`."""
    for found in pkgutil.walk_packages(thinnet.__path__, "thinnet."):
        name = found.name.removeprefix("thinnet.")
        parent = name.rpartition(".")[0]
        if name not in INTERNAL and not {f"{parent}.*", f"{parent.partition('.')[0]}.*"} & INTERNAL:
            yield importlib.import_module(found.name)


def public_names(module: ModuleType) -> list[str]:
    """A module's public names: its `__all__`, or the functions and classes that it defines itself."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    defined = vars(module).items()
    return [name for name, member in defined if name[0] != "_" and getattr(member, "__module__", "") == module.__name__]


def test_every_public_name_is_in_the_reference(built: Path) -> None:
    names = described(built)
    short = {name.rpartition(".")[2] for name in names}
    modules = list(public_modules())
    assert len(modules) > 20
    for module in modules:
        assert module.__name__ in names, module.__name__
        for name in public_names(module):
            assert f"{module.__name__}.{name}" in names, f"{module.__name__}.{name}"
    for name in thinnet.__all__:
        assert name in short, name


def test_every_public_method_is_in_the_reference(built: Path) -> None:
    names = described(built)
    for module in public_modules():
        for name in public_names(module):
            one = getattr(module, name)
            if not inspect.isclass(one):
                continue
            for member, value in vars(one).items():
                if member[0] != "_" and callable(value):
                    assert f"{module.__name__}.{name}.{member}" in names, f"{module.__name__}.{name}.{member}"
