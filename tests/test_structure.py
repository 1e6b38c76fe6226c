"""The structure of the package: no circular imports, short files and functions, and which room may import which."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 400, 60


@cache
def modules() -> dict[str, Path]:
    """Every module of the package by its full name."""
    paths = sorted((SOURCE / "thinnet").rglob("*.py"))
    return {".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


def imported_names(module: str) -> Iterator[str]:
    """The full name of everything that a module imports, even inside functions and only for types."""
    package = module if modules()[module].name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)


@cache
def imports() -> dict[str, set[str]]:
    """For each module, the modules of the package that it imports; a name in a module counts as the module."""
    known = modules()
    found: dict[str, set[str]] = {}
    for module in known:
        names = {name if name in known else name.rpartition(".")[0] for name in imported_names(module)}
        found[module] = (names & set(known)) - {module}
    return found


def circle_in(graph: dict[str, set[str]]) -> list[str]:
    """A cycle: nodes that each point to the next, and the last to the first; empty if there is none."""
    finished: set[str] = set()
    for start in graph:
        path, waiting = [start], [iter(sorted(graph[start]))]
        while path and start not in finished:
            after = next(waiting[-1], None)
            if after is None:
                finished.add(path.pop())
                waiting.pop()
            elif after in path:
                return path[path.index(after) :]
            elif after not in finished:
                path.append(after)
                waiting.append(iter(sorted(graph[after])))
    return []


def room(module: str) -> str:
    """The folder that a module is in, or the module itself if it is not in a folder."""
    return module.split(".")[1] if "." in module else "thinnet"


@cache
def reached(module: str) -> set[str]:
    """All modules that a module imports, directly or indirectly."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        new = imports()[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def rooms(names: str) -> set[str]:
    return set(names.split())


# What the lower rooms may import besides their own files; rooms not listed here may import any.
MAY_IMPORT = {
    "typing": rooms(""),
    "errors": rooms(""),
    "masks": rooms("checks errors typing"),
    "teams": rooms("typing"),
    "bfloat16": rooms("typing"),
    "layers": rooms("arguments checks errors masks typing"),
    "kernels": rooms("checks masks teams typing"),
    "products": rooms("bfloat16 checks errors kernels teams typing"),
    "parameters": rooms("arrays errors spelling typing"),
    "thinning": rooms("parameters teams typing"),
    "spec": rooms("checks defaults errors layers masks parameters"),
    "state": rooms("parameters spec"),
    "steps": rooms(
        "arrays bfloat16 checks errors kernels layers masks parameters products sparse_rows spec state subnormal "
        "targets teams thinning typing"
    ),
    "standardization": rooms("kernels sparse_rows typing"),
    "data": rooms("arguments arrays checks errors kernels masks spelling standardization targets teams typing"),
    "nets": rooms(
        "arguments arrays checks data defaults errors layers numerics parameters products spec standardization state "
        "steps storage typing"
    ),
    "distributed": rooms("data errors nets products steps teams typing"),
}

# What a room must not import, directly or indirectly.
MUST_NOT_REACH = {
    "layers": rooms("kernels steps nets data training storage solver distributed"),
    "kernels": rooms("steps nets data training storage solver distributed"),
    "products": rooms("steps nets data training storage solver distributed"),
    "data": rooms("distributed nets solver steps storage training"),
    "steps": rooms("nets data training storage solver distributed"),
    "nets": rooms("training solver distributed"),
    "storage": rooms("solver distributed"),
    "distributed": rooms("training solver"),
    "callbacks": rooms("solver"),
    "training": rooms("solver runs sklearn"),
    "solver": rooms("runs report sweep cli sklearn course"),
    "sklearn": rooms("solver runs"),
}

KNOW_OF_SEVERAL_PROCESSES = rooms("distributed training solver config runs cli")

# Modules that may ask whether kernels are available: for steps, optimizers, rows and sparse rows; and for messages.
MAY_ASK_FOR_KERNELS = {
    f"thinnet.{name}" for name in ("steps.choose", "optim", "data.rows", "sparse_rows", "training.compilation")
}


def asks_for_kernels(found: ast.AST) -> bool:
    names = {node.attr for node in ast.walk(found) if isinstance(node, ast.Attribute)}
    for node in ast.walk(found):
        if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("kernels"):
            names |= {alias.name for alias in node.names}
    return "available" in names


def long_functions(found: ast.AST) -> list[str]:
    functions = [node for node in ast.walk(found) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    lengths = [(node.name, (node.end_lineno or node.lineno) - node.lineno + 1) for node in functions]
    return [f"{name}: {length} lines" for name, length in lengths if length > MOST_LINES_OF_A_FUNCTION]


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle_in(imports()) == []


@pytest.mark.parametrize("module", modules())
def test_files_and_functions_are_short(module: str) -> None:
    assert len(modules()[module].read_text(encoding="utf-8").splitlines()) <= MOST_LINES
    assert long_functions(tree(module)) == []


@pytest.mark.parametrize("name", MAY_IMPORT)
def test_a_room_imports_what_it_may(name: str) -> None:
    own = [module for module in modules() if room(module) == name]
    assert own, f"there is no room {name}"
    for module in own:
        assert {room(other) for other in imports()[module]} - {name} <= MAY_IMPORT[name], module


@pytest.mark.parametrize("name", MUST_NOT_REACH)
def test_a_room_does_not_reach_what_it_must_not_know(name: str) -> None:
    own = [module for module in modules() if room(module) == name]
    assert own, f"there is no room {name}"
    for module in own:
        assert not {room(other) for other in reached(module)} & MUST_NOT_REACH[name], module


def test_several_processes_are_known_to_few() -> None:
    knowing = {room(module) for module in modules() if any(room(other) == "distributed" for other in imports()[module])}
    assert knowing <= KNOW_OF_SEVERAL_PROCESSES
    mentioning = {
        room(module)
        for module, path in modules().items()
        if re.search(r"import mpi4py|from mpi4py|mpi4py\.", path.read_text("utf-8"))
    }
    assert mentioning == {"distributed"}


def test_few_ask_whether_there_are_kernels() -> None:
    assert {module for module in modules() if asks_for_kernels(tree(module))} == MAY_ASK_FOR_KERNELS


class TestTheseChecks:
    """The checks above find the problems they look for."""

    def test_a_circle_is_found_behind_what_is_finished(self) -> None:
        graph = {"a": {"b"}, "b": {"c"}, "c": set(), "d": {"b", "e"}, "e": {"f"}, "f": {"d"}}
        assert sorted(circle_in(graph)) == ["d", "e", "f"]
        assert circle_in({**graph, "f": {"c"}}) == []

    def test_imports_within_functions_and_for_types_count(self) -> None:
        assert "thinnet.nets.saving" in imports()["thinnet.nets.fully_connected"]
        assert "thinnet.data.dataset" in imports()["thinnet.nets.fully_connected"]

    def test_what_asks_for_kernels_is_found(self) -> None:
        for text in ("if kernels.available(): pass", "from thinnet.kernels import available", "f = kernels.available"):
            assert asks_for_kernels(ast.parse(text))
        assert not asks_for_kernels(ast.parse("available = 3"))

    def test_a_long_function_is_found(self) -> None:
        text = "def f():\n" + "    pass\n" * MOST_LINES_OF_A_FUNCTION
        assert long_functions(ast.parse(text)) == ["f: 61 lines"]
        assert long_functions(ast.parse(text.removesuffix("    pass\n"))) == []
