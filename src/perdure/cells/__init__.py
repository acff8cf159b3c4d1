"""Recurrent cells and what stands before them."""

from perdure.cells.input_attention import InputCellAttention

__all__ = ["InputCellAttention"]
