"""Amazon polarity: product reviews from the Hugging Face hub or from local files."""

from __future__ import annotations

from dataclasses import dataclass

from perdure.data._splits import Splits
from perdure.data.hub import Hub

__all__ = ["AmazonPolarity"]

HUB = "fancyzhx/amazon_polarity"


@dataclass(frozen=True)
class AmazonPolarity:
    """Product reviews, negative or positive, as token ids.

    From 3,600,000 training and 400,000 test reviews `texts` each are drawn, classes in proportion; a fifth
    of the training reviews is held out for validation.

    Args:
        path: Folder with the hub's files (train-*.parquet, test-*.parquet, columns content and label), at any depth;
            empty takes them from the Hugging Face hub, or from its cache when there is no network.
        vocabulary: Maximum number of words with an id.
        max_length: Tokens of a review.
        cut: Whether to truncate longer ones; else a longer review is an error.
        texts: Maximum number from each published part, drawn by the seed.

    Raises:
        SettingError: For a setting out of range.

    Reference:
        zhang2015character
    """

    path: str = ""
    vocabulary: int = 25000
    max_length: int = 400
    cut: bool = True
    texts: int = 25000

    def __post_init__(self) -> None:
        self._hub()

    def load(self, seed: int) -> Splits:
        """Read the reviews, hold out the validation samples and learn the vocabulary of the others.

        Args:
            seed: Seed of the validation samples and of all other draws.

        Returns:
            The splits.

        Raises:
            DataError: When the files are not available or cannot be read; subclasses name the case.
            DependencyError: When a package for the hub or the words is missing.
        """
        return self._hub().load(seed)

    def _hub(self) -> Hub:
        return Hub(HUB, self.path, "", "content", "label", self.vocabulary, self.max_length, self.cut, self.texts)
