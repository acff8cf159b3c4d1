"""Recommendations of hand-made panels."""

import pytest

from perdure.audit.recommend import choose_method, describe_recommendation
from perdure.audit.result import AuditedMethod, AuditedModel, Verdicts
from perdure.core.estimate import Estimate, Verdict

LEVELS = {"yes": "good", "reaches back": "good", "partly": "warning", "fades": "warning", "not tested": "none"}


def verdict(answer):
    return Verdict("?", answer, LEVELS.get(answer, "bad"), ".")


def method(name, down="yes", time="reaches back", *, paired=0.5, tied=(), passes=10, runs="not tested"):
    estimate = Estimate(paired, 0.0, 1.0, (paired - 0.1, paired + 0.1))
    verdicts = Verdicts(verdict(time), verdict(down), verdict(runs))
    return AuditedMethod(name, (), verdicts, passes, 0.1, estimate, tied)


def model(*methods):
    return AuditedModel("net", Estimate(0.9, 0.5, 1.0, (0.8, 1.0)), methods)


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        ((method("a", "no"), method("b", "yes")), "b"),
        ((method("a", "yes", "vanishes"), method("b", "partly")), None),
        ((method("random", "yes"), method("b", "partly")), None),
        ((method("a", paired=0.4), method("b", paired=0.6)), "b"),
        ((method("a", paired=0.4), method("b", paired=0.6, passes=99, tied=("a",))), "b"),
        ((method("a", paired=0.4, tied=("b",)), method("b", paired=0.6, passes=99, tied=("a",))), "a"),
        ((method("a", time="fades", paired=0.9), method("b", paired=0.6)), "b"),  # verdicts come before scores
        ((AuditedMethod("a", (), failure="It fails."), method("b")), "b"),
        ((AuditedMethod("a", (), failure="It fails."),), None),
    ],
)
def test_verdicts_then_paired_scores_then_cost_decide(methods, expected):
    chosen = choose_method(methods)
    assert (chosen and chosen.name) == expected
    assert model(*methods).recommended == expected


def test_the_recommendation_is_one_sentence():
    tied = (method("a", tied=("b", "c", "random")), method("b", tied=("a",)), method("c", "no", tied=("a",)))
    text = describe_recommendation(model(*tied, method("random", "no")))
    assert text == (
        "net: use a; the explanation reaches back, and the map shows what the prediction needs; b is tied with it."
    )
    none = describe_recommendation(model(method("a", "no"), method("b", "partly"), method("random", "partly")))
    assert none.startswith("net: none of 2 methods can be trusted, because no map shows all that the prediction needs;")
    assert "the nearest is b" in none
    late = describe_recommendation(model(method("a", "yes", "vanishes"), method("b", "no")))
    assert "fail another question; the nearest is a: the explanation vanishes" in late
    assert describe_recommendation(model(method("a", "no", "vanishes"))) == (
        "net: a cannot be trusted, because the explanation vanishes, and the map does not show what the prediction "
        "needs."
    )
    assert describe_recommendation(model(method("a", "not learned"))) == "net has not learned the task."
