"""What a notebook's kernel gets before the first cell: harmless commands, Colab's folders, Python 2.

A course's notebook downloads data, installs packages and changes to folders that do not exist. Here such a command is
skipped, and its cell says so.
"""

import os
import re
import shlex
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import tqdm

from thinnet import old_python, python2
from thinnet.course import colab, data_utils
from thinnet.course.imports import Elsewhere
from thinnet.course.saying import say

WHY = "Thinnet has what the course's notebooks need; to run such commands, use --shell"
READING = str.split("ls pwd cat head tail echo du df wc date which uname nproc lscpu free nvidia-smi")
JOINED = re.compile(r"[;&|<>`\n]|\$\(")  # more than one command, or output to a file
INSTALLING = ("pip", "conda", "mamba", "micromamba", "uv")
SHELLS = ("bash", "sh", "script", "system", "sx", "!", "ruby", "perl", "cmd")
# Folders of Colab and in the home directories of notebook authors; the notebook may be about to create any other one.
ELSEWHERE = re.compile(r"/content\b|/gdrive\b|(\./)?(g?drive|MyDrive)/|/(home|Users|root|mnt|media)/|~|[A-Za-z]:[/\\]")
TOLERATED = ("load_ext", "reload_ext", "matplotlib", "pylab")  # what they provide is optional


def install(shell: Any, *, commands: bool = False, old: str = "", features: tuple[str, ...] = ()) -> None:
    """Prepare an IPython shell, which runs all shell commands if `commands`, else only harmless ones.

    If `old` is ``"all"``, all cells are treated as Python 2; if ``"some"``, only those that must be.  `features` are
    what the notebook imports from ``__future__``.
    """
    shell.run_line_magic, shell.run_cell_magic = _tolerant(shell, "line"), _tolerant(shell, "cell")
    _restore(shell)
    if not commands:
        _leave_out_commands(shell)
    Folders(shell)
    colab.install()
    shell.ast_transformers += [colab.Unfilled(), Elsewhere(), old_python.OldNumpy()]
    if old != "all":  # which is reported once, for the whole notebook
        old_python.Loader.tell = lambda path: say(os.path.relpath(path), "written for Python 2: translated")
    old_python.install(Path.cwd(), old == "all")
    if old:
        shell.input_transformers_post.append(partial(_translated, always=old == "all", features=set(features)))
        if old == "all" and "division" not in features:
            shell.ast_transformers.append(python2.OldDivision())


def harmless(command: str) -> bool:
    """Whether a shell command only reads.

    >>> harmless("ls -l data"), harmless("wget http://a.b/c"), harmless("ls; rm -r data")
    (True, False, False)
    """
    try:
        parts = shlex.split(command)
    except ValueError:
        return False
    return not parts or (parts[0] in READING and not JOINED.search(command))


class Folders:
    """``%cd`` and ``os.chdir`` that stay in place if a folder does not exist, and still find the way back from it.

    If ``cs231n/datasets`` does not exist, ``%cd ../..`` after ``%cd`` to it must not leave the notebook's folder.
    """

    def __init__(self, shell: Any) -> None:
        self.intended = self.actual = os.getcwd()
        self.magic: Callable[[str], Any] = shell.find_line_magic("cd")
        self.chdir = os.chdir
        shell.register_magic_function(self.change, "line", "cd")
        os.chdir = self._chdir

    def change(self, line: str) -> None:
        """``%cd``."""
        name = re.sub(r"\\(?! )", "/", line.strip().strip("\"'")).replace("\\ ", " ")  # as in IPython
        elsewhere = not name or name.startswith("-")  # home, the previous folder, a bookmark
        if elsewhere or self._is_there(name):
            self.magic(line if elsewhere else self.target(name))
            self.intended = self.actual = os.getcwd()
        else:
            self._stay(f"%cd {name}", name)

    def target(self, name: str) -> str:
        """The folder that `name` means, from where we are or from where we would be if no folder were missing."""
        if os.getcwd() != self.actual:  # the folder was changed in some other way
            self.intended = self.actual = os.getcwd()
        intended, actual = (
            os.path.normpath(os.path.join(base, os.path.expanduser(name))) for base in (self.intended, self.actual)
        )
        return actual if os.path.isdir(actual) and ".." not in name else intended

    def _chdir(self, path: Any) -> None:
        name = os.fspath(path) if isinstance(path, os.PathLike) else path
        there = isinstance(name, str) and self._is_there(name)
        if isinstance(name, str) and not there and (ELSEWHERE.match(name) or self.intended != self.actual):
            self._stay(f"os.chdir({name!r})", name)
            return
        self.chdir(self.target(name) if there else path)
        self.intended = self.actual = os.getcwd()

    def _is_there(self, name: str) -> bool:
        return os.path.isdir(self.target(name))

    def _stay(self, what: str, name: str) -> None:
        self.intended = self.target(name)
        say(what, f"there is no such folder; staying in {os.getcwd()}")


