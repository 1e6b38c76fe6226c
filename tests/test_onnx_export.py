"""The exported graph in ONNX Runtime, compared with the net."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from thinnet import FullyConnectedNet
from thinnet.errors import ArgumentError, MissingExtraError
from thinnet.layers import ACTIVATIONS


@pytest.mark.parametrize("normalization", [None, "batchnorm", "layernorm"])
@pytest.mark.parametrize("scaling", ["inverted", "classic"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("hidden_dims", [[], [20, 11]])
def test_the_graph_gives_the_nets_scores(
    tmp_path: Path, normalization: Any, scaling: Any, dtype: Any, hidden_dims: list[int]
) -> None:
    net = FullyConnectedNet(
        hidden_dims,
        9,
        4,
        dropout=0.3,
        normalization=normalization,
        scaling=scaling,
        dtype=dtype,
        seed=0,
    )
    X = np.random.default_rng(0).standard_normal((50, 9)).astype(dtype)
    for _ in range(5):
        net.loss(X, np.arange(50) % 4, training=True)  # updates the running statistics
    net.export_onnx(tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    scores = session.run(["scores"], {"X": X})[0]
    tolerance = 1e-4 if dtype == np.float32 else 1e-9
    np.testing.assert_allclose(scores, net.scores(X), rtol=tolerance, atol=tolerance)
    assert scores.dtype == dtype


def test_an_activation_that_the_format_does_not_know_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ACTIVATIONS, "another", ACTIVATIONS["tanh"])
    net = FullyConnectedNet([5], 9, 4, activation="another", seed=0)
    with pytest.raises(ArgumentError, match=r"activation must be one of relu, .* to be exported, got 'another'"):
        net.export_onnx(tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_a_missing_package_names_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r'pip install "thinnet\[onnx\]"'):
        FullyConnectedNet([5], 4, 3).export_onnx(tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())
