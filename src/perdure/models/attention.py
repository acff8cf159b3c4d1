"""A recurrent encoder, and one decoder step that attends to its outputs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from perdure.core.check import check_counts, check_series
from perdure.core.errors import SettingError, ShapeError
from perdure.models._encoder import Encoded, Encoder, draw_recurrent

__all__ = ["AMAZON", "IMDB", "Attended", "Attention", "AttentionClassifier", "Score"]


@dataclass(frozen=True)
class Attention:
    r"""Classify a series with LSTMs and a decoder step that attends to their outputs.

    .. math:: a = \mathrm{softmax}_j(v^\top \tanh(W h_T + U h_j + b)), \quad z = \sum_j a_j h_j

    The decoder, an LSTM that starts from the last state of the encoder, takes one step with z as its input.

    Args:
        dense_size: Outputs of the linear layer that reads the series.
        hidden_sizes: Width of each LSTM of the encoder; the last is also that of attention and decoder.
        normalise: Whether the input of each LSTM is normalised over the batch.
        dropout: Fraction of the inputs of the second and later LSTMs that is dropped in training.
        types: Number of the last features that are the event types of a step, which the encoder does not read; None
            for that of the data.

    Raises:
        SettingError: For a value that cannot be used.

    Reference:
        ger2020reproducibility

    Notes:
        `IMDB` and `AMAZON` have the published layers. Gates are sigmoids where the published ones are hard sigmoids,
        dropout leaves the recurrence alone, and the softmax needs no small number in its denominator. The weights
        that the published decoder has for an input of zeros are left out; LSTMs have the two biases of torch.
    """

    dense_size: int = 32
    hidden_sizes: tuple[int, ...] = (32,)
    normalise: bool = False
    dropout: float = 0.0
    types: int | None = 0

    def __post_init__(self) -> None:
        check_counts(dense_size=self.dense_size, hidden_sizes=min(self.hidden_sizes, default=0))
        if not 0 <= self.dropout < 1:
            raise SettingError(f"dropout is {self.dropout}", "give a fraction of at least 0 and below 1")
        if self.types is not None and self.types < 0:
            raise SettingError(f"types is {self.types}", "give the number of features that are event types, or 0")

    def build(self, features: int, classes: int, generator: torch.Generator) -> AttentionClassifier:
        """Build the network with weights drawn from a generator; the global random state is neither read nor changed.

        Args:
            features: Features of each step, event types included.
            classes: Number of outputs.
            generator: Stream of the weights; the network is made on its device.

        Returns:
            A new network in training mode.
        """
        with torch.device("meta"):
            model = self._network(features, classes)
        model = model.to_empty(device=generator.device)
        model.reset_parameters(generator)
        return model

    def _network(self, features: int, classes: int) -> AttentionClassifier:
        return AttentionClassifier(self, features, classes)


IMDB = Attention(100, (128, 64, 16), normalise=True, dropout=0.2)
AMAZON = Attention(100, (128, 64), normalise=True, dropout=0.2)
"""The published layers for each of the data sets."""


@dataclass(frozen=True, eq=False)
class Attended:
    """The result of attention to series.

    Args:
        context: Weighted mean of the outputs.
        steps: Weight of each step; zero at padded ones.
    """

    context: Float[Tensor, "batch unit"]
    steps: Float[Tensor, "batch time"]


class AttentionClassifier(nn.Module):
    """The network of an `Attention`: encoder, attention, one decoder step and a linear head.

    Args:
        config: Settings.
        features: Features of each step, event types included.
        classes: Number of outputs.

    Example:
        >>> model = Attention(4, (5,)).build(3, 2, torch.Generator().manual_seed(0))
        >>> x, lengths = torch.zeros(2, 7, 3), torch.tensor([7, 1])
        >>> model(x, lengths=lengths).shape, model.attention(x, lengths)[1].tolist()
        (torch.Size([2, 2]), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    """

    def __init__(self, config: Attention, features: int, classes: int) -> None:
        super().__init__()
        check_counts(features=features, classes=classes)
        self.config, self.features, self.read = config, features, features - (config.types or 0)
        if self.read < 1:
            raise ShapeError(
                f"a step has {features} features, of which {config.types} are to be event types",
                "give fewer types, so that there is something for the encoder to read",
            )
        width = config.hidden_sizes[-1]
        self.encoder = Encoder(
            self.read,
            config.dense_size,
            config.hidden_sizes,
            normalise=config.normalise,
            dropout=config.dropout,
        )
        self.score = Score(width)
        self.decoder = nn.LSTMCell(width, width)
        self.head = nn.Linear(width, classes)

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw new weights, as Keras does.

        Args:
            generator: Stream to draw from.
        """
        self.encoder.reset_parameters(generator)
        draw_recurrent(self.decoder, generator)
        for module in self.modules():
            if isinstance(module, Score):
                module.reset_parameters(generator)
        nn.init.xavier_uniform_(self.head.weight, generator=generator)
        nn.init.zeros_(self.head.bias)

    def forward(
        self, x: Float[Tensor, "batch time feature"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch classes"]:
        """Classify series.

        Args:
            x: Series; the values at padded steps have no effect.
            lengths: Valid steps of each sample; None when all are.

        Returns:
            Logits.

        Raises:
            ShapeError: When x is not (batch, time, features).
            LengthError: When a length is not in 1..time.
        """
        encoded = self.encode(x, lengths)
        output = self.decoder(self.attend(encoded, x).context, (encoded.output, encoded.cell))[0]
        logits: Tensor = self.head(output)
        return logits

    def attention(
        self, x: Float[Tensor, "batch time feature"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch time"]:
        """Return the attention of the prediction to each step.

        Args:
            x: Series.
            lengths: Valid steps of each sample; None when all are.

        Returns:
            Weights that sum to one for each sample.
        """
        return self.attend(self.encode(x, lengths), x).steps

    def encode(self, x: Float[Tensor, "batch time feature"], lengths: Int[Tensor, " batch"] | None = None) -> Encoded:
        """Run the encoder on all features but the event types.

        Args:
            x: Series.
            lengths: Valid steps of each sample; None when all are.

        Returns:
            The input of the attention.
        """
        check_series(x, self.features, lengths)
        encoded: Encoded = self.encoder(x[..., : self.read], lengths)
        return encoded

    def attend(self, encoded: Encoded, x: Float[Tensor, "batch time feature"]) -> Attended:  # noqa: ARG002
        """Attend to the steps of series.

        Args:
            encoded: Result of `encode`.
            x: Series.

        Returns:
            The context of the decoder, and the weights behind it.
        """
        scores = self.score(encoded.output[:, None], encoded.steps).masked_fill(~encoded.mask, -torch.inf)
        weights = scores.softmax(1)
        return Attended((weights[..., None] * encoded.steps).sum(1), weights)


class Score(nn.Module):
    r"""Score outputs of an encoder: :math:`v^\top \tanh(W h_T + U h_j + b)`.

    Args:
        width: Width of an output, and of the hidden layer.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width)
        self.weight = nn.Linear(width, 1, bias=False)

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw new weights, Xavier uniform; the bias is zero.

        Args:
            generator: Stream to draw from.
        """
        for layer in (self.query, self.key, self.weight):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
        nn.init.zeros_(self.key.bias)

    def forward(
        self, last: Float[Tensor, "*batch unit"], outputs: Float[Tensor, "*batch unit"]
    ) -> Float[Tensor, "*batch"]:
        """Score each output.

        Args:
            last: Output at the end of its series.
            outputs: Outputs to score.

        Returns:
            Scores, before any softmax.
        """
        scores: Tensor = self.weight((self.query(last) + self.key(outputs)).tanh())
        return scores[..., 0]
