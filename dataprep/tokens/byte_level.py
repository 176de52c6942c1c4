"""``tokenizer.json`` of byte-level BPE: the alphabet of the bytes, the pre-tokenizers, and the file from its parts.

Byte-level BPE: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.2. The alphabet is
that of ``bytes_to_unicode`` (github.com/openai/gpt-2, src/encoder.py): bytes that print stand for themselves, the
others for the characters from U+0100 on.

Decisions:
- The pre-tokenizer keeps every byte (no added prefix space, no normalisation), so decode(encode(text)) is text. Qwen 2
  also normalises to NFC; ``qwen2`` here is its pattern alone.
- Control tokens are ids of the model too, so a file says every id, and a gap in a given vocabulary stays a gap.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

# GPT-2's own is built into the ByteLevel pre-tokenizer, and is there for reading. Llama 3's is cl100k's
# (github.com/openai/tiktoken, tiktoken_ext/openai_public.py) without possessive quantifiers; Qwen 2's
# (huggingface.co/Qwen/Qwen2-7B, tokenizer.json) the same with one digit at a time.
_CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PATTERNS = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "llama3": _CL100K.replace("DIGITS", r"\p{N}{1,3}"),
    "qwen2": _CL100K.replace("DIGITS", r"\p{N}"),
}


@cache
def alphabet() -> tuple[str, ...]:
    """The character of each byte."""
    printed = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printed]
    shown = {byte: chr(byte) for byte in printed} | {byte: chr(0x100 + k) for k, byte in enumerate(others)}
    return tuple(shown[byte] for byte in range(256))


def spelled(token: bytes) -> str:
    """A token's bytes as the file writes them."""
    characters = alphabet()
    return "".join([characters[byte] for byte in token])


@cache
def _bytes_of() -> Mapping[str, int]:
    return {character: byte for byte, character in enumerate(alphabet())}


def token_bytes(written: str) -> bytes | None:
    """The bytes of a token that a file writes so; None if it is none of the alphabet's."""
    known = _bytes_of()
    return bytes(known[character] for character in written) if all(map(known.__contains__, written)) else None


def pre_tokenizer(name: str) -> pre_tokenizers.PreTokenizer:
    """One of ``PATTERNS``, followed by the alphabet."""
    if name == "gpt2":
        return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    split = pre_tokenizers.Split(Regex(PATTERNS[name]), "isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def write_tokenizer(
    tokens: Mapping[bytes, int],
    merges: Iterable[tuple[bytes, bytes]],
    controls: Sequence[tuple[str, int]],
    pattern: str,
    whole_first: bool = False,
) -> bytes:
    """The bytes of ``tokenizer.json``. ``tokens``: bytes → id; ``controls``: text and id of each control token.

    ``whole_first``: a pre-token that is a token is one, even where the merges would not make it. Raises ``ValueError``
    naming a control token that is also written like a token of text.
    """
    vocabulary = {spelled(token): number for token, number in tokens.items()}
    for control, number in controls:
        if control in vocabulary:
            raise ValueError(
                f"tokenizer: {control!r} cannot be a control token: it is token {vocabulary[control]} of the text, "
                "so text would be taken for it"
            )
        vocabulary[control] = number
    pairs = [(spelled(first), spelled(second)) for first, second in merges]
    tokenizer = Tokenizer(models.BPE(vocabulary, pairs, ignore_merges=whole_first))
    tokenizer.pre_tokenizer = pre_tokenizer(pattern)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(control, special=True, normalized=False) for control, _ in controls])
    return tokenizer.to_str(pretty=True).encode()
