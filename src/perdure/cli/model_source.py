"""A model that a user names on the command line, whatever it comes from, behind one noun."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perdure.core.errors import SettingError

if TYPE_CHECKING:
    from torch import nn

    from perdure.core.abilities import Architecture
    from perdure.data._splits import Splits
    from perdure.training.loop import Progress
    from perdure.training.settings import Training

__all__ = ["ModelSource"]


@dataclass(frozen=True, eq=False)
class ModelSource:
    """Where a model comes from.

    Args:
        name: as the user wrote it.
        described: what the results follow from, as plain values or a frozen dataclass: the settings of a model that
            is yet to be trained, the digest of the weights of a trained one.
        architecture: builds it anew from a seed; None when it cannot be trained again.
        load: gives the trained model; None when it is yet to be trained.
        reader: turns texts into the token ids that the model knows; None when it takes those of the data.
    """

    name: str
    described: Any
    architecture: Architecture | None
    load: Callable[[Splits], nn.Module] | None = None
    reader: Callable[[Splits], Splits] | None = None

    def trained(
        self,
        splits: Splits,
        how: Training,
        *,
        seed: int,
        folder: Path,
        progress: Progress | None = None,
        device: str = "cpu",
    ) -> nn.Module:
        """Load the model, or train it unless an interrupted run has done so.

        Args:
            splits: the data.
            how: to train.
            seed: of the training.
            folder: where the checkpoint of a training goes.
            progress: told after each check.
            device: where to train and to ask it.

        Returns:
            The trained model in evaluation mode, on that device.
        """
        from perdure.models._outputs import declare_detected
        from perdure.stability.members import load_or_train

        if self.load is not None:
            return declare_detected(self.load(splits).to(device), splits.train)
        found = load_or_train(
            self.name, self.trainable, splits, how, seed=seed, folder=folder, progress=progress, device=device
        )
        return declare_detected(found.model, splits.train)

    def untrained(self, splits: Splits, device: str = "cpu") -> nn.Module:
        """Give a model of the same kind before anything is trained, and see whether it answers as it must.

        Args:
            splits: the data.
            device: where to ask it.

        Returns:
            The trained model where it is there to be loaded, else one with drawn weights; on that device.

        Raises:
            UnsupportedError: when the model cannot be asked; other names of `check_model` say why.
            SettingError: when the model attends to event types, and the data has none.
        """
        from perdure.core.random import stream
        from perdure.models._event_types import resolve_event_types
        from perdure.models._outputs import check_model

        if self.load is not None:
            model = self.load(splits)
        else:
            config = resolve_event_types(self.trainable, splits)
            model = config.build(splits.features, len(splits.classes), stream(0, "rehearsal"))
        model = model.to(device)
        check_model(model, splits.train, len(splits.classes))
        return model

    def doing(self, folder: Path) -> str:
        """Describe in a word what `load_or_train` is about to do, for a progress bar.

        Args:
            folder: where the checkpoint of a training goes.

        Returns:
            "training" or "loading".
        """
        from perdure.training.checkpoint import is_finished

        return "training" if self.load is None and not is_finished(folder) else "loading"

    @property
    def trainable(self) -> Architecture:
        """The architecture of a model that can be trained.

        Raises:
            SettingError: when it cannot.
        """
        if self.architecture is None:
            raise SettingError(
                f"'{self.name}' cannot be trained here", "name an architecture or a factory, file.py:function"
            )
        return self.architecture
