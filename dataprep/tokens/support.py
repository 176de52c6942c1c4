"""Which ``tokenizer.json`` the fast encoder may do: byte-level BPE after one of the published patterns.

For these its ids were compared with those of ``tokenizers`` on every kind of text; for all others ``tokenizers`` does
the work. Being asked for is not being known: a field that is not looked at here makes a file unknown.
"""

import json
from typing import Any

from tokenizers import Tokenizer

from dataprep.tokens.byte_level import PATTERNS, alphabet

# GPT-2's again, as newer files write it
KNOWN = {*PATTERNS.values(), r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"}
_NEVER = {0xC0, 0xC1, *range(0xF5, 0x100)}  # in UTF-8


def unsupported(tokenizer_json: bytes, tokenizer: Tokenizer) -> str | None:
    """What of the file is unknown, in a few words; None if nothing is. ``tokenizer``: the same file, loaded."""
    given = json.loads(tokenizer_json)
    model = given["model"]
    if model.get("type", "BPE") != "BPE" or "merges" not in model:
        return f"a {model.get('type')} model"
    for field in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"):
        if model.get(field):
            return f"model.{field} {model[field]!r}"
    absent = [
        byte for byte, character in enumerate(alphabet()) if character not in model["vocab"] and byte not in _NEVER
    ]
    if absent:
        return f"no token for byte {absent[0]}"
    if given.get("normalizer") not in (None, {"type": "NFC"}):
        return f"the normalizer {given['normalizer'].get('type')}"
    if not _is_known(given.get("pre_tokenizer")):
        return "another pre_tokenizer than those of GPT-2, Llama 3 and Qwen 2"
    for token in tokenizer.get_added_tokens_decoder().values():
        if not token.special and (token.single_word or token.lstrip or token.rstrip):
            return f"the added token {token.content!r} with single_word, lstrip or rstrip"
    return None


def _is_known(pre_tokenizer: Any) -> bool:
    steps = [] if pre_tokenizer is None else pre_tokenizer.get("pretokenizers", [pre_tokenizer])
    match steps:
        case [{"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}]:
            return True
        case [
            {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
        ]:
            return pattern in KNOWN
    return False
