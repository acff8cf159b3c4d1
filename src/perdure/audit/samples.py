"""Descriptions and arrays of the samples that an audit shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from perdure.audit.explain import ExplainedModel
from perdure.audit.modality import Modality
from perdure.core.batch import Batch
from perdure.core.outputs import predict_classes
from perdure.core.random import stream
from perdure.metrics.vanishing import mass_by_distance
from perdure.ops.bootstrap import bootstrap_interval
from perdure.ops.position import to_positions
from perdure.ops.sequence import site_mask
from perdure.stability.members import TrainedModel
from perdure.training.predict import predict

__all__ = ["FEWEST", "SHOWN", "collect_arrays", "describe_samples", "describe_size", "title_samples"]

SHOWN = 6
"""Number of samples whose maps the page shows."""

FEWEST = 10
"""Number of samples that intervals and comparisons need."""


def describe_size(batch: Batch) -> str:
    """Describe the size of the samples, which reveals data in a wrong layout.

    Args:
        batch: Samples of any modality.

    Returns:
        Steps and features, tokens, or channels and pixels.

    Example:
        >>> import torch
        >>> describe_size(Batch(torch.zeros(2, 5, 3), torch.zeros(2).long()))
        '5 steps of 3 features'
    """
    sizes = batch.inputs.shape[1:]
    upto = "up to " if batch.mask is not None and not batch.mask.all() else ""
    if len(sizes) == 1:
        return f"{upto}{_count(sizes[0], 'token')}"
    if len(sizes) == 2:
        return f"{upto}{_count(sizes[0], 'step')} of {_count(sizes[1], 'feature')}"
    return " x ".join(map(str, sizes))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def title_samples(models: Sequence[TrainedModel], batch: Batch, classes: Sequence[str]) -> list[str]:
    """Title each sample with its class and its predictions.

    Args:
        models: Models that predict the samples.
        batch: Labelled samples.
        classes: Names of the classes.

    Returns:
        One title per sample.
    """
    predictions = [
        (trained.name, predict_classes(trained.model, predict(trained.model, batch)).tolist()) for trained in models
    ]
    result = []
    for place, label in enumerate(batch.label.tolist()):
        predicted = (
            f"{classes[labels[place]]}{f' by {name}' if len(models) > 1 else ''}" for name, labels in predictions
        )
        wrong = any(labels[place] != label for _, labels in predictions)
        mark = " (wrong)" if wrong else ""
        result.append(f"{batch.id[place]}: class {classes[label]}, predicted {' and '.join(predicted)}{mark}")
    return result


def describe_samples(models: Sequence[TrainedModel], batch: Batch, tested: int) -> tuple[str, ...]:
    """Describe what is special about the explained samples and limits the verdicts.

    Args:
        models: Explained models.
        batch: Explained samples.
        tested: Number of these samples, the first, for the verdict down to the input.

    Returns:
        One sentence for too few samples, for a single class, and for each model that predicts none of them right.
    """
    few = min(tested, len(batch))
    notes = []
    if few < FEWEST:
        subject = "Only 1 sample is" if few == 1 else f"Only {few} samples are"
        notes.append(f"{subject} tested: intervals over fewer than {FEWEST} are too narrow, and methods are hardly ")
        notes[-1] += "distinguished."
    if len(set(batch.label.tolist())) == 1:
        notes.append(f"All {len(batch)} explained samples are of one class: nothing is known of the others.")
    for trained in models:
        right = predict_classes(trained.model, predict(trained.model, batch)).cpu() == batch.label.cpu()
        if not right.any():
            notes.append(f"{trained.name} predicts none of the {len(batch)} explained samples right: the maps explain ")
            notes[-1] += "wrong predictions."
    return tuple(notes)


def collect_arrays(
    explained: Mapping[str, ExplainedModel], batch: Batch, modality: Modality, seed: int
) -> Mapping[str, np.ndarray]:
    """Collect the arrays of the page.

    Args:
        explained: Explanations by their names on the page.
        batch: Explained samples.
        modality: Modality of the data.
        seed: Seed of the bootstrap.

    Returns:
        Inputs, truth and maps of the shown samples, each word or pixel as a whole; for data in time also the profile
        of each explanation, and for series its mean map.
    """
    result = {"inputs": _blank_padding(batch.inputs[:SHOWN].float(), batch)}
    if batch.truth is not None:
        result |= _collect_truth(batch.truth, batch, modality)
    for name, item in explained.items():
        result[f"map/{name}"] = _blank_padding(_sum_positions(item.maps[:SHOWN], modality), batch)
        if modality.in_time:
            result[f"profile/{name}"] = _estimate_band(_profile(item.maps, batch), seed)
        if modality.in_time and modality.granularity == "element":
            result[f"mean_map/{name}"] = _average_steps(item.maps.abs(), batch)
    return result


def _collect_truth(truth: Tensor, batch: Batch, modality: Modality) -> dict[str, np.ndarray]:
    result = {"truth": truth[:SHOWN].any(1).numpy() if truth.ndim == 4 else truth[:SHOWN].numpy()}
    if modality.in_time:
        steps = truth if truth.ndim == 3 else truth[..., None]
        result["truth_profile"] = _profile(steps.float(), batch).nanmean(0).numpy()
    if truth.ndim == 3 and (truth == truth[:1]).all():
        result["mean_truth"] = truth[0].numpy()
    return result


def _sum_positions(maps: Tensor, modality: Modality) -> Tensor:
    return to_positions(maps) if modality.granularity == "position" else maps


def _average_steps(maps: Tensor, batch: Batch) -> np.ndarray:
    """Average each step over the series that have it; NaN, which is transparent, where none has."""
    mean: np.ndarray = maps.masked_fill(~site_mask(batch.mask, maps), float("nan")).nanmean(0).numpy()
    return mean


def _profile(maps: Tensor, batch: Batch) -> Tensor:
    """Measure the mass of each step relative to an even map of the same series, divided by the longest length.

    A series counts with its own length: it is NaN beyond its first step, so that short series do not lower the mean of
    distances that they do not have.
    """
    valid = site_mask(batch.mask, maps)[..., 0]
    lengths = valid.sum(1, keepdim=True)
    longest = int(lengths.max())
    mass = mass_by_distance(maps, valid)[:, :longest] * lengths / longest
    return mass.masked_fill(torch.arange(longest) >= lengths, float("nan"))


def _estimate_band(profile: Tensor, seed: int) -> np.ndarray:
    """Estimate mean and interval of each distance over the series that are long enough."""
    generator, band = stream(seed, "bootstrap", "profile"), torch.empty(3, profile.shape[1], dtype=profile.dtype)
    counts = (~profile.isnan()).sum(0)
    for count in counts.unique_consecutive():
        where = counts == count  # the same series have all of these distances
        values = profile[:, where]
        values = values[~values.isnan().any(1)]
        band[:, where] = torch.stack([values.mean(0), *bootstrap_interval(values, generator)])
    return band.numpy()


def _blank_padding(values: Tensor, batch: Batch) -> np.ndarray:
    """Set padded steps to NaN, which is transparent on the page."""
    mask = None if batch.mask is None else batch.mask[: len(values)]
    blank: np.ndarray = values.masked_fill(~site_mask(mask, values), float("nan")).numpy()
    return blank
