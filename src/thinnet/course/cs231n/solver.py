"""The Solver; `update_rule` names a function of ``nndl.optim`` in the dialect nndl, of ``cs231n.optim`` else."""

from importlib import import_module as _import_module
from typing import Any

from thinnet.course import solver as _solver
from thinnet.course.dialects import active as _active


class Solver(_solver.Solver):
    """Train a model on a dict of data; see `thinnet.course.solver`."""

    def __init__(self, model: Any, data: dict[str, Any], **kwargs: Any) -> None:
        package = "nndl" if _active().dialect.name == "nndl" else "cs231n"
        root = __name__.removesuffix("cs231n.solver")
        super().__init__(model, data, optim=_import_module(f"{root}{package}.optim"), **kwargs)
