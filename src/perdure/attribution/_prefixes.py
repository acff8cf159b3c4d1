"""Beginnings of series in batches: a model evaluated up to each of some steps, with the last of them replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.core.abilities import JoinsStates
from perdure.core.errors import UnsupportedError
from perdure.core.query import Query, slice_query
from perdure.core.resources import row_limit
from perdure.core.target import AtStep

__all__ = ["Prefixes", "group_prefixes", "require_series"]


def require_series(query: Query, name: str) -> None:
    """Check that the inputs are series.

    Args:
        query: Query to explain.
        name: Name of the method.

    Raises:
        UnsupportedError: For inputs of another rank.
    """
    if query.x.ndim != 3:
        raise UnsupportedError(
            f"'{name}' explains series (batch, time, feature), and the inputs have shape {tuple(query.x.shape)}",
            "pass series, or use a method for any inputs, such as 'integrated_gradients' or 'occlusion'",
        )


@dataclass(frozen=True, eq=False)
class Prefixes:
    """The steps of all samples up to some ends, of which the last few can be replaced.

    A recurrent model whose states can be joined resumes from them, so that only the replaced steps are computed; a
    model that takes lengths reads all ends in one batch; any other model reads one end at a time. A target at one step
    becomes the same target at the end of each prefix.

    Args:
        ends: Last step of each prefix.
        width: Number of steps that are replaced.
        query: Query with one row for each end and sample, the longest first.
        order: Position of these rows with the ends outermost.
        state: State of all rows, ends outermost, before the replaced steps; None for a model that reads whole prefixes.
        rows: Most rows in one call.
    """

    ends: Int[Tensor, " end"]
    width: int
    query: Query
    order: Int[Tensor, " row"]
    state: Any
    rows: int

    def gradient(
        self, tails: Float[Tensor, "copies end batch width feature"]
    ) -> Float[Tensor, "copies end batch width feature"]:
        """Differentiate the target with respect to the last steps.

        Args:
            tails: Values of the last steps of each prefix.

        Returns:
            The gradient at these values.
        """
        return self._apply(tails, self.query.gradient_from, self._gradient_of_whole).unflatten(1, tails.shape[1:3])

    def outputs(
        self, tails: Float[Tensor, "copies end batch width feature"]
    ) -> Float[Tensor, "copies end batch output"]:
        """Compute the outputs of the model, those at the end where it has outputs at each step.

        Args:
            tails: Values of the last steps of each prefix.

        Returns:
            Outputs.
        """
        return self._apply(tails, self.query.outputs_from, self._outputs_of_whole).unflatten(1, tails.shape[1:3])

    def _apply(self, tails: Tensor, resume: Callable[..., Tensor], read: Callable[[Tensor], Tensor]) -> Tensor:
        tails = tails.flatten(1, 2)
        if self.state is None:
            return read(tails[:, self.order])[:, self.order.argsort()]
        pieces = tails.split(max(1, self.rows // tails.shape[1]))
        return torch.cat([resume(self.state, piece) for piece in pieces])

    def _gradient_of_whole(self, tails: Tensor) -> Tensor:
        gradient = self.query.gradient(self._whole(tails))
        return gradient.gather(2, self._places.expand_as(tails))

    def _outputs_of_whole(self, tails: Tensor) -> Tensor:
        outputs = self.query.outputs(self._whole(tails))
        if outputs.ndim == 3:
            return outputs
        return outputs[:, torch.arange(outputs.shape[1]), self._places[:, -1, 0]]

    def _whole(self, tails: Tensor) -> Tensor:
        whole = self.query.x.expand(len(tails), *self.query.x.shape)
        return whole.scatter(2, self._places.expand_as(tails), tails)

    @property
    def _places(self) -> Int[Tensor, "row width 1"]:
        """Steps of each row that are replaced."""
        last = self.ends[self.order // (len(self.order) // len(self.ends))]
        return (last[:, None] + torch.arange(1 - self.width, 1))[..., None].to(self.query.x.device)


def group_prefixes(query: Query, ends: list[int], width: int, copies: int) -> Iterator[Prefixes]:
    """Divide prefixes into groups that fit into one call.

    Args:
        query: Query for the whole series.
        ends: Last step of each prefix, ascending, at least width - 1.
        width: Number of last steps that are replaced.
        copies: Number of versions of these steps for each prefix.

    Yields:
        Prefixes with one or more ends each.

    Raises:
        UnsupportedError: For a model that reads series of one length only.
    """
    resumes = query.resumable and isinstance(query.model, JoinsStates)
    rows = row_limit(query.x[:, :width]) if resumes and query.batch_size is None else query.rows
    together = max(1, rows // (copies * len(query.x))) if resumes or query.mask is not None else 1
    groups = torch.arange(len(ends)).split(together) if ends else ()
    states = query.states([end - width + 1 for end in ends]) if resumes else []
    for group in groups:
        chosen = torch.tensor(ends)[group]
        index, last = torch.arange(len(query.x)).repeat(len(group)), chosen.repeat_interleave(len(query.x))
        order, state = torch.arange(len(index)), None
        if resumes:
            model: Any = query.model
            state = model.join_states([states[i] for i in group.tolist()])
            part = _select(query, index, last)
        elif query.lengths is not None:
            # Falling lengths, as torch packs them, have to keep falling.
            order = torch.minimum(query.lengths.cpu()[index], last + 1).argsort(descending=True, stable=True)
            part = _shorten(_select(query, index[order], last[order]), last[order])
        else:
            part = _cut(_select(query, index, last), int(last[0]) + 1)
        yield Prefixes(chosen, width, part, order, state, rows)


def _select(query: Query, index: Tensor, last: Tensor) -> Query:
    """Repeat samples, each with the target at its last step."""
    part = slice_query(query, index)
    target = part.bound
    at_end = replace(target, step=last) if isinstance(target, AtStep) else target
    return replace(part, target=at_end, cached=None)


def _shorten(query: Query, last: Tensor) -> Query:
    steps = torch.arange(query.x.shape[1], device=query.x.device)
    assert query.mask is not None
    return replace(query, mask=query.mask & (steps <= last.to(steps.device)[:, None]))


def _cut(query: Query, steps: int) -> Query:
    """Cut samples for a model that takes no lengths, and check with the first step that it reads any number of them."""
    cut = replace(query, x=query.x[:, :steps])
    if steps == 1:
        _check_any_length(cut, query)
    return cut


def _check_any_length(cut: Query, query: Query) -> None:
    try:
        cut.outputs(cut.x[None])
    except (RuntimeError, IndexError, ValueError) as error:
        raise UnsupportedError(
            f"this method evaluates the model on the first steps of a series, and the model reads "
            f"all {query.x.shape[1]} steps only: {error}",
            "use a method that keeps all steps, such as 'integrated_gradients' or "
            "'temporal_integrated_gradients:future=present', or let the model take any number of steps",
        ) from error
