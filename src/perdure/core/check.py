"""Checks of arguments; each failure names its cause and remedy."""

from __future__ import annotations

from numbers import Integral

import torch
from torch import Tensor

from perdure.core.errors import (
    EmptyDataError,
    LabelError,
    LengthError,
    NonFiniteError,
    SettingError,
    ShapeError,
    VocabularyError,
)

__all__ = [
    "all_finite",
    "check_choice",
    "check_counts",
    "check_ids",
    "check_inputs",
    "check_label",
    "check_lengths",
    "check_readable",
    "check_series",
    "check_truth",
]


def all_finite(x: Tensor) -> bool:
    """Return whether a tensor contains neither NaN nor infinity.

    Either makes the sum non-finite, which is quick to compute; only then are all values inspected, as a sum may
    overflow.

    Args:
        x: any floating point tensor.

    Returns:
        True when all values are finite.

    Example:
        >>> all_finite(torch.tensor([3e38, 3e38])), all_finite(torch.tensor([torch.inf, -torch.inf]))
        (True, False)
    """
    return bool(torch.isfinite(x.sum())) or bool(torch.isfinite(x).all())


def check_inputs(x: Tensor, name: str = "x", rank: int | None = None) -> None:
    """Check that inputs are finite floats with a batch axis.

    Args:
        x: the inputs.
        name: Noun for messages.
        rank: the number of axes that is needed, None for two or more.

    Raises:
        ShapeError: for a wrong dtype or rank.
        EmptyDataError: without samples.
        NonFiniteError: with NaN or infinity.
    """
    if not isinstance(x, Tensor) or not x.is_floating_point():
        kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise ShapeError(f"{name} is {kind}", _floats(x))
    other = _other_kind(x)
    if other is not None:
        raise ShapeError(f"{name} is a {other[0]} tensor", other[1])
    if x.ndim < 2 if rank is None else x.ndim != rank:
        axes = "(batch, ...)" if rank is None else f"{rank} axes" + (", (batch, time, feature)" if rank == 3 else "")
        raise ShapeError(f"{name} has shape {tuple(x.shape)}", f"pass a tensor with {axes}")
    if x.numel() == 0:
        raise EmptyDataError(
            f"{name} has shape {tuple(x.shape)}, so it holds nothing", "pass at least one sample, step and feature"
        )
    if not all_finite(x):
        bad = ~torch.isfinite(x)
        where = tuple(bad.nonzero()[0].tolist())
        raise NonFiniteError(
            f"{name} holds {int(bad.sum())} values that are NaN or infinite, the first at index {where}",
            "fill or drop them before explaining, for example with torch.nan_to_num",
        )


def _other_kind(x: Tensor) -> tuple[str, str] | None:
    """Name a tensor whose numbers are not laid out in memory, with what to do about it."""
    if x.is_nested:
        return "nested", "pad it, torch.nested.to_padded_tensor(x, 0.0), and pass lengths="
    if x.is_meta and type(x) is Tensor:
        return "meta", "give it values: tensors on the device 'meta' have none"
    if x.layout != torch.strided:
        return str(x.layout).removeprefix("torch."), "pass x.to_dense()"
    return None


def _floats(x: object) -> str:
    """Suggest how to convert the input to floating point."""
    if not isinstance(x, Tensor):
        return "pass a floating point tensor, torch.as_tensor(x, dtype=torch.float32)"
    if x.is_quantized:
        return "pass x.dequantize()"
    if x.is_complex() or x.dtype == torch.bool:
        return "pass a floating point tensor"
    return (
        "pass a floating point tensor, for example x.float(); for token ids explain their embeddings instead: "
        "model = perdure.TokenModel(model, embedding='name of its nn.Embedding'), x = model.embed(ids).detach()"
    )


