"""The config of a training run: TOML round trips, and what is refused."""

from __future__ import annotations

import contextlib
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thinnet import runs, sweep
from thinnet.config import Config, check_used
from thinnet.errors import ArgumentError


def test_a_config_survives_toml(tmp_path: Path) -> None:
    config = Config(hidden_dims=(3, 4), dropout=0.25, weight_scale=0.1, data='odd "name".npz', seed=2**31, reg=1e-9)
    (tmp_path / "config.toml").write_text(config.to_toml())
    assert Config.from_toml(tmp_path / "config.toml") == config


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 2**62), st.lists(st.integers(1, 10**6)), st.text())
def test_any_config_survives_toml(dropout: float, seed: int, dims: list[int], root: str) -> None:
    config = Config(dropout=dropout, seed=seed, hidden_dims=tuple(dims), root=root)
    assert Config.from_mapping(tomllib.loads(config.to_toml())) == config
    assert Config.from_mapping(tomllib.loads(config.to_toml(explained=True))) == config


def test_numbers_that_are_no_amounts_are_explained() -> None:
    lines = Config(mixup=0.5).to_toml(explained=True).splitlines()
    told = {"num_train = 0  # all", "patience = 0  # never", "ema_decay = 0.0  # no average", "seed = -1  # draws one"}
    assert told | {"mixup = 0.5", "dropout = 0.0", "data_seed = -1  # takes the first ones"} <= set(lines)


def test_a_stored_config_with_the_default_decays_is_used_with_any_optimizer() -> None:
    stored = tomllib.loads(Config(optimizer="sgd").to_toml())
    check_used([Config.from_mapping(stored)])
    check_used([Config(weight_decay=0, decay=1)], {"weight_decay", "decay"})
    check_used([Config(optimizer="lion", weight_decay=0.5, weight_decay_schedule="epoch_decay", decay=0.5)])
    with pytest.raises(ArgumentError, match="decay must be left out with schedule='cosine'"):
        check_used([Config(schedule="cosine")], {"decay"})


IGNORED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (
        {"root": "images"},
        {"data": "cifar10"},
        r"data='digits', which ignores it, got 'images'\. It needs data='cifar10",
    ),
    (
        {"data_seed": 3},
        {"num_train": 20},
        r"num_train=0, which ignores it, got 3\. It needs num_train=100, for example\.",
    ),
    ({"padding_mode": "reflect"}, {"translate": 1}, "translate=0, which ignores it, got 'reflect'. It needs translate"),
    ({"image_shape": (8, 8)}, {"cutout": 1}, r"flip='none', which ignores it, got \(8, 8\)\. It needs flip='random', "),
    ({"dropout_mask": "batch"}, {"dropout": 0.5}, "dropout=0.0, which ignores it, got 'batch'. It needs dropout=0.5, "),
    ({"scaling": "unscaled"}, {"dropout": 0.5}, "dropout=0.0, which ignores it, got 'unscaled'. It needs dropout=0.5"),
    ({"hidden_dims": (), "dropout": 0.5}, {"hidden_dims": (5,)}, r"hidden_dims=\(\), which ignores it, got 0.5"),
    (
        {"hidden_dims": (), "activation": "tanh"},
        {"hidden_dims": (5,)},
        r"hidden_dims=\(\), which ignores it, got 'tanh",
    ),
    ({"batch_statistics": "local"}, {"normalization": "batchnorm"}, "normalization='none', which ignores it, got 'loc"),
    (
        {"weight_decay": 0.5},
        {"optimizer": "adamw"},
        "optimizer='adam', which ignores it, got 0.5. It needs optimizer='ad",
    ),
    (
        {"optimizer": "adamw", "weight_decay": 0, "weight_decay_schedule": "cosine"},
        {"weight_decay": 0.1},
        "weight_decay=0.0, which ignores it, got 'cosine'. It needs weight_decay=0.01, for example",
    ),
    (
        {"decay": 0.5},
        {"schedule": "epoch_decay"},
        "schedule='constant', which ignores it, got 0.5. It needs schedule='ep",
    ),
]


