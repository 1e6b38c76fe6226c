"""A starter folder: the course's packages as the student's own files, to be replaced one by one."""

import os
import shutil
import tempfile
from pathlib import Path

from thinnet.checks import check_choice, check_path
from thinnet.course.dialects import DIALECTS
from thinnet.course.finder import HERE
from thinnet.errors import ArgumentError
from thinnet.storage.files import make_folder, no_folder
from thinnet.typing import AnyPath

OPENING = """
import thinnet.course

thinnet.course.activate_by_default({dialect!r})
"""

README = """\
# Your layers, one at a time

This folder, with {folders} in it, looks and works like the course's, in the dialect `{dialect}`. Every module is
a few lines that bring in Thinnet's functions. Replace what you like:

- one function: define it at the end of its file, for example your own `relu_forward` and `relu_backward` in
  `{layers}/layers.py`;
- one module: put your own file in its place;
- the rest stays Thinnet's, and the nets in `fc_net.py` use your layers.

Put a notebook of the course into this folder; it runs with what is here, in Jupyter or by:

    thinnet course run YOUR_NOTEBOOK.ipynb --dialect {dialect}

To find the mistakes in what you wrote:

    thinnet check {layers} --dialect {dialect}

In this dialect `p` is the probability of {verb} a unit.
"""


def new_folder(path: AnyPath, dialect: str) -> list[Path]:
    """Write a starter folder at `path`, which must be new or empty; return its files.

    Raises:
        ArgumentError: if the dialect is unknown, or something is at `path` already.
        OSError: if the folder cannot be written; nothing is left behind then.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = new_folder(Path(folder, "homework"), "cs231n-2017")
    >>> "layers.py" in {file.name for file in files}
    True
    """
    check_choice("dialect", dialect, tuple(DIALECTS))
    path = check_path("path", path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ArgumentError(f"path must be a new or an empty folder, got {str(path)!r}. Choose another name.")
    make_folder(path.parent)
    try:
        _write(path, dialect)
    except OSError as error:
        raise no_folder(path, error) from error
    return sorted(file for file in path.rglob("*") if file.is_file())


def _write(path: Path, dialect: str) -> None:
    """Write the files to another folder first, so that either all of them appear or none."""
    with tempfile.TemporaryDirectory(dir=path if path.exists() else path.parent, prefix=".new-") as temporary:
        folder = Path(temporary, "new")
        folder.mkdir()
        _fill(folder, dialect)
        if path.exists():  # keep it: a shell may be in it
            for part in list(folder.iterdir()):
                os.replace(part, path / part.name)
        else:
            os.replace(folder, path)


def _fill(folder: Path, dialect: str) -> None:
    packages = sorted({"cs231n", DIALECTS[dialect].package})
    for package in packages:
        for source in sorted((HERE / package).rglob("*.py")):
            copy = folder / source.relative_to(HERE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
        with open(folder / package / "__init__.py", "a", encoding="utf-8") as init:
            init.write(OPENING.format(dialect=dialect))
    readme = README.format(
        folders=" and ".join(f"`{package}/`" for package in packages),
        dialect=dialect,
        layers=packages[-1],
        verb="dropping" if DIALECTS[dialect].p_means == "drop" else "keeping",
    )
    (folder / "README.md").write_text(readme, encoding="utf-8")
