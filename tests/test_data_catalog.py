"""`thinnet data`: the known data sets, where they are, and downloading."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from thinnet import cli


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory and an empty cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("THINNET_DATA", raising=False)
    monkeypatch.setattr("thinnet.data.download.cache_folder", lambda: tmp_path / "cache")
    return tmp_path


def test_what_is_known_is_listed_with_its_place(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {name: row["found"] for name, row in found.items()} == {
        "digits": "inside scikit-learn",
        "cifar10": None,
        "fashion-mnist": None,
    }
    folder = nowhere / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "test_batch").touch()
    assert cli.main(["data"]) == 0
    out = capsys.readouterr().out
    assert str(folder) in out
    assert "not found; name the folder with its four files" in out


def test_a_download_goes_into_the_cache(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("thinnet.data.download.fetch_folder", lambda archive, parent: parent / archive.folder)
    assert cli.main(["data", "--download", "cifar10"]) == 0
    assert capsys.readouterr().out.strip() == str(nowhere / "cache" / "cifar-10-batches-py")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "cifar",
            "--download must be one of 'digits', 'cifar10', 'fashion-mnist', got 'cifar'. Did you mean 'cifar10'?",
        ),
        (
            "digits",
            "--download must be a data set that can be downloaded, got 'digits'. "
            'Instead: pip install "thinnet[digits]".',
        ),
    ],
)
def test_what_cannot_be_fetched_is_refused(name: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "--download", name]) == 2
    assert message in capsys.readouterr().err
