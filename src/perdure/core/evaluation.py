"""Evaluation mode for a while: how a model is asked, and left as it was."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

import torch
from torch import Tensor, nn

__all__ = ["evaluation", "run_eagerly"]


def run_eagerly() -> AbstractContextManager[object]:
    """Run compiled models without their compiled code, which calls no hooks that were added after it was made.

    Returns:
        A context; nothing is compiled where `torch.compile` has not been imported.
    """
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


@contextmanager
def evaluation(model: Callable[..., Tensor]) -> Iterator[None]:
    """Put a model in evaluation mode for a while, and leave it as it was.

    cuDNN cannot run a recurrent backward pass in evaluation mode, so it is switched off during the calls of
    recurrent modules, and only there. Parameters keep their flags and gradients.

    Args:
        model: any callable; only modules have a mode.

    Yields:
        Nothing.
    """
    if not isinstance(model, nn.Module):
        yield
        return
    training = [module for module in model.modules() if getattr(module, "training", False)]  # frozen ones have none
    with ExitStack() as stack:
        for module in training:
            module.training = False
        for module in model.modules():
            if isinstance(module, nn.RNNBase):
                _without_cudnn(module, stack)
        try:
            yield
        finally:
            for module in training:
                module.training = True


def _without_cudnn(module: nn.RNNBase, stack: ExitStack) -> None:
    """Switch cuDNN off around each call of a module, until the stack closes."""
    flags: list[bool] = []

    def enter(*_: object) -> None:
        flags.append(torch.backends.cudnn.enabled)
        torch.backends.cudnn.enabled = False

    def leave(*_: object) -> None:
        torch.backends.cudnn.enabled = flags.pop()

    stack.callback(module.register_forward_pre_hook(enter).remove)
    stack.callback(module.register_forward_hook(leave, always_call=True).remove)
