"""The two ends of a path: training runs of one model on the same data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from perdure.core.abilities import Architecture
from perdure.core.digest import model_digest
from perdure.core.errors import CheckpointError, RunFolderError, UnsupportedError
from perdure.data._splits import Splits
from perdure.landscape.align import Alignment, align
from perdure.landscape.symmetry import find_symmetries
from perdure.ops.params import Params, params_of
from perdure.records.run import read_run
from perdure.training.checkpoint import Info, load_checkpoint
from perdure.training.many import read_failure

__all__ = ["PathEnds", "align_ends", "check_recorded_data", "find_recorded_data", "load_ends", "make_ends"]

NAMED = 6
"""Largest number of differences in an error message."""


@dataclass(frozen=True, eq=False)
class PathEnds:
    """Two training runs of one model.

    Args:
        names: Names of the runs.
        model: Model of the first run, for the architecture.
        digests: Digests of their weights.
        first: Weights of the first run.
        second: Weights of the second run.
        alignment: Alignment of the second run; None when it was not aligned.
        remark: Reason why a requested alignment failed.
    """

    names: tuple[str, str]
    model: nn.Module
    digests: tuple[str, str]
    first: Params
    second: Params
    alignment: Alignment | None = None
    remark: str = ""


def load_ends(first: Path, second: Path, splits: Splits, config: Architecture | None = None) -> PathEnds:
    """Load two training runs, and check that a path between them means something.

    Args:
        first: Folder of a trained model.
        second: Folder of another one.
        splits: Data of both.
        config: Factory of runs of a model of your own; other checkpoints do without.

    Returns:
        The ends, as they were trained.

    Raises:
        CheckpointError: If the training of one failed, or it cannot be loaded; when tensors, settings, classes or
            vocabulary differ; when they were trained on other data; or when their weights are the same.
    """
    _check_trained(first, second)
    (model, first_info), (other, second_info) = load_checkpoint(first, config), load_checkpoint(second, config)
    _check_tensors(model.state_dict(), other.state_dict())
    _check_settings(first_info, second_info)
    for what, expected in (("classes", splits.classes), ("vocabulary", splits.vocabulary)):
        for folder, info in ((first, first_info), (second, second_info)):
            if getattr(info, what) != expected:
                raise CheckpointError(
                    f"the {what} of {folder} are not those of the data", "give the data that both runs were trained on"
                )
    _check_data(first, second)
    if first_info.digest == second_info.digest:
        raise CheckpointError(f"{first} and {second} have the same weights", "give two runs with different seeds")
    names = (first.name, second.name) if first.name != second.name else (str(first), str(second))
    return PathEnds(names, model, (first_info.digest, second_info.digest), params_of(model), params_of(other))


def make_ends(first: nn.Module, second: nn.Module, names: tuple[str, str] = ("first", "second")) -> PathEnds:
    """Make the ends of a path of two models in memory.

    Args:
        first: Trained model.
        second: Another one of the same architecture.
        names: Names of both.

    Returns:
        The ends, as they were trained.

    Raises:
        CheckpointError: If tensors differ in name or shape, or all weights are the same.

    Example:
        >>> make_ends(nn.Linear(2, 1), nn.Linear(2, 1)).names
        ('first', 'second')
    """
    _check_tensors(first.state_dict(), second.state_dict())
    digests = model_digest(first), model_digest(second)
    if digests[0] == digests[1]:
        raise CheckpointError("both models have the same weights", "give two models with different seeds")
    return PathEnds(names, first, digests, params_of(first), params_of(second))


def align_ends(ends: PathEnds) -> PathEnds:
    """Align the second run to the first by permuting its units and flipping their signs.

    Args:
        ends: Ends as they were trained.

    Returns:
        The ends with the second moved; unmoved, with a remark, where the symmetries of the model are not known.
    """
    try:
        layers = find_symmetries(ends.model)
    except UnsupportedError as error:
        return replace(ends, remark=f"not aligned: {error.cause}")
    result = align(ends.first, ends.second, layers)
    return replace(ends, second=result.params, alignment=result)


def find_recorded_data(folder: Path) -> tuple[str, int] | None:
    """Find the recorded data of a training run.

    Args:
        folder: Folder of the trained model, inside that of the command which trained it.

    Returns:
        Name and seed of the data, or None when there is no record of them.
    """
    config = _find_record(folder)
    return None if config is None else (config["data"], config["seed"])


def check_recorded_data(folders: Sequence[Path], data: tuple[str, int], digest: str) -> None:
    """Check that data of the recorded name and seed have not changed since the training.

    Args:
        folders: Folders of trained models.
        data: Name and seed of the data.
        digest: Digest of the data as loaded now.

    Raises:
        CheckpointError: If they have.
    """
    for folder in folders:
        config = _find_record(folder) or {}
        if (config.get("data"), config.get("seed")) == data and config.get("data_digest", digest) != digest:
            raise CheckpointError(
                f"{folder} was trained on other data: the digest of '{data[0]}' was {config['data_digest']} then and "
                f"is {digest} now",
                "restore the data, or train again",
            )


def _find_record(folder: Path) -> Mapping[str, Any] | None:
    """Find the settings of the command that trained a model."""
    for above in folder.resolve().parents[:2]:
        try:
            config = read_run(above).config
        except RunFolderError:
            continue
        if "data" in config and "seed" in config:
            return config
    return None


def _check_trained(*folders: Path) -> None:
    for folder in folders:
        reason = read_failure(folder)
        if reason is not None:
            raise CheckpointError(
                f"{folder} has no model, as its training failed: {reason}", "give a run of another seed"
            )


def _check_tensors(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    shapes = [{name: tuple(value.shape) for name, value in state.items()} for state in (first, second)]
    odd = [name for name in dict(shapes[0] | shapes[1]) if shapes[0].get(name) != shapes[1].get(name)]
    if odd:
        shown = "; ".join(
            f"'{name}' is {_format_shape(shapes[0], name)} and {_format_shape(shapes[1], name)}" for name in odd[:NAMED]
        )
        more = f"; and {len(odd) - NAMED} more" if len(odd) > NAMED else ""
        raise CheckpointError(
            f"the runs are of different architectures: {shown}{more}", "give two runs of one model from different seeds"
        )


def _format_shape(shapes: dict[str, tuple[int, ...]], name: str) -> str:
    return str(shapes[name]) if name in shapes else "absent"


def _check_settings(first_info: Info, second_info: Info) -> None:
    kinds = {type(first_info.config).__name__, type(second_info.config).__name__}
    first, second = asdict(first_info.config), asdict(second_info.config)
    odd = [name for name in first if first.get(name) != second.get(name)] if len(kinds) == 1 else sorted(kinds)
    if odd:
        raise CheckpointError(
            f"the runs are of models with different settings: {', '.join(odd[:NAMED])}",
            "give two runs of one model from different seeds",
        )


def _check_data(first: Path, second: Path) -> None:
    own, other = find_recorded_data(first), find_recorded_data(second)
    digests = [(_find_record(folder) or {}).get("data_digest") for folder in (first, second)]
    if own is not None and own == other and None not in digests and digests[0] != digests[1]:
        raise CheckpointError(
            f"the runs were trained on other data: the digest of '{own[0]}' is {digests[0]} for {first} and "
            f"{digests[1]} for {second}",
            "train both on the same data",
        )
    if own is not None and other is not None and own != other:
        raise CheckpointError(
            f"the runs were trained on other data: {own[0]} with seed {own[1]}, and {other[0]} with seed {other[1]}",
            "train both with one command, which gives them the same data: perdure train MODEL DATA --seeds 2",
        )
