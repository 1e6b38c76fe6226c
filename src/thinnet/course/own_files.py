"""Files next to a notebook, or written by it, that replace a course's modules."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

PARTS = {"cs231n": ("layers.py", "classifiers/fc_net.py"), "nndl": ("layers.py", "fc_net.py")}
DROPOUT = re.compile(rb"^def dropout_forward\b", re.MULTILINE)


def own_courses(folder: Path) -> list[str]:
    """The courses whose dialect-dependent modules are all next to the notebook, as the student's own."""
    return [course for course, files in PARTS.items() if all(_is_own(folder / course / file) for file in files)]


def modules_with_dropout(folder: Path, cells: Iterable[ast.Module]) -> set[str]:
    """The modules next to a notebook, or written by its cells, that define ``dropout_forward`` themselves.

    Next to it, these are the modules that its cells import, or a ``layers.py`` in one of their parent packages.
    """
    found = set()
    for node in (node for cell in cells for node in ast.walk(cell)):
        for name in imported(node):
            packages = [name[: match.start()] for match in re.finditer(r"\.|$", name)]
            for module in (name, *(f"{package}.layers" for package in packages)):
                path = folder.joinpath(*module.split("."))
                if any(map(_defines_dropout, (path.with_suffix(".py"), path / "__init__.py"))):
                    found.add(module)
        file, source = _written(node)
        if file and DROPOUT.search(source.encode(errors="replace")):
            parts = [part for part in Path(file).with_suffix("").parts if part.isidentifier()]
            found |= {".".join(parts[start:]) for start in range(max(1, len(parts) - 1))}
    return found


def imported(node: ast.AST) -> Iterator[str]:
    """The modules, and names in them, that a statement imports or runs with ``%run``."""
    match node:
        case ast.Import():
            yield from (alias.name for alias in node.names)
        case ast.ImportFrom(module=str(module), level=0):
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
        case ast.Call(
            func=ast.Attribute(attr="run_line_magic"), args=[ast.Constant(value="run"), ast.Constant(value=str(line))]
        ):
            yield from (word.removesuffix(".py").replace("/", ".") for word in line.split() if word.endswith(".py"))


def _written(node: ast.AST) -> tuple[str, str]:
    """The file that a ``%%writefile`` cell writes, and its content."""
    match node:
        case ast.Call(
            func=ast.Attribute(attr="run_cell_magic"),
            args=[
                ast.Constant(value="writefile" | "file"),
                ast.Constant(value=str(line)),
                ast.Constant(value=str(source)),
            ],
        ):
            return line.split()[-1] if line.split() else "", source
    return "", ""


def _is_own(path: Path) -> bool:
    return path.is_file() and b"thinnet" not in path.read_bytes()


def _defines_dropout(path: Path) -> bool:
    return path.is_file() and DROPOUT.search(path.read_bytes()) is not None
