"""ThreeLayerConvNet, and TwoLayerNet of either assignment: initial values, scores, loss, gradients and penalty."""

from functools import partial
from typing import Any, ClassVar

import numpy as np

from thinnet.check.compare import Alternative, close
from thinnet.check.probes import net_harness
from thinnet.check.probes.images import ROTATED
from thinnet.check.probes.layers import agrees
from thinnet.check.probes.net_harness import C, D, Gradients, NetHarness, Options, Probe, Shape, Shapes
from thinnet.check.probes.net_penalty import check_penalty
from thinnet.check.probes.net_plain import check_initial_values, check_plain
from thinnet.check.probes.own_training import OPTIONS, check_training
from thinnet.check.subject import Subject, arguments_of, parameters
from thinnet.layers import conv_forward, max_pool_forward
from thinnet.typing import FloatArray, IntArray

H, REG = 7, 0.3
IMAGE, FILTERS, SIZE = (3, 6, 6), 2, 3  # square images in three colors, the number of filters, and their size
HIDDEN = ("hidden_dim", "hidden_dims", "hidden_size")  # arguments for the hidden units, by year


class TwoLayers(NetHarness):
    """affine → ReLU → affine; the argument for the hidden units has other names in other years."""

    base_options: ClassVar[Options] = {
        **NetHarness.base_options, **dict.fromkeys(HIDDEN, H), "input_size": D, "output_size": C, "std": 0.1,
    }  # fmt: skip
    large_options: ClassVar[Options] = {
        **dict.fromkeys(HIDDEN, 40), "input_dim": 50, "input_size": 50, "num_classes": 20, "output_size": 20,
    }  # fmt: skip
    shapes: ClassVar[Shapes] = {("W", 1): (D, H), ("b", 1): (H,), ("W", 2): (H, C), ("b", 2): (C,)}
    needed: ClassVar[set[str]] = {"input_dim", "num_classes"}  # arguments of the constructor

    def construct(self, hidden: list[int], options: Options) -> Any:
        """Call the constructor, which takes no list of hidden units."""
        return self.owner(**options)

    def fresh(self, hidden: tuple[int, ...], options: Options) -> Any:
        """A net whose biases are vectors: some start with the number 0, which training turns into a vector."""
        net = super().fresh(hidden, options)
        for key, value in net.params.items():
            if np.ndim(value) == 0 and self.role(key) in self.shapes:
                net.params[key] = np.full(self.shapes[self.role(key)], value, dtype=float)
        return net

    def probes(self) -> list[Probe]:
        """All probes."""
        return [self._check_plain, partial(check_initial_values, self), self._check_penalty]

    def _check_plain(self) -> None:
        """Parameters and their shapes, scores, loss and gradients."""
        params = self.build().params
        if len(params) > len(self.shapes):
            raise self.subject.stop("not-checked", f"params has the keys {sorted(map(str, params))}, as in another net")
        self.turned = "input_size" in self.needed and np.shape(params.get("W1")) == self.shapes["W", 1][::-1]
        check_plain(self)

    def _check_penalty(self) -> None:
        check_penalty(self, {})