def _translated(lines: list[str], *, always: bool, features: set[str]) -> list[str]:
    """The lines of a cell, translated to Python 3 if they are Python 2, or if `always`."""
    source = "".join(lines)
    if not source.strip() or not (always or python2.is_old(source)):
        return lines
    try:
        return python2.translate(source, features).splitlines(keepends=True)
    except SyntaxError:
        return lines  # Python will say what is wrong with it


def _leave_out_commands(shell: Any) -> None:
    run, output = shell.system, shell.getoutput

    # IPython looks up the variables of a command ($name) in its caller's frame: names in these frames could hide them.
    def system(_command: str) -> None:
        if harmless(_command):
            run(_command)
        else:
            say(f"not run: !{_command}", WHY)

    def getoutput(_command: str, split: bool = True, depth: int = 0) -> Any:
        if harmless(_command):
            return output(_command, split, depth + 1)
        system(_command)
        return [] if split else ""

    shell.system, shell.getoutput = system, getoutput
    for name in INSTALLING:
        shell.register_magic_function(partial(_leave_out_magic, f"%{name} "), "line", name)
    for name in SHELLS:
        shell.register_magic_function(partial(_leave_out_magic, f"%%{name} "), "cell", name)


def _leave_out_magic(start: str, line: str = "", cell: str = "") -> None:
    say(f"not run: {start}{line}".rstrip(), WHY)


def _restore(shell: Any) -> None:
    """Restore what an older IPython or the course's folder provided, and progress bars."""
    from IPython.core import display
    from IPython.display import display as show

    def magic(line: str) -> Any:
        name, _, rest = line.partition(" ")
        return shell.run_line_magic(name.lstrip("%"), rest)

    vars(display).setdefault("display", show)
    shell.magic = magic
    write = shell.find_cell_magic("writefile")

    def writefile(line: str, cell: str) -> Any:
        """``%%writefile``, also to a folder that only the course's own copy has."""
        words = re.findall(r"""(?:"[^"]*"|'[^']*'|\S)+""", line)
        for name in words[-1:]:  # without one, IPython says what is wrong
            os.makedirs(os.path.dirname(os.path.expanduser(name.strip("\"'"))) or ".", exist_ok=True)
        return write(line, cell)

    shell.register_magic_function(writefile, "cell", "writefile")
    if find_spec("ipywidgets") is None:  # without it, notebook progress bars fail
        import tqdm.notebook as bars

        bars.tqdm, bars.trange = bars.tqdm_notebook, bars.tnrange = bars.std_tqdm, tqdm.trange


def _tolerant(shell: Any, kind: str) -> Callable[..., Any]:
    """A function that runs magics, but skips unknown magics and missing optional extensions without an error."""
    run, find = (getattr(shell, f"{verb}_{kind}_magic") for verb in ("run", "find"))
    sign = "%" if kind == "line" else "%%"

    def run_magic(_name: str, _line: str, *_rest: Any) -> Any:
        if find(_name) is None:
            say(f"{sign}{_name} {_line}".rstrip(), "there is no such magic here; left out")
            return None
        if kind == "line":
            _rest = (1 + (_rest[0] if _rest else 1),)  # one more frame up to the caller's variables
        try:
            return run(_name, _line, *_rest)
        except Exception as error:
            if _name not in TOLERATED:
                raise
            say(f"{sign}{_name} {_line}".rstrip(), f"left out, because something it needs is missing ({error})")
            return None

    return run_magic


def open_door(*, dialect: str, scaling: Any, draw: Any, packages: tuple[str, ...], **options: Any) -> None:
    """Prepare the kernel that this runs in, and open the course door in it, unless `dialect` is empty."""
    from IPython import get_ipython

    import thinnet.course

    sys.modules.pop("debugpy", None)  # a notebook may import it
    install(get_ipython(), **options)
    data_utils.lend_images(get_ipython().user_ns)
    if dialect:
        thinnet.course.activate(dialect, scaling, draw=draw, packages=packages)
    sys.stdout.flush()
