"""Sanity check: how much of a map is left when the model has forgotten what it learnt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from perdure.core.attribution import Attribution
from perdure.core.check import check_choice, check_counts, check_inputs
from perdure.core.copy import copy_module
from perdure.core.errors import SettingError, ShapeError, UnsupportedError
from perdure.core.method import Method, as_output
from perdure.core.metric import Measurement
from perdure.core.query import Query, slice_query
from perdure.core.random import stream
from perdure.ops.correlation import spearman
from perdure.ops.params import Redraw, group_into_stages, redraw
from perdure.ops.position import Granularity, to_positions, valid_positions
from perdure.ops.scale import scale_to_unit
from perdure.ops.sequence import site_mask
from perdure.ops.ssim import ssim

__all__ = ["ParameterRandomisation"]

Similarity = Literal["spearman", "absolute_spearman", "ssim"]


@dataclass(frozen=True)
class ParameterRandomisation:
    """Similarity of the map to those of ever more random models: a map that shows the model must lose it.

    Parameters are redrawn module after module, from the last defined to the first, and stay so; after each stage
    the method explains the same samples with the same seeds. The curve is the similarity after each stage, the value
    its mean: 1 means that the map shows the input rather than the model. `again` in aux is the similarity to the map of
    the unchanged model: 1 unless method or seeds differ from those that made the map.

    No map loses all: those of input x gradient have the input in common, whatever the weights. The best value of a
    sample is therefore the similarity of the redrawn models to each other, the mean over stages and pairs, which is
    what a model without any training reaches. Where it is near 1 the method depends little on the weights, and the
    metric does not distinguish its maps.

    A map that is not made by a method does not change with the model: an attribution without one, such as a random
    map, scores 1. A constant map is like constant maps (1) and unlike others (0).

    Args:
        similarity: Spearman correlation of the absolute maps or of the signed ones, or structural similarity of
            images: 5 by 5 windows on the absolute maps, each scaled to [0, 1].
        granularity: "position" compares the sums of the numbers of each step, token or pixel, "element" the numbers.
        redraw: "matched" for normal draws on the scale of each parameter, "published" for convolutions and linear
            layers alone, by the rule of InputIBA.
        stages: Maximum number of stages; None for one per module with parameters.
        redraws: Number of redrawn models after each stage; the value is the mean over them. With 1 there is no pair,
            and the best value is 0.
        seed: Seed of the draws, and of methods that draw where the query has no seeds.

    Raises:
        SettingError: for a value that cannot be used.

    Reference:
        adebayo2018sanity

    Notes:
        Buffers, such as the running statistics of batch normalisation, stay as they are. A fitted method keeps what it
        has seen of the trained model. All samples meet the same random models.
    """

    needs_truth: ClassVar[bool] = False
    needs_method: ClassVar[bool] = True
    higher_is_better: ClassVar[bool] = False
    best: ClassVar[float] = 0.0

    similarity: Similarity = "absolute_spearman"
    granularity: Granularity = "position"
    redraw: Redraw = "matched"
    stages: int | None = None
    redraws: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("similarity", self.similarity, get_args(Similarity))
        check_choice("granularity", self.granularity, get_args(Granularity))
        check_choice("redraw", self.redraw, get_args(Redraw))
        if self.stages is not None and self.stages < 1:
            raise SettingError(f"stages is {self.stages}", "give at least 1, or None for one per module")
        check_counts(redraws=self.redraws)

    def measure(self, attribution: Attribution) -> Measurement:
        """Explain again after each stage.

        Args:
            attribution: Attribution with its method; the model is copied.

        Returns:
            The mean similarity, in [-1, 1], that after each stage as curve, `again` as aux, and the similarity of the
            redrawn models to each other as the best value.

        Raises:
            UnsupportedError: when the model is no module or has nothing to redraw.
            ShapeError: when structural similarity is requested for maps that are no images.
            NonFiniteError: when a random model gives a map that is not finite.
        """
        dtype = attribution.values.dtype
        if self.similarity == "ssim":
            _check_images(attribution.values)
        if attribution.method is None:
            return Measurement(torch.ones(len(attribution.values), dtype=dtype, device=attribution.values.device))
        query = self._with_seeds(attribution.query)
        again = self._alike(attribution, _explain(attribution.method, query, "the map of the unchanged model"))
        curve, floor = self._cascade(attribution, attribution.method, query)
        best = None if self.redraws == 1 else floor.mean(1).to(dtype)
        return Measurement(curve.mean(1).to(dtype), curve.to(dtype), {"again": again.to(dtype)}, best)

    def _cascade(
        self, attribution: Attribution, method: Method, query: Query
    ) -> tuple[Float[Tensor, "batch stage"], Float[Tensor, "batch stage"]]:
        """Compare the map with those after each stage, and these with each other."""
        if not isinstance(query.model, nn.Module):
            raise UnsupportedError(
                f"the model is a {type(query.model).__name__}, so it has no parameters to redraw",
                "pass a torch.nn.Module",
            )
        models = [copy_module(query.model) for _ in range(self.redraws)]
        stages = [group_into_stages(model, self.redraw, self.stages) for model in models]
        curve, floor = [], []
        for number, parts in enumerate(zip(*stages, strict=True), start=1):
            name = f"the map after stage {number} of the sanity check"
            for draw, part in enumerate(parts):
                self._redraw(part, draw)
            maps = [_explain(method, replace(query, model=model), name) for model in models]
            curve.append(_mean(self._alike(attribution, values) for values in maps))
            pairs = (self._alike(replace(attribution, values=first), second) for first, second in combinations(maps, 2))
            floor.append(_mean(pairs) if self.redraws > 1 else curve[-1])
        return torch.stack(curve, 1), torch.stack(floor, 1)

    def _redraw(self, stage: Sequence[tuple[str, nn.Parameter]], draw: int) -> None:
        """Redraw the parameters of a stage; each has a stream of its name, and the first model one without number."""
        for name, parameter in stage:
            redraw(parameter, self.redraw, stream(self.seed, "sanity_check", name, *([draw] if draw else [])))

    def _with_seeds(self, query: Query) -> Query:
        """Give the same seed to all samples of a query without seeds."""
        if len(query.seeds):
            return query
        seed = stream(self.seed, "sanity_check").initial_seed()
        return replace(query, seeds=torch.full((len(query.x),), seed, dtype=torch.int64))

    def _alike(self, attribution: Attribution, other: Tensor) -> Float[Tensor, " batch"]:
        """Compare two maps."""
        valid = site_mask(attribution.query.mask, other)
        pair = [item.to(torch.promote_types(item.dtype, torch.float32)) for item in (attribution.values, other)]
        if self.granularity == "position":
            valid, pair = valid_positions(valid), [to_positions(item) for item in pair]
        if self.similarity != "spearman":
            pair = [item.abs() for item in pair]
        rows, where = [item.flatten(1) for item in pair], valid.flatten(1)
        if self.similarity != "ssim":
            return spearman(rows[0], rows[1], where)
        images = [scale_to_unit(row, where).reshape(len(row), -1, *other.shape[2:]) for row in rows]
        return ssim(images[0], images[1])


def _explain(method: Method, query: Query, name: str) -> Tensor:
    parts = (slice(i, i + query.rows) for i in range(0, len(query.x), query.rows))
    values = torch.cat([as_output(method.scores(slice_query(query, index))).values.detach() for index in parts])
    values = values.masked_fill(~site_mask(query.mask, values), 0.0)
    check_inputs(values, name)
    return values


def _mean(values: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean(0)


def _check_images(values: Tensor) -> None:
    if values.ndim != 4:
        raise ShapeError(
            f"structural similarity compares images, and the map has shape {tuple(values.shape)}",
            "pass maps (batch, channel, row, column), or compare with similarity='absolute_spearman'",
        )
