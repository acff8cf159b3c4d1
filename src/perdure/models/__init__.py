"""Networks from floats to logits, one architecture per file, and wrappers for models of users."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
