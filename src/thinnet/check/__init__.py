"""Say exactly what is wrong with somebody's layers.

`check_path` runs the code in a file or a folder in a process of its own; `check_layers` checks functions that exist
already.  Both give a `Report` of named verdicts, each with what was measured and how to fix it.
"""

from thinnet.check.api import check_layers, check_path
from thinnet.check.findings import Finding, FunctionReport
from thinnet.check.p_convention import PConvention
from thinnet.check.report import Report
from thinnet.check.runner import Limits
from thinnet.check.verdicts import VERDICTS, Verdict

__all__ = [
    "VERDICTS", "Finding", "FunctionReport", "Limits", "PConvention", "Report", "Verdict", "check_layers",
    "check_path",
]  # fmt: skip