class ConvNet(TwoLayers):
    """convolution → ReLU → 2 x 2 pooling → affine → ReLU → affine."""

    input_shape: ClassVar[Shape] = IMAGE
    channels_last = False  # whether it flattens images with the channels last
    base_options: ClassVar[Options] = {
        **NetHarness.base_options, "input_dim": IMAGE, "num_filters": FILTERS, "filter_size": SIZE, "hidden_dim": H,
    }  # fmt: skip
    large_options: ClassVar[Options] = {
        "input_dim": (3, 8, 8), "num_filters": 30, "filter_size": 5, "hidden_dim": 40, "num_classes": 20,
    }  # fmt: skip
    needed: ClassVar[set[str]] = {"input_dim", "num_filters", "filter_size", "hidden_dim", "num_classes"}
    shapes: ClassVar[Shapes] = {
        ("W", 1): (FILTERS, IMAGE[0], SIZE, SIZE), ("b", 1): (FILTERS,),
        ("W", 2): (FILTERS * (IMAGE[1] // 2) * (IMAGE[2] // 2), H), ("b", 2): (H,), ("W", 3): (H, C), ("b", 3): (C,),
    }  # fmt: skip

    def build(self, hidden: tuple[int, ...] = (), /, **options: Any) -> Any:
        """A net with scores of both signs."""
        net = super().build(hidden, **options)
        net.params |= {"b3": net.params["b3"] - 2} if "b3" in net.params else {}
        return net

    def plain_scores(self, net: Any, X: FloatArray) -> FloatArray:
        """The scores by the formula."""
        W1, b1, W2, b2, W3, b3 = (np.asarray(self.parameter(net, *what)) for what in self.shapes)
        h = np.maximum(conv_forward(X, W1, b1.reshape(-1), padding=(SIZE - 1) // 2)[0], 0)
        pooled = max_pool_forward(h)[0]
        rows = (pooled.transpose(0, 2, 3, 1) if self.channels_last else pooled).reshape(len(X), -1)
        return np.asarray(np.maximum(rows @ W2 + b2, 0) @ W3 + b3)

    def check_pass(self, net: Any) -> Gradients:
        """Check scores and loss; the images may be flattened with the channels first or last."""
        X, _ = self.data()
        scores, _ = self.subject.attempt(self.scores, net, X)
        self.channels_last = True
        self.channels_last = scores is not None and agrees(scores, self.plain_scores(net, X))
        return super().check_pass(net)

    def mistaken(self, net: Any, X: FloatArray) -> list[Alternative]:
        """The scores without a part of the net, or with another one in its place."""
        W1, b1, W2, b2, W3, b3 = (np.asarray(self.parameter(net, *what)) for what in self.shapes)

        def convolved(w: FloatArray, b: FloatArray, floor: float = 0) -> FloatArray:
            return np.asarray(np.maximum(conv_forward(X, w, b.reshape(-1), padding=(SIZE - 1) // 2)[0], floor))

        def end(images: FloatArray, floor: float = 0, b2: FloatArray = b2, b3: FloatArray = b3) -> FloatArray:
            return np.asarray(np.maximum(images.reshape(len(X), -1) @ W2 + b2, floor) @ W3 + b3)

        h = convolved(W1, b1)
        pooled, (N, F, P, Q) = max_pool_forward(h)[0], h.shape
        means = h.reshape(N, F, P // 2, 2, Q // 2, 2).mean(axis=(3, 5))
        without, name = "are those of a net without", "wrong-output"
        return [
            (end(max_pool_forward(convolved(W1, b1, -np.inf))[0]), name, f"{without} the ReLU after the convolution"),
            (end(pooled, -np.inf), name, f"{without} the ReLU after the first affine layer"),
            (end(means), name, "have the mean of each window instead of its maximum"),
            (end(max_pool_forward(convolved(W1[:, :, ::-1, ::-1], b1))[0]), name, f"are those of filters {ROTATED}"),
            (end(max_pool_forward(convolved(W1, 0 * b1))[0]), name, f"{without} b1"),
            (end(pooled, b2=0 * b2), name, f"{without} b2"),
            (end(pooled, b3=0 * b3), name, f"{without} b3"),
        ]


class FirstNet(TwoLayers):
    """The first assignment's net: loss takes reg, for 0.5 · reg · ΣW² or twice that; and it has its own train."""

    needed: ClassVar[set[str]] = {"input_size", "hidden_size", "output_size"}
    share = 1.0  # of reg; 0.5 for the years in which the penalty is not halved

    def __init__(self, subject: Subject, *rest: Any) -> None:
        super().__init__(subject, *rest)
        self.predict_name, self.train_name = f"{subject.name}.predict", f"{subject.name}.train"
        own: dict[str, Any] = {self.predict_name: lambda net, X: net.predict(X), self.train_name: self._train}
        own[self.loss_name] = lambda net, X, *y: net.loss(X, *y, **({"reg": self.share * net.reg} if y else {}))
        self.subject.functions = {**self.subject.functions, **own}
        self.subject.owns += tuple(own)

    @staticmethod
    def _train(net: Any, X: FloatArray, y: IntArray) -> Any:
        """Train for some steps; train may return anything."""
        net.train(X, y, X, y, **OPTIONS)
        return True

    def fresh(self, hidden: tuple[int, ...], options: Options) -> Any:
        """A net with reg as an attribute, like the later net."""
        net = super().fresh(hidden, options)
        net.reg = options.get("reg", 0.0)
        return net

    def probes(self) -> list[Probe]:
        """All probes."""
        return [*super().probes(), self._check_predict, partial(check_training, self, self.train_name)]

    def _check_penalty(self) -> None:
        """Check the L2 penalty, which may be twice that of the later nets."""
        net, (X, y) = self.build(reg=REG), self.data()
        added = self.loss(net, X, y)[1]["W1"] - self.loss(self.build(), X, y)[1]["W1"]
        self.share = 0.5 if close(added, 2 * REG * net.params["W1"]) else 1.0
        super()._check_penalty()

    def _check_predict(self) -> None:
        """Check that predict returns the classes of the largest scores."""
        net, (X, _), name = self.build(), self.data(50), self.predict_name
        labels = self.subject.array(name, self.subject.call(name, net, X), "what predict(X) returns")
        right = self.plain_scores(net, X).argmax(axis=1)
        if not np.array_equal(labels, right):
            told = f"has shape {labels.shape}, expected {right.shape}: a label for each example"
            if labels.shape == right.shape:
                told = f"is the class of the largest score in {np.mean(labels == right):.0%} of the examples"
            self.subject.report("wrong-output", f"what predict(X) returns {told}")


def check(subject: Subject, kind: type[TwoLayers] = TwoLayers) -> None:
    """Check a net of this kind, or of two layers from the first assignment, if its constructor is like a course's."""
    owner = net_harness.class_of(subject)
    if kind is TwoLayers and "input_size" in parameters(owner) and "reg" in parameters(getattr(owner, "loss", None)):
        kind = FirstNet
    arguments = arguments_of(owner, None, dict.fromkeys(HIDDEN[:2], 2))
    if not (kind.needed <= set(arguments) and {*HIDDEN} & {*arguments}):
        raise subject.stop("not-checked", f"its constructor takes ({', '.join(arguments)}), as in another course")
    net_harness.evaluate(subject, partial(kind, subject, owner, arguments))
