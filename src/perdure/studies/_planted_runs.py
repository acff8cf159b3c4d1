"""Training runs that agree or disagree by construction, although their predictions are nearly the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from types import MappingProxyType
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.ops.correlation import spearman

__all__ = ["DEVELOPMENT_RUNS", "HELD_OUT_RUNS", "RUNS", "PlantedRuns", "find_truth", "make_runs"]

WRONG = 0.04
"""Fraction of labels that are changed, so that no accuracy is 1."""

MANY = 500
"""Samples from which the true agreement is computed."""


@dataclass(frozen=True)
class RunsRecipe:
    """How the runs of a network come to their predictions.

    Part of the evidence is in the inputs once, so that all runs read it; the other part is there as often as there are
    runs, and each run reads a copy of it. Explanations of the copies differ, and predictions do not.

    Args:
        common: Numbers that all runs read.
        own: Numbers that are there once for each run.
        opposed: Weight of the next copy, which a run subtracts; its own copy has one plus this weight.
        noise: Standard deviation of the weights of a run, as a fraction of the weights.
        activation: Function of each weighted number.
        runs: Number of runs.
        permuted: Whether labels are permuted before training, so that nothing can be learned.
    """

    common: int
    own: int = 0
    opposed: float = 0.0
    noise: float = 0.0
    activation: Literal["identity", "tanh"] = "identity"
    runs: int = 6
    permuted: bool = False


@dataclass(frozen=True, eq=False)
class PlantedRuns:
    """Predictions and exact contributions of some runs.

    Args:
        maps: Contributions to the logit of the predicted class.
        predicted: Predicted class.
        label: Class of each sample.
    """

    maps: Float[Tensor, "run sample element"]
    predicted: Int[Tensor, "run sample"]
    label: Int[Tensor, " sample"]


def make_runs(recipe: RunsRecipe, samples: int, generator: torch.Generator) -> PlantedRuns:
    """Make the runs of a recipe.

    Args:
        recipe: Recipe.
        samples: Number of samples.
        generator: Random stream of samples and weights.

    Returns:
        The runs.
    """
    act = torch.tanh if recipe.activation == "tanh" else torch.nn.Identity()
    weight = torch.randn(recipe.common + recipe.own, generator=generator)
    copies = torch.eye(recipe.runs)
    of_copy = (1 + recipe.opposed) * copies - recipe.opposed * copies.roll(1, 1)
    of_own = (of_copy[..., None] * weight[recipe.common :]).flatten(1)
    weights = torch.cat([weight[: recipe.common].expand(recipe.runs, -1), of_own], 1)
    weights = weights * (1 + recipe.noise * torch.randn(weights.shape, generator=generator))
    evidence = torch.randn(samples, recipe.common + recipe.own, generator=generator)
    common, own = evidence[:, : recipe.common], evidence[:, recipe.common :]
    inputs = torch.cat([common, own.repeat(1, recipe.runs)], 1)
    contributions = weights[:, None] * act(inputs)
    logit = contributions.sum(2)
    predicted = (logit > 0).long()
    truth = (act(evidence) @ weight > 0).long()
    wrong = torch.rand(samples, generator=generator) < WRONG
    label = torch.where(wrong, 1 - truth, truth)
    if recipe.permuted:
        label = label[torch.randperm(samples, generator=generator)]
    return PlantedRuns(contributions * logit.sign()[..., None], predicted, label)


def find_truth(recipe: RunsRecipe, generator: torch.Generator) -> tuple[float, float]:
    """Compare the runs on many samples.

    Args:
        recipe: Recipe.
        generator: Stream of the same seed as that of the runs, so that their weights are the same.

    Returns:
        Mean rank correlation of the maps of two runs on samples with equal predictions, and fraction of these samples.
    """
    runs = make_runs(recipe, MANY, generator)
    correlations, fractions = [], []
    for i, j in combinations(range(recipe.runs), 2):
        alike = runs.predicted[i] == runs.predicted[j]
        pair = runs.maps[i, alike], runs.maps[j, alike]
        correlations.append(spearman(*pair, torch.ones_like(pair[0], dtype=torch.bool)).mean())
        fractions.append(alike.double().mean())
    return torch.stack(correlations).mean().item(), torch.stack(fractions).mean().item()


DEVELOPMENT_RUNS: Mapping[str, RunsRecipe] = MappingProxyType(
    {
        "same": RunsRecipe(24, noise=0.05),
        "similar": RunsRecipe(24, noise=0.1),
        "similar, three runs": RunsRecipe(36, noise=0.1, runs=3),
        "one of 25 own": RunsRecipe(24, 1, noise=0.05, runs=5),
        "two of 26 own": RunsRecipe(24, 2, runs=8),
        "half own": RunsRecipe(12, 12),
        "half own, three runs": RunsRecipe(12, 12, noise=0.1, runs=3),
        "most own": RunsRecipe(16, 12, runs=5),
        "third own, opposed": RunsRecipe(24, 8, opposed=1.0, runs=8),
        "own": RunsRecipe(0, 12),
        "own, three runs": RunsRecipe(0, 16, noise=0.1, runs=3),
        "own, opposed": RunsRecipe(0, 12, opposed=1.0, runs=5),
        "nearly own": RunsRecipe(2, 16, runs=8),
        "permuted labels": RunsRecipe(24, permuted=True),
    }
)
"""Recipes on which the thresholds across runs are chosen."""

HELD_OUT_RUNS: Mapping[str, RunsRecipe] = MappingProxyType(
    {
        f"saturating: {name}": replace(recipe, activation="tanh")
        for name, recipe in {
            "same": RunsRecipe(30, noise=0.04, runs=5),
            "similar": RunsRecipe(20, noise=0.1, runs=8),
            "similar, four runs": RunsRecipe(30, noise=0.08, runs=4),
            "one of 31 own": RunsRecipe(30, 1),
            "two of 32 own": RunsRecipe(30, 2, noise=0.05),
            "half own": RunsRecipe(15, 15),
            "half own, four runs": RunsRecipe(10, 10, runs=4),
            "most own": RunsRecipe(24, 18, noise=0.1, runs=7),
            "third own, opposed": RunsRecipe(24, 10, opposed=0.8, runs=7),
            "own": RunsRecipe(0, 20),
            "own, four runs": RunsRecipe(0, 12, noise=0.2, runs=4),
            "own, opposed": RunsRecipe(0, 15, opposed=0.5, runs=5),
            "nearly own": RunsRecipe(3, 24, runs=6),
            "permuted labels": RunsRecipe(20, permuted=True, runs=5),
        }.items()
    }
)
"""Recipes of other runs, on which error rates are measured."""

RUNS = MappingProxyType({**DEVELOPMENT_RUNS, **HELD_OUT_RUNS})
