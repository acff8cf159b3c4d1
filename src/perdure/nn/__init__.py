"""Layers: input-cell attention and stacked recurrences."""

from perdure.nn.input_attention import InputCellAttention

__all__ = ["InputCellAttention"]
