"""History: what a training run recorded, step by step and epoch by epoch."""

from dataclasses import dataclass, field
from typing import ClassVar

from thinnet.arguments import Known, knows_arguments


@knows_arguments
@dataclass(repr=False)
class History(Known):
    """Lists that grow during training.

    Attributes:
        loss: the training loss of each step.
        epoch: the epochs finished at each evaluation; 0 is the one after the first step.
        train_accuracy: the fraction of sampled training rows classified correctly at each evaluation (R² if the
            targets are values).
        val_accuracy: the same for the validation rows; empty if there are none.
        val_loss: the mean loss of those validation rows in test mode, without the L2 penalty; empty also
            for models other than a `FullyConnectedNet`.
        seconds: seconds of wall-clock time since training began, at each evaluation.
    """

    _instead: ClassVar[dict[str, str]] = {
        "history": "Its lists are attributes, such as history.loss and history.val_accuracy."
    }

    loss: list[float] = field(default_factory=list)
    epoch: list[int] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def __repr__(self) -> str:
        """Short: prompts and notebooks show what `train` returns, and the lists are long."""
        last = [f"{name} {values[-1]:.4g}" for name, values in vars(self).items() if values]
        return f"<History of {len(self.loss)} steps; last: {', '.join(last)}>" if last else "<History, empty>"
