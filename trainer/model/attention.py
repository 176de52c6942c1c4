"""Causal attention, and the mask that keeps the documents of a row apart.

Decisions:
- Without a mask it is scaled_dot_product_attention: PyTorch takes the fastest kernel of the device, flash attention on
  GPUs.
- With documents, on a GPU it is flex attention (Dong et al. 2024): whole blocks of positions that may not look at each
  other are never computed, and the mask takes a bit of memory for each pair of blocks of 128. Variable-length attention
  would compute the same, but only in 16 bits; ``Batch.cu_seqlens`` has what it asks for.
- Elsewhere, and for heads narrower than flex attention takes, the mask is boolean, one byte for each pair of positions:
  right on every device. The tests compare the two.

Shape suffixes: B rows, T positions, H query heads, K key/value heads, E head width.
"""

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

NARROWEST_FLEX_HEAD = 16
"""Flex attention's kernels for GPUs refuse narrower ones."""

Mask = Tensor | BlockMask | None
"""Which keys a query may look at; None: all that are not after it."""


def document_mask(positions_bt: Tensor, head_width: int) -> Mask:
    """A query may look at a key that is not after it and in its document; one begins wherever a position is 0."""
    document_bt = (positions_bt == 0).cumsum(-1)
    if positions_bt.is_cuda and head_width >= NARROWEST_FLEX_HEAD:
        return block_mask(document_bt)
    return boolean_mask(document_bt)


def boolean_mask(document_bt: Tensor) -> Tensor:
    """Bool [B, 1, T, T], true where a query (third axis) may look at a key."""
    return (document_bt[:, :, None] == document_bt[:, None, :]).tril().unsqueeze(1)


def block_mask(document_bt: Tensor) -> BlockMask:
    def allowed(row: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (query >= key) & (document_bt[row, query] == document_bt[row, key])

    rows, positions = document_bt.shape
    return create_block_mask(allowed, rows, None, positions, positions, device=document_bt.device)


def attend(q_bhte: Tensor, k_bkte: Tensor, v_bkte: Tensor, mask: Mask) -> Tensor:
    """Values by softmax(q · k / √E), [B, H, T, E]; H / K query heads share a key head."""
    grouped = q_bhte.shape[1] != k_bkte.shape[1]
    if isinstance(mask, BlockMask):
        inside = torch.compiler.is_compiling()  # a compiled block compiles it, too
        attention = _compiled_flex_attention() if q_bhte.is_cuda and not inside else flex_attention
        return attention(q_bhte, k_bkte, v_bkte, block_mask=mask, enable_gqa=grouped)
    return F.scaled_dot_product_attention(
        q_bhte, k_bkte, v_bkte, attn_mask=mask, is_causal=mask is None, enable_gqa=grouped
    )


@cache
def _compiled_flex_attention() -> Any:
    """Uncompiled, it would make the scores of all pairs of positions."""
    return torch.compile(flex_attention)
