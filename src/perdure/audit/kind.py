"""What an audit asks of data of one kind."""

from __future__ import annotations

from dataclasses import dataclass, replace

from perdure.core.batch import Batch
from perdure.core.errors import UnsupportedError
from perdure.core.metric import Metric
from perdure.metrics.deletion import Deletion
from perdure.metrics.insertion import Insertion
from perdure.metrics.parameter_randomisation import ParameterRandomisation
from perdure.metrics.sensitivity_n import SensitivityN
from perdure.ops.position import Granularity

__all__ = ["IMAGES", "SERIES", "TEXTS", "Kind", "kind_of"]


@dataclass(frozen=True)
class Kind:
    """A kind of data.

    Args:
        methods: attribution methods that an audit uses when none is named.
        in_time: whether the inputs have an order in time, so that explanations can vanish.
        granularity: what is one input: each number, or all numbers of a word or pixel together.
    """

    methods: tuple[str, ...]
    in_time: bool
    granularity: Granularity

    @property
    def curves(self) -> tuple[Metric, ...]:
        """Judges of all methods that ask the model a few times, as fine as their means over some samples need."""
        return Insertion(points=16, granularity=self.granularity), Deletion(points=16, granularity=self.granularity)

    @property
    def close(self) -> tuple[Metric, ...]:
        """All judges of the second verdict."""
        sensitivity = SensitivityN(masks=24, points=2, granularity=self.granularity)
        return *self.curves, sensitivity, ParameterRandomisation(stages=3, granularity=self.granularity)


SERIES = Kind(("saliency", "integrated_gradients:steps=32"), True, "element")
TEXTS = Kind(("input_x_gradient", "integrated_gradients:steps=32"), True, "position")
IMAGES = Kind(("integrated_gradients:steps=32", "grad_cam"), False, "position")


def kind_of(batch: Batch) -> Kind:
    """Tell what kind of data a batch holds by the shape of its inputs.

    Args:
        batch: the samples.

    Returns:
        The kind; series of a single step have no order in time.

    Raises:
        UnsupportedError: for a table, or any other shape.

    Example:
        >>> import torch
        >>> kind_of(Batch(torch.zeros(2, 3, 8, 8), torch.zeros(2).long())).in_time
        False
    """
    if batch.inputs.ndim == 2 and not batch.inputs.is_floating_point():
        return TEXTS
    if batch.inputs.ndim == 3 and batch.inputs.shape[1] == 1:
        return replace(SERIES, in_time=False)
    kinds = {3: SERIES, 4: IMAGES}
    if batch.inputs.ndim not in kinds:
        raise UnsupportedError(
            f"the audit does not know inputs of shape {tuple(batch.inputs.shape)}",
            "give series (batch, time, feature), images (batch, channel, row, column) or token ids (batch, time)",
        )
    return kinds[batch.inputs.ndim]
