"""Hierarchical attention over 2,500 types: peak memory and result, compared with the dense form of the paper."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.harness import Row
from benchmarks.peers import dense_context
from perdure.core.random import stream
from perdure.models._encoder import Encoded
from perdure.models.hierarchical import Hierarchical, HierarchicalClassifier

TYPES, SEQUENCES, STEPS, WIDTH = 2500, 512, 128, 16
AT_ONCE = 4
"""Sequences that the dense form takes at once to compare results; all of them would need its whole memory."""
SHARE, NEAR = 1 / 20, 1e-6


def run() -> list[Row]:
    torch.set_num_threads(1)
    generator = stream(0, "hierarchical")
    config = Hierarchical(WIDTH, (WIDTH,), types=TYPES)
    model = config.build(TYPES + 1, 2, generator).eval()
    event = torch.randint(TYPES, (SEQUENCES, STEPS), generator=generator)
    x = torch.zeros(SEQUENCES, STEPS, TYPES + 1).scatter_(2, 1 + event[..., None], 1.0)
    steps = torch.randn(SEQUENCES, STEPS, WIDTH, generator=generator)
    encoded = Encoded(steps, steps[:, -1], steps[:, -1], torch.ones(SEQUENCES, STEPS, dtype=torch.bool))
    with torch.no_grad():
        context, ours = _peak(lambda: model.attend(encoded, x).context)
        peer, far = _dense(model, encoded, x, context)
    case = f"{TYPES} types, {SEQUENCES} sequences of {STEPS} steps, {WIDTH} units; tensors without inputs and outputs"
    met = ours / peer <= SHARE and far <= NEAR
    rows = [
        Row(
            "peak of one forward pass of the attention", case, ours / 1e6, peer / 1e6, ours / peer, "<= 1/20", met, "MB"
        ),
        Row("largest difference of the context", case, far, None, far, f"<= {NEAR}", far <= NEAR, ""),
    ]
    inputs = (x.numel() + steps.numel()) * x.element_size() / 1e6
    return [*rows, Row("inputs, of which the types are a part in both forms", case, inputs, None, 1.0, "", None, "MB")]


def _dense(model: HierarchicalClassifier, encoded: Encoded, x: Tensor, context: Tensor) -> tuple[float, float]:
    """Measure the dense form on a few sequences at a time; its memory follows their number, as every tensor does."""
    peak, far = 0.0, 0.0
    for at in range(0, len(x), AT_ONCE):
        part = slice(at, at + AT_ONCE)
        few = Encoded(encoded.steps[part], encoded.output[part], encoded.cell[part], encoded.mask[part])
        dense, bytes_ = _peak(lambda few=few, part=part: dense_context(model, few, x[part, :, -TYPES:]))  # type: ignore[misc]
        far = max(far, float((dense - context[part]).abs().max()))
        peak = max(peak, bytes_ * len(x) / AT_ONCE)
    return peak, far


class _Ledger(TorchDispatchMode):
    """Add up the bytes of the storages that operations make, as long as they live."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.peak, self.known = 0, 0, {}  # type: ignore[var-annotated]

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        before = {leaf.untyped_storage()._cdata for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor) and (key := leaf.untyped_storage()._cdata) not in before | self.known.keys():
                self._enter(key, leaf)
        return out

    def _enter(self, key: int, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        self.known[key] = storage.nbytes()
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._leave, key)

    def _leave(self, key: int) -> None:
        self.now -= self.known.pop(key, 0)


def _peak(function: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """Give a result and the most bytes of new tensors that lived at once."""
    with _Ledger() as ledger:
        output = function()
    return output, float(ledger.peak)
