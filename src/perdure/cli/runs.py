"""Trained runs of the commands: find them in folders, or train them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from perdure.cli.console import show_progress
from perdure.cli.models import open_named, read_texts, read_with_model
from perdure.core.abilities import Architecture
from perdure.core.errors import SettingError
from perdure.data._splits import Splits
from perdure.engine.pool import Engine, run_pieces
from perdure.records.folders import MODEL, wrong_folder_error
from perdure.records.place import exists, place
from perdure.training.checkpoint import is_finished, load_checkpoint
from perdure.training.many import TrainingJobs
from perdure.training.model_source import ModelSource
from perdure.training.settings import Training
from perdure.training.train import Runs

__all__ = ["find_runs", "rehearse_runs", "train_runs"]


def train_runs(
    source: ModelSource,
    splits: Splits,
    training: Training,
    seeds: Sequence[int],
    *,
    vary: str,
    folder: Path,
    engine: Engine,
    device: str = "cpu",
) -> dict[str, Path]:
    """Train the runs that are not trained yet; a run that fails leaves a note.

    Args:
        source: Model that can be trained.
        splits: Data.
        training: Training settings.
        seeds: Seeds of the runs.
        vary: Difference between runs, "seed" or "bootstrap".
        folder: Folder of the runs.
        engine: Engine that distributes the runs.
        device: Device of each training.

    Returns:
        The folder of each run by its name.
    """
    runs = Runs(source.trainable, splits, training, folder, None, vary, seeds[0], device)  # type: ignore[arg-type]
    with show_progress(f"training {source.name}") as progress:
        run_pieces(TrainingJobs(runs), seeds, engine, progress)
    return {f"{vary} {seed}": runs.place(seed) for seed in seeds}


def find_runs(
    model: str, folders: Sequence[Path], runs: int, outputs: str | None
) -> tuple[dict[str, Path], ModelSource | None]:
    """Find trained runs in folders, or else open the model to train.

    Args:
        model: Folder of trained runs, or a model to train.
        folders: Further folders.
        runs: Number of training runs.
        outputs: Outputs of the model to train.

    Returns:
        The folder of each run by its name and None; or no folders and the opened model.

    Raises:
        SettingError: For fewer than two runs, a folder without a trained run, or a model that is trained already.
    """
    if runs < 2:
        raise SettingError(f"--runs {runs} leaves nothing to compare", "train at least two runs, better five")
    if folders or exists(place(model)):
        return _find_trained([place(model), *folders]), None
    source = open_named(model, outputs=outputs)
    if source.load is not None:
        raise SettingError(
            f"'{model}' is one trained model", "name a model to train, or give further runs as --folders"
        )
    return {}, source


def rehearse_runs(
    source: ModelSource | None,
    folders: Mapping[str, Path],
    config: Architecture | None,
    splits: Splits,
    device: str,
) -> tuple[nn.Module, Splits]:
    """Return a model of the runs, and the data in its tokens.

    Args:
        source: Model to train; None for trained runs.
        folders: Folders of trained runs.
        config: Factory of the runs; None where they need none.
        splits: Data.
        device: Device of the model.

    Returns:
        The model of the first run, or the model before training; and the data.
    """
    if source is None:
        model = load_checkpoint(next(iter(folders.values())), config)[0]
        return model.to(device), read_with_model(model, splits)
    read = read_texts((source,), splits)
    return source.rehearse(read, device), read


def _find_trained(folders: Sequence[Path]) -> dict[str, Path]:
    """Find the trained runs in folders, each of which is one or holds several."""
    runs: dict[str, Path] = {}
    for folder in folders:
        if not exists(folder):
            raise wrong_folder_error(SettingError, folder, "holds no trained run", MODEL)
        inside = [path.parent for pattern in ("*", "runs/*") for path in sorted(folder.glob(f"{pattern}/model.yaml"))]
        places = [folder] if is_finished(folder) else inside
        if not places:
            raise wrong_folder_error(SettingError, folder, "holds no trained run", MODEL)
        for run in places:
            name = run.name.replace("-", " ", 1)
            runs[name if name not in runs else str(run)] = run
    return runs
