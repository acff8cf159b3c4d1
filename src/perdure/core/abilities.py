"""What a model may be able to do beyond computing outputs, and what an architecture provides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

__all__ = ["Architecture", "HasAttention", "HasEmbedding", "HasSideInputs", "JoinsStates", "Resumable"]


@runtime_checkable
class HasEmbedding(Protocol):
    """A model of token ids that also accepts their embeddings.

    Called with whole numbers (batch, time) it embeds them; called with floats (batch, time, feature) it takes
    them for embeddings. Explanations use embeddings.
    """

    def embed(self, ids: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time feature"]:
        """Embed tokens.

        Args:
            ids: Token ids.

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
            features: Size of the input: features of a step or a row, channels of an image, words of a vocabulary.
            classes: number of outputs.
            generator: the stream of the weights; the network is made on its device.

        Returns:
            A new network in training mode.
        """
        ...


@runtime_checkable
class Resumable(Protocol):
    """A causal model that can resume from its state before a step.

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
        """Resume from a state.

        Args:
            state: State of this model before the first step of x.
            x: the remaining inputs, shape (copies, batch, rest, feature).

        Returns:
            Outputs, shape (copies, batch, classes).
        """
        ...


@runtime_checkable
class JoinsStates(Protocol):
    """A resumable model that can resume from the states before several steps in one batch."""

    def join_states(self, states: list[Any]) -> Any:
        """Join states along the batch.

        Args:
            states: States of the same samples, from `prefix_states`.

        Returns:
            The state of all of them, one after the other, to be given to `resume`.
        """
        ...


@runtime_checkable
class HasAttention(Protocol):
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
