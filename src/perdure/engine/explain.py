"""Explain many samples in shards, each of which is stored when it is done."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import pyarrow as pa
from torch import nn

from perdure.attribution._attribute import attribute, attribute_cached
from perdure.core.batch import Batch, slice_batch
from perdure.core.errors import PartError
from perdure.core.forward import forward_with_graph
from perdure.core.method import Method, NeedsFit
from perdure.core.outputs import declared_outputs, predicted_class, probability
from perdure.core.random import stream
from perdure.core.resources import row_limit, single_thread
from perdure.core.target import LABEL_TARGETS
from perdure.engine.pool import Engine, Progress, run_pieces
from perdure.models._embed import embed_batch
from perdure.ops.sequence import lengths_of
from perdure.records.attributions import attribution_table, join_blocks, split_blocks
from perdure.records.parts import finished_parts, part_path, read_part, write_part
from perdure.records.place import is_local
from perdure.training.predict import predict

__all__ = ["SEEN", "SHARD", "ExplainJob", "blocks_per_part", "explain", "fit_method", "part_count", "shard_count"]


SHARD = 128
"""Samples in a block, which are explained together and have their own random stream."""

PARTS, LARGEST = 128, 2**25
"""Parts of a large batch, each of several blocks, and the bytes of inputs up to which blocks are joined."""

KEPT_EVERY = 10.0
"""Seconds after which the finished blocks of a part are stored, for a process that is killed before its end."""

_UNFINISHED = "_unfinished"
"""Folder of such blocks; readers of Parquet folders ignore names that begin with an underscore."""


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
        shard: Samples in a block; fixed, so that the results do not depend on the number of workers.
        blocks: Blocks in a part; the maps do not depend on it.
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
    blocks: int = 1

    def __call__(self, index: int) -> Callable[[], None]:
        """Explain the samples of one part.

        Args:
            index: Number of the part.

        Returns:
            A function that stores the maps.
        """
        first = index * self.blocks
        last = min(first + self.blocks, shard_count(self.batch, self.shard))
        tables = self._read_unfinished(index) if self.blocks > 1 else []
        kept = time.monotonic()
        for block in range(first + len(tables), last):
            tables.append(self._explain(block))
            if time.monotonic() - kept > KEPT_EVERY and block + 1 < last:
                write_part(self.folder / _UNFINISHED, index, join_blocks(tables, first))
                kept = time.monotonic()
        return partial(self._store, index, first, tables)

    def _read_unfinished(self, index: int) -> list[pa.Table]:
        """Read the blocks of a part that a killed process has stored."""
        path = part_path(self.folder / _UNFINISHED, index)
        try:
            return split_blocks(read_part(path)) if path.exists() else []
        except PartError:
            return []

    def _store(self, index: int, first: int, tables: list[pa.Table]) -> None:
        write_part(self.folder, index, join_blocks(tables, first))
        if self.blocks > 1:
            part_path(self.folder / _UNFINISHED, index).unlink(missing_ok=True)

    def _explain(self, index: int) -> pa.Table:
        """Explain one block."""
        batch = slice_batch(self.batch, slice(index * self.shard, (index + 1) * self.shard))
        inputs, lengths = embed_batch(self.model, batch).inputs, lengths_of(batch.mask)
        fits = len(batch) <= (row_limit(inputs) if self.batch_size is None else self.batch_size)
        reuses = fits and getattr(self.method, "differentiates_at_x", False)
        cached = forward_with_graph(self.model, inputs, lengths) if reuses else None
        outputs = predict(self.model, batch, self.batch_size) if cached is None else cached.outputs.detach()
        kind = declared_outputs(self.model) or "logits"
        prediction = predicted_class(outputs, kind)
        confidence = None if kind == "numbers" else probability(outputs, kind).amax(1)
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
        return attribution_table(
            attribution,
            batch,
            prediction,
            explained,
            split=self.split,
            model=self.model_name,
            seed=self.seed,
            confidence=confidence,
        )


def explain(work: ExplainJob, workers: int | Engine = 1, progress: Progress | None = None) -> None:
    """Explain all parts that are not finished.

    Args:
        work: Job to do.
        workers: Number of processes, or an engine; the results are the same for any.
        progress: Function that is called after each part.
    """
    done = finished_parts(work.folder)
    todo = [index for index in range(-(-shard_count(work.batch, work.shard) // work.blocks)) if index not in done]
    run_pieces(work, todo, workers, progress)
    if is_local(work.folder) and (work.folder / _UNFINISHED).is_dir():
        shutil.rmtree(work.folder / _UNFINISHED)  # what other workers have left


def shard_count(batch: Batch, shard: int = SHARD) -> int:
    """Count the blocks of a batch.

    Args:
        batch: Samples.
        shard: Samples in a block.

    Returns:
        The number.

    Example:
        >>> import torch
        >>> shard_count(Batch(torch.zeros(129, 2), torch.zeros(129).long()))
        2
    """
    return -(-len(batch) // shard)


def blocks_per_part(batch: Batch) -> int:
    """Choose how many blocks a part has, so that large batches of small samples have few files.

    Args:
        batch: Samples. Maps of token ids are larger than their inputs, so that their blocks are not joined.

    Returns:
        Blocks in each part, such that there are at most 128 parts or a part has about 32 MiB.

    Example:
        >>> import torch
        >>> blocks_per_part(Batch(torch.zeros(128_000, 2), torch.zeros(128_000).long()))
        8
    """
    if not batch.inputs.is_floating_point():
        return 1
    size = SHARD * batch.inputs[0].nbytes
    return max(1, min(-(-shard_count(batch) // PARTS), LARGEST // size))


def part_count(batch: Batch) -> int:
    """Count the parts of a batch with `blocks_per_part` blocks in each.

    Args:
        batch: Samples.

    Returns:
        The number.

    Example:
        >>> import torch
        >>> part_count(Batch(torch.zeros(128_001, 2), torch.zeros(128_001).long()))
        126
    """
    return -(-shard_count(batch) // blocks_per_part(batch))


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
