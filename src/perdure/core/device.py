"""Devices: where a model lies, and which there are to move it to."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from perdure.core.errors import SettingError

__all__ = ["check_device", "device_of", "devices"]


def device_of(model: Callable[..., Tensor]) -> torch.device:
    """Return the device of the model's parameters; inputs must be on it.

    Args:
        model: Model with its weights on one device.

    Returns:
        The device of its first weight, the CPU when it has none.

    Example:
        >>> device_of(nn.Linear(2, 1, device="meta")), device_of(nn.Identity())
        (device(type='meta'), device(type='cpu'))
    """
    weights = model.parameters() if isinstance(model, nn.Module) else iter(())
    return next((weight.device for weight in weights), torch.device("cpu"))


def devices() -> tuple[str, ...]:
    """List the devices of this machine that this torch can use.

    Returns:
        Their names, "cpu" first; "cuda" alone is the first of its kind.
    """
    cards = tuple(f"cuda:{card}" for card in range(torch.cuda.device_count()))
    return ("cpu", *(("cuda", *cards) if cards else ()), *("mps",) * torch.backends.mps.is_available())


def check_device(name: str) -> None:
    """Check that a device is there.

    Args:
        name: such as "cpu", "cuda:1" or "mps".

    Raises:
        SettingError: when it is not, or torch was built without it.

    Example:
        >>> check_device("cpu")
    """
    there = devices()
    if name in there:
        return
    built = f"; this torch, {torch.__version__}, is built without CUDA" if torch.version.cuda is None else ""
    lacking = built if name.startswith("cuda") else ""
    install = "; for a graphics card install a torch that is built for it" if lacking else ""
    raise SettingError(
        f"there is no device '{name}' here, but {' and '.join(there)}{lacking}", f"name one that is there{install}"
    )
