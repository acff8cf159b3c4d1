"""Reviews from a grammar: texts whose evidence is known, word by word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import torch

from perdure.core.batch import PAD, SPECIAL, Batch, Text
from perdure.core.check import check_counts
from perdure.core.errors import SettingError
from perdure.core.random import stream
from perdure.data._splits import Splits

__all__ = ["PlantedText"]

LONGEST_CLAUSE = 8
CLAUSES = 5
"""Maximum number of clauses of a review before the fillers: two for its class, one against it, and two distractors."""

DRAWS = 2
"""Numbers drawn for each token, at least as many as a clause of any form takes."""

SENTIMENT = (
    "awful bad bland boring clumsy confusing dreadful dull empty flat forgettable hollow horrible lazy messy poor "
    "predictable shallow silly stale terrible tedious tired weak",
    "amazing beautiful brilliant charming clever delightful excellent fine fresh funny good graceful great gripping "
    "honest lovely moving perfect sharp smart strong superb tender wonderful",
)
"""Words against a film and for it."""

FILM = (
    "acting camera cast casting dialogue direction drama editing ending film humour lighting movie music opening "
    "pacing performance photography picture plot score screenplay script sound story villain writing"
)
SURROUNDINGS = (
    "advert box bus cafe carpet cinema coat dinner foyer hotel lift lobby menu parking popcorn poster queue seat "
    "staff street ticket trailer usher weather"
)
"""Parts of a film and things around it; sentiments about either count."""

NEUTRAL = (
    "american big black blue brown crowded dark early foreign former french german green grey italian large late loud "
    "modern narrow new next old other plain previous quiet red round small square tall white wide wooden yellow"
)
SYLLABLES = ("bel dor fa gil hul ka lem mi nor pe", "ba cor da li mo na ri su ta ve", "dale ford k lia m n ra ro s th")
"""Syllables of names, the rare words of a review."""

DAYS = "monday tuesday wednesday thursday friday saturday sunday"
MONTHS = "april august december february january july june march november october september"
NUMBERS = "two three four five six seven eight nine ten twelve fifteen twenty thirty forty fifty sixty ninety"

INTENSIFIERS = ("clearly", "fairly", "quite", "rather", "really", "so", "truly", "very")
NEGATORS = ("barely", "hardly", "never", "not", "rarely", "scarcely", "seldom")
STATEMENTS = (
    "the F was H S",
    "the F is H S",
    "L found the F H S",
    "i think the F is H S",
    "it has H S F",
    "L said the B was H S",
    "H S F in L",
    "the B seems H S to L",
)
FILLER = (
    "we saw it in L on a D",
    "L runs for N minutes",
    "it begins in L",
    "i went there with L and L",
    "L follows L to L",
    "it came out in M",
    "L and L leave L after N days",
    "a D in L",
    "L L sat in row N",
    "L meets L and L in L",
    "L L plays L",
)
"""Clauses. S is an adjective, H before it an intensifier or a negator; F and B are things, L is a name. Statements
that count and those that do not differ in S alone, so no other word reveals which they are."""

WORDS = {"A": NEUTRAL, "F": FILM, "B": SURROUNDINGS, "D": DAYS, "M": MONTHS, "N": NUMBERS}
NAMES = tuple("".join(parts) for parts in product(*(group.split() for group in SYLLABLES)))
CHOICES = {"L": NAMES, **{slot: tuple(words.split()) for slot, words in WORDS.items()}}
POLAR = tuple(tuple(words.split()) for words in SENTIMENT)
CAPITAL = {"i", *CHOICES["L"], *CHOICES["D"], *CHOICES["M"]}


Words = tuple[str, ...]


class _Token(NamedTuple):
    word: str
    matters: bool


@dataclass(frozen=True)
class PlantedText:
    """Film reviews drawn from a grammar, whose class follows from words that are known.

    The rule: a sentiment counts for its polarity, negated when the word before it is a negator and not an
    intensifier; the class is the polarity of the majority. A review has at most one statement against its class and
    one more for it, so that none of these can be spared. Up to two statements of the same form have no polarity,
    negators included, and the rest is names and numbers. The truth marks the sentiments that are evidence for the
    class, each with the word before it.

    Args:
        train: Number of training samples.
        validation: Number of validation samples.
        test: Number of test samples.
        shortest: Tokens of a review, at least.
        longest: Tokens of a review, at most; padding goes up to here.
        negation: Fraction of statements that deny; one half leaves a bag of words with nothing.

    Raises:
        SettingError: For a setting out of range.

    Reference:
        zhou2022attribution

    Notes:
        Logistic regression on word counts is right in 52 and 55 % of the test samples (seeds 0 and 1),
        "small_deep_lstm" in 98 and 99 % (seeds 100 and 101), trained with stop_at=0.995 for 800 steps in about 40 s.

    Example:
        >>> batch = PlantedText(train=1, validation=1, test=1).load(6).test
        >>> batch.text[0].text[43:]
        'The score was scarcely large. The movie was not lovely.'
        >>> [token for token, known in zip(batch.text[0].tokens, batch.truth[0], strict=False) if known]
        ['not', 'lovely']
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
            raise SettingError(f"negation is {self.negation}", "give a fraction from 0 to 1")

    def load(self, seed: int) -> Splits:
        """Draw the splits, each from its own stream.

        Args:
            seed: Seed of all splits.

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
        draws = torch.rand(count, DRAWS * self.longest, generator=generator).tolist()
        reviews = [
            self._review(value, _Draw(iter(numbers))) for value, numbers in zip(label.tolist(), draws, strict=True)
        ]
        number = {word: place for place, word in enumerate(vocabulary())}
        inputs = torch.full((count, self.longest), PAD)
        truth = torch.zeros(count, self.longest, dtype=torch.bool)
        for row, review in enumerate(reviews):
            inputs[row, : len(review)] = torch.tensor([number[token.word] for token in review])
            truth[row, : len(review)] = torch.tensor([token.matters for token in review])
        names = tuple(f"{name}-{i:06d}" for i in range(count))
        return Batch(inputs, label, inputs != PAD, truth, id=names, text=tuple(map(_write_text, reviews)))

    def _review(self, label: int, draw: _Draw) -> list[_Token]:
        """Write a review as tokens."""
        against = draw.below(2)
        support = against + 1
        clauses = [self._statement(POLAR[label], POLAR[1 - label], True, draw) for _ in range(support)]
        clauses += [self._statement(POLAR[1 - label], POLAR[label], False, draw) for _ in range(against)]
        clauses += [self._statement(CHOICES["A"], CHOICES["A"], False, draw) for _ in range(draw.below(3))]
        wanted = self.shortest + draw.below(self.longest - self.shortest - LONGEST_CLAUSE + 1)
        while sum(map(len, clauses)) < wanted:
            clauses.append(_clause(draw.of(FILLER), CHOICES, False, draw))
        return [token for clause in draw.shuffle(clauses) for token in clause]

    def _statement(self, adjectives: Words, opposite: Words, matters: bool, draw: _Draw) -> list[_Token]:
        """Write a statement, or the denial of its opposite."""
        denied = draw.uniform() < self.negation
        words = {"S": opposite, "H": NEGATORS} if denied else {"S": adjectives, "H": INTENSIFIERS}
        return _clause(draw.of(STATEMENTS), CHOICES | words, matters, draw)


@dataclass(frozen=True)
class _Draw:
    """Draws from the numbers of one review."""

    numbers: Iterator[float]

    def uniform(self) -> float:
        return next(self.numbers)

    def below(self, count: int) -> int:
        return int(self.uniform() * count)

    def of(self, choices: Words) -> str:
        return choices[self.below(len(choices))]

    def shuffle(self, clauses: list[list[_Token]]) -> list[list[_Token]]:
        return sorted(clauses, key=lambda _clause: self.uniform())


def vocabulary() -> tuple[str, ...]:
    """List all words that a review can have, in the order of their ids."""
    words = {word for clause in (*STATEMENTS, *FILLER) for word in clause.split()} - {"S", "H", *CHOICES}
    choices = {word for group in (*POLAR, *CHOICES.values(), NEGATORS, INTENSIFIERS) for word in group}
    return (*SPECIAL, *sorted({".", *words, *choices}))


def _clause(template: str, words: Mapping[str, Words], matters: bool, draw: _Draw) -> list[_Token]:
    """Fill a clause: if it matters, the truth marks the adjective and the word before it."""
    slots = template.split()
    tokens = [_Token(draw.of(words[slot]) if slot in words else slot, matters and slot in "SH") for slot in slots]
    return [*tokens, _Token(".", False)]


def _write_text(review: list[_Token]) -> Text:
    """Write tokens as a text: a capital after a full stop, and no blank before it."""
    text, spans = "", []
    for place, (word, _) in enumerate(review):
        capital = word in CAPITAL or place == 0 or review[place - 1].word == "."
        text += "" if place == 0 or word == "." else " "
        spans.append((len(text), len(text) + len(word)))
        text += word.capitalize() if capital else word
    return Text(text, tuple(spans))
