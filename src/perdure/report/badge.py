"""The badge of an audit: an SVG for the front page of a repository."""

from __future__ import annotations

from html import escape

from perdure.audit.result import Audit, AuditedModel
from perdure.core.spec import strip_settings

__all__ = ["draw_badge"]

LABEL = "explanations"

COLOURS = {"good": "#2e7d32", "warning": "#b26a00", "bad": "#b3261e", "none": "#5f6368"}
"""Grounds of the message by level; white text on each has a contrast of at least 4.5."""

CHARACTER = 6.6
"""Mean width of a character of the font in pixels."""

LONGEST = 60
"""Maximum number of characters of the message."""

TEMPLATE = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="20" role="img" aria-label="{title}">
<title>{title}</title>
<clipPath id="r"><rect width="{total}" height="20" rx="3"/></clipPath>
<g clip-path="url(#r)">
<rect width="{left}" height="20" fill="#3c4043"/>
<rect x="{left}" width="{right}" height="20" fill="{colour}"/>
</g>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">
<text x="{label_at}" y="14">{label}</text>
<text x="{message_at}" y="14">{message}</text>
</g>
</svg>
"""


def draw_badge(audit: Audit) -> str:
    """Draw the badge of an audit.

    Args:
        audit: Result of an audit.

    Returns:
        SVG with the recommended method of each model: green where all have one, red where none has.
    """
    message, level = _describe(audit.models)
    message = message if len(message) <= LONGEST else f"{message[: LONGEST - 1]}…"
    left, right = (round(CHARACTER * len(text)) + 12 for text in (LABEL, message))
    return TEMPLATE.format(
        total=left + right,
        left=left,
        right=right,
        colour=COLOURS[level],
        label=LABEL,
        message=escape(message),
        title=escape(f"{LABEL}: {message}"),
        label_at=left / 2,
        message_at=left + right / 2,
    )


def _describe(models: tuple[AuditedModel, ...]) -> tuple[str, str]:
    if len(models) == 1:
        return _describe_model(models[0])
    trusted = sum(model.recommended is not None for model in models)
    level = "good" if trusted == len(models) else "warning" if trusted else "bad"
    return f"trusted for {trusted} of {len(models)} models", level


def _describe_model(model: AuditedModel) -> tuple[str, str]:
    if model.recommended is not None:
        return f"use {strip_settings(model.recommended)}", "good"
    shown = model.shown
    if any(verdict.answer == "not learned" for verdict in model.verdicts):
        return "not learned", "none"
    down = None if shown is None else shown.verdicts.down_to_input
    if shown is not None and down is not None and down.answer in ("yes", "partly"):
        return f"{strip_settings(shown.name)} in part", "warning"
    return "none can be trusted", "bad"
