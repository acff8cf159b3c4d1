"""Requirements on an audit, which set the exit code of a pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from perdure.audit.nearby import NEARBY
from perdure.audit.result import Audit, AuditedModel
from perdure.core.errors import SettingError

__all__ = ["ANSWERS", "Requirement", "list_unmet", "parse_requirement"]

ANSWERS: Mapping[str, tuple[str, ...]] = {
    "over_time": ("reaches back", "fades", "vanishes", "falls short", "lies too early", "not learned", "not tested"),
    "down_to_input": ("yes", "partly", "unclear", "no", "not learned"),
    "across_runs": ("yes", "partly", "unclear", "no", *NEARBY.values(), "not learned", "not tested"),
}
"""All answers to each question."""


@dataclass(frozen=True)
class Requirement:
    """An answer that a question must have.

    Args:
        question: Key of `ANSWERS`.
        answer: One of its answers.

    Raises:
        SettingError: For an unknown question or answer.

    Example:
        >>> Requirement("down_to_input", "yes").answer
        'yes'
    """

    question: str
    answer: str

    def __post_init__(self) -> None:
        if self.question not in ANSWERS:
            raise SettingError(f"there is no question '{self.question}'", f"require {', '.join(ANSWERS)}")
        if self.answer not in ANSWERS[self.question]:
            raise SettingError(
                f"'{self.answer}' is no answer to {self.question}", f"require {', '.join(ANSWERS[self.question])}"
            )

    def find_answer(self, model: AuditedModel) -> tuple[str, str | None]:
        """Find the answer for the recommended method of a model, or for its first method where there is none.

        Args:
            model: Audited model.

        Returns:
            Name of the method, and its answer; None where the question does not apply.
        """
        method = next((item for item in model.methods if item.name == model.recommended), model.methods[0])
        verdict = getattr(method.verdicts, self.question)
        return method.name, None if verdict is None else verdict.answer


def parse_requirement(text: str) -> Requirement:
    """Read a requirement as written on the command line.

    Args:
        text: Question and answer, such as "down_to_input=yes".

    Returns:
        The requirement.

    Raises:
        SettingError: Without an equals sign, or for an unknown question or answer.

    Example:
        >>> parse_requirement("over_time=reaches back").question
        'over_time'
    """
    question, equals, answer = text.partition("=")
    if not equals:
        raise SettingError(
            f"the requirement '{text}' has no answer", "write question=answer, such as down_to_input=yes"
        )
    return Requirement(question.strip(), answer.strip().replace("_", " "))


def list_unmet(audit: Audit, requirements: Sequence[Requirement]) -> list[str]:
    """List the requirements that an audit does not meet.

    Args:
        audit: Result of an audit.
        requirements: Requirements on every model.

    Returns:
        One sentence for each model and requirement that is not met.
    """
    unmet = []
    for model in audit.models:
        for requirement in requirements:
            method, answer = requirement.find_answer(model)
            if answer != requirement.answer:
                known = "has no answer" if answer is None else f"is '{answer}'"
                unmet.append(f"{model.name}, {method}: {requirement.question} {known}, required '{requirement.answer}'")
    return unmet
