"""Net: a spec and a state in one object, whose attributes always match what it computes."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from thinnet.arguments import Known, instead_of
from thinnet.checks import check_choice, check_keys, check_number
from thinnet.errors import ArgumentError
from thinnet.nets.fixed import Fixed
from thinnet.nets.raw_rows import checked_standardization
from thinnet.parameters import Parameters
from thinnet.products.choose import products as products_by
from thinnet.spec import FIELDS, Spec
from thinnet.standardization import Standardization
from thinnet.state import State
from thinnet.steps import choose
from thinnet.steps.base import Step
from thinnet.typing import AnyArray

ASSIGNABLE = ("params", "step", "fused", "products")


class Net(Known):
    """The base of `thinnet.FullyConnectedNet`: a fixed spec, and a state that training changes."""

    _instead: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("train", "fit", "compile"), "Write thinnet.Solver(net, data).train()."),
        **dict.fromkeys(("backward", "zero_grad"), "Write loss, gradients = net.loss(X, y, training=True)."),
        **dict.fromkeys(("summary", "layers"), "Write print(net), which shows its layers."),
        **dict.fromkeys(("score", "accuracy"), "Write (net.predict(X) == y).mean()."),
        **dict.fromkeys(("to", "cuda", "cpu", "device"), "Everything is computed on the CPU; see net.copy(dtype)."),
        "eval": "Leave it out: net.predict(X) and net.scores(X) drop nothing.",
        "training": "Write net.loss(X, y, training=True); everything else is in test mode.",
        "history": "Write history = solver.train().",
        "evaluate": "Write solver.evaluate('val').",
    }
    _spec: Spec
    _state: State
    _fused: bool
    _training_step: Step | None
    _products: str | None = None
    _standardization: Standardization | None = None

    def _build(self, spec: Spec, state: State, fused: bool = True) -> None:
        self._spec, self._state, self._fused = spec, state, fused
        self._training_step = None

    @classmethod
    def from_parts(
        cls, spec: Spec, state: State, *, fused: bool = True, standardization: Standardization | None = None
    ) -> Self:
        """A net with this spec and this state, which is shared, not copied."""
        net = cls.__new__(cls)
        net._build(spec, state, fused)
        net._standardization = checked_standardization(spec, standardization)
        return net

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """A new net from the `config` of another: the same arguments, and new weights.

        Raises:
            ArgumentError: if a key is unknown, or a value is outside its limits.
        """
        spec = Spec.from_config(config)
        spec.check_outputs()
        return cls.from_parts(spec, State.initial(spec))

    def _way(self, name: str) -> str:
        return f"Write .params[{name!r}]." if name in self.state.params else super()._way(name)

    hidden_dims, input_dim, num_classes, num_layers = Fixed(), Fixed(), Fixed(), Fixed()
    dropout, dropout_mask, scaling = Fixed(), Fixed(), Fixed()
    normalization, activation, loss_name, reg = Fixed(), Fixed(), Fixed("loss"), Fixed()
    label_smoothing, class_names = Fixed(), Fixed()
    weight_scale, dtype, precision, seed = Fixed(), Fixed(), Fixed(), Fixed()

    @property
    def spec(self) -> Spec:
        """Everything about the net except its arrays; frozen."""
        return self._spec

    @property
    def state(self) -> State:
        """What training changes: parameters, running statistics, and the step."""
        return self._state

    @property
    def params(self) -> Parameters:
        """The parameters. Assigning a mapping copies its arrays into the buffer; it must have every name."""
        return self._state.params

    @params.setter
    def params(self, arrays: Mapping[str, AnyArray]) -> None:
        check_keys("params", arrays, self.params)
        missing = [name for name in self.params if name not in arrays]
        if missing:
            raise ArgumentError(
                f"params must be a mapping with every name, got one without {', '.join(missing)}. Add them, or assign "
                f"single arrays: net.params[name] = array."
            )
        whole = self.params.copy()
        whole.update(arrays)  # copy all arrays, or none if one does not fit
        self.params.make_writable()
        self.params.flat[:] = whole.flat

    @property
    def running(self) -> Parameters:
        """Batch normalization's running statistics; empty without it."""
        return self._state.running

    @property
    def num_parameters(self) -> int:
        """The number of trainable parameters: all elements of `params`."""
        return int(self.params.flat.size)

    @property
    def step(self) -> int:
        """The number of training steps that have drawn masks; assign another number to draw other masks."""
        return self._state.step

    @step.setter
    def step(self, value: int) -> None:
        self._state.step = check_number("step", value)

    @property
    def standardization(self) -> Standardization | None:
        """How the net standardizes raw rows; None if it takes rows that are already standardized."""
        return self._standardization

    def with_standardization(self, standardization: Standardization | None) -> Self:
        """Another net on the same parameters that takes raw rows or, with None, standardized rows.

        All its methods then take raw rows, and standardize them in float64 before casting them to the net's dtype. A
        `Solver` trains a net without a standardization, on rows that the data set standardizes.

        Raises:
            ArgumentError: if the standardization does not fit the net's inputs.

        >>> from thinnet import FullyConnectedNet, load_digits
        >>> data = load_digits().standardized()
        >>> net = FullyConnectedNet.for_data(data, [20], seed=0)
        >>> raw = net.with_standardization(data.standardization)
        >>> bool((raw(data.X_val) == net(data.batch("val")[0])).all())
        True
        """
        return self._on(self.spec, self.state, standardization)

    @property
    def fused(self) -> bool:
        """Whether to use the compiled kernels if Numba is installed; assignable."""
        return self._fused

    @fused.setter
    def fused(self, value: bool) -> None:
        self._fused, self._training_step = bool(check_choice("fused", value, (True, False))), None

    @property
    def products(self) -> str:
        """What multiplies matrices for the kernels: ``"thinnet"``, our own kernels, or ``"numpy"``.

        Assignable, for this net and its copies in this process. None restores the default: the environment variable
        THINNET_PRODUCTS, or else the faster of those available. It is not saved in files.

        Raises:
            ArgumentError: if another name is assigned.
            MissingExtraError: if ``"thinnet"`` is requested but not available.
        """
        return choose.products_name(self.spec, self.fused, self._products)

    @products.setter
    def products(self, value: str | None) -> None:
        if value is not None:
            products_by(value)
        self._products, self._training_step = value, None

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_") or name in ASSIGNABLE:
            super().__setattr__(name, value)
            return
        own = getattr(type(self), name, None)
        if not isinstance(own, Fixed):
            wanted = "one that it has" if own is None else f"one of {', '.join(ASSIGNABLE)} to be assigned"
            fix = instead_of(name, ASSIGNABLE + FIELDS) if own is None else "It says what the net is or does."
            fix = f"Write net = net.replace({name}=...)." if name in FIELDS else fix
            raise ArgumentError(f"a net's attribute must be {wanted}, got an assignment to {name!r}. {fix}")
        super().__setattr__(name, value)

    def reseed(self, seed: int) -> None:
        """From now on, draw all masks from this seed."""
        self._spec, self._training_step = self.spec.replace(seed=seed), None

    def name_classes(self, names: Sequence[str]) -> None:
        """From now on, let `predict` return these names, one per class; with no names it returns numbers.

        A `Solver` calls this if it trains on text labels.

        Raises:
            ArgumentError: if there is not one name per class, or the loss is not for labels.
        """
        self._spec, self._training_step = self.spec.replace(class_names=names), None

    def replace(self, **changes: Any) -> Self:
        """Another net with some arguments changed, on the same parameters and running statistics.

        Both nets share them, so training one trains the other, unless `dtype` or `dropout_mask` changes the memory
        layout: then they are copied.

        Args:
            changes: any arguments of the class, except those that change the shapes of the arrays.

        Raises:
            ArgumentError: if an argument is unknown or outside its limits, or would change the shapes of the arrays.

        >>> from thinnet import FullyConnectedNet
        >>> net = FullyConnectedNet([20], input_dim=4, num_classes=3, dropout=0.5, seed=0)
        >>> net.replace(dropout=0.25).params is net.params
        True
        """
        for name in changes:
            if name not in FIELDS:
                raise ArgumentError(f"replace has no argument {name!r}. {instead_of(name, FIELDS)}")
        spec = self.spec.replace(**changes)
        if "loss" in changes:
            spec.check_outputs()
        if (spec.shapes(), spec.running_shapes()) != (self.spec.shapes(), self.spec.running_shapes()):
            raise ArgumentError(
                f"replace must leave the shapes of all arrays as they are, got {', '.join(changes)}, which changes "
                f"them. Build a new net with FullyConnectedNet.from_config({{**net.config(), ...}})."
            )
        same = (spec.dtype, spec.order) == (self.spec.dtype, self.spec.order)
        return self._on(spec, self.state if same else self.state.like(spec), self.standardization)

    def copy(self, dtype: Any = None) -> Self:
        """An independent net with the same parameters, statistics, seed and step, in another dtype if one is given.

        In float64 it does not use mixed precision.

        Raises:
            ArgumentError: if the dtype is neither float32 nor float64.
        """
        spec = self.spec if dtype is None else self.spec.of_dtype(dtype)
        return self._on(spec, self.state.like(spec), self.standardization)

    def _on(self, spec: Spec, state: State, standardization: Standardization | None) -> Self:
        net = self.from_parts(spec, state, fused=self.fused, standardization=standardization)
        net._products = self._products
        return net

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.copy()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_training_step": None}  # an unpickled net makes its own buffers

    def config(self) -> dict[str, Any]:
        """The arguments to build this net again, as JSON values; see `from_config`."""
        return self.spec.config()
