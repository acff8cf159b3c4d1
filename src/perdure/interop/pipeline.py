"""Convert a Hugging Face pipeline to a model."""

from __future__ import annotations

from typing import Any

from perdure.core.errors import UnsupportedError
from perdure.models._hugging_face import TextClassifier, reader_of

__all__ = ["from_pipeline"]

TASK = "text-classification"


def from_pipeline(pipeline: Any) -> TextClassifier:
    """Convert a text-classification pipeline to a model with its tokenizer.

    The weights are not copied. The pipeline returns probabilities, the model returns logits.

    Args:
        pipeline: Result of `transformers.pipeline("text-classification", ...)`.

    Returns:
        Model of token ids or embeddings; its `reader` converts texts to ids and contains the names of the classes.

    Raises:
        UnsupportedError: for a pipeline of another task or framework, or a tokenizer without offsets of tokens.
    """
    task = getattr(pipeline, "task", None)
    if task != TASK or not hasattr(getattr(pipeline, "model", None), "get_input_embeddings"):
        raise UnsupportedError(
            f"a {type(pipeline).__name__} of the task {task!r} is not a text classifier",
            f"pass the result of transformers.pipeline('{TASK}', ...)",
        )
    reader = reader_of(pipeline.tokenizer, pipeline.model, str(pipeline.model.name_or_path))
    return TextClassifier(pipeline.model, reader).eval()
