"""The recommendation of an audit: which method to use on a model, and why or why none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from perdure.audit.panel import is_control

if TYPE_CHECKING:
    from perdure.audit.result import AuditedMethod, AuditedModel

__all__ = ["choose_hint", "choose_method", "describe_recommendation"]

DOWN_TO_INPUT = {
    "yes": "shows what the prediction needs",
    "partly": "shows part of what the prediction needs",
    "no": "does not show what the prediction needs",
    "unclear": "passes one test and fails another",
}
"""The answers of the second verdict in the words of a summary."""

ACROSS_RUNS = {
    "yes": "another training run would show the same",
    "partly": "another training run would show part of the same",
    "no": "another training run would show something else",
    "unclear": "whether another training run would show the same stays open",
    "steady nearby": "short retrainings show the same",
    "partly steady nearby": "short retrainings show part of the same",
    "not steady nearby": "short retrainings show something else",
    "unclear nearby": "whether short retrainings show the same stays open",
}
"""Those of the third verdict; other answers are left out."""

ORDER = {"yes": 0, "partly": 1, "unclear": 2, "no": 3}
"""Answers down to the input from the best to the worst."""


def choose_method(methods: Sequence[AuditedMethod]) -> AuditedMethod | None:
    """Choose the method to use: by verdicts, then by paired scores, then by cost.

    Args:
        methods: Methods with their verdicts.

    Returns:
        The cheapest of the methods that cannot be distinguished from the best trustworthy one; None without any.
    """
    trusted = [method for method in methods if method.is_trustworthy]
    return _choose_best(trusted) if trusted else None


def choose_hint(methods: Sequence[AuditedMethod]) -> AuditedMethod | None:
    """Choose the method that comes nearest to trust where none is trustworthy.

    Args:
        methods: Methods with their verdicts.

    Returns:
        The best of the methods whose map shows at least part of what the prediction needs, or None.
    """
    partly = [
        method
        for method in methods
        if not is_control(method.name)
        and method.verdicts.down_to_input is not None
        and method.verdicts.down_to_input.answer in ("yes", "partly")
    ]
    return _choose_best(partly) if partly else None


def _choose_best(methods: Sequence[AuditedMethod]) -> AuditedMethod:
    fewest = min(map(_rank, methods))
    group = [method for method in methods if _rank(method) == fewest]
    best = max(group, key=_get_paired)
    return min(
        (method for method in group if method is best or best.name in method.tied),
        key=lambda method: (method.passes or 0, -_get_paired(method)),
    )


def _rank(method: AuditedMethod) -> tuple[int, int, int]:
    """Count bad verdicts, then order by the answer down to the input, then count the warnings."""
    levels = [verdict.level for verdict in method.verdicts]
    down = method.verdicts.down_to_input
    return levels.count("bad"), 3 if down is None else ORDER.get(down.answer, 3), levels.count("warning")


def _get_paired(method: AuditedMethod) -> float:
    return 0.0 if method.paired is None else method.paired.value


def describe_recommendation(model: AuditedModel) -> str:
    """Describe in one sentence which method to use on a model, or why none.

    Args:
        model: Audited model.

    Returns:
        The sentence, with the name of the model.
    """
    decided = [method for method in model.methods if method.verdicts.down_to_input is not None]
    first = next((method.verdicts.down_to_input for method in decided), None)
    if first is not None and first.answer == "not learned":
        return f"{model.name} has not learned the task."
    chosen = choose_method(model.methods)
    if chosen is not None:
        return f"{model.name}: use {chosen.name}; {_describe_verdicts(chosen)}{_describe_ties(chosen, model)}."
    tested = [method for method in decided if not is_control(method.name)]
    if len(tested) == 1:
        return f"{model.name}: {tested[0].name} cannot be trusted, because {_describe_verdicts(tested[0])}."
    hint = choose_hint(model.methods)
    return f"{model.name}: none of {len(tested)} methods can be trusted, because {_find_reason(tested, hint)}."


def _find_reason(tested: Sequence[AuditedMethod], hint: AuditedMethod | None) -> str:
    if not tested:
        return "no method was tested"
    shows = any(m.verdicts.down_to_input is not None and m.verdicts.down_to_input.answer == "yes" for m in tested)
    reason = (
        "those that show what the prediction needs fail another question"
        if shows
        else "no map shows all that the prediction needs"
    )
    return reason if hint is None else f"{reason}; the nearest is {hint.name}: {_describe_verdicts(hint)}"


def _describe_verdicts(method: AuditedMethod) -> str:
    time, down, runs = method.verdicts.over_time, method.verdicts.down_to_input, method.verdicts.across_runs
    clauses = [] if time is None or time.level == "none" else [f"the explanation {time.answer}"]
    clauses += [] if down is None else [f"the map {DOWN_TO_INPUT.get(down.answer, down.answer)}"]
    clauses += [] if runs is None or runs.answer not in ACROSS_RUNS else [ACROSS_RUNS[runs.answer]]
    return ", and ".join((", ".join(clauses[:-1]), clauses[-1])) if len(clauses) > 1 else clauses[0]


def _describe_ties(chosen: AuditedMethod, model: AuditedModel) -> str:
    trusted = {method.name for method in model.methods if method.is_trustworthy}
    tied = [name for name in chosen.tied if name in trusted]
    if not tied:
        return ""
    names = " and ".join((", ".join(tied[:-1]), tied[-1])) if len(tied) > 1 else tied[0]
    return f"; {names} {'is' if len(tied) == 1 else 'are'} tied with it"
