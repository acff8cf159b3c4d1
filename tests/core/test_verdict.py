import json
import math
from dataclasses import asdict

import pytest

from perdure.core.errors import NonFiniteError
from perdure.core.verdict import Number, Verdict, read_verdict

NUMBER = Number("AUPRC", 0.13, 0.12, 0.14, 0.24, 1.0, "", True)


def test_a_verdict_survives_json():
    verdict = Verdict("over time?", "vanishes", "bad", "It vanishes.", (NUMBER,))
    assert read_verdict(json.loads(json.dumps(asdict(verdict)))) == verdict


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["value", "low", "high", "null", "ceiling"])
def test_a_number_without_a_value_is_refused(field, value):
    with pytest.raises(NonFiniteError, match=f"the {field} of 'AUPRC'"):
        Number(**{**asdict(NUMBER), field: value})
