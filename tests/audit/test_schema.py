"""The published schema of `audit.json`."""

import json
from importlib.resources import files

import pytest
from pydantic import ConfigDict, TypeAdapter, ValidationError

from perdure.audit.requirement import ANSWERS, list_unmet, parse_requirement
from perdure.audit.schema import SCHEMA, VERSION, AuditRecord, make_schema
from perdure.report.badge import draw_badge
from tests.report.conftest import HOSTILE, of_images, of_texts, picture


def validate(record):
    """Check a record strictly, without unknown fields."""
    types = TypeAdapter(AuditRecord)
    AuditRecord.__pydantic_config__ = ConfigDict(extra="forbid")
    return types.validate_json(json.dumps(record), strict=True)


def test_the_published_schema_is_that_of_the_types():
    published = json.loads((files("perdure.audit") / "audit.schema.json").read_text())
    assert published == json.loads(json.dumps(make_schema()))
    assert published["$id"] == SCHEMA == f"perdure-audit-{VERSION}"
    assert published["properties"]["schema"]["const"] == SCHEMA


@pytest.mark.parametrize("audit", [picture(), of_images(), of_texts()], ids=["series", "images", "texts"])
def test_records_follow_the_schema(audit):
    record = json.loads(json.dumps(audit.to_dict()))
    assert set(record) <= set(make_schema()["properties"])
    validate(record)
    del record["models"][0]["recommended"]
    with pytest.raises(ValidationError, match="recommended"):
        validate(record)


def test_a_requirement_is_about_the_recommended_method_or_the_first():
    audit = picture("LSTM")
    unmet = list_unmet(audit, [parse_requirement("down_to_input=yes"), parse_requirement("over_time=reaches_back")])
    assert unmet == [
        "LSTM, LSTM: down_to_input is 'LSTM', required 'yes'",
        "LSTM, LSTM: over_time has no answer, required 'reaches back'",
    ]
    assert list(ANSWERS) == ["over_time", "down_to_input", "across_runs"]


def test_the_badge_names_no_method_that_cannot_be_trusted_and_is_never_markup():
    badge = draw_badge(picture(HOSTILE))
    assert "none can be trusted" in badge
    assert "<script" not in badge
    assert badge.count("<text") == 2
