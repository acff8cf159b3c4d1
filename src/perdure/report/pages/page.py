"""Pages as self-contained HTML without network access."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perdure.report import numbers
from perdure.report.charts.figure import import_for_drawing
from perdure.report.charts.palette import list_colours
from perdure.report.pieces import Piece

__all__ = ["Page", "Section", "make_environment", "render", "render_style"]

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Args:
        title: Heading.
        pieces: Content in order.
    """

    title: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Page:
    """A page of plain records; texts are shown verbatim, never as markup.

    Args:
        title: Main heading.
        subtitle: Model and data.
        lead: Result in one sentence.
        sections: Further content, in order.
    """

    title: str
    subtitle: str
    lead: str
    sections: tuple[Section, ...]


def render(page: Page) -> str:
    """Render a page as self-contained HTML.

    Styles and images are inlined, and there is no script. A content security policy permits nothing else.

    Args:
        page: Page to render.

    Returns:
        HTML document.

    Example:
        >>> "&lt;b&gt;" in render(Page("<b>", "", "", ()))
        True
    """
    environment = make_environment()
    html: str = environment.get_template("page.html.j2").render(
        page=page,
        style=render_style(environment),
    )
    return html


def render_style(environment: Any) -> str:
    """Render the style sheet of all pages.

    Args:
        environment: Environment of the templates.

    Returns:
        Style sheet.
    """
    style: str = environment.get_template("page.css.j2").render(palettes=list_colours())
    return style


def make_environment(*folders: Path) -> Any:
    """Make the environment of the templates of all pieces; every text is escaped.

    Args:
        folders: Folders of further templates.

    Returns:
        Environment of jinja2.
    """
    jinja = import_for_drawing("jinja2")
    environment = jinja.Environment(
        loader=jinja.FileSystemLoader([TEMPLATES, *folders]),
        autoescape=True,
        undefined=jinja.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "scale": numbers.place_on_scale,
        "standing": numbers.compare_with_null,
        "digits": numbers.format_number,
        "estimate": numbers.format_value,
        "interval": numbers.format_interval,
        "describe": numbers.describe,
        "flat": numbers.flatten_facts,
        "png": _data_address,
    }
    return environment


def _data_address(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
