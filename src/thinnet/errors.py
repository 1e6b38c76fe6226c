"""The errors that Thinnet raises. Each says which argument, what was expected, what was given, and the fix."""

import importlib
from types import ModuleType
from typing import TypeVar

_E = TypeVar("_E", bound=BaseException)


class ThinnetError(Exception):
    """The base of every error that Thinnet raises on purpose."""


class ArgumentError(ThinnetError, ValueError):
    """An argument has a value, shape or dtype that does not work."""


class DataError(ThinnetError, ValueError):
    """A data set is missing, damaged, or not what it claims to be."""


class CheckpointError(ThinnetError, ValueError):
    """A checkpoint is damaged, is of the wrong kind, or does not belong to the given data or net."""


class MissingDataError(DataError, FileNotFoundError):
    """A data file or folder does not exist."""


class MissingCheckpointError(CheckpointError, FileNotFoundError):
    """A saved net, or the folder of a run, does not exist."""


class NumericalError(ThinnetError, ArithmeticError):
    """A loss or a gradient became NaN or infinite."""


class DialectError(ThinnetError, ValueError):
    """A course function was called where no dialect defines the meaning of its ``p``."""


class NotebookError(ThinnetError, ValueError):
    """A file is not a notebook that can be run."""


class OutOfScopeError(ThinnetError, ImportError):
    """A part of a course that Thinnet does not cover, such as recurrent layers."""


class MissingExtraError(ThinnetError, ImportError):
    """A feature needs a package from one of Thinnet's extras that is not installed."""


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import `module`, or say which extra installs it.

    Args:
        module: the module's full name, such as ``"scipy.special"``.
        extra: the extra of Thinnet that installs it, such as ``"report"``.
        purpose: what needs it, as the subject of the error message.

    Raises:
        MissingExtraError: if the package is not installed.

    >>> require("json", extra="report", purpose="this example").loads("[1]")
    [1]
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingExtraError(
            f"{purpose} needs the package {package!r}, which cannot be imported ({error}). "
            f'Install it with: pip install "thinnet[{extra}]"'
        ) from error


def on_all_processes(error: _E) -> _E:
    """Mark an error as raised by every process at the same point, so that none is left waiting for another."""
    error.on_all_processes = True  # type: ignore[attr-defined]
    return error


def is_on_all_processes(error: BaseException) -> bool:
    """Whether an error was marked by `on_all_processes`."""
    return getattr(error, "on_all_processes", False)
