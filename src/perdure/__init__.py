"""Explanations that last: across time steps, down to the input, and from one training run to the next."""

from typing import Any

import lazy_loader

from perdure._former import install

install()
_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

_FORMER = {
    "Query": ("perdure.core.query", "Query", "pass model=, x= and target= to perdure.evaluate"),
    "Trial": (
        "perdure.core.attribution",
        "make_trial",
        "pass the attribution, or a tensor with model=, x= and target=",
    ),
}
"""Names of earlier versions: where they are, and what replaced them."""


def __getattr__(name: str) -> Any:
    """Import a public name on first use; `import perdure` alone imports nothing heavy."""
    if name == "__version__":
        from importlib.metadata import version

        return version("perdure")
    if name in _FORMER:
        import warnings
        from importlib import import_module

        module, present, remedy = _FORMER[name]
        warnings.warn(f"perdure.{name} leaves the public API: {remedy}", DeprecationWarning, stacklevel=2)
        return getattr(import_module(module), present)
    return _load(name)
