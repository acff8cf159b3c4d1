"""What does the work, and where: the options of engines and devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from perdure.engine.pool import Engine

__all__ = ["BATCH_SIZE", "DEVICE", "ENGINE", "RAY_ADDRESS", "WORKERS", "chosen_engine"]


def _there(device: str) -> str:
    """Look for a device before anything else is done; the usual one is there."""
    if device != "cpu":
        from perdure.core.device import check_device

        check_device(device)
    return device


def _limit_rows(context: typer.Context, most: int | None) -> int | None:
    """Bound the rows of each call of a model while the command runs."""
    if most is not None:
        from perdure.core.resources import limit_rows

        context.with_resource(limit_rows(most))
    return most


ENGINE = Annotated[str, typer.Option(help="What shares out the work: 'local', or 'ray' for many machines.")]
WORKERS = Annotated[
    int, typer.Option(help="Processes that share the work, with one core each; the results do not depend on it.")
]
RAY_ADDRESS = Annotated[
    str | None,
    typer.Option(help="A running Ray cluster: host:port, or 'auto' for the one of this machine; else one is started."),
]
BATCH_SIZE = Annotated[
    int | None,
    typer.Option(
        min=1,
        callback=_limit_rows,
        help="Maximum rows in one call of the model, perturbed copies included; fewer need less memory.",
    ),
]
DEVICE = Annotated[
    str,
    typer.Option(callback=_there, help="Where every worker trains and asks the models: cpu, cuda, cuda:1 or mps."),
]


def chosen_engine(engine: str, workers: int, address: str | None) -> Engine:
    """Make the engine that was asked for.

    Args:
        engine: "local" or "ray".
        workers: processes or actors; a single local one works in this process.
        address: of a Ray cluster.

    Returns:
        The engine.

    Raises:
        SettingError: for another engine, no workers, or an address without Ray.
    """
    from perdure.core.check import check_choice, check_counts
    from perdure.core.errors import SettingError
    from perdure.engine.pool import InProcess, Processes
    from perdure.engine.ray import Ray

    check_choice("engine", engine, ("local", "ray"))
    check_counts(workers=workers)
    if engine == "ray":
        return Ray(workers, address)
    if address is not None:
        raise SettingError(f"ray_address is {address!r} and the engine is 'local'", "give --engine ray with it")
    return InProcess() if workers == 1 else Processes(workers)
