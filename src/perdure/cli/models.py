"""Models that a user names on the command line, whatever they come from, behind one noun."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perdure.core.errors import SettingError

if TYPE_CHECKING:
    from torch import nn

    from perdure.core.protocols import Architecture
    from perdure.data.splits import Splits
    from perdure.training.course import Progress
    from perdure.training.settings import Training

__all__ = ["ModelSource", "resolve", "resolve_all"]


@dataclass(frozen=True, eq=False)
class ModelSource:
    """Where a model comes from.

    Args:
        name: as the user wrote it.
        described: what the results follow from, as plain values or a frozen dataclass: the settings of a model that
            is yet to be trained, the digest of the weights of a trained one.
        architecture: builds it anew from a seed; None when it cannot be trained again.
        load: gives the trained model; None when it is yet to be trained.
    """

    name: str
    described: Any
    architecture: Architecture | None
    load: Callable[[Splits], nn.Module] | None = None

    def trained(
        self, splits: Splits, how: Training, *, seed: int, folder: Path, progress: Progress | None = None
    ) -> nn.Module:
        """Load the model, or train it unless an interrupted run has done so.

        Args:
            splits: the data.
            how: to train.
            seed: of the training.
            folder: where the checkpoint of a training goes.
            progress: told after each check.

        Returns:
            The trained model in evaluation mode.
        """
        from perdure.audit.candidate import trained

        if self.load is not None:
            return self.load(splits)
        return trained(self.name, self._architecture, splits, how, seed=seed, folder=folder, progress=progress).model

    def untrained(self, splits: Splits) -> nn.Module:
        """Give a model of the same kind before anything is trained, to see what can be asked of it.

        Args:
            splits: the data.

        Returns:
            The trained model where it is there to be loaded, else one with drawn weights.
        """
        from perdure.core.random import stream

        if self.load is not None:
            return self.load(splits)
        return self._architecture.build(splits.features, len(splits.classes), stream(0, "rehearsal"))

    @property
    def _architecture(self) -> Architecture:
        if self.architecture is None:
            raise SettingError(f"'{self.name}' cannot be trained", "name a model or a factory instead")
        return self.architecture


def resolve(text: str, weights: Path | None = None) -> ModelSource:
    """Find the model that a user means; nothing is trained yet.

    Args:
        text: a registry name with settings, or a trained folder.
        weights: a file with the weights of a named model.

    Returns:
        The model.

    Raises:
        UnknownNameError: when no model has this name.
        SettingError: when a setting has an unknown name or a wrong value.
        CheckpointError: when a trained folder cannot be used.
    """
    from perdure.models.presets import model_config
    from perdure.training.checkpoint import is_finished

    folder = Path(text)
    seeds = [] if is_finished(folder) else sorted(folder.glob("seed-*"))
    folder = seeds[0] if len(seeds) == 1 else folder
    if is_finished(folder):
        return _folder(text, folder)
    config = model_config(text)
    return ModelSource(text, config, config) if weights is None else _with_weights(text, config, weights)


def resolve_all(texts: Sequence[str], weights: Path | None = None) -> tuple[ModelSource, ...]:
    """Find several models, before any is trained.

    Args:
        texts: as in `resolve`.
        weights: of the first.

    Returns:
        The models.

    Raises:
        SettingError: when a model is named twice.
    """
    from perdure.core.registry import folder_name

    if len({folder_name(text) for text in texts}) < len(texts):
        raise SettingError(f"a model is named twice among {', '.join(texts)}", "compare different models")
    return tuple(resolve(text, None if place else weights) for place, text in enumerate(texts))


def _folder(text: str, folder: Path) -> ModelSource:
    from perdure.training.checkpoint import load_checkpoint

    model, info = load_checkpoint(folder)
    return ModelSource(text, info.digest, info.config, lambda _: model)


def _with_weights(text: str, config: Architecture, weights: Path) -> ModelSource:
    from hashlib import sha256

    import torch

    from perdure.training.checkpoint import load_into, load_weights

    load_weights(weights)
    described = {"model": config, "weights": sha256(weights.read_bytes()).hexdigest()[:16]}

    def load(splits: Splits) -> nn.Module:
        model = config.build(splits.features, len(splits.classes), torch.Generator())
        load_into(model, weights)
        return model.eval()

    return ModelSource(text, described, config, load)
