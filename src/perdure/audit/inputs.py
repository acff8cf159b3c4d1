"""Models and data in memory as inputs of audits, reproductions and paths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import nn

from perdure.core.digest import model_digest
from perdure.core.errors import SettingError
from perdure.core.spec import slug
from perdure.data._splits import Splits
from perdure.records.run import RunFolder, hold_run, open_run

__all__ = ["DATA", "check_splits", "describe_models", "name_models", "open_folder"]

DATA = "own data"
"""Name of splits without a registry name, in records and on pages."""


def name_models(models: nn.Module | Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Name models, one by its class.

    Args:
        models: Model, or several by name.

    Returns:
        Models by name.

    Raises:
        SettingError: Without a model, for anything but modules, or for names of one folder.

    Example:
        >>> list(name_models(nn.Linear(2, 1)))
        ['Linear']
    """
    named = {type(models).__name__: models} if isinstance(models, nn.Module) else models
    if not isinstance(named, Mapping) or not named:
        raise SettingError(
            f"the models are {type(models).__name__}", "pass a torch.nn.Module, or several by name: {name: model}"
        )
    for name, model in named.items():
        if not isinstance(model, nn.Module):
            raise SettingError(
                f"the model '{name}' is {type(model).__name__}",
                "pass a torch.nn.Module; perdure.load reads trained folders",
            )
    if len({slug(str(name)) for name in named}) < len(named):
        raise SettingError(
            f"the names {', '.join(map(str, named))} have the same folder", "give names that differ in their letters"
        )
    return {str(name): model for name, model in named.items()}


def describe_models(models: Mapping[str, nn.Module]) -> dict[str, str]:
    """Describe models by class and weights, for the configuration of a run.

    Args:
        models: Models by name.

    Returns:
        Class and digest of the weights by name.
    """
    return {name: f"{type(model).__qualname__} {model_digest(model)}" for name, model in models.items()}


def check_splits(splits: Splits) -> None:
    """Check that the data are splits.

    Args:
        splits: Training, validation and test samples.

    Raises:
        SettingError: For anything else, such as a batch.
    """
    if not isinstance(splits, Splits):
        raise SettingError(
            f"the splits are {type(splits).__name__}",
            "pass perdure.data.Splits(train, validation, test, classes), each part a perdure.Batch",
        )


@contextmanager
def open_folder(folder: Path | str | None, config: Mapping[str, Any]) -> Iterator[RunFolder]:
    """Open the run folder of a call from Python.

    Args:
        folder: New folder, or that of an interrupted call with the same models, data and settings; None for a
            temporary one.
        config: Settings that determine the results.

    Yields:
        The open run.
    """
    if folder is not None:
        with hold_run(folder, config) as run:
            yield run
        return
    with TemporaryDirectory(prefix="perdure-") as temporary:
        yield open_run(temporary, config)
