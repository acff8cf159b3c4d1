"""Methods and metrics that suit series, texts and images."""

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

__all__ = ["IMAGES", "SERIES", "TEXTS", "Modality", "find_modality"]


@dataclass(frozen=True)
class Modality:
    """A kind of data.

    Args:
        methods: Default attribution methods of a comparison of runs.
        in_time: Whether the inputs have an order in time, so that explanations can vanish.
        granularity: Size of an element: each number, or all numbers of a word or pixel together.
    """

    methods: tuple[str, ...]
    in_time: bool
    granularity: Granularity

    @property
    def _unit(self) -> Granularity | None:
        """What is perturbed at once: in series the unit of each map, which may be constant over a step."""
        return None if self.granularity == "element" else self.granularity

    @property
    def curves(self) -> tuple[Metric, ...]:
        """Metrics of all methods with few forward passes; their resolution suits means over some samples."""
        return Insertion(points=16, granularity=self._unit), Deletion(points=16, granularity=self._unit)

    @property
    def faithfulness(self) -> tuple[Metric, ...]:
        """All metrics of the verdict down to the input."""
        sensitivity = SensitivityN(masks=24, points=2, granularity=self._unit)
        return *self.curves, sensitivity, ParameterRandomisation("spearman", self.granularity, stages=1)


SERIES = Modality(("saliency", "integrated_gradients:steps=32"), True, "element")
TEXTS = Modality(("input_x_gradient", "integrated_gradients:steps=32"), True, "position")
IMAGES = Modality(("integrated_gradients:steps=32", "grad_cam"), False, "position")


def find_modality(batch: Batch) -> Modality:
    """Find the modality of a batch by the shape of its inputs.

    Args:
        batch: Samples of any modality.

    Returns:
        Modality; series of a single step have no order in time.

    Raises:
        UnsupportedError: For a table, or any other shape.

    Example:
        >>> import torch
        >>> find_modality(Batch(torch.zeros(2, 3, 8, 8), torch.zeros(2).long())).in_time
        False
    """
    if batch.inputs.ndim == 2 and not batch.inputs.is_floating_point():
        return TEXTS
    if batch.inputs.ndim == 3 and batch.inputs.shape[1] == 1:
        return replace(SERIES, in_time=False)
    modalities = {3: SERIES, 4: IMAGES}
    if batch.inputs.ndim not in modalities:
        raise UnsupportedError(
            f"the audit does not support inputs of shape {tuple(batch.inputs.shape)}",
            "give series (batch, time, feature), images (batch, channel, row, column) or token ids (batch, time)",
        )
    return modalities[batch.inputs.ndim]
