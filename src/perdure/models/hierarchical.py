"""A recurrent encoder, and one decoder step that attends within event types, then across them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.models._encoder import Encoded
from perdure.models.attention import Attended, Attention, AttentionClassifier, Score
from perdure.ops.segment import segment_softmax, segment_sum

__all__ = ["Hierarchical", "HierarchicalClassifier"]

MARKS = 2**22
"""Number of marks of types that are processed at once."""


@dataclass(frozen=True)
class Hierarchical(Attention):
    r"""Classify a series of events with LSTMs and a decoder step that attends to steps of a type, then to types.

    .. math:: \alpha_{jk} = \mathrm{softmax}_{j \in k}(r_j), \quad c_k = \sum_j \alpha_{jk} h_j, \quad
        \beta = \mathrm{softmax}_k(q_k), \quad z = \sum_k \beta_k c_k

    Scores r and q of steps and of types have the form of `Attention`. Types that do not occur take no part, and a step
    of no type gets no attention, though the encoder has read it.

    Args:
        dense_size: Outputs of the linear layer that reads the series.
        hidden_sizes: Width of each LSTM of the encoder; the last is also that of attention and decoder.
        normalise: Whether the input of each LSTM is normalised over the batch.
        dropout: Fraction of the inputs of the second and later LSTMs that is dropped in training.
        types: Number of the last features that are event types, which the encoder does not read; 0 when all features
            are event types and are read. None resolves it from the data; without data it is 0.

    Raises:
        SettingError: For a value that cannot be used.

    Reference:
        ger2020reproducibility

    Notes:
        A step belongs to the types whose features are above half of the largest of them, and to none where no feature
        is positive. So a path from zero keeps the types of its end, and a step may hold events of several types. What
        a step belongs to has no gradient. The notes of `Attention` hold here too.
    """

    types: int | None = None

    def _network(self, features: int, classes: int) -> HierarchicalClassifier:
        return HierarchicalClassifier(self, features, classes)


class HierarchicalClassifier(AttentionClassifier):
    """The network of a `Hierarchical`.

    Each occurrence of a type at a step is a row of a table, so that time and memory of the attention follow the
    events and not the number of types.

    Args:
        config: Settings.
        features: Features of each step, event types included.
        classes: Number of outputs.

    Example:
        >>> model = Hierarchical(4, (5,)).build(3, 2, torch.Generator().manual_seed(0))
        >>> x = torch.eye(3)[2].expand(1, 4, 3)
        >>> [round(weight, 6) for weight in model.type_attention(x)[0].tolist()]
        [0.0, 0.0, 1.0]
    """

    def __init__(self, config: Hierarchical, features: int, classes: int) -> None:
        super().__init__(config, features, classes)
        self.types = config.types or features
        self.type_score = Score(config.hidden_sizes[-1])

    def type_attention(
        self, x: Float[Tensor, "batch time feature"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch type"]:
        """Return the attention of the prediction to each event type.

        Args:
            x: Series.
            lengths: Valid steps of each sample; None when all are.

        Returns:
            Weights that sum to one for each sample, zero where a type does not occur; all zero without any event.
        """
        levels = self._levels(self.encode(x, lengths), x)
        return x.new_zeros(len(x), self.types).index_put((levels.row, levels.kind), levels.weight)

    def attend(self, encoded: Encoded, x: Float[Tensor, "batch time feature"]) -> Attended:
        """Attend to the steps of each type, then to the types.

        Args:
            encoded: Result of `encode`.
            x: Series.

        Returns:
            The context of the decoder, and the weights behind it: of a step, the sum over its types.
        """
        return self._levels(encoded, x)

    def _levels(self, encoded: Encoded, x: Tensor) -> _Levels:
        row, step, kind = _members(x[..., -self.types :], encoded.mask)
        pairs, pair = torch.unique(row * self.types + kind, return_inverse=True)
        outputs, row_of = encoded.steps[row, step], pairs // self.types
        scores = self.score(encoded.output[:, None], encoded.steps)[row, step]
        within = segment_softmax(scores, pair, len(pairs))
        contexts = segment_sum(within[:, None] * outputs, pair, len(pairs))
        across = segment_softmax(self.type_score(encoded.output[row_of], contexts), row_of, len(x))
        context = segment_sum(across[:, None] * contexts, row_of, len(x))
        steps = context.new_zeros(x.shape[:2]).index_put((row, step), within * across[pair], accumulate=True)
        return _Levels(context, steps, row_of, pairs % self.types, across)


@dataclass(frozen=True, eq=False)
class _Levels(Attended):
    """The result of two levels of attention to series: for each pair of a sample and a type that occurs, its weight."""

    row: Int[Tensor, " pair"]
    kind: Int[Tensor, " pair"]
    weight: Float[Tensor, " pair"]


def _members(types: Float[Tensor, "batch time type"], mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """List sample, step and type of all events of valid steps; a few samples at a time, as marks take memory too."""
    rows = max(1, MARKS // max(1, types.shape[1] * types.shape[2]))
    parts = [
        _find_marks(*part) for part in zip(torch.split(types.detach(), rows), torch.split(mask, rows), strict=True)
    ]
    first = [part[0] + rows * number for number, part in enumerate(parts)]
    step, kind = (torch.cat([part[axis] for part in parts]) for axis in (1, 2))
    return torch.cat(first), step, kind


def _find_marks(types: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    largest = types.amax(2)
    limit = torch.where(mask & (largest > 0), largest / 2, torch.inf)
    row, step, kind = (types > limit[..., None]).nonzero(as_tuple=True)
    return row, step, kind
