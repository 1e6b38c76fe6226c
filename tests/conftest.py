"""What several test files need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
CACHE = ROOT / ".cache"


@pytest.fixture(scope="session")
def cifar10_root() -> Path:
    """The parent folder of a real ``cifar-10-batches-py`` (JPEG-decoded), unpacked once and kept."""
    unpack = SHARED / "cifar10" / "unpack.py"
    if not unpack.exists():
        pytest.skip(f"the real images are not here: no {unpack.relative_to(ROOT.parent)} beside the project")
    root = CACHE / "cifar10"
    if not (root / "cifar-10-batches-py" / "batches.meta").exists():  # the file written last
        subprocess.run([sys.executable, str(unpack), str(root)], check=True, capture_output=True)
    return root
