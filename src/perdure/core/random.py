"""Random streams that belong to a sample or a name, never to the process."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from perdure.core.exclusive import exclusive

__all__ = ["child_seeds", "global_stream", "normal", "seed_libraries", "stream", "sub_seeds", "uniform"]

SMALLEST_DRAW = 2.0**-54
"""Replaces a uniform draw of exactly zero, whose normal quantile is infinite."""


def stream(seed: int, *names: object) -> torch.Generator:
    """Make a generator for one use, independent of all others.

    Args:
        seed: the seed of the run.
        names: Purpose of the stream; other names give an unrelated stream.

    Returns:
        A fresh CPU generator; the global state is not touched.

    Example:
        >>> a, b = (torch.rand(1, generator=stream(0, "noise", i)) for i in range(2))
        >>> bool(a == b)
        False
    """
    return torch.Generator().manual_seed(_mix(seed, *names))


@contextmanager
def global_stream(generator: torch.Generator, device: torch.device) -> Iterator[None]:
    """Let code that uses the global generators of torch draw from a generator within a block.

    Args:
        generator: CPU generator; its state does not change. A CUDA device draws from its seed.
        device: Device on which the code may draw, in addition to the CPU.

    Yields:
        Nothing; the global generators have their previous states afterwards. Other threads that explain, evaluate or
        train wait meanwhile.

    Example:
        >>> with global_stream(stream(0, "dropout"), torch.device("cpu")):
        ...     first = torch.rand(1)
        >>> bool(first == torch.rand(1, generator=stream(0, "dropout")))
        True
    """
    devices = [device] if device.type == "cuda" else []
    with exclusive(), torch.random.fork_rng(devices):
        torch.set_rng_state(generator.get_state())
        for item in devices:
            torch.cuda.set_rng_state(torch.Generator(item).manual_seed(generator.initial_seed()).get_state(), item)
        yield


@contextmanager
def seed_libraries(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the global generators of torch and NumPy within a block, for libraries that draw from nothing else.

    Args:
        seed: seed of one sample.
        device: device on which the library may draw, in addition to the CPU.

    Yields:
        Nothing; the global generators, Python's included, have their previous states afterwards.

    Example:
        >>> with seed_libraries(3, torch.device("cpu")):
        ...     first = np.random.rand()
        >>> with seed_libraries(3, torch.device("cpu")):
        ...     bool(first == np.random.rand())
        True
    """
    with global_stream(stream(seed, "captum"), device):
        numpy_state, python_state = np.random.get_state(), random.getstate()
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)
            random.setstate(python_state)  # importing scikit-learn advances it


def sub_seeds(generator: torch.Generator, count: int) -> Tensor:
    """Derive one seed per sample from a single draw, so that sample i never depends on the others.

    Args:
        generator: the stream of the call; advanced by one draw.
        count: the number of samples.

    Returns:
        Seeds, shape (count,), int64.
    """
    base = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    return torch.tensor([_mix(base, i) for i in range(count)], dtype=torch.int64)


def child_seeds(seeds: Tensor, name: object) -> Tensor:
    """Derive from each sample's seed the seed of one of its further streams.

    Args:
        seeds: one seed per sample, shape (batch,).
        name: Purpose of the stream, for example the number of a copy.

    Returns:
        Seeds, shape (batch,), int64.
    """
    return torch.tensor([_mix(s, name) for s in seeds.tolist()], dtype=torch.int64)


def normal(seeds: Tensor, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Draw standard normal noise of one shape for each seed.

    Args:
        seeds: one seed per sample, shape (batch,).
        shape: the shape of a sample's noise.
        like: gives dtype and device.

    Returns:
        Noise, shape (batch, *shape); row i is a function of seed i alone, whatever the device, and more steps leave
        the noise of the first ones as it is.
    """
    draws = uniform(seeds, shape, torch.zeros((), dtype=torch.float64))
    return torch.special.ndtri(draws.clamp_min(SMALLEST_DRAW)).to(like)


def uniform(seeds: Tensor, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Draw uniform noise in [0, 1) of one shape for each seed; otherwise like `normal`.

    Args:
        seeds: one seed per sample, shape (batch,).
        shape: the shape of a sample's noise.
        like: gives dtype and device.

    Returns:
        Noise, shape (batch, *shape).
    """
    rows = [torch.rand(shape, generator=_generator(s), dtype=like.dtype) for s in seeds]
    return torch.stack(rows).to(like.device)


def _mix(seed: int, *names: object) -> int:
    digest = hashlib.sha256(repr((seed, names)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def _generator(seed: Tensor) -> torch.Generator:
    return torch.Generator().manual_seed(int(seed))