def check_ids(ids: Tensor, words: int | None = None, name: str = "x") -> None:
    """Check that inputs are token ids.

    Args:
        ids: the inputs.
        words: the size of the vocabulary; None when it is not known.
        name: Noun for messages.

    Raises:
        ShapeError: when they are no whole numbers (batch, time).
        EmptyDataError: without samples or tokens.
        VocabularyError: when an id is negative or beyond the vocabulary.
    """
    if not isinstance(ids, Tensor) or ids.dtype != torch.int64 or ids.ndim != 2:
        kind = f"{ids.dtype} of shape {tuple(ids.shape)}" if isinstance(ids, Tensor) else type(ids).__name__
        raise ShapeError(f"{name} is {kind}", "pass token ids, int64 of shape (batch, time)")
    if ids.numel() == 0:
        raise EmptyDataError(f"{name} has shape {tuple(ids.shape)}, so it holds nothing", "pass at least one token")
    bad = (ids < 0) if words is None else (ids < 0) | (ids >= words)
    if bad.any():
        where = tuple(bad.nonzero()[0].tolist())
        raise VocabularyError(
            f"{name} holds the id {int(ids[where])} at index {where}"
            + ("" if words is None else f", but the vocabulary has {words} words"),
            "encode the text with the vocabulary that the model was trained with",
        )


def check_readable(x: Tensor, name: str = "x") -> None:
    """Check that inputs can be read by a model: finite floats with a batch axis, or token ids.

    Args:
        x: the inputs.
        name: Noun for messages.

    Raises:
        DataError: otherwise, as in `check_inputs` and `check_ids`.
    """
    whole = isinstance(x, Tensor) and x.dtype == torch.int64
    check_ids(x, name=name) if whole else check_inputs(x, name)


def check_lengths(lengths: Tensor, x: Tensor) -> None:
    """Check that every length lies in 1..T.

    Args:
        lengths: valid steps of each sample, shape (batch,).
        x: the inputs, shape (batch, time, ...).

    Raises:
        LengthError: for a wrong shape or value.
    """
    if not isinstance(lengths, Tensor):
        raise LengthError(f"lengths are {type(lengths).__name__}", "pass a tensor, torch.as_tensor(lengths)")
    if lengths.shape != x.shape[:1] or lengths.is_floating_point():
        raise LengthError(
            f"lengths have shape {tuple(lengths.shape)} and dtype {lengths.dtype} for {len(x)} samples",
            "pass one whole number per sample",
        )
    bad = (lengths < 1) | (lengths > x.shape[1])
    if bad.any():
        first = int(bad.nonzero()[0])
        raise LengthError(
            f"the length of sample {first} is {int(lengths[first])}, but there are {x.shape[1]} steps",
            "give lengths from 1 to the number of steps, and drop empty sequences",
        )


def check_series(x: Tensor, features: int, lengths: Tensor | None = None) -> None:
    """Check that inputs are series with the features that a layer reads.

    Args:
        x: the inputs.
        features: the features of a step.
        lengths: valid steps of each sample; None when all are.

    Raises:
        ShapeError: when x is not (batch, time, features).
        EmptyDataError: without samples or steps.
        LengthError: for a wrong length.
    """
    if x.ndim != 3 or x.shape[2] != features:
        raise ShapeError(f"x has shape {tuple(x.shape)}", f"pass (batch, time, {features})")
    if x.numel() == 0:
        raise EmptyDataError(f"x has shape {tuple(x.shape)}, so it holds nothing", "pass at least one sample and step")
    if lengths is not None:
        check_lengths(lengths, x)


def check_images(x: Tensor, channels: int, smallest: int = 1) -> None:
    """Check that inputs are images with the channels that a layer reads.

    Args:
        x: the inputs.
        channels: Channels of an image.
        smallest: the fewest rows and columns that a model can read.

    Raises:
        ShapeError: when x is not (batch, channels, rows, columns), or an image is too small.
        EmptyDataError: without samples.
    """
    if x.ndim != 4 or x.shape[1] != channels:
        raise ShapeError(f"x has shape {tuple(x.shape)}", f"pass (batch, {channels}, rows, columns)")
    if min(x.shape[2:]) < smallest:
        raise ShapeError(f"x has shape {tuple(x.shape)}", f"pass images of at least {smallest} rows and columns")
    if x.numel() == 0:
        raise EmptyDataError(f"x has shape {tuple(x.shape)}, so it holds nothing", "pass at least one sample")


