"""The decoder a token at a time: keys and values of the tokens before are kept, not computed again.

Decisions:
- The model file does not know of this. What is repeated here is the order of a block's parts; a test compares the
  logits with the model's own at every position.
- Rows of different lengths stand at the left, each token at its own position, so that a row's numbers do not depend on
  its neighbours. What pads a short row lies behind its end: no query looks there until a token has replaced it.

Shape suffixes as in ``model``, S: positions that are kept.
"""

import torch
from torch import Tensor

from trainer.model.attention import attend
from trainer.model.decoder import Block, Decoder


class KeyValues:
    """Keys and values of ``rows`` texts of up to ``positions`` tokens, at most the model's context."""

    def __init__(self, model: Decoder, rows: int, positions: int) -> None:
        config, weight = model.config, model.embedding.weight
        shape = (config.layers, rows, config.kv_heads, positions, config.head_width)
        self.model = model
        self.keys_lbkse = torch.zeros(shape, dtype=weight.dtype, device=weight.device)
        self.values_lbkse = torch.zeros_like(self.keys_lbkse)

    @torch.no_grad()
    def append(self, ids_bt: Tensor, starts_b: Tensor, last_b: Tensor) -> Tensor:
        """Put T tokens at positions ``starts_b`` … ``starts_b`` + T - 1 of each row; the logits [B, V] that follow the
        one in column ``last_b``. Columns after it are padding.
        """
        model, columns = self.model, torch.arange(ids_bt.shape[1], device=ids_bt.device)
        at_bt = starts_b[:, None] + columns
        end = int(at_bt.max()) + 1
        cos_te, sin_te = model.cos_te[at_bt].unsqueeze(1), model.sin_te[at_bt].unsqueeze(1)
        visible_b1ts = torch.arange(end, device=ids_bt.device) <= at_bt[:, None, :, None]
        x_btd = model.embedding(ids_bt)
        for block, keys_bkse, values_bkse in zip(model.blocks, self.keys_lbkse, self.values_lbkse, strict=True):
            assert isinstance(block, Block)
            attention = block.attention
            q_bhte, k_bkte, v_bkte = attention.project(block.attention_norm(x_btd), cos_te, sin_te)
            index = at_bt[:, None, :, None].expand_as(k_bkte)
            keys_bkse.scatter_(2, index, k_bkte)
            values_bkse.scatter_(2, index, v_bkte)
            y_bhte = attend(q_bhte, keys_bkse[:, :, :end], values_bkse[:, :, :end], visible_b1ts)
            x_btd = x_btd + attention.o_proj(y_bhte.transpose(1, 2).flatten(2))
            x_btd = x_btd + block.feed_forward(block.feed_forward_norm(x_btd))
        rows = torch.arange(len(ids_bt), device=ids_bt.device)
        return model.head(model.norm(x_btd[rows, last_b]))
