"""Reviews from a grammar: texts whose evidence is known, word by word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from perdure.core.batch import Batch
from perdure.core.check import check_counts
from perdure.core.errors import SettingError
from perdure.core.random import stream
from perdure.core.text import PAD, SPECIAL, Text
from perdure.data.splits import Splits

__all__ = ["PlantedText"]

LONGEST_CLAUSE = 8
CLAUSES = 6
"""The most that a review has before it is filled up: three for its class, one against it, and two distractors."""

SENTIMENT = (
    "awful bad bland boring clumsy confusing dreadful dull empty flat forgettable hollow horrible lazy messy poor "
    "predictable shallow silly stale terrible tedious tired weak",
    "amazing beautiful brilliant charming clever delightful excellent fine fresh funny good graceful great gripping "
    "honest lovely moving perfect sharp smart strong superb tender wonderful",
)
"""Words that speak against a film and for it."""

FILM = (
    "acting camera cast casting dialogue direction drama editing ending film humour lighting movie music opening "
    "pacing performance photography picture plot score screenplay script sound story villain writing"
)
BESIDE = (
    "advert box bus cafe carpet cinema coat dinner foyer hotel lift lobby menu parking popcorn poster queue seat "
    "staff street ticket trailer usher weather"
)
PEOPLE = "aunt boss brother colleague cousin dentist father friend mother neighbour nephew sister teacher uncle wife"
PLACES = "berlin cairo chicago dublin iceland kyoto lisbon madrid naples oslo paris prague tunis venice vienna"
DAYS = "monday tuesday wednesday thursday friday saturday sunday"
MONTHS = "april august december february january july june march november october september"
NUMBERS = "two three four five six seven eight nine ten twelve fifteen twenty thirty forty fifty sixty ninety"

EVIDENCE = (
    "the F was S",
    "the F is S",
    "the F seems S",
    "the F turns out S",
    "i found the F S",
    "the S F stays with me",
    "it has a rather S F",
)
DENIED = (
    "the F was *not S",
    "the F is *never S",
    "the F is *hardly S",
    "i *cannot call the F S",
    "there is *no S F here",
    "*nobody would call the F S",
    "the F is *far from S",
)
DISTRACTORS = (
    "the B was S",
    "the B was not S",
    "the S B comes to mind",
    "my P called it S",
    "my P calls the F S",
    "my P said it is not S",
    "the B is never S",
)
FILLER = (
    "we saw it on a D",
    "it runs for N minutes",
    "it begins in L",
    "i went there with my P",
    "the camera follows N people to L",
    "it came out in M",
    "they leave L after N days",
    "a D in L",
    "my P sat in row N",
    "N years pass",
)
"""Clauses. F is a word for the film, B for what stands beside it, S a sentiment, * begins a negation."""

WORDS = {"F": FILM, "B": BESIDE, "P": PEOPLE, "L": PLACES, "D": DAYS, "M": MONTHS, "N": NUMBERS}
CHOICES = {slot: tuple(words.split()) for slot, words in WORDS.items()}
POLAR = tuple(tuple(words.split()) for words in SENTIMENT)
CAPITAL = {"i", *CHOICES["L"], *CHOICES["D"], *CHOICES["M"]}


class _Token(NamedTuple):
    word: str
    matters: bool


@dataclass(frozen=True)
class PlantedText:
    """Film reviews drawn from a grammar, whose class follows from words that are known.

    The rule: a sentiment about the film counts for its polarity, turned round by a negation before it; sentiments
    about other things, and what other people say, do not count; the class is the polarity of the majority. A review
    has one to three clauses for its class, at most one against it, and up to two that do not count. The truth marks
    the sentiments that speak for the class, with their negations; each alone has the polarity, so that several
    are redundant.

    Args:
        train: the number of training samples.
        validation: the number of validation samples.
        test: the number of test samples.
        shortest: tokens of a review, at least.
        longest: tokens of a review, at most; padding goes up to here.
        negation: share of sentiments about the film that are negated; one half leaves a bag of words with nothing.

    Raises:
        SettingError: for a setting out of range.

    Reference:
        zhou2022attribution

    Notes:
        Logistic regression on word counts is right in 55 % of the test samples, "small_deep_lstm" in 99 %, trained
        in under a minute with stop_at=0.99.

    Example:
        >>> batch = PlantedText(train=1, validation=1, test=1).load(11).test
        >>> batch.text[0].text[18:90]
        'The humour is empty. We saw it on a Wednesday. The foyer is never fresh.'
        >>> [token for token, known in zip(batch.text[0].tokens, batch.truth[0], strict=False) if known]
        ['empty']
    """

    train: int = 4000
    validation: int = 500
    test: int = 1000
    shortest: int = 20
    longest: int = 50
    negation: float = 0.4

    def __post_init__(self) -> None:
        check_counts(train=self.train, validation=self.validation, test=self.test, shortest=self.shortest)
        if self.longest < max(CLAUSES * LONGEST_CLAUSE, self.shortest + LONGEST_CLAUSE):
            raise SettingError(
                f"longest is {self.longest}, where reviews have {self.shortest} words and more",
                f"give at least {CLAUSES * LONGEST_CLAUSE}, and {LONGEST_CLAUSE} more than the shortest",
            )
        if not 0 <= self.negation <= 1:
            raise SettingError(f"negation is {self.negation}", "give a share from 0 to 1")

    def load(self, seed: int) -> Splits:
        """Draw the splits, each from its own stream.

        Args:
            seed: of all splits.

        Returns:
            The splits; the test samples do not depend on the number of training samples.
        """
        train, validation, test = (
            self._draw(name, count, seed)
            for name, count in (("train", self.train), ("validation", self.validation), ("test", self.test))
        )
        return Splits(train, validation, test, ("negative", "positive"), vocabulary())

    def _draw(self, name: str, count: int, seed: int) -> Batch:
        generator = stream(seed, "planted_text", name)
        label = torch.randperm(count, generator=generator) % 2
        draws = torch.rand(count, 20 * CLAUSES, generator=generator).tolist()
        reviews = [self._review(one, _Draw(iter(some))) for one, some in zip(label.tolist(), draws, strict=True)]
        number = {word: place for place, word in enumerate(vocabulary())}
        inputs = torch.full((count, self.longest), PAD)
        truth = torch.zeros(count, self.longest, dtype=torch.bool)
        for row, review in enumerate(reviews):
            inputs[row, : len(review)] = torch.tensor([number[token.word] for token in review])
            truth[row, : len(review)] = torch.tensor([token.matters for token in review])
        names = tuple(f"{name}-{i:06d}" for i in range(count))
        return Batch(inputs, label, inputs != PAD, truth, id=names, text=tuple(map(_written, reviews)))

    def _review(self, label: int, draw: _Draw) -> list[_Token]:
        """Write a review as tokens."""
        support = 1 + draw.below(3)
        against = draw.below(min(support, 2))
        clauses = [self._evidence(label, True, draw) for _ in range(support)]
        clauses += [self._evidence(1 - label, False, draw) for _ in range(against)]
        clauses += [_clause(draw.of(DISTRACTORS), draw.below(2), False, draw) for _ in range(draw.below(3))]
        wanted = self.shortest + draw.below(self.longest - self.shortest - LONGEST_CLAUSE + 1)
        while sum(map(len, clauses)) < wanted:
            clauses.append(_clause(draw.of(FILLER), 0, False, draw))
        return [token for clause in draw.shuffled(clauses) for token in clause]

    def _evidence(self, polarity: int, matters: bool, draw: _Draw) -> list[_Token]:
        """Write a clause about the film that speaks for a polarity."""
        if draw.share() < self.negation:
            return _clause(draw.of(DENIED), 1 - polarity, matters, draw)
        return _clause(draw.of(EVIDENCE), polarity, matters, draw)


@dataclass(frozen=True)
class _Draw:
    """Draws from the numbers of one review."""

    numbers: Iterator[float]

    def share(self) -> float:
        return next(self.numbers)

    def below(self, count: int) -> int:
        return int(self.share() * count)

    def of(self, choices: Sequence[str]) -> str:
        return choices[self.below(len(choices))]

    def shuffled(self, clauses: list[list[_Token]]) -> list[list[_Token]]:
        return sorted(clauses, key=lambda _clause: self.share())


def vocabulary() -> tuple[str, ...]:
    """List all words that a review can have, in the order of their ids."""
    clauses = " ".join((*EVIDENCE, *DENIED, *DISTRACTORS, *FILLER)).replace("*", "").split()
    words = {word for word in clauses if word not in {"S", *CHOICES}}
    return (*SPECIAL, *sorted({".", *words, *" ".join((*SENTIMENT, *WORDS.values())).split()}))


def _clause(template: str, polarity: int, matters: bool, draw: _Draw) -> list[_Token]:
    """Fill a clause: the truth marks its sentiment and the negation before it, if it matters."""
    tokens = []
    for slot in template.split():
        if slot == "S":
            tokens.append(_Token(draw.of(POLAR[polarity]), matters))
        elif slot in CHOICES:
            tokens.append(_Token(draw.of(CHOICES[slot]), False))
        else:
            tokens.append(_Token(slot.lstrip("*"), matters and slot.startswith("*")))
    return [*tokens, _Token(".", False)]


def _written(review: list[_Token]) -> Text:
    """Write tokens as a text: a capital after a full stop, and no blank before it."""
    text, spans = "", []
    for place, (word, _) in enumerate(review):
        capital = word in CAPITAL or place == 0 or review[place - 1].word == "."
        text += "" if place == 0 or word == "." else " "
        spans.append((len(text), len(text) + len(word)))
        text += word.capitalize() if capital else word
    return Text(text, tuple(spans))
