"""Datasets, one per file: samples, with the elements known to matter where there are some."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
