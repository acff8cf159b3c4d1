"""How many bits of its input a prediction needs, and its probability with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from perdure.attribution._attribute import attribute
from perdure.attribution.iba.noise import Noise
from perdure.attribution.input_iba import InputIBA
from perdure.core.batch import Batch, slice_batch
from perdure.core.estimate import Estimate
from perdure.core.metric import Score
from perdure.core.outputs import predict_classes
from perdure.core.query import Query
from perdure.core.random import stream, sub_seeds
from perdure.core.target import Logit, Probability
from perdure.engine.explain import SEEN
from perdure.engine.summaries import stored_scores
from perdure.metrics._summarise import summarise
from perdure.models._embed import embed_batch
from perdure.ops.bootstrap import bootstrap_interval
from perdure.ops.information import NATS_PER_BIT, capacity, mask_from_logits
from perdure.ops.sequence import lengths_of, site_mask
from perdure.records.parts import finished_parts, write_part
from perdure.records.scores import Case, score_table
from perdure.training.predict import predict

__all__ = ["COPIES", "SAMPLES", "estimate_information", "measure_information"]

SAMPLES = 16
"""Maximum number of samples whose mask an audit optimises; no answer depends on their mean."""

COPIES = 4
"""Draws of the noise, in the search and in the test of its result."""


def measure_information(
    model: nn.Module, batch: Batch, training: Batch, method: InputIBA, *, case: Case, folder: Path
) -> Score:
    r"""Optimise the masks of some samples, or read the stored result.

    The mask of `input_iba` transmits some bits of the input and replaces the others by noise with the moments of the
    training samples. The null is no bit at all; the ceiling is the capacity before the search, of a mask that is the
    same everywhere. A test with separate noise measures whether the bits are enough.

    Args:
        model: Classifier whose prediction is explained.
        batch: Samples to measure.
        training: Other samples, for the mean and standard deviation of the noise.
        method: Method without smoothing, so that its mask is that of the search.
        case: Names for the record.
        folder: Folder of the result.

    Returns:
        Bits of each sample; in aux the probability of the predicted class `with_bits`, `without` any and with
        `everything`, and whether the search `converged`.
    """
    if 0 not in finished_parts(folder):
        fitted = method.fit(model, slice_batch(training, slice(0, SEEN)))
        predicted = predict_classes(model, predict(model, batch))
        score = _measure(model, embed_batch(model, batch), predicted, fitted, case.seed)
        write_part(folder, 0, score_table(score, batch.id, case))
    return stored_scores(folder)["information"]


def estimate_information(score: Score, seed: int) -> tuple[Estimate, Estimate]:
    """Average the bits and the probability with them, with bootstrap intervals.

    Args:
        score: Result of `measure_information`.
        seed: Seed of the bootstrap.

    Returns:
        The bits, between none and those of an even mask; the probability that the prediction keeps, between that
        from noise alone and that from the whole input.
    """
    bits = replace(
        summarise(score, stream(seed, "bootstrap", "bits")),
        name="bits at the end of the search" + _describe_failures(score.aux.get("converged")),
    )
    kept = score.aux["with_bits"]
    low, high = bootstrap_interval(kept, stream(seed, "bootstrap", "kept"))
    without, everything = (score.aux[name].mean().item() for name in ("without", "everything"))
    name, mean = "probability that it keeps with them", kept.mean().item()
    interval = low.item(), high.item()
    return bits, Estimate(mean, without, everything, interval, len(kept), name, higher_is_better=True)


def _describe_failures(converged: Tensor | None) -> str:
    """Name the number of samples whose search did not converge; runs stored by earlier versions have none."""
    if converged is None or converged.all():
        return ""
    return f" (the search did not converge for {int((converged == 0).sum())} of {len(converged)} samples)"


def _measure(model: nn.Module, batch: Batch, predicted: Tensor, method: InputIBA, seed: int) -> Score:
    generator = stream(seed, "information")
    target, lengths = Logit(predicted), lengths_of(batch.mask)
    result = attribute(model, batch.inputs, method, target=target, lengths=lengths, generator=generator)
    noise = method.input_noise(batch.inputs)
    seeds = sub_seeds(stream(seed, "information", "test"), len(batch))
    query = Query(model, batch.inputs, Probability(predicted), batch.mask, seeds)
    bits = result.aux["bits"].flatten(1).sum(1)
    null, ceiling = torch.zeros_like(bits), _count_bits_before(query, noise, method)
    aux = {**_measure_probabilities(query, noise, result.aux["mask"]), "converged": result.aux["converged"].double()}
    return Score("information", bits, null, ceiling, aux=aux)


def _count_bits_before(query: Query, noise: Noise, method: InputIBA) -> Tensor:
    """Count the bits that the initial mask of the search transmits."""
    x = (query.x - noise.mean) / noise.std
    nats = capacity(mask_from_logits(torch.full_like(x, method.first_logit)), x)
    return nats.masked_fill(~site_mask(query.mask, x), 0.0).flatten(1).sum(1) / NATS_PER_BIT


def _measure_probabilities(query: Query, noise: Noise, mask: Tensor) -> Mapping[str, Tensor]:
    """Measure the probability of the predicted class with these bits, without any, and with the whole input."""
    replacement = noise.draw(query, COPIES, "information")
    return {
        "with_bits": query.value(mask * query.x + (1 - mask) * replacement).mean(0),
        "without": query.value(replacement).mean(0),
        "everything": query.value(query.x),
    }
