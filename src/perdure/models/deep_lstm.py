"""Deep LSTM: an embedding and stacked LSTMs for texts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from perdure.core.batch import PAD, SPECIAL
from perdure.core.check import check_counts, check_ids, check_series
from perdure.core.errors import SettingError
from perdure.models._dropout import Dropout
from perdure.ops.sequence import last_valid, length_mask

__all__ = ["DeepLSTM", "DeepLSTMClassifier"]


@dataclass(frozen=True)
class DeepLSTM:
    """Classify a text with stacked LSTMs.

    Args:
        embedding_size: Size of the embedding of a word.
        hidden_size: Width of the state of each LSTM.
        layers: Number of stacked LSTMs.
        dropout: Fraction of embedding coordinates, and of the inputs of the head, dropped in training.

    Raises:
        SettingError: For a value that cannot be used.

    Reference:
        zhang2021inputiba

    Notes:
        The published network has one output for two classes, begins from GloVe vectors, and names a dropout between
        the LSTMs that has no effect; here there is one output for each class, and all weights are drawn.
    """

    embedding_size: int = 100
    hidden_size: int = 256
    layers: int = 4
    dropout: float = 0.5

    def __post_init__(self) -> None:
        check_counts(embedding_size=self.embedding_size, hidden_size=self.hidden_size, layers=self.layers)
        if not 0 <= self.dropout < 1:
            raise SettingError(f"dropout is {self.dropout}", "give a fraction of at least 0 and below 1")

    def build(self, features: int, classes: int, generator: torch.Generator) -> DeepLSTMClassifier:
        """Build the network with weights drawn from a generator; the global random state is neither read nor changed.

        Args:
            features: Number of words of the vocabulary, of which the first two are for unknown words and for padding.
            classes: Number of outputs.
            generator: Stream of the weights; the network is made on its device.

        Returns:
            A new network in training mode.

        Raises:
            SettingError: For a vocabulary without a word.
        """
        with torch.device("meta"):
            model = DeepLSTMClassifier(self, features, classes)
        model = model.to_empty(device=generator.device)
        model.reset_parameters(generator)
        return model


class DeepLSTMClassifier(nn.Module):
    """The network of a `DeepLSTM`: embedding, dropout, LSTMs `rnn_1` to `rnn_4`, dropout and a linear head.

    The head reads the output of the last LSTM at the last valid step, so that a change of that output, as a
    bottleneck makes, changes the prediction.

    Args:
        config: Settings.
        features: Number of words of the vocabulary.
        classes: Number of outputs.

    Example:
        >>> model = DeepLSTM(5, 6).build(30, 2, torch.Generator().manual_seed(0)).eval()
        >>> ids, lengths = torch.tensor([[2, 29, 1], [3, 0, 4]]), torch.tensor([2, 3])
        >>> bool((model(ids, lengths=lengths) == model(model.embed(ids), lengths=lengths)).all())
        True
    """

    def __init__(self, config: DeepLSTM, features: int, classes: int) -> None:
        super().__init__()
        check_counts(classes=classes)
        if features <= len(SPECIAL):
            raise SettingError(
                f"the vocabulary has {features} words",
                "give those for unknown words and padding, and at least one more",
            )
        self.config = config
        self.features = features
        self.embedding = nn.Embedding(features, config.embedding_size, padding_idx=PAD)
        self.embedding_dropout = Dropout(config.dropout)
        sizes = [config.embedding_size, *[config.hidden_size] * config.layers]
        for layer in range(config.layers):
            self.add_module(f"rnn_{layer + 1}", nn.LSTM(sizes[layer], sizes[layer + 1], batch_first=True))
        self.output_dropout = Dropout(config.dropout)
        self.head = nn.Linear(config.hidden_size, classes)

    @property
    def recurrences(self) -> list[nn.Module]:
        """The LSTMs, from the embedding up."""
        return [self.get_submodule(f"rnn_{layer + 1}") for layer in range(self.config.layers)]

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw new weights, as torch does; the embedding of padding is zero.

        Args:
            generator: Stream to draw from.
        """
        nn.init.normal_(self.embedding.weight, generator=generator)
        nn.init.zeros_(self.embedding.weight[PAD].detach())
        bound = self.config.hidden_size**-0.5
        for layer in (*self.recurrences, self.head):
            for weight in layer.parameters():
                nn.init.uniform_(weight, -bound, bound, generator=generator)

    def embed(self, ids: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time feature"]:
        """Look words up.

        Args:
            ids: Ids of the words.

        Returns:
            Their embeddings, as `forward` takes them.

        Raises:
            ShapeError: When the ids are no whole numbers (batch, time).
            VocabularyError: When one lies outside the vocabulary.
        """
        check_ids(ids, self.features)
        embeddings: Tensor = self.embedding(ids)
        return embeddings

    def forward(
        self,
        x: Int[Tensor, "batch time"] | Float[Tensor, "batch time feature"],
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch classes"]:
        """Classify texts.

        Args:
            x: Token ids, or their embeddings; the values at padded steps have no effect.
            lengths: Valid steps of each sample; None when all are.

        Returns:
            Logits.

        Raises:
            ShapeError: When x is neither.
            LengthError: When a length is not in 1..time: an empty text has no class.
            VocabularyError: When an id lies outside the vocabulary.
        """
        if not x.is_floating_point():
            x = self.embed(x)
        check_series(x, self.config.embedding_size, lengths)
        mask = None if lengths is None else length_mask(lengths.to(x.device), x.shape[1])
        read = self.embedding_dropout(x)
        for recurrence in self.recurrences:
            read = recurrence(read)[0]
        logits: Tensor = self.head(self.output_dropout(last_valid(read, mask)))
        return logits
