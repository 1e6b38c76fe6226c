"""The nets of an estimator that encodes its rows; these nets still take raw rows."""

import os
from typing import Any, Self

from scipy import sparse

from thinnet.checks import check_path
from thinnet.errors import ArgumentError
from thinnet.nets import FullyConnectedNet
from thinnet.sklearn.inputs import Inputs
from thinnet.spec import Spec
from thinnet.standardization import Standardization
from thinnet.state import State


class EncodedNet(FullyConnectedNet):
    """A net with its estimator's encoder, which turns raw rows, of an array or a table, into the net's rows."""

    _inputs: Inputs | None = None

    def with_standardization(self, standardization: Standardization | None) -> Self:
        """Like `FullyConnectedNet.with_standardization`; the new net takes rows that are already encoded."""
        net = super().with_standardization(standardization)
        net._inputs = None
        return net

    def save(self, path: str | os.PathLike[str], standardization: Standardization | None = None) -> None:
        """Like `FullyConnectedNet.save`; ArgumentError if the net takes raw rows, since the file holds no encoder."""
        if self._inputs is not None:
            raise ArgumentError(
                "save must be called on a net that takes rows as they are, got one that encodes them first: its file "
                "cannot hold its encoder_. Save the estimator: joblib.dump(estimator, path); or write it for other "
                "programs: estimator.export_onnx(path)."
            )
        super().save(path, standardization)

    def export_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the net as an ONNX graph, from the inputs of the whole estimator's graph to float64 ``scores``."""
        if self._inputs is None:
            return super().export_onnx(path)
        from thinnet.sklearn.onnx_export import export_scores

        export_scores(self, self._inputs, check_path("path", path))

    def _rows(self, X: Any) -> Any:
        if self._inputs is None:
            return X
        matrix = self._inputs.matrix(X)
        return matrix.toarray() if sparse.issparse(matrix) else matrix

    def _on(self, spec: Spec, state: State, standardization: Standardization | None) -> Self:
        net = super()._on(spec, state, standardization)
        net._inputs = self._inputs
        return net


def net_of_raw_rows(net: FullyConnectedNet, inputs: Inputs) -> FullyConnectedNet:
    """For a net that takes standardized rows, another on the same parameters that takes what the estimator takes."""
    if inputs.encoder is None:
        return net.with_standardization(inputs.standardization)
    encoded = EncodedNet.from_parts(net.spec, net.state, fused=net.fused, standardization=inputs.standardization)
    encoded._products, encoded._inputs = net._products, inputs
    return encoded
