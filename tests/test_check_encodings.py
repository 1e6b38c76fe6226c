"""The checker on files in any encoding: read as declared, and reported if the encoding is not declared."""

from __future__ import annotations

from pathlib import Path

import pytest

from test_check_files import write
from thinnet.check import check_path
from thinnet.errors import ArgumentError

pytestmark = pytest.mark.usefixtures("quick_workers")


def test_files_that_python_does_not_read_are_told_how_to_save_them(tmp_path: Path) -> None:
    text = "def relu_forward(x):\n    return x, x\n"
    path = write(tmp_path, "layers.py", text)
    path.write_bytes(text.encode() + b"\0")
    said = " ".join(str(check_path(path)).split())
    assert "layers.py contains zero bytes, which Python does not read: save it as UTF-8" in said
    path.write_bytes(text.encode("utf-16"))
    with pytest.raises(ArgumentError, match=r"layers\.py is in UTF-16, which Python does not read"):
        check_path(path)


@pytest.mark.parametrize("encoding", ["gbk", "latin-1", "cp1252", "utf-8-sig", "utf-8"])
def test_a_source_is_read_in_the_encoding_that_it_names(encoding: str, tmp_path: Path) -> None:
    word = "输出" if encoding in ("gbk", "utf-8") else "größe"
    text = f"# coding: {encoding}\nimport numpy as np\n\n\ndef relu_forward(x):\n    {word} = np.maximum(x, 0)\n"
    text += f"    return {{'{word}': {word}}}['{word}'], len('{word}'.encode('{encoding}'))\n"
    write(tmp_path, "layers.py", "").write_bytes(text.encode(encoding).replace(b"\n", b"\r\n"))
    report = check_path(tmp_path)
    assert report.ok, str(report)
    assert not report.verdicts, str(report)


@pytest.mark.parametrize(("first", "why"), [("", "layers.py, line 6: 'utf-8' codec"), ("# coding: foo", "unknown")])
def test_a_source_in_an_encoding_that_it_does_not_name_is_checked_and_told_so(
    first: str, why: str, tmp_path: Path
) -> None:
    text = f"{first}\nimport numpy as np\n\n\ndef relu_forward(x):\n    return np.maximum(x, 0), x  # größer\n"
    write(tmp_path, "layers.py", "").write_bytes(text.encode("latin-1"))
    report = check_path(tmp_path)
    assert report.ok, str(report)
    assert report.verdicts == {"encoding-unnamed"}
    assert why in " ".join(str(report).split())
