"""Telling people exactly what is wrong with their layers.

`check_path` runs the code in a file or a folder in a process of its own; `check_layers` checks functions that exist
already.  Both give a `Report` of named verdicts, each with what was measured and how to mend it.
"""

from thinnet.check.api import check_layers as check_layers
from thinnet.check.api import check_path as check_path
from thinnet.check.findings import Finding as Finding
from thinnet.check.findings import FunctionReport as FunctionReport
from thinnet.check.p_convention import PConvention as PConvention
from thinnet.check.report import Report as Report
from thinnet.check.runner import Limits as Limits
from thinnet.check.verdicts import VERDICTS as VERDICTS
from thinnet.check.verdicts import Verdict as Verdict

__all__ = [
    "VERDICTS", "Finding", "FunctionReport", "Limits", "PConvention", "Report", "Verdict", "check_layers",
    "check_path",
]  # fmt: skip
