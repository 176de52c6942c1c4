"""What a ``tokenizer.json`` asks for, if the kernel can do it: byte-level BPE after one of the published patterns.

Everything else is said in one line (``Unsupported``), and ``tokenizers`` does the work.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from dataprep.tokens.merges import ID_BITS, Words
from dataprep.tokens.pretokens import GPT2, PATTERNS, Pattern


class Unsupported(Exception):
    """In a few words, what the kernel does not do."""


@dataclass(frozen=True)
class Plan:
    """``merges``: uint32[n, 3] ids of left, right and both, by rank. ``vocabulary``: the bytes of tokens → their ids.

    ``added``: tokens found in the text before anything else → their ids, or -1 for those that stay text.
    ``whole``: a pre-token that is in the vocabulary is that token (``ignore_merges``). ``composed``: text is brought
    into normal form C first.
    """

    pattern: Pattern
    byte_ids: Words
    merges: Words
    vocabulary: dict[bytes, int]
    added: dict[str, int]
    whole: bool
    composed: bool

    @classmethod
    def of(cls, tokenizer_json: bytes, tokenizer: Tokenizer) -> "Plan":
        """``tokenizer``: the same file, loaded, special tokens encoded as text."""
        given = json.loads(tokenizer_json)
        model = given["model"]
        composed = _is_composed(given.get("normalizer"))
        pattern = _pattern(given.get("pre_tokenizer"))
        if model.get("type", "BPE") != "BPE" or "merges" not in model:
            raise Unsupported(f"model {model.get('type')}")
        for field in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"):
            if model.get(field):
                raise Unsupported(f"model.{field} {model[field]!r}")
        ids: dict[str, int] = model["vocab"]
        pairs = [pair.split(" ", 1) if isinstance(pair, str) else pair for pair in model["merges"]]
        if max(len(pairs), *ids.values()) >= (1 << ID_BITS) - 1:
            raise Unsupported(f"ids or merges beyond {(1 << ID_BITS) - 2}")
        missing = [byte for byte, character in BYTES.items() if character not in ids]
        if missing:
            raise Unsupported(f"no token for byte {missing[0]}")
        return cls(
            pattern,
            np.array([ids[BYTES[byte]] for byte in range(256)], np.uint32),
            np.array([(ids[a], ids[b], ids[a + b]) for a, b in pairs], np.uint32).reshape(-1, 3),
            {token: number for token, number in ((_bytes_of(name), ids[name]) for name in ids) if token},
            _added(tokenizer, composed),
            bool(model.get("ignore_merges")),
            composed,
        )


def _byte_characters() -> dict[int, str]:
    """How byte-level BPE writes bytes (``bytes_to_unicode`` of GPT-2's ``encoder.py``)."""
    shown = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = (byte for byte in range(256) if byte not in shown)
    return {byte: chr(byte) for byte in shown} | {byte: chr(0x100 + k) for k, byte in enumerate(hidden)}


BYTES = _byte_characters()
_CHARACTERS = {character: byte for byte, character in BYTES.items()}


def _bytes_of(token: str) -> bytes:
    """Nothing if it has characters that stand for no byte: no text gives it."""
    try:
        return bytes(_CHARACTERS[character] for character in token)
    except KeyError:
        return b""


def _is_composed(normalizer: Any) -> bool:
    if normalizer is None:
        return False
    if normalizer != {"type": "NFC"}:
        raise Unsupported(f"normalizer {normalizer.get('type')}")
    return True


def _pattern(pre_tokenizer: Any) -> Pattern:
    steps = [] if pre_tokenizer is None else pre_tokenizer.get("pretokenizers", [pre_tokenizer])
    match [{**step, "trim_offsets": None} for step in steps]:
        case [{"type": "ByteLevel", "add_prefix_space": False, **rest}] if rest.get("use_regex", True):
            return GPT2
        case [
            {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
        ]:
            if regex in PATTERNS:
                return PATTERNS[regex]
            raise Unsupported(f"pattern {regex}")
    raise Unsupported(f"pre_tokenizer {', '.join(step.get('type', '?') for step in steps) or 'none'}")


def _added(tokenizer: Tokenizer, composed: bool) -> dict[str, int]:
    tokens = tokenizer.get_added_tokens_decoder()
    own = {number: token for number, token in tokens.items() if not token.special}
    for token in own.values():
        if token.single_word or token.lstrip or token.rstrip:
            raise Unsupported(f"added token {token.content!r} with single_word, lstrip or rstrip")
        if composed and not (token.normalized and token.content.isascii()):
            raise Unsupported(f"added token {token.content!r} beside a normalizer")
    if not own:
        return {}
    if len({token.normalized for token in own.values()}) > 1:
        raise Unsupported("added tokens both before and behind the normalizer")
    # the library looks for those before the normalizer first, then for the others: a special one hides what it overlaps
    first = next(iter(own.values())).normalized
    return {t.content: -1 if t.special else number for number, t in tokens.items() if t.normalized == first}
