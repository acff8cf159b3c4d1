import json

from perdure.core.estimate import Estimate
from perdure.core.verdict import Verdict, read_verdict, write_verdict

NUMBER = Estimate(0.13, 0.24, 1.0, (0.12, 0.14), 20, "AUPRC", higher_is_better=True)


def test_a_verdict_survives_json():
    verdict = Verdict("over time?", "vanishes", "bad", "It vanishes.", (NUMBER,))
    assert read_verdict(json.loads(json.dumps(write_verdict(verdict)))) == verdict
