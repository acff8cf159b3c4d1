"""Pieces of a page: plain records, each with a template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from perdure.core.estimate import Estimate, Verdict

__all__ = [
    "Card",
    "Cards",
    "ColourScale",
    "Facts",
    "Folds",
    "Fractions",
    "Gallery",
    "NumberGroup",
    "Numbers",
    "Panel",
    "Picture",
    "Piece",
    "Prose",
    "ScaleKey",
    "Sentence",
    "Sentences",
    "Table",
    "Token",
    "Tone",
    "VerdictRow",
    "VerdictTable",
]


class Piece:
    """A piece of a page; `template` is the file that renders it."""

    template: ClassVar[str]


@dataclass(frozen=True)
class Prose(Piece):
    """Paragraphs of plain text."""

    template: ClassVar[str] = "prose.html.j2"
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class Card:
    """A verdict on one subject.

    Args:
        subject: Subject of the verdict, for example a model.
        verdict: Verdict to show.
        numbers: Numbers before those of the verdict.
    """

    subject: str
    verdict: Verdict
    numbers: tuple[Estimate, ...] = ()


@dataclass(frozen=True)
class Cards(Piece):
    """Verdicts in a row."""

    template: ClassVar[str] = "cards.html.j2"
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class VerdictRow:
    """A row of a table of verdicts.

    Args:
        name: Name of the row, for example a method.
        mark: Short remark on the row; empty for none.
        verdicts: Verdict of each question; None where it does not apply.
        cells: Further texts.
        failure: Reason why there are no verdicts; empty for none.
    """

    name: str
    mark: str
    verdicts: tuple[Verdict | None, ...]
    cells: tuple[str, ...]
    failure: str = ""


@dataclass(frozen=True)
class VerdictTable(Piece):
    """Verdicts on several subjects: questions in columns, groups of rows with a title and a sentence.

    Args:
        header: Heads of all columns.
        groups: Title, sentence and rows of each group.
        note: Explanation for readers.
    """

    template: ClassVar[str] = "verdict_table.html.j2"
    header: tuple[str, ...]
    groups: tuple[tuple[str, str, tuple[VerdictRow, ...]], ...]
    note: str = ""


@dataclass(frozen=True)
class NumberGroup:
    """Numbers of one kind.

    Args:
        name: Name of the measure.
        rows: Owner and number of each row.
    """

    name: str
    rows: tuple[tuple[str, Estimate], ...]


@dataclass(frozen=True)
class Numbers(Piece):
    """A table of numbers with their scales between null and ceiling; `owner` is the header of the rows."""

    template: ClassVar[str] = "numbers.html.j2"
    groups: tuple[NumberGroup, ...]
    owner: str = "map"


@dataclass(frozen=True)
class Table(Piece):
    """A table of texts; the first text of each row is its header."""

    template: ClassVar[str] = "table.html.j2"
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Fractions(Piece):
    """A bar of parts of a whole: name, fraction and colour of each part."""

    template: ClassVar[str] = "fractions.html.j2"
    parts: tuple[tuple[str, float, str], ...]
    note: str = ""


@dataclass(frozen=True)
class Picture(Piece):
    """A drawn figure.

    Args:
        light: PNG for light paper.
        dark: PNG for dark paper.
        alt: Description for screen readers.
        caption: Text below the figure.
    """

    template: ClassVar[str] = "picture.html.j2"
    light: bytes
    dark: bytes
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Panel:
    """A map with one pixel per element and the outline of its truth.

    Args:
        light: PNG for light paper.
        dark: PNG for dark paper.
        size: Numbers of steps and features.
        outline: Border of the truth as an SVG path in steps and features.
        caption: Title.
        alt: Description for screen readers.
        rows: Name of each row; empty for none.
        ends: Labels of the first and the last column; empty for none.
    """

    light: bytes
    dark: bytes
    size: tuple[int, int]
    outline: str
    caption: str
    alt: str
    rows: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()


@dataclass(frozen=True)
class ColourScale:
    """A colour scale with labels of its ends and middle."""

    light: bytes
    dark: bytes
    ticks: tuple[str, ...]
    caption: str


@dataclass(frozen=True)
class Gallery(Piece):
    """Rows of maps with common colour scales.

    Args:
        rows: Title and maps of each row.
        scales: Common colour scales.
        note: Explanation for readers.
    """

    template: ClassVar[str] = "gallery.html.j2"
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]
    scales: tuple[ColourScale, ...]
    note: str = ""


@dataclass(frozen=True)
class Token:
    """A part of a text in one colour.

    Args:
        text: Text of the part.
        value: Attribution of the token; empty between tokens.
        tone: Index of the colour in `Sentences.tones`; None without a colour.
        truth: Whether the token is relevant.
    """

    text: str
    value: str = ""
    tone: int | None = None
    truth: bool = False


@dataclass(frozen=True)
class Tone:
    """A colour of tokens.

    Args:
        light: Colours of background and ink on light paper.
        dark: Colours of background and ink on dark paper.
    """

    light: tuple[str, str]
    dark: tuple[str, str]


@dataclass(frozen=True)
class Sentence:
    """A text coloured by one map.

    Args:
        tokens: Complete text in order.
        caption: Name of the map.
    """

    tokens: tuple[Token, ...]
    caption: str = ""


@dataclass(frozen=True)
class Sentences(Piece):
    """Texts with common colour scales.

    Args:
        rows: Title of each row, and its text coloured by each map.
        scales: Common colour scales.
        tones: Colours of the tokens.
        scheme: Prefix of the style rules of these colours.
        note: Explanation for readers.
    """

    template: ClassVar[str] = "sentences.html.j2"
    rows: tuple[tuple[str, tuple[Sentence, ...]], ...]
    scales: tuple[ColourScale, ...]
    tones: tuple[Tone, ...] = ()
    scheme: str = "t"
    note: str = ""


@dataclass(frozen=True)
class ScaleKey(Piece):
    """An explanation of the scale of a number by examples."""

    template: ClassVar[str] = "scale_key.html.j2"
    examples: tuple[tuple[str, Estimate], ...]


@dataclass(frozen=True)
class Facts(Piece):
    """Names and values, such as the provenance of a run; nested names are joined by dots."""

    template: ClassVar[str] = "facts.html.j2"
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Folds(Piece):
    """Named pieces: the first is visible, the others are collapsed.

    Args:
        pieces: Pieces by name.
        note: Explanation for readers.
    """

    template: ClassVar[str] = "folds.html.j2"
    pieces: tuple[tuple[str, Piece], ...]
    note: str = ""
