"""The agreements: what a method, a metric, a dataset and a special model must offer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

if TYPE_CHECKING:
    import torch
    from torch import nn

    from perdure.core.attribution import Explained
    from perdure.core.batch import Batch
    from perdure.core.query import Query
    from perdure.core.trial import Measurement, Trial

__all__ = [
    "Architecture",
    "AsksAgain",
    "AtX",
    "Attends",
    "Dataset",
    "Embeds",
    "Fits",
    "HasSideInputs",
    "Method",
    "Metric",
    "Resumable",
    "Splits",
]


@runtime_checkable
class Method(Protocol):
    """An attribution method: a frozen bag of hyper-parameters with one function."""

    def scores(self, query: Query) -> Float[Tensor, "batch *site"] | Explained:
        """Attribute the target of a query to its inputs.

        Args:
            query: the question; `query.gradient` and `query.value` are the only ways to the model.

        Returns:
            Importance, shaped like `query.x`; padded steps may hold anything. A method that has more to tell
            gives an `Explained` with it.
        """
        ...


@runtime_checkable
class Fits(Protocol):
    """A method that must see data of a model before it can explain it."""

    @property
    def is_fitted(self) -> bool:
        """Whether it has seen them."""
        ...

    def fit(self, model: nn.Module, batch: Batch) -> Method:
        """Look at samples.

        Args:
            model: that will be explained.
            batch: samples like those that will be explained, of which none should be.

        Returns:
            A new method, for this model.
        """
        ...


@runtime_checkable
class AtX(Protocol):
    """A method that asks for `query.gradient_at_x`, so that a first pass with its graph is worth keeping."""

    at_x: ClassVar[bool]


@runtime_checkable
class Embeds(Protocol):
    """A model of token ids that can be asked on from their embeddings.

    Called with whole numbers (batch, time) it embeds them; called with floats (batch, time, feature) it takes
    them for embeddings. Explanations ask with embeddings.
    """

    def embed(self, ids: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time feature"]:
        """Look tokens up.

        Args:
            ids: of the tokens.

        Returns:
            Their embeddings.
        """
        ...


@runtime_checkable
class HasSideInputs(Protocol):
    """A model that reads more of each sample than the inputs that are explained.

    Its call takes these side inputs by name, `model(x, **side)`. They stay the same at every point where a sample is
    evaluated, such as a perturbed copy of it.
    """

    def side_inputs(self, x: Tensor, lengths: Tensor | None = None) -> Mapping[str, Tensor]:
        """Find the side inputs of samples.

        Args:
            x: the samples, shape (batch, ...).
            lengths: valid steps of each sample; None when all are.

        Returns:
            Tensors with one row per sample, by the names of arguments of the model; none where all is in x.
        """
        ...


class Architecture(Protocol):
    """The settings of a network: a frozen dataclass that can build it."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def build(self, features: int, classes: int, generator: torch.Generator) -> nn.Module:
        """Build the network with weights drawn from a generator; the global random state is left alone.

        Args:
            features: what it reads: features of a step or a row, channels of an image, words of a vocabulary.
            classes: number of outputs.
            generator: the stream of the weights; the network is made on its device.

        Returns:
            A new network in training mode.
        """
        ...


class Metric(Protocol):
    """A metric: a frozen bag of settings that measures a trial.

    `needs_truth` asks for a trial with truth, whose score is then the ceiling; without it `best` is the
    ceiling. `higher_is_better` says which way is good.
    """

    needs_truth: ClassVar[bool]
    higher_is_better: ClassVar[bool]
    best: ClassVar[float]

    def measure(self, trial: Trial) -> Measurement:
        """Judge each sample of a trial.

        Args:
            trial: what may be looked at; nothing of it is written to.

        Returns:
            One number per sample, with a curve where one belongs to it.
        """
        ...


@runtime_checkable
class AsksAgain(Protocol):
    """A metric that explains again: it asks for a trial with the method that made the map.

    Random maps have no method; for a trial without one `measure` gives what a map without one scores.
    """

    needs_method: ClassVar[bool]


class Splits(Protocol):
    """Training, validation and test samples of one dataset."""

    @property
    def train(self) -> Batch:
        """Samples to learn from."""
        ...

    @property
    def validation(self) -> Batch:
        """Samples to choose by."""
        ...

    @property
    def test(self) -> Batch:
        """Samples to judge on."""
        ...


class Dataset(Protocol):
    """A dataset: a frozen bag of settings that makes its splits."""

    def load(self, seed: int) -> Splits:
        """Read or draw the samples.

        Args:
            seed: of what is drawn, splits included.

        Returns:
            The splits.
        """
        ...


@runtime_checkable
class Resumable(Protocol):
    """A causal model that can go on from the state it had before a step.

    With it a change at step t costs only the steps from t on.
    """

    @property
    def resumable(self) -> bool:
        """Whether this model, as configured, can do it."""
        ...

    def prefix_states(self, x: Tensor, starts: list[int], lengths: Tensor | None = None) -> list[Any]:
        """Run the unchanged inputs once and keep the state before some steps.

        Args:
            x: inputs, shape (batch, time, feature).
            starts: ascending steps.
            lengths: valid steps of each sample; None when all are.

        Returns:
            One state per start, to be given to `resume`.
        """
        ...

    def resume(self, state: Any, x: Tensor) -> Tensor:
        """Go on from a state.

        Args:
            state: of this model, before the first step of x.
            x: the remaining inputs, shape (copies, batch, rest, feature).

        Returns:
            Outputs, shape (copies, batch, classes).
        """
        ...


@runtime_checkable
class Attends(Protocol):
    """A model that can show how much attention each step received."""

    def attention(self, x: Tensor, lengths: Tensor | None = None) -> Tensor | None:
        """Return the attention of the prediction to each step.

        Args:
            x: inputs, shape (batch, time, feature).
            lengths: valid steps of each sample; None when all are.

        Returns:
            Weights, shape (batch, time), or None when this model has no attention.
        """
        ...
