"""What an estimator has learned, under scikit-learn's names."""

from sklearn.utils.validation import check_is_fitted

from thinnet.nets import FullyConnectedNet
from thinnet.sklearn.encoded_net import net_of_raw_rows
from thinnet.sklearn.inputs import Inputs
from thinnet.sklearn.table import TableEncoder
from thinnet.typing import FloatArray


class Learned:
    """The properties that scikit-learn's estimators have after training, and a few of our own."""

    _nets: list[FullyConnectedNet]
    _inputs: Inputs
    _loss: str

    @property
    def net_(self) -> FullyConnectedNet:
        """The first net on the estimator's own parameters.

        It takes raw rows, since it includes the `encoder_`, if there is one, and the standardization.
        """
        return self.nets_[0]

    @property
    def nets_(self) -> list[FullyConnectedNet]:
        """All nets of the ensemble, on the estimator's own parameters."""
        check_is_fitted(self, "_nets")
        return [net_of_raw_rows(net, self._inputs) for net in self._nets]

    @property
    def encoder_(self) -> TableEncoder | None:
        """What turns the columns of a table into the nets' matrix; None if rows are used as they are."""
        check_is_fitted(self, "_inputs")
        return self._inputs.encoder

    @property
    def coefs_(self) -> list[FloatArray]:
        """The weights of each layer, for standardized rows."""
        return [self.net_.params[f"W{i}"] for i in range(1, self.net_.num_layers + 1)]

    @property
    def intercepts_(self) -> list[FloatArray]:
        """The biases of each layer."""
        return [self.net_.params[f"b{i}"] for i in range(1, self.net_.num_layers + 1)]

    @property
    def n_layers_(self) -> int:
        """The number of layers, including the input and output layers."""
        return self.net_.spec.num_layers + 1

    @property
    def n_outputs_(self) -> int:
        """The number of scores."""
        return int(self.net_.num_classes)

    @property
    def out_activation_(self) -> str:
        """What turns scores into predictions."""
        names = {"mse": "identity", "poisson": "exp"}
        return names.get(self._loss, str(self._loss))
