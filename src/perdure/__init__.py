"""Explanations that last: across time steps, down to the input, and from one training run to the next."""

from typing import Any

import lazy_loader

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    """Import a public name on first use; `import perdure` alone imports nothing heavy."""
    if name == "__version__":
        from importlib.metadata import version

        return version("perdure")
    return _load(name)
