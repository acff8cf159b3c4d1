"""Models that a user names on the command line: what each name means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from perdure.cli.model_source import ModelSource
from perdure.core.errors import SettingError
from perdure.records.place import exists

if TYPE_CHECKING:
    from torch import nn

    from perdure.core.abilities import Architecture
    from perdure.data._splits import Splits

__all__ = ["asks_for_code", "factory_of", "read_by", "resolve", "resolve_all"]


def resolve(text: str, weights: Path | None = None, outputs: str | None = None) -> ModelSource:
    """Find the model that a user means; nothing is trained yet.

    Args:
        text: a registry name with settings, a trained folder, a factory "file.py:function" or
            "package.module:function", "timm:NAME", or "hf:ID" or a folder of a Hugging Face text classifier, or of what
            one is to be trained from.
        weights: a file or trained folder with the weights of a model that is named without any.
        outputs: What it returns, as in `Adapted`; None leaves it to its outputs.

    Returns:
        The model.

    Raises:
        UnknownNameError: when no model has this name.
        SettingError: when a setting has an unknown name or a wrong value, or weights are given twice, or
            outputs are declared of an architecture that returns logits.
        FactoryError: when a factory cannot be found.
        CheckpointError: when a trained folder or a file of weights cannot be used.
    """
    from perdure.core.check import check_choice
    from perdure.core.outputs import Outputs

    check_choice("outputs", outputs, (None, *get_args(Outputs)))
    found = _with_own_weights(text)
    if found is None:
        config = _architecture(text, outputs)
        return _named(text, config) if weights is None else _with_weights(text, config, weights)
    if weights is not None:
        raise SettingError(f"'{text}' has weights of its own", "leave --weights out")
    return found if outputs is None else _declared(found, outputs)


def resolve_all(
    texts: Sequence[str], weights: Path | None = None, outputs: str | None = None
) -> tuple[ModelSource, ...]:
    """Find several models, before any is trained.

    Args:
        texts: as in `resolve`.
        weights: of the first.
        outputs: What the first returns.

    Returns:
        The models.

    Raises:
        SettingError: when a model is named twice.
    """
    from perdure.core.spec import slug

    if len({slug(text) for text in texts}) < len(texts):
        raise SettingError(f"a model is named twice among {', '.join(texts)}", "compare different models")
    return resolve(texts[0], weights, outputs), *map(resolve, texts[1:])


def read_by(sources: Sequence[ModelSource], splits: Splits) -> Splits:
    """Let models read the data: texts become the token ids that they know.

    Args:
        sources: one or more models.
        splits: the data.

    Returns:
        The same samples for all of the models.

    Raises:
        SettingError: when the models know different token ids.
    """
    readers = {source.reader for source in sources}
    if len(readers) > 1:
        raise SettingError(
            f"{' and '.join(source.name for source in sources)} read texts in different tokens", "audit each by itself"
        )
    (reader,) = readers
    return splits if reader is None else reader(splits)


def asks_for_code(text: str) -> bool:
    """Tell whether a model is one whose own code would run; none runs here.

    Args:
        text: as in `resolve`.

    Returns:
        True for a factory, however it is written.
    """
    from perdure.models.factory import Factory

    trained = _trained(Path(text)) is not None or _is_hugging_face(text)
    return not trained and isinstance(_architecture(text), Factory)


def factory_of(text: str, outputs: str | None = None) -> Architecture | None:
    """Read the factory that a user names beside runs that were trained with it.

    Args:
        text: "file.py:function" or "package.module:function"; empty where the runs do without.
        outputs: What the model returns, where that is not stored with the runs.

    Returns:
        The factory.

    Raises:
        SettingError: when the text names something else.
    """
    from perdure.models.factory import Factory, is_factory

    if text and not is_factory(text):
        raise SettingError(f"--model {text} names no factory", "give file.py:function, or leave it out")
    if outputs is not None and not text:
        raise SettingError("--outputs is given without --model", "name the factory of the runs, or leave it out")
    return Factory(text, outputs) if text else None  # type: ignore[arg-type]  # checked by Factory


def _with_own_weights(text: str) -> ModelSource | None:
    folder = _trained(Path(text))
    if folder is not None:
        return _checkpoint(text, folder)
    return _hugging_face(text) if _is_hugging_face(text) else None


def _architecture(text: str, outputs: str | None = None) -> Architecture:
    """Read what can be trained; of a factory nothing is looked for yet."""
    from perdure.models._presets import model_config
    from perdure.models.factory import Factory, is_factory
    from perdure.models.published import Published
    from perdure.training.checkpoint import load_checkpoint

    if is_factory(text):
        return Factory(text, outputs)  # type: ignore[arg-type]  # checked by resolve
    if outputs is not None:
        raise SettingError(f"'{text}' returns logits", "leave --outputs out")
    if text.startswith("timm:"):
        return Published(text.removeprefix("timm:"))
    if text.endswith(".py"):
        raise SettingError(f"'{text}' is a file of many things", f"name the function that makes the model: {text}:make")
    if exists(Path(text)) or "/" in text:
        load_checkpoint(text)
    return model_config(text)


def _named(text: str, config: Architecture) -> ModelSource:
    return ModelSource(text, _described(config), config)


def _described(config: Architecture) -> Any:
    from perdure.models.factory import Factory

    if not isinstance(config, Factory):
        return config
    declared = {} if config.outputs is None else {"outputs": config.outputs}
    return {"source": config.source, "code": config.code, **declared}


def _declared(source: ModelSource, outputs: str) -> ModelSource:
    """Declare what a model returns that has its weights."""
    from perdure.models._outputs import declare

    if source.load is None:
        raise SettingError(f"'{source.name}' returns logits", "leave --outputs out")
    load = source.load
    described = {"model": source.described, "outputs": outputs}
    return replace(source, described=described, load=lambda splits: declare(load(splits), outputs))  # type: ignore[arg-type]


def _trained(folder: Path) -> Path | None:
    """Find the checkpoint in a folder: itself, or the single seed in it."""
    from perdure.training.checkpoint import is_finished

    if not exists(folder):
        return None
    seeds = [] if is_finished(folder) else sorted(folder.glob("seed-*"))
    folder = seeds[0] if len(seeds) == 1 else folder
    return folder if is_finished(folder) else None


def _checkpoint(text: str, folder: Path) -> ModelSource:
    from perdure.training.checkpoint import load_checkpoint

    model, info = load_checkpoint(folder)
    return ModelSource(text, info.digest, info.config, lambda _: model, getattr(model, "reader", None))


def _with_weights(text: str, config: Architecture, weights: Path) -> ModelSource:
    from hashlib import sha256

    import torch

    from perdure.core.resources import limited_memory
    from perdure.models._event_types import resolve_event_types
    from perdure.training.checkpoint import load_checkpoint, load_into, load_weights

    folder = _trained(weights)
    if folder is not None:
        trained, info = load_checkpoint(folder, config)
        return ModelSource(text, {"model": _described(config), "weights": info.digest}, config, lambda _: trained)
    load_weights(weights)
    described = {"model": _described(config), "weights": sha256(weights.read_bytes()).hexdigest()[:16]}

    @cache
    def load(splits: Splits) -> nn.Module:
        with limited_memory():
            model = resolve_event_types(config, splits).build(splits.features, len(splits.classes), torch.Generator())
        load_into(model, weights)
        return model.eval()

    return ModelSource(text, described, config, load)


def _is_hugging_face(text: str) -> bool:
    return text.startswith("hf:") or exists(Path(text) / "config.json")


def _hugging_face(text: str) -> ModelSource:
    """Load a trained text classifier; what one may begin from is yet to be trained, in the tokens of its own."""
    from perdure.core.digest import model_digest
    from perdure.core.random import stream
    from perdure.models._from_transformers import find_folder, is_classifier
    from perdure.models._hugging_face import text_classifier
    from perdure.models.fine_tuned import FineTuned

    if not is_classifier(find_folder(text.removeprefix("hf:"))):
        config = FineTuned(text.removeprefix("hf:"))
        built: Any = config.build(0, 2, stream(0, "reader"))
        return ModelSource(text, {"source": config.source, "files": config.digest}, config, reader=built.reader)
    model = text_classifier(text.removeprefix("hf:"))
    return ModelSource(text, model_digest(model), None, lambda _: model, model.reader)
