"""What a page is made of: plain records, each with a template of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from perdure.core.estimate import Estimate
from perdure.core.verdict import Verdict

__all__ = [
    "Card",
    "Cards",
    "ColourScale",
    "Facts",
    "Folds",
    "Gallery",
    "NumberGroup",
    "Numbers",
    "Panel",
    "Picture",
    "Piece",
    "Plot",
    "Prose",
    "ScaleKey",
    "Sentence",
    "Sentences",
    "Shares",
    "Table",
    "Token",
]


class Piece:
    """A piece of a page; `template` is the file that shows it."""

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
        subject: what was judged, for example a model.
        verdict: the answer.
        numbers: shown before the verdict's own.
    """

    subject: str
    verdict: Verdict
    numbers: tuple[Estimate, ...] = ()


@dataclass(frozen=True)
class Cards(Piece):
    """Verdicts side by side."""

    template: ClassVar[str] = "cards.html.j2"
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class NumberGroup:
    """Numbers of one kind.

    Args:
        name: what they measure.
        rows: whom each number belongs to, in words, and the number.
    """

    name: str
    rows: tuple[tuple[str, Estimate], ...]


@dataclass(frozen=True)
class Numbers(Piece):
    """A table of numbers, each on its scale between null and ceiling; `owner` is what the rows are."""

    template: ClassVar[str] = "numbers.html.j2"
    groups: tuple[NumberGroup, ...]
    owner: str = "map"


@dataclass(frozen=True)
class Table(Piece):
    """A plain table of texts; the first of each row names it."""

    template: ClassVar[str] = "table.html.j2"
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Shares(Piece):
    """One bar of parts that make a whole: the name, the share and the colour of each."""

    template: ClassVar[str] = "shares.html.j2"
    parts: tuple[tuple[str, float, str], ...]
    note: str = ""


@dataclass(frozen=True)
class Picture(Piece):
    """A drawn figure.

    Args:
        light: PNG for light paper.
        dark: PNG for dark paper.
        alt: what it shows, for those who cannot see it.
        caption: what to look at.
    """

    template: ClassVar[str] = "picture.html.j2"
    light: bytes
    dark: bytes
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Plot(Piece):
    """A figure that can be asked for its values.

    Args:
        figure: a plotly figure as JSON.
        alt: what it shows.
        caption: what to look at.
        fallback: shown where scripts do not run.
        choices: changes of its layout to choose from, by name; the first is how it starts.
    """

    template: ClassVar[str] = "plot.html.j2"
    figure: str
    alt: str
    caption: str
    fallback: Picture
    choices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Panel:
    """One map, a pixel for each site, with the outline of its truth.

    Args:
        light: PNG for light paper.
        dark: PNG for dark paper.
        size: steps and features.
        outline: the truth's border as an SVG path in steps and features.
        caption: its title.
        alt: what it shows.
        rows: the name of each row; empty for none.
        ends: what stands below the first and the last column; empty for nothing.
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
    """A strip of all colours with what its ends and middle mean."""

    light: bytes
    dark: bytes
    ticks: tuple[str, ...]
    caption: str


@dataclass(frozen=True)
class Gallery(Piece):
    """Rows of maps under shared colour scales.

    Args:
        rows: a title and the maps of each row.
        scales: the colour scales that the maps share.
        note: how to read them.
    """

    template: ClassVar[str] = "gallery.html.j2"
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]
    scales: tuple[ColourScale, ...]
    note: str = ""


@dataclass(frozen=True)
class Token:
    """A stretch of a text in one colour.

    Args:
        text: as it was written.
        value: what its colour stands for, in words; empty for what stands between tokens.
        light: colours of ground and ink on light paper.
        dark: the same on dark paper.
        truth: whether it is known to matter.
    """

    text: str
    value: str = ""
    light: tuple[str, str] = ("", "")
    dark: tuple[str, str] = ("", "")
    truth: bool = False


@dataclass(frozen=True)
class Sentence:
    """A text as one map colours it.

    Args:
        tokens: all of the text, in order.
        caption: whose map it is.
    """

    tokens: tuple[Token, ...]
    caption: str = ""


@dataclass(frozen=True)
class Sentences(Piece):
    """Texts under shared colour scales.

    Args:
        rows: a title and the text of each row, once for each map.
        scales: the colour scales that the maps share.
        note: how to read them.
    """

    template: ClassVar[str] = "sentences.html.j2"
    rows: tuple[tuple[str, tuple[Sentence, ...]], ...]
    scales: tuple[ColourScale, ...]
    note: str = ""


@dataclass(frozen=True)
class ScaleKey(Piece):
    """An explanation of the little scale beside every number, by examples."""

    template: ClassVar[str] = "scale_key.html.j2"
    examples: tuple[tuple[str, Estimate], ...]


@dataclass(frozen=True)
class Facts(Piece):
    """Names and values, such as the provenance of a run; nested names are joined by dots."""

    template: ClassVar[str] = "facts.html.j2"
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Folds(Piece):
    """Pieces of one kind by name, none of them a plot: the first is seen, the others unfold when asked for.

    Args:
        pieces: by name.
        note: how to read them.
    """

    template: ClassVar[str] = "folds.html.j2"
    pieces: tuple[tuple[str, Piece], ...]
    note: str = ""
