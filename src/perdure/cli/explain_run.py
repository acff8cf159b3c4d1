"""The settings of a run of `perdure explain`, which `perdure evaluate` reads again."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perdure.cli.pages import began
from perdure.core.errors import CheckpointError, RunFolderError, SettingError
from perdure.core.spec import validate_settings
from perdure.data._digest import digest_splits
from perdure.data._splits import Splits
from perdure.records.place import place
from perdure.records.run import config_digest, read_run
from perdure.training.model_source import ModelSource, open_model
from perdure.training.model_spec import resolve_model
from perdure.training.settings import Training

__all__ = ["ExplainSettings", "check_explained_data", "open_explained_model", "read_explain_settings"]


@dataclass(frozen=True)
class ExplainSettings:
    """Settings in the run folder of `perdure explain`.

    Args:
        model: Model as on the command line.
        weights: Path of the weights; None for a model that has weights or is trained.
        data: Data as on the command line.
        method: Attribution method with its settings.
        split: Split of the samples.
        limit: Maximum number of samples; None for all.
        seed: Seed for all random draws.
        explained: Class to explain, "prediction" or "label".
        target: Function of the output of that class.
        device: Device of the model.
        training: Training settings by name.
        source: Description of the model, from which its weights follow.
        data_digest: Digest of the data; None in runs of version 0.1.
    """

    model: str
    weights: str | None
    data: str
    method: str
    split: str
    limit: int | None
    seed: int
    explained: str
    target: str
    device: str
    training: dict[str, Any]
    source: Any
    data_digest: str | None = None


def read_explain_settings(run: Path) -> tuple[ExplainSettings, Training]:
    """Read the settings of a run of `perdure explain`; the folder is untrusted.

    Args:
        run: Run folder.

    Returns:
        The settings, and those of the training.

    Raises:
        RunFolderError: If the run did not explain, or has a setting that 'perdure explain' does not write.
    """
    config, kind = dict(read_run(run).config), began(run)
    if kind not in ("", "explain") or not {"method", "source", "data", "model"} <= config.keys():
        named = f"is a run of 'perdure {kind}' and " if kind else ""
        raise RunFolderError(f"{run} {named}holds no explanations", "give the folder that 'perdure explain' wrote")
    try:
        settings = ExplainSettings(**validate_settings(ExplainSettings, config, str(run)))
        return settings, Training(**validate_settings(Training, settings.training, f"{run}: training"))
    except SettingError as error:
        raise RunFolderError(error.cause, "restore run.yaml, or explain again in a new folder") from error


def check_explained_data(run: Path, settings: ExplainSettings, splits: Splits) -> None:
    """Check that the data are those that were explained; warn where their digest was not stored.

    Args:
        run: Run folder.
        settings: Settings in it.
        splits: Data as loaded.

    Raises:
        RunFolderError: If the data have changed.
    """
    if settings.data_digest is None:
        warnings.warn(f"{run} has no digest of its data, so that a change of them cannot be found", stacklevel=2)
    elif (digest := digest_splits(splits)) != settings.data_digest:
        raise RunFolderError(
            f"{run} is another run: the digest of its data '{settings.data}' is {settings.data_digest} there and "
            f"{digest} here",
            "restore the data that were explained, or explain again in another folder",
        )


def open_explained_model(run: Path, settings: ExplainSettings, model: str) -> ModelSource:
    """Open the model that was explained; user code runs only when the user names it again.

    Args:
        run: Run folder.
        settings: Settings in it.
        model: Factory on the command line; empty for other models.

    Returns:
        The opened model.

    Raises:
        RunFolderError: If a factory was explained and is not named again.
        CheckpointError: If the model differs from the explained one.
    """
    weights = place(settings.weights) if settings.weights else None
    spec = resolve_model(model or settings.model, weights, _read_outputs(settings.source))
    if spec.needs_user_code and not model:
        raise RunFolderError(
            f"{run} holds maps of a factory, '{settings.model}', and a run folder alone never runs code",
            f"where you trust that code, name it: perdure evaluate {run} --model {settings.model}",
        )
    source = open_model(spec)
    if config_digest({"source": source.described}) != config_digest({"source": settings.source}):
        raise CheckpointError(
            f"'{source.name}' is another model than the one that was explained: its weights, settings or code differ",
            "explain again",
        )
    return source


def _read_outputs(source: Any) -> str | None:
    """Read the outputs that were declared when a model was explained."""
    if not isinstance(source, dict):
        return None
    declared: str | None = source.get("outputs")
    return declared or _read_outputs(source.get("model"))
