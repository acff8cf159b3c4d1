"""The target on the way from one input to another: duplicate inputs are skipped, and batches fit the caches."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from perdure.core.query import Query, slice_query
from perdure.ops.perturb import renumber_changes, replace_first

__all__ = ["Read", "copies_at_once", "layout_of", "values_along"]

Read = Callable[[Query, Float[Tensor, "row *site"]], Float[Tensor, "row *number"]]
"""Computes what is followed, from the query of some rows and their points."""

NUMBERS = 2**17
"""Numbers in the perturbed inputs that are held at once, unless one copy of the batch alone has more: more of them
leave the caches of a processor."""

NUMBERS_ON_DEVICE = 2**24
"""The same on an accelerator, which is idle with few."""


def copies_at_once(query: Query) -> int:
    """Bound the perturbed copies of a batch by the rows of a call and by memory.

    Args:
        query: the question.

    Returns:
        How many copies of all its samples to make at once.
    """
    numbers = NUMBERS if query.x.device.type == "cpu" else NUMBERS_ON_DEVICE
    return max(1, min(query.rows // len(query.x), numbers // query.x.numel()))


def layout_of(query: Query) -> torch.memory_format:
    """Choose how inputs lie in memory: those of convolutions on a processor with the channels of a pixel together.

    Pools are then several times faster and convolutions not slower, though the model is as it was. One sample,
    twice because a batch of one is computed by other kernels, shows whether the model gives the same in this layout:
    a `view` of its activations does not take it.

    Args:
        query: the question.

    Returns:
        The layout of the inputs, for `Tensor.contiguous`.
    """
    plain, together = torch.contiguous_format, torch.channels_last
    if query.x.ndim != 4 or query.x.device.type != "cpu" or not _convolves(query.model):
        return plain
    two = slice_query(query, torch.tensor([0, 0]))
    try:
        result = two.value(two.x.contiguous(memory_format=together))
    except RuntimeError:
        return plain
    return together if torch.allclose(result, two.value(two.x), rtol=1e-3, atol=1e-5) else plain


def values_along(
    query: Query,
    ends: tuple[Tensor, Tensor],
    rank: Int[Tensor, "batch *site"],
    counts: Int[Tensor, "batch point"],
    read: Read = Query.value,
) -> Float[Tensor, "batch point *number"]:
    """Evaluate the target on the way from one input to another; equal inputs of a sample cost one pass.

    Args:
        query: Model and target; its x is not used.
        ends: inputs at the start and at the end, shaped like x.
        rank: the place of each site in the order in which they are taken from the end.
        counts: Number of places taken at each point.
        read: Function that computes what is followed, with one or more numbers per point; the target by default.

    Returns:
        The target, or what `read` computes, in double precision.
    """
    rank, counts = renumber_changes(*ends, rank, counts)
    many = int(counts.max()) + 1
    samples = torch.arange(len(counts), device=counts.device)[:, None]
    inputs, index = torch.unique(samples * many + counts, return_inverse=True)
    layout = layout_of(query)
    start, end, rank = (item.contiguous(memory_format=layout) for item in (*ends, rank))
    values = []
    for item in inputs.split(copies_at_once(query) * len(query.x)):
        mine = item // many
        points = replace_first(start[mine], end[mine], rank[mine], item % many)
        values.append(read(slice_query(query, mine.to(query.seeds.device)), points))
    return torch.cat(values)[index].double()


def _convolves(model: object) -> bool:
    return isinstance(model, nn.Module) and any(isinstance(module, nn.Conv2d) for module in model.modules())
