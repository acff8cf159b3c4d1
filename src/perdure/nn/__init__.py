"""Recurrent cells and what stands before them."""

from perdure.nn.input_attention import InputCellAttention

__all__ = ["InputCellAttention"]