def check_label(label: Tensor, batch: int, classes: int) -> None:
    """Check that there is one label per sample, inside the classes.

    Args:
        label: shape (batch,), whole numbers.
        batch: the number of samples.
        classes: the number of outputs of the model.

    Raises:
        LabelError: otherwise.
    """
    if not isinstance(label, Tensor):
        raise LabelError(f"labels are {type(label).__name__}", "pass a tensor, torch.as_tensor(labels)")
    if label.shape != (batch,) or label.is_floating_point():
        raise LabelError(
            f"labels have shape {tuple(label.shape)} and dtype {label.dtype} for {batch} samples",
            "train a model with outputs at each step, (batch, time, classes), or pass one class number per sample"
            if label.ndim == 2
            else "pass one class number per sample",
        )
    bad = (label < 0) | (label >= classes)
    if bad.any():
        first = int(bad.nonzero()[0])
        raise LabelError(
            f"the label of sample {first} is {int(label[first])}, but the model has {classes} "
            f"output{'s' if classes > 1 else ''}",
            f"give labels from 0 to {classes - 1}"
            if classes > 1
            else "give label 0, which is its one output; for a classifier of two classes declare what that is: "
            "perdure.Adapted(model, outputs='logit') or 'probability', on the command line --outputs logit",
        )


def check_truth(truth: Tensor, x: Tensor) -> None:
    """Check that the truth is boolean and shaped like the inputs.

    Args:
        truth: true at the sites known to matter.
        x: the inputs.

    Raises:
        ShapeError: otherwise.
    """
    if truth.shape != x.shape or truth.dtype != torch.bool:
        raise ShapeError(
            f"truth has shape {tuple(truth.shape)} and dtype {truth.dtype}, the inputs have {tuple(x.shape)}",
            "pass a boolean tensor shaped like the inputs",
        )


def check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    """Check that a setting is one of its choices.

    Args:
        name: Name of the setting.
        value: Value to check.
        choices: Allowed values.

    Raises:
        SettingError: otherwise.

    Example:
        >>> check_choice("pooling", "sum", ("mean", "max"))
        Traceback (most recent call last):
        perdure.core.errors.SettingError: pooling is 'sum'. Remedy: give 'mean' or 'max'.
    """
    if value not in choices:
        raise SettingError(f"{name} is {value!r}", f"give {' or '.join(map(repr, choices))}")


def check_counts(**counts: int) -> None:
    """Check that settings that count something are at least 1.

    Args:
        counts: values by name of the setting.

    Raises:
        SettingError: otherwise.
    """
    for name, value in counts.items():
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise SettingError(f"{name} is {value!r}", "give a whole number of at least 1")


def check_object(thing: object, verb: str, noun: str) -> None:
    """Check that an object has a method, and is not its class.

    Args:
        thing: Object to check.
        verb: the function that it must have.
        noun: Noun for messages.

    Raises:
        SettingError: otherwise.

    Example:
        >>> check_object(dict, "scores", "method")
        Traceback (most recent call last):
        perdure.core.errors.SettingError: the method is the class dict. Remedy: make one of it: dict(...).
    """
    if isinstance(thing, type):
        raise SettingError(f"the {noun} is the class {thing.__name__}", f"make one of it: {thing.__name__}(...)")
    if not callable(getattr(thing, verb, None)):
        raise SettingError(
            f"the {noun} is {type(thing).__name__}, which has no '{verb}'",
            f"give a name, of perdure.{noun.upper()}S.names(), or an object of ours or yours",
        )


def check_generator(generator: object) -> None:
    """Check that a stream of random numbers is one.

    Args:
        generator: Generator to check; None for a fresh one.

    Raises:
        SettingError: otherwise.
    """
    if generator is not None and not isinstance(generator, torch.Generator):
        raise SettingError(
            f"generator={generator!r:.40} is no torch.Generator",
            "give a stream, for example torch.Generator().manual_seed(3)",
        )
