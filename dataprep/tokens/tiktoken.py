"""A ``tiktoken`` vocabulary → an equal ``tokenizer.json``.

The file (github.com/openai/tiktoken, tiktoken/load.py) has a token a line: its bytes in base64, a space, its rank,
which is also its id. It says neither the pattern nor the control tokens.

Decisions:
- tiktoken joins the neighbours whose joined bytes have the lowest rank; a ``tokenizer.json`` needs the pair. A token's
  pair is what is left of it when only lower ranks are joined. Where that gives two parts for every token, each token
  has one pair in any text, and the merges are these.
- A vocabulary may have tokens for which it does not (Llama 3's has). tiktoken still gives them: as a whole pre-token,
  or by joins that come out of order. Then every way to cut every token in two is a merge, as in ``transformers``
  (``TikTokenConverter``), and a pre-token that is a token is taken whole.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence

from dataprep.tokens.byte_level import write_tokenizer

SUFFIXES = (".tiktoken", ".model")  # the latter is what Llama 3 calls it


def convert(data: bytes, name: str, controls: Sequence[str], pattern: str) -> bytes:
    """The bytes of ``tokenizer.json``; ``controls`` get the ids after the largest rank.

    Raises ``ValueError`` naming ``name`` and the line where it is no such vocabulary.
    """
    ranks = read_ranks(data, name)
    merges = _simulated(ranks)
    numbered = list(zip(controls, range(max(ranks.values()) + 1, 1 << 32), strict=False))
    if merges is not None:
        return write_tokenizer(ranks, merges, numbered, pattern)
    return write_tokenizer(ranks, _all_cuts(ranks), numbered, pattern, whole_first=True)


def read_ranks(data: bytes, name: str) -> dict[bytes, int]:
    """Token → rank, by rank."""
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(data.splitlines(), 1):
        if not line:
            continue
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error):
            shown = line[:40].decode(errors="replace")
            raise ValueError(
                f"{name}: line {number} is {shown!r}; a tiktoken vocabulary has a token in base64, a space, its rank"
            ) from None
    missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
    if missing:
        raise ValueError(f"{name}: has no token for the byte {missing[0]:#04x}; every byte needs one")
    if len(set(ranks.values())) < len(ranks) or min(ranks.values()) < 0:
        raise ValueError(f"{name}: two of its tokens have one rank, or one is below 0")
    return dict(sorted(ranks.items(), key=lambda item: item[1]))


def _simulated(ranks: Mapping[bytes, int]) -> list[tuple[bytes, bytes]] | None:
    """The pair of each token, by rank; None where one is not made of two parts."""
    merges = []
    for token, rank in ranks.items():
        if len(token) > 1:
            parts = _joined(token, ranks, rank)
            if len(parts) != 2:
                return None
            merges.append((parts[0], parts[1]))
    return merges


def _joined(token: bytes, ranks: Mapping[bytes, int], below: int) -> list[bytes]:
    """What joins of ranks ``below`` leave of ``token``."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        found = [ranks.get(parts[i] + parts[i + 1], below) for i in range(len(parts) - 1)]
        lowest = min(found)
        if lowest >= below:
            break
        at = found.index(lowest)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def _all_cuts(ranks: Mapping[bytes, int]) -> Iterator[tuple[bytes, bytes]]:
    for token in ranks:
        cuts = [(token[:i], token[i:]) for i in range(1, len(token))]
        known = [cut for cut in cuts if cut[0] in ranks and cut[1] in ranks]
        yield from sorted(known, key=lambda cut: (ranks[cut[0]], ranks[cut[1]]))
