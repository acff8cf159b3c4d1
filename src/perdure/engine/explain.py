"""Explain many samples in shards, each of which is stored when it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from torch import Tensor, nn

from perdure.attribution._attribute import attribute, attribute_cached
from perdure.core.attribution import Attribution
from perdure.core.batch import Batch, slice_batch
from perdure.core.forward import forward_with_graph
from perdure.core.method import Method, NeedsFit
from perdure.core.outputs import declared_outputs, predicted_class
from perdure.core.query import row_limit
from perdure.core.random import stream
from perdure.core.resources import single_thread
from perdure.core.target import LABEL_TARGETS
from perdure.engine.pool import Engine, Progress, run_pieces
from perdure.models._embed import embed_batch
from perdure.ops.sequence import lengths_of
from perdure.records.attributions import attribution_table
from perdure.records.parts import finished_parts, write_part
from perdure.training.predict import predict

__all__ = ["SEEN", "SHARD", "ExplainJob", "explain", "fit_method", "shard_count"]


SHARD = 128
"""Samples in a part."""


@dataclass(frozen=True, eq=False)
class ExplainJob:
    """The explanation of a batch, in shards.

    Args:
        model: Trained classifier.
        batch: Samples.
        method: Attribution method.
        folder: Folder of the parts.
        model_name: Name of the model, for the record.
        split: Split of the samples, for the record.
        seed: Seed of the model's training, and of the method's random draws.
        explained: Whether to explain the predicted class of each sample or its label.
        target: Target of that class, such as "logit" or "probability".
        batch_size: Most rows in one call of the model; None for a number that suits the size of a sample.
        shard: Samples in a part; fixed, so that the results do not depend on the number of workers.
    """

    model: nn.Module
    batch: Batch
    method: Method
    folder: Path
    model_name: str
    split: str = "test"
    seed: int = 0
    explained: Literal["prediction", "label"] = "prediction"
    target: str = "logit"
    batch_size: int | None = None
    shard: int = SHARD

    def __call__(self, index: int) -> Callable[[], None]:
        """Explain one shard.

        Args:
            index: Number of the shard.

        Returns:
            A function that stores the maps.
        """
        batch = slice_batch(self.batch, slice(index * self.shard, (index + 1) * self.shard))
        inputs, lengths = embed_batch(self.model, batch).inputs, lengths_of(batch.mask)
        fits = len(batch) <= (row_limit(inputs) if self.batch_size is None else self.batch_size)
        reuses = fits and getattr(self.method, "differentiates_at_x", False)
        cached = forward_with_graph(self.model, inputs, lengths) if reuses else None
        outputs = predict(self.model, batch, self.batch_size) if cached is None else cached.outputs.detach()
        prediction = predicted_class(outputs, declared_outputs(self.model) or "logits")
        explained = prediction if self.explained == "prediction" else batch.label
        compute = (
            partial(attribute, self.model, inputs) if cached is None else partial(attribute_cached, cached, self.model)
        )
        attribution = compute(
            self.method,
            target=LABEL_TARGETS[self.target](explained),
            lengths=lengths,
            generator=stream(self.seed, "explain", index),
            batch_size=self.batch_size,
        )
        return partial(self._store, index, attribution, batch, prediction, explained)

    def _store(self, index: int, attribution: Attribution, batch: Batch, prediction: Tensor, explained: Tensor) -> None:
        table = attribution_table(
            attribution, batch, prediction, explained, split=self.split, model=self.model_name, seed=self.seed
        )
        write_part(self.folder, index, table)


def explain(work: ExplainJob, workers: int | Engine = 1, progress: Progress | None = None) -> None:
    """Explain all shards that are not finished.

    Args:
        work: Job to do.
        workers: Number of processes, or an engine; the results are the same for any.
        progress: Function that is called after each shard.
    """
    done = finished_parts(work.folder)
    todo = [index for index in range(shard_count(work.batch, work.shard)) if index not in done]
    run_pieces(work, todo, workers, progress)


def shard_count(batch: Batch, shard: int = SHARD) -> int:
    """Count the parts that the explanation of a batch will have.

    Args:
        batch: Samples.
        shard: Samples in a part.

    Returns:
        The number.

    Example:
        >>> import torch
        >>> shard_count(Batch(torch.zeros(129, 2), torch.zeros(129).long()))
        2
    """
    return -(-len(batch) // shard)


SEEN = 1000
"""Most samples that a method is fitted to."""


def fit_method(method: Method, model: nn.Module, batch: Batch) -> Method:
    """Fit a method that needs samples; return any other unchanged.

    The same model and samples give the same method, so a method can be fitted again for metrics that explain.

    Args:
        method: Attribution method.
        model: Model that will be explained.
        batch: Samples like those that will be explained, but not these; the first 1000 are used.

    Returns:
        A method that can explain the model.

    Example:
        >>> from perdure.attribution.input_iba import InputIBA
        >>> import torch
        >>> batch = Batch(torch.randn(4, 3, 2), torch.zeros(4).long())
        >>> fit_method(InputIBA(), nn.Flatten(), batch).is_fitted
        True
    """
    if not isinstance(method, NeedsFit) or method.is_fitted:
        return method
    with single_thread():
        return method.fit(model, embed_batch(model, slice_batch(batch, slice(0, SEEN))))
