"""Arguments and options that several commands share; importing them imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perdure.records.place import place

__all__ = [
    "BATCH_SIZE",
    "DATA",
    "DEVICE",
    "ENGINE",
    "FACTORY",
    "JSON",
    "METHOD",
    "METRIC",
    "MODEL",
    "OUT",
    "OUTPUTS",
    "PRESET",
    "RAY_ADDRESS",
    "RUN_FOLDER",
    "SEED",
    "TRAIN_SETTINGS",
    "WEIGHTS",
    "WORKERS",
]

MODEL = Annotated[
    str,
    typer.Argument(
        help="A name from 'perdure list models', with settings: lstm:hidden_size=16; a trained folder; a factory, "
        "which is your function that makes the model: file.py:function or package.module:function; timm:NAME; or a "
        "Hugging Face text classifier, hf:ID or its folder, also without a head, which is then trained."
    ),
]
WEIGHTS = Annotated[
    Path | None,
    typer.Option(
        parser=place,
        metavar="FILE",
        help="Weights of a named model: .safetensors, a state dict of torch.save, a trained folder; or a URL.",
    ),
]
OUTPUTS = Annotated[
    str | None,
    typer.Option(
        help="Outputs of the model, where they cannot be inferred: logits or probabilities of classes; the logit "
        "or probability of the second of two classes; independent_logits or independent_probabilities of labels that "
        "do not exclude each other; numbers."
    ),
]
FACTORY = Annotated[
    str, typer.Option("--model", help="Factory of the trained runs; naming it here allows its code to run.")
]
DATA = Annotated[
    str,
    typer.Argument(
        help="A name from 'perdure list data', with settings: boxes:variant=latter; or a .npz, .csv or .parquet file."
    ),
]
METHOD = Annotated[list[str], typer.Option(help="A name from 'perdure list methods', with settings; repeatable.")]
METRIC = Annotated[list[str], typer.Option(help="A name from 'perdure list metrics', with settings; repeatable.")]
OUT = Annotated[
    Path | None,
    typer.Option(
        parser=place,
        metavar="FOLDER",
        help="The run folder, or a URL such as s3://bucket/run; named after the command and its options when left out.",
    ),
]
SEED = Annotated[int, typer.Option(help="Seed for all random draws.")]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PRESET = Annotated[
    str, typer.Option(help="Training settings: 'clean', or 'paper' as published for input-cell attention.")
]
TRAIN_SETTINGS = Annotated[
    str, typer.Option(help="Training settings that differ from the preset: epochs=20,learning_rate=0.003.")
]
RUN_FOLDER = Annotated[
    Path, typer.Argument(parser=place, metavar="FOLDER", help="Run folder of an earlier command, or its URL.")
]


def _check_device(device: str) -> str:
    """Check that a device exists before anything else is done."""
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


ENGINE = Annotated[str, typer.Option(help="Engine that distributes the work: 'local', or 'ray' for many machines.")]
WORKERS = Annotated[int, typer.Option(help="Number of processes, with one core each; the results do not depend on it.")]
RAY_ADDRESS = Annotated[
    str | None,
    typer.Option(help="A running Ray cluster: host:port, or 'auto' for that of this machine; else one is started."),
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
    typer.Option(callback=_check_device, help="Device of the models in every worker: cpu, cuda, cuda:1 or mps."),
]
