"""What the allocator does with memory that is freed."""

from __future__ import annotations

from functools import cache

import torch

__all__ = ["keep_freed_memory"]

LARGEST = 31 * 2**20
"""Bytes, just below the 32 MiB that glibc learns from at most."""


@cache
def keep_freed_memory() -> None:
    """Let the allocator keep what a pass through a model frees, for the next pass.

    Until a process has freed a large block, glibc gives memory back to the system at once, and each pass waits for new
    pages: a small convolutional network then takes twice as long. It learns from the largest block that was freed, so
    one is, without being written to, which takes microseconds. Other allocators lose nothing by it.
    """
    torch.empty(LARGEST, dtype=torch.uint8)