@pytest.mark.parametrize(("given", "needed", "told"), IGNORED, ids=[[*given][-1] for given, _, _ in IGNORED])
def test_an_option_without_effect_is_refused_before_anything_is_written(
    given: dict[str, Any], needed: dict[str, Any], told: str, tmp_path: Path
) -> None:
    told = f"^{[*given][-1]} must be left out with {told}"
    begins: list[Any] = [runs.start, runs.start_or_resume, lambda config, folder: sweep.run([config] * 2, folder)]
    for begin in begins:
        with pytest.raises(ArgumentError, match=told):
            begin(Config(**given), tmp_path / "run")
    assert not [*tmp_path.iterdir()]
    check_used([Config(**{**given, **needed})], given)
    check_used([Config(**given), Config(**{**given, **needed})])  # a sweep in which one run uses it


def test_fields_that_are_left_out_take_their_defaults(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("epochs = 3\n")
    assert Config.from_toml(tmp_path / "config.toml") == Config(epochs=3)


def test_a_missing_seed_is_drawn_once() -> None:
    config = Config().resolved()
    assert config.seed >= 0
    assert config.resolved() == config
    assert config.seed != Config().resolved().seed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("droput = 0.5", r"config.toml must have only the keys data, .*got 'droput'. Did you mean 'dropout'\?"),
        ("dropout = 1", r"dropout must be a number in \[0, 1\), got 1. dropout is the fraction"),
        ("dropout = nan", r"dropout must be a number in \[0, 1\), got nan"),
        ("dropout = '0.5'", r"dropout must be a number in \[0, 1\), got '0.5' \(str\)"),
        ("hidden_dims = 100", r"hidden_dims must be a sequence of integers, got 100. Write \[100\]"),
        ("hidden_dims = [5, 0]", r"hidden_dims\[1\] must be an integer >= 1, got 0"),
        ("optimizer = 'adm'", r"optimizer must be one of 'sgd', .*got 'adm'. Did you mean 'adam'\?"),
        ("schedule = 1", r"schedule must be one of .*, got 1"),
        ("weight_scale = 'she'", r"weight_scale must be a finite number >= 0, got 'she' \(str\)"),
        ("seed = -2", r"seed must be an integer >= -1, got -2. Fixes weights"),
        ("epochs = true", r"epochs must be an integer >= 1, got True \(bool\)"),
        ("num_train = 1.5", r"num_train must be an integer >= 0, got 1.5"),
        ("data = 3", r"data must be a string, got 3. Put it in quotation marks"),
        ("data = ", r"config.toml must be a TOML file, got one that cannot be read: .*Invalid value"),
        (
            "[solver]\nepochs = 3",
            r"config.toml must have its keys at the top, got a section \[solver\]\. Remove that line",
        ),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(ArgumentError, match=message):
        Config.from_toml(tmp_path / "config.toml")


def test_the_line_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes("epochs = 3\n# f\u00fcr\n".encode("latin-1"))
    with pytest.raises(ArgumentError, match="must be a TOML file in UTF-8, got another encoding in line 2"):
        Config.from_toml(tmp_path / "config.toml")


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    """Some editors write one at the start of UTF-8 files."""
    (tmp_path / "config.toml").write_text("epochs = 3\n", encoding="utf-8-sig")
    assert Config.from_toml(tmp_path / "config.toml").epochs == 3
    (tmp_path / "config.toml").write_bytes("\ufeffepochs = 3\n".encode() + "# f\u00fcr\n".encode("latin-1"))
    with pytest.raises(ArgumentError, match="got another encoding in line 2"):
        Config.from_toml(tmp_path / "config.toml")


@given(st.binary())
def test_bytes_that_are_no_toml_are_refused_in_words(tmp_path_factory: Any, content: bytes) -> None:
    path = tmp_path_factory.mktemp("config") / "config.toml"
    path.write_bytes(content)
    with contextlib.suppress(ArgumentError):  # but no other error
        Config.from_toml(path)


def test_a_tilde_is_the_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    np.savez(tmp_path / "rows.npz", X_train=np.eye(4), y_train=np.arange(4) % 2)
    config = Config(data="~/rows.npz", root="~/images")
    assert runs.load(replace(config, root="")).num_features == 4
    with pytest.raises(ArgumentError, match=r"root must be left out if data is a file, .*, got root='~/images'"):
        runs.load(config)
    assert config.resolved().data == str(tmp_path / "rows.npz")
    assert config.resolved().root == str(tmp_path / "images")
    config_file = tmp_path / "config.toml"
    config_file.write_text(config.to_toml())
    assert Config.from_toml("~/config.toml") == config
    assert Config(data="ROWS.NPZ").is_file
