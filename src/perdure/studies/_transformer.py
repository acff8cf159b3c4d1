"""A small transformer for texts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import silu

from perdure.core.batch import PAD
from perdure.core.check import check_ids, check_series
from perdure.models._weights import build_network
from perdure.ops.sequence import length_mask

__all__ = ["Transformer", "TransformerClassifier"]


@dataclass(frozen=True)
class Transformer:
    """Classify a text with an encoder of a transformer, whose outputs are averaged over the words.

    Args:
        size: Size of the embedding of a word, and of its output in each layer.
        heads: Heads of attention.
        layers: Number of layers.
        dropout: Fraction that is dropped in training.
        longest: Maximum number of words of a text.
    """

    size: int = 64
    heads: int = 4
    layers: int = 2
    dropout: float = 0.3
    longest: int = 400

    def build(self, features: int, classes: int, generator: torch.Generator) -> TransformerClassifier:
        """Build the network with weights drawn from a generator; the global random state is neither read nor changed.

        Args:
            features: Number of words of the vocabulary.
            classes: Number of outputs.
            generator: Stream of the weights.

        Returns:
            A new network in training mode.
        """
        model = build_network(lambda: TransformerClassifier(self, features, classes), generator)
        model.draw_other_weights(generator)
        return model


class TransformerClassifier(nn.Module):
    """The network of a `Transformer`: embeddings of words and positions, layers, mean over words, and a head.

    Args:
        config: Settings.
        features: Number of words of the vocabulary.
        classes: Number of outputs.

    Example:
        >>> model = Transformer(8, 2).build(30, 2, torch.Generator().manual_seed(0)).eval()
        >>> ids, lengths = torch.tensor([[2, 29, 1], [3, 0, 4]]), torch.tensor([2, 3])
        >>> torch.allclose(model(ids, lengths), model(model.embed(ids), lengths))
        True
    """

    def __init__(self, config: Transformer, features: int, classes: int) -> None:
        super().__init__()
        self.config, self.features = config, features
        self.embedding = nn.Embedding(features, config.size, padding_idx=PAD)
        self.position = nn.Embedding(config.longest, config.size)
        self.dropout = nn.Dropout(config.dropout)
        # With silu torch uses one implementation, with and without gradients.
        layer = nn.TransformerEncoderLayer(
            config.size, config.heads, 2 * config.size, config.dropout, silu, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(
            layer, config.layers, nn.LayerNorm(config.size), enable_nested_tensor=False
        )
        self.head = nn.Linear(config.size, classes)

    def draw_other_weights(self, generator: torch.Generator) -> None:
        """Draw the weights of embeddings and attention, and set those of normalisation.

        Args:
            generator: Stream to draw from.
        """
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.1, generator=generator)
            elif isinstance(module, nn.LayerNorm):
                module.reset_parameters()
            elif isinstance(module, nn.MultiheadAttention):
                nn.init.xavier_uniform_(module.in_proj_weight, generator=generator)
                nn.init.zeros_(module.in_proj_bias)

    def embed(self, ids: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time feature"]:
        """Look words up.

        Args:
            ids: Ids of the words.

        Returns:
            Their embeddings, without positions.
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
        """
        x = x if x.is_floating_point() else self.embed(x)
        check_series(x, self.config.size, lengths)
        steps = torch.arange(x.shape[1], device=x.device)
        lengths = torch.full((len(x),), x.shape[1], device=x.device) if lengths is None else lengths.to(x.device)
        valid = length_mask(lengths, x.shape[1])
        read = self.encoder(self.dropout(x + self.position(steps)), src_key_padding_mask=~valid)
        mean = (read * valid[..., None]).sum(1) / lengths[:, None]
        logits: Tensor = self.head(mean)
        return logits
