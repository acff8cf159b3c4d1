"""Language models of Hugging Face, fine-tuned to classify from each seed."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import torch
from torch import nn

from perdure.models._from_transformers import find_folder, load_transformers
from perdure.models._hugging_face import TextClassifier, reader_of
from perdure.models.factory import own_random_state

__all__ = ["FineTuned"]


@dataclass(frozen=True)
class FineTuned:
    """A language model of Hugging Face that is trained to classify texts by its own tokenizer.

    Training begins from the weights of the folder, under a head whose weights are drawn; what the folder lacks is
    drawn too, and all of it where there are no weights but a configuration and a tokenizer. So runs from several seeds
    differ by their head, the order of samples and dropout, as those of everyday fine-tuning do.

    Args:
        source: Folder with the files, or their id on the hub, which is searched in the cache first.

    Reference:
        perdure
    """

    source: str

    def build(self, features: int, classes: int, generator: torch.Generator) -> nn.Module:
        """Load the model, and draw missing weights; the global random state is not changed.

        Args:
            features: Size of a vocabulary; ignored, as the model has its own.
            classes: Number of outputs.
            generator: Stream of the weights that are drawn; the model is moved to its device.

        Returns:
            A new model in training mode.

        Raises:
            DependencyError: Without the package transformers.
            DataError: When an id is not in the cache and the hub cannot be reached.
            CheckpointError: When the folder cannot be used.
        """
        del features
        with own_random_state(generator):
            result = load_transformers(find_folder(self.source), classes)
        reader = reader_of(result.tokenizer, result.model, self.source)
        return TextClassifier(result.model, reader).to(generator.device).train()

    @property
    def digest(self) -> str:
        """Sixteen digits of the hash of the files, so that a run can check whether they have changed."""
        files = sorted(path for path in find_folder(self.source).iterdir() if path.is_file())
        return sha256(b"".join(sha256(path.read_bytes()).digest() for path in files)).hexdigest()[:16]
