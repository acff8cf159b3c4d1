"""Pipelines of Hugging Face: what they hold, in our terms."""

from __future__ import annotations

from typing import Any

from perdure.core.errors import UnsupportedError
from perdure.models.hugging_face import TextClassifier, reader_of

__all__ = ["from_pipeline"]

TASK = "text-classification"


def from_pipeline(pipeline: Any) -> TextClassifier:
    """Take model and tokenizer out of a pipeline that classifies texts.

    The weights are shared, not copied. The pipeline turns outputs into probabilities; the model gives logits.

    Args:
        pipeline: made by `transformers.pipeline("text-classification", ...)`.

    Returns:
        The model, which takes token ids or their embeddings; its `reader` turns texts into ids and names the classes.

    Raises:
        UnsupportedError: for a pipeline of another task or framework, or a tokenizer that cannot tell where a token
            stands.
    """
    task = getattr(pipeline, "task", None)
    if task != TASK or not hasattr(getattr(pipeline, "model", None), "get_input_embeddings"):
        raise UnsupportedError(
            f"a {type(pipeline).__name__} of the task {task!r} is no text classifier",
            f"give what transformers.pipeline('{TASK}', ...) makes",
        )
    reader = reader_of(pipeline.tokenizer, pipeline.model, str(pipeline.model.name_or_path))
    return TextClassifier(pipeline.model, reader).eval()
