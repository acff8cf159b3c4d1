"""Open a resolved model: what is needed to load it, to train it and to describe it in a record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from typing import Any

import torch
from torch import nn

from perdure.core.abilities import Architecture
from perdure.core.digest import model_digest
from perdure.core.errors import SettingError
from perdure.core.random import stream
from perdure.core.resources import limited_memory
from perdure.data._splits import Splits
from perdure.models._event_types import resolve_event_types
from perdure.models._from_transformers import find_folder, is_classifier
from perdure.models._hugging_face import text_classifier
from perdure.models._outputs import check_model, declare
from perdure.models.fine_tuned import FineTuned
from perdure.training.checkpoint import load_checkpoint, load_into, load_weights
from perdure.training.model_spec import ModelSpec, find_checkpoint

__all__ = ["ModelSource", "build_model", "open_model"]


@dataclass(frozen=True, eq=False)
class ModelSource:
    """An opened model.

    Args:
        spec: Resolved model.
        described: Description for records, as plain values or a frozen dataclass: the settings of a model to train, the
            digest of the weights of a trained one.
        architecture: Architecture that is built from a seed; None for a model that cannot be trained.
        load: Function from the data to the trained model; None for a model to train.
        reader: Function from texts to the token ids of the model; None for a model of the inputs of the data.
    """

    spec: ModelSpec
    described: Any
    architecture: Architecture | None
    load: Callable[[Splits | None], nn.Module] | None = None
    reader: Callable[[Splits], Splits] | None = None

    @property
    def name(self) -> str:
        """Text of the user that names the model."""
        return self.spec.name

    @property
    def trainable(self) -> Architecture:
        """The architecture of a model that can be trained.

        Raises:
            SettingError: If the model cannot be trained.
        """
        if self.architecture is None:
            raise SettingError(
                f"'{self.name}' cannot be trained", "name an architecture or a factory, file.py:function"
            )
        return self.architecture

    def rehearse(self, splits: Splits, device: str = "cpu") -> nn.Module:
        """Return the model before any training, after a check of its outputs.

        Args:
            splits: Data of the training, in the tokens of the model.
            device: Device of the model.

        Returns:
            The trained model where there is one, else one with random weights.

        Raises:
            UnsupportedError: If the outputs cannot be explained; `check_model` lists further errors.
            SettingError: If the model attends to event types, and the data has none.
        """
        if self.load is not None:
            model = self.load(splits)
        else:
            config = resolve_event_types(self.trainable, splits)
            model = config.build(splits.features, len(splits.classes), stream(0, "rehearsal"))
        model = model.to(device)
        check_model(model, splits.train, len(splits.classes))
        return model


def open_model(spec: ModelSpec) -> ModelSource:
    """Open a resolved model; checkpoints and Hugging Face models are read, nothing is trained.

    Args:
        spec: Resolved model.

    Returns:
        The opened model.

    Raises:
        SettingError: If outputs are declared for a model to train that returns logits.
        FactoryError: If the file of a factory does not exist.
        CheckpointError: If a checkpoint or a file of weights cannot be used.
        DependencyError: If the package transformers is needed and missing.
    """
    if spec.kind == "architecture":
        if spec.weights is None:
            return ModelSource(spec, spec.described_architecture, spec.architecture)
        return _open_weights(spec)
    source = _open_checkpoint(spec) if spec.kind == "checkpoint" else _open_hugging_face(spec)
    return source if spec.outputs is None else _declare_outputs(source)


def _open_checkpoint(spec: ModelSpec) -> ModelSource:
    assert spec.folder is not None
    model, info = load_checkpoint(spec.folder)
    return ModelSource(spec, info.digest, info.config, lambda _: model, getattr(model, "reader", None))


def _open_hugging_face(spec: ModelSpec) -> ModelSource:
    """Load a text classifier; a model without its head is an architecture, with its tokens."""
    source = spec.name.removeprefix("hf:")
    if not is_classifier(find_folder(source)):
        config = FineTuned(source)
        built: Any = config.build(0, 2, stream(0, "reader"))
        return ModelSource(spec, {"source": source, "files": config.digest}, config, reader=built.reader)
    model = text_classifier(source)
    return ModelSource(spec, model_digest(model), None, lambda _: model, model.reader)


def _open_weights(spec: ModelSpec) -> ModelSource:
    """Open an architecture with its weights."""
    config, weights, described = spec.architecture, spec.weights, {"model": spec.described_architecture}
    assert config is not None
    assert weights is not None
    folder = find_checkpoint(weights)
    if folder is not None:
        trained, info = load_checkpoint(folder, config)
        return ModelSource(spec, {**described, "weights": info.digest}, config, lambda _: trained)
    load_weights(weights)  # a damaged file is named before the data is read
    digest = sha256(weights.read_bytes()).hexdigest()[:16]

    @cache
    def load(splits: Splits | None) -> nn.Module:
        with limited_memory():
            model = build_model(spec, splits, torch.Generator())
        load_into(model, weights)
        return model.eval()

    return ModelSource(spec, {**described, "weights": digest}, config, load)


def build_model(spec: ModelSpec, splits: Splits | None, generator: torch.Generator) -> nn.Module:
    """Build an architecture with random weights, of the sizes of the data.

    Args:
        spec: Resolved model of the kind "architecture".
        splits: Data; None for a factory that needs no sizes.
        generator: Generator of the weights.

    Returns:
        The model in training mode.

    Raises:
        SettingError: If the sizes of the data are needed and there is no data.
    """
    assert spec.architecture is not None
    if splits is not None:
        config = resolve_event_types(spec.architecture, splits)
        return config.build(splits.features, len(splits.classes), generator)
    needed = ("features", "classes") if spec.factory is None else spec.factory.arguments()
    if {"features", "classes"} & set(needed):
        raise SettingError(
            f"'{spec.name}' needs the number of features and classes", "pass the data: perdure.load(..., splits=splits)"
        )
    return spec.architecture.build(0, 0, generator)


def _declare_outputs(source: ModelSource) -> ModelSource:
    """Declare the outputs of a model that has weights."""
    load, outputs = source.load, source.spec.outputs
    if load is None:
        raise SettingError(f"'{source.name}' returns logits", "leave out the outputs (on the command line --outputs)")
    described = {"model": source.described, "outputs": outputs}
    return replace(source, described=described, load=lambda splits: declare(load(splits), outputs))
