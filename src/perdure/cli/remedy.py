"""Remedies that name Python arguments, in the words of the command line."""

from __future__ import annotations

import re

__all__ = ["explain_on_command_line"]

CALL = re.compile(r"perdure\.(Adapted|TokenModel)\(")
SETTING = re.compile(r"(?<![\w.(])[a-z]\w*=")


def explain_on_command_line(remedy: str) -> str:
    """Explain how a remedy is written on the command line.

    Args:
        remedy: Remedy of an error, for Python and the command line alike.

    Returns:
        A sentence; empty where the remedy is clear.

    Example:
        >>> explain_on_command_line("name the column of samples with id=")
        'On the command line: NAME:id=value, of training: --train-settings id=value.'
        >>> explain_on_command_line("take the logits out: perdure.Adapted(model)")
        'On the command line: let the factory, file.py:function, return the wrapped model.'
        >>> explain_on_command_line("check the path")
        ''
    """
    if "command line" in remedy or "--" in remedy:
        return ""
    if CALL.search(remedy):
        return "On the command line: let the factory, file.py:function, return the wrapped model."
    setting = None if "perdure." in remedy else SETTING.search(remedy)
    if setting is None:
        return ""
    return f"On the command line: NAME:{setting[0]}value, of training: --train-settings {setting[0]}value."
