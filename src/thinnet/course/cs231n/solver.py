"""The Solver; `update_rule` names a function in ``nndl.optim`` in nndl's dialects, else in this package's ``optim``."""

from importlib import import_module as _import_module
from typing import Any

from thinnet.course import solver as _solver
from thinnet.course.dialects import active as _active


class Solver(_solver.Solver):
    """Train a model on a dict of data; see `thinnet.course.solver`."""

    def __init__(self, model: Any, data: dict[str, Any], **kwargs: Any) -> None:
        parent, _, own = __package__.rpartition(".")  # its name in another course, if imported by that
        package = "nndl" if _active().dialect.package == "nndl" else own
        super().__init__(model, data, optim=_import_module(f"{parent}.{package}.optim".lstrip(".")), **kwargs)
