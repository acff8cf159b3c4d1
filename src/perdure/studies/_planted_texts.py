"""Texts with known words, and the networks that read them."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from perdure.ops.sequence import length_mask
from perdure.studies._planted_model import PlantedModel
from perdure.studies._planted_series import OPPOSED, OPPOSITE, SAMPLES, Planted

__all__ = [
    "WORDS",
    "plant_keywords",
    "plant_negation",
    "plant_openings",
    "plant_phrases",
    "plant_saturating_words",
    "plant_sentiment",
    "plant_topics",
]

WORDS, DIMS, LONGEST = 30, 6, 16
FIRST = 2
"""Id of the first word: those before are of unknown words and padding."""


def plant_sentiment(draw: torch.Generator) -> Planted:
    """Add the scores of good and bad words."""
    ids, mask, vectors = _draw_texts(draw, 10)
    scores = torch.tensor([0.5, 0.7, 0.9, 1.1, 1.3])
    vectors[FIRST : FIRST + 10, 0] = torch.cat([scores, -scores])
    bad = torch.randint(2, (SAMPLES, 1), generator=draw)
    most = torch.randint(5, (SAMPLES, 3), generator=draw) + 5 * bad
    least = torch.randint(5, (SAMPLES, 1), generator=draw) + 5 * (1 - bad)
    _put_words(draw, ids, mask, FIRST + torch.cat([most, least], 1))
    return Planted(_read_words(vectors, torch.ones(1, 1, 1), 0.0, OPPOSITE, "identity"), ids, mask)


def plant_saturating_words(draw: torch.Generator) -> Planted:
    """Add the hyperbolic tangent of the score of every word."""
    ids, mask, vectors = _draw_texts(draw, 0)
    vectors[FIRST:, 0] = torch.randn(WORDS - FIRST, generator=draw)
    return Planted(_read_words(vectors, torch.full((1, 1, 1), 1.5), 0.0, OPPOSITE, "tanh"), ids, mask)


def plant_keywords(draw: torch.Generator) -> Planted:
    """Detect the keywords of two classes by a threshold that other words do not reach."""
    ids, mask, vectors = _draw_texts(draw, 8)
    vectors[FIRST : FIRST + 8, 0] = torch.tensor([1.0, -1.0]).repeat_interleave(4)
    vectors[FIRST + 8 :, 0] = 0.4 * torch.randn(WORDS - FIRST - 8, generator=draw).clamp(-1, 1)
    side = torch.randint(2, (SAMPLES, 1), generator=draw)
    _put_words(draw, ids, mask, FIRST + torch.randint(4, (SAMPLES, 2), generator=draw) + 4 * side)
    return Planted(_read_words(vectors, torch.tensor([[[1.0]], [[-1.0]]]), -0.5, OPPOSED, "relu"), ids, mask)


def plant_negation(draw: torch.Generator) -> Planted:
    """Detect a good or bad word after the word that introduces it; neither alone has an effect."""
    ids, mask, vectors = _draw_texts(draw, 3)
    vectors[FIRST : FIRST + 3, 0] = torch.tensor([1.0, 2.0, -2.0])
    side = torch.randint(2, (SAMPLES,), generator=draw)
    _put_phrase(draw, ids, mask, torch.stack([torch.zeros_like(side), 1 + side], 1))
    weight = torch.tensor([[1.0, 1.0], [1.0, -1.0]])[..., None]
    return Planted(_read_words(vectors, weight, -1.5, OPPOSED, "relu"), ids, mask)


def plant_phrases(draw: torch.Generator) -> Planted:
    """Detect one of two phrases of three words, whose words in another order have no effect."""
    ids, mask, vectors = _draw_texts(draw, 3)
    vectors[FIRST : FIRST + 3, :3] = torch.eye(3)
    side = torch.randint(2, (SAMPLES,), generator=draw)
    phrases = torch.tensor([[0, 1, 2], [2, 1, 0]])
    _put_phrase(draw, ids, mask, phrases[side])
    _put_words(draw, ids, mask, FIRST + torch.randint(3, (SAMPLES, 1), generator=draw))
    return Planted(_read_words(vectors, torch.eye(3)[phrases], -1.5, OPPOSED, "relu"), ids, mask)


def plant_topics(draw: torch.Generator) -> Planted:
    """Add the scores of words for three topics."""
    ids, mask, vectors = _draw_texts(draw, 12)
    vectors[FIRST : FIRST + 12, :3] = torch.eye(3).repeat_interleave(4, 0) * (0.5 + torch.rand(12, 1, generator=draw))
    topic = torch.randint(3, (SAMPLES, 1), generator=draw)
    other = torch.randint(12, (SAMPLES, 2), generator=draw)
    _put_words(
        draw, ids, mask, FIRST + torch.cat([torch.randint(4, (SAMPLES, 4), generator=draw) + 4 * topic, other], 1)
    )
    readout = 1.5 * torch.eye(3) - 0.5
    return Planted(_read_words(vectors, torch.eye(3)[:, None], 0.0, readout, "identity"), ids, mask)


def plant_openings(draw: torch.Generator) -> Planted:
    """Weigh the scores of words by their place, the first ones most, up to a largest logit."""
    ids, mask, vectors = _draw_texts(draw, 0)
    vectors[FIRST:, 0] = torch.randn(WORDS - FIRST, generator=draw)
    model = _read_words(vectors, torch.ones(1, 1, 1), 0.0, OPPOSITE, "identity", saturation=3.0)
    model.hidden["weight"].data = model.hidden["weight"].data * (0.85 ** torch.arange(LONGEST))[:, None, None, None]
    return Planted(model, ids, mask)


def _draw_texts(
    draw: torch.Generator, used: int
) -> tuple[Int[Tensor, "batch time"], Bool[Tensor, "batch time"], Float[Tensor, "word feature"]]:
    """Draw texts of meaningless words, and vectors: the first three numbers are those that networks read."""
    lengths = torch.randint(9, LONGEST + 1, (SAMPLES,), generator=draw)
    lengths[0] = LONGEST
    ids = torch.randint(FIRST + used, WORDS, (SAMPLES, LONGEST), generator=draw)
    vectors = torch.randn(WORDS, DIMS, generator=draw)
    vectors[:, :3] = 0
    vectors[:FIRST] = 0
    vectors[FIRST : FIRST + used] *= 0.3
    return ids, length_mask(lengths, LONGEST), vectors


def _put_words(draw: torch.Generator, ids: Tensor, mask: Tensor, words: Int[Tensor, "batch word"]) -> None:
    """Write words over different valid places, in place."""
    order = torch.rand(ids.shape, generator=draw).masked_fill(~mask, 2.0).argsort(1)[:, : words.shape[1]]
    ids[torch.arange(len(ids))[:, None], order] = words


def _put_phrase(draw: torch.Generator, ids: Tensor, mask: Tensor, words: Int[Tensor, "batch word"]) -> None:
    """Write neighbouring words over one place, in place."""
    size = words.shape[1]
    start = (torch.rand(len(ids), generator=draw) * (mask.sum(1) - size + 1)).long()
    ids[torch.arange(len(ids))[:, None], start[:, None] + torch.arange(size)] = FIRST + words


def _read_words(
    vectors: Tensor,
    weight: Float[Tensor, "hidden word number"],
    bias: float,
    readout: Tensor,
    activation: str,
    saturation: float | None = None,
) -> PlantedModel:
    """Read windows of neighbouring words by the first numbers of their vectors."""
    hidden, size, numbers = weight.shape
    full = torch.zeros(hidden, size, DIMS)
    full[..., :numbers] = weight
    return PlantedModel(
        torch.arange(LONGEST - size + 1)[:, None] + torch.arange(size),
        full[None],
        torch.full((hidden,), bias),
        readout,
        activation=activation,
        granularity="position",
        saturation=saturation,
        embedding=vectors,
    )
