import json
import math
from dataclasses import replace

import pytest

from perdure.core.errors import NonFiniteError
from perdure.core.estimate import Estimate, Verdict, read_estimate, read_verdict, write_estimate, write_verdict

AUPRC = Estimate(0.13, 0.24, 1.0, (0.12, 0.14), 20, "AUPRC", higher_is_better=True)


@pytest.mark.parametrize("estimate", [AUPRC, replace(AUPRC, interval=None)])
def test_an_estimate_survives_json(estimate):
    assert read_estimate(json.loads(json.dumps(write_estimate(estimate)))) == estimate


def test_numbers_of_version_0_1_are_read():
    stored = {"name": "AUPRC", "value": 0.13, "low": 0.12, "high": 0.14, "null": 0.24, "ceiling": 1.0, "unit": ""}
    assert read_estimate({**stored, "higher_is_better": True}) == replace(AUPRC, n=1)


def test_an_unknown_interval_excludes_nothing():
    unknown = replace(AUPRC, interval=None)
    assert (unknown.low, unknown.high) == (-math.inf, math.inf)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["value", "null", "ceiling"])
def test_a_number_that_is_not_finite_is_refused(field, value):
    with pytest.raises(NonFiniteError, match=f"the {field} of 'AUPRC'"):
        replace(AUPRC, **{field: value})


@pytest.mark.parametrize("interval", [(math.nan, 1.0), (0.0, math.inf)])
def test_an_interval_that_is_not_finite_is_refused(interval):
    with pytest.raises(NonFiniteError, match="end of 'AUPRC'"):
        replace(AUPRC, interval=interval)


NUMBER = Estimate(0.13, 0.24, 1.0, (0.12, 0.14), 20, "AUPRC", higher_is_better=True)


def test_a_verdict_survives_json():
    verdict = Verdict("over time?", "vanishes", "bad", "It vanishes.", (NUMBER,))
    assert read_verdict(json.loads(json.dumps(write_verdict(verdict)))) == verdict
