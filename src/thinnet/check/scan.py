"""Finding the functions in files and folders, by reading the sources without running them."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

from thinnet.check import dialect, old_python
from thinnet.check.classes import kind_of
from thinnet.check.findings import Reading
from thinnet.check.plan import PROBES
from thinnet.errors import ArgumentError

SKIPPED = {"__pycache__", "node_modules", "site-packages", "datasets", "venv", "env", "build", "dist"}
PACKAGE_NAMES = {"cs231n", "nndl", "utils", "classifiers", "lib", "src"}
MOST_FILES = 2000


@dataclass
class Source:
    """One file with something to check.

    Attributes:
        path: the file.
        root: the folder to import from, and `module`, its dotted name from there.
        units: what to check, in order.
        reading: what the file, or its package, says that p means.
        problem: why the file cannot be read as Python, or "".
    """

    path: Path
    root: Path
    module: str
    units: list[str] = field(default_factory=list)
    reading: Reading = field(default_factory=Reading)
    readings: dict[str, Reading] = field(default_factory=dict)
    problem: str = ""


def scan(target: Path) -> list[Source]:
    """All files at `target` that define something to check.

    Raises:
        ArgumentError: if there is no such file or folder, or nothing in it that can be checked.
    """
    if not target.exists():
        raise ArgumentError(f"the file or folder to check must exist, got {str(target)!r}. Check the path.")
    if target.is_file() and target.suffix != ".py":
        raise ArgumentError(
            f"the file to check must be a Python source, got {target.name!r}. "
            "For a notebook call thinnet.check.check_layers(globals()) in its last cell."
        )
    files = [target] if target.is_file() else _python_files(target)
    trees: dict[Path, ast.Module] = {}
    sources = []
    for path in files:
        source = _source(path.resolve(), trees)
        if source:
            sources.append(source)
    if not sources:
        known = ", ".join(("dropout_forward", "affine_forward", "FullyConnectedNet"))
        raise ArgumentError(
            f"{target} must define something to check ({known} or the like), got none of them. "
            "The functions must have the courses' names; a class must be called Dropout, with forward and backward."
        )
    for source in sources:
        source.reading = _said(source, trees)
        if source.path in trees:
            for node in trees[source.path].body:
                if isinstance(node, ast.ClassDef) and kind_of(node.name) == "dropout":
                    source.readings[node.name] = dialect.of_class(node)
    return sources


def _python_files(folder: Path) -> list[Path]:
    found = []
    for path in sorted(folder.rglob("*.py")):
        inner = path.relative_to(folder).parts[:-1]
        if not any(part in SKIPPED or part.startswith(".") for part in inner):
            found.append(path)
        if len(found) >= MOST_FILES:
            break
    return found


def _source(path: Path, trees: dict[Path, ast.Module]) -> Source | None:
    text = path.read_bytes()
    source = Source(path, *place_of(path))
    try:
        trees[path] = old_python.parse(text)[0]
        source.root, source.module = place_of(path, _dots(trees[path]))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        source.units = _units_in_text(text)
        line = f", line {error.lineno}: {(error.text or '').strip()}" if isinstance(error, SyntaxError) else ""
        source.problem = f"{type(error).__name__}: {getattr(error, 'msg', error)} in {path.name}{line}"
        return source if source.units else None
    defined = {node.name: node for node in trees[path].body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    assigned = {
        target.id: None
        for node in trees[path].body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    source.units = [name for name in PROBES if name in defined or name in assigned]
    for name, node in defined.items():
        if isinstance(node, ast.ClassDef) and kind_of(name) and _methods(node) >= {"forward", "backward"}:
            source.units += [f"{name}.forward", f"{name}.backward"]
    return source if source.units else None


def place_of(path: Path, dots: int = 0) -> tuple[Path, str]:
    """The folder from which a file is imported, and its module's name: packages are climbed out of.

    `dots` is how far up the file's relative imports reach: so many folders are packages, by whatever name.
    """
    folder, parts = path.parent, [path.stem]
    while len(parts) <= dots or (folder / "__init__.py").exists() or folder.name in PACKAGE_NAMES:
        if "." in folder.name or folder.parent == folder:
            break
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts)


def _dots(tree: ast.Module) -> int:
    return max((node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)), default=0)


def _units_in_text(text: bytes) -> list[str]:
    names = re.findall(r"^(?:def|class)\s+(\w+)", text.decode("utf-8", "replace"), re.MULTILINE)
    return [name for name in PROBES if name in names]


def _methods(node: ast.ClassDef) -> set[str]:
    return {inner.name for inner in node.body if isinstance(inner, ast.FunctionDef)}


def _said(source: Source, trees: dict[Path, ast.Module]) -> Reading:
    """What the file itself says, else its neighbors in the package."""
    course = next((part for part in reversed(source.module.split(".")) if part in ("nndl", "cs231n")), "")
    if source.path in trees:
        own = dialect.of_trees([trees[source.path]], course)
        if own.means and own.source != dialect.THE_COURSE:
            return own
    near = [source.path.parent, source.path.parent.parent] if course else [source.path.parent]
    neighbors = []
    for folder in near:
        for path in sorted(folder.glob("*.py")) + sorted(folder.glob("classifiers/fc_net.py")):
            if path.name in ("layers.py", "fc_net.py") and path != source.path:
                try:
                    neighbors.append(trees.get(path) or old_python.parse(path.read_bytes())[0])
                except (SyntaxError, ValueError, OSError):
                    continue
    return dialect.of_trees(neighbors, course)
