"""The layout of `audit.json` as types, from which its published JSON schema is generated."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

__all__ = ["SCHEMA", "VERSION", "AuditRecord", "make_schema"]

VERSION = 3
"""Version of the layout of `audit.json`: records of perdure 0.1 have none; from 3 on all methods have verdicts."""

SCHEMA = f"perdure-audit-{VERSION}"
"""Identifier of the schema."""


class EstimateRecord(TypedDict):
    """A value between its null and its ceiling, with the ends of its 95 % interval."""

    name: str
    value: float
    null: float
    ceiling: float
    low: float | None
    high: float | None
    n: int
    unit: str
    higher_is_better: bool | None
    uniform: NotRequired[float | None]
    p: NotRequired[float | None]


class VerdictRecord(TypedDict):
    """An answer to a question, with the numbers behind it."""

    question: str
    answer: str
    level: Literal["good", "warning", "bad", "none"]
    sentence: str
    numbers: list[EstimateRecord]


class VerdictsRecord(TypedDict):
    """Verdicts on a method; null where a question was not tested or does not apply."""

    over_time: VerdictRecord | None
    down_to_input: VerdictRecord | None
    across_runs: VerdictRecord | None


class MethodRecord(TypedDict):
    """A method with its cost and verdicts; `failure` is the reason why it has none.

    `--json` prints seconds; those of a folder are in `times.json`.
    """

    name: str
    seconds: NotRequired[float | None]
    passes: int | None
    verdicts: VerdictsRecord
    paired: EstimateRecord | None
    tied: list[str]
    failure: str | None


class ModelRecord(TypedDict):
    """A model; `verdicts` are those of the recommended method, or of the one that comes nearest."""

    name: str
    outputs: str | None
    accuracy: EstimateRecord
    recommended: str | None
    answer: str
    verdicts: list[VerdictRecord]
    methods: list[MethodRecord]


class ScoreRecord(TypedDict):
    """The mean of a metric for the maps of a method."""

    model: str
    method: str
    number: EstimateRecord


class TextRecord(TypedDict):
    """A text with the place of each token."""

    text: str
    spans: list[tuple[int, int]]
    pieces: bool


class AuditRecord(TypedDict):
    """The result of `perdure audit`."""

    version: Literal[3]
    schema: Literal["perdure-audit-3"]
    title: str
    subtitle: str
    answer: str
    notes: list[str]
    models: list[ModelRecord]
    scores: list[ScoreRecord]
    labels: list[str]
    features: list[str]
    texts: list[TextRecord]
    provenance: dict[str, Any]
    digest: NotRequired[str]
    digest_of_arrays: NotRequired[str]


def make_schema() -> dict[str, Any]:
    """Make the JSON schema of `audit.json`.

    Returns:
        The schema that is published as `audit.schema.json`.

    Example:
        >>> make_schema()["$id"]
        'perdure-audit-3'
    """
    from pydantic import TypeAdapter

    schema = TypeAdapter(AuditRecord).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA, **schema}
