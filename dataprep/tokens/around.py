"""The text around one token of a document, exactly as it is in the document where that is at hand.

Decisions:
- A token may be a piece of a character, so ids alone do not always decode. With the document's text, it is encoded
  again, which says what each token stands for, and proves that these tokens are this text's.
"""

from dataclasses import dataclass

from dataprep.tokens.encode import text_tokenizer


@dataclass(frozen=True)
class Around:
    """``token`` between what stands ``before`` and ``after`` it; ``name`` is what the vocabulary calls it.

    ``proven``: the text encodes to the document's tokens. False: it was decoded from the tokens, and characters of
    which a piece is missing are U+FFFD.
    """

    before: str
    token: str
    after: str
    name: str
    proven: bool


def around(tokenizer_json: bytes, ids: list[int], index: int, bos: bool, text: str | None, characters: int) -> Around:
    """``characters`` on each side of token ``index`` of a document; ``ids`` are all its tokens, EOS (and BOS) included.

    Raises ``ValueError`` when ``text`` does not encode to ``ids``.
    """
    tokenizer = text_tokenizer(tokenizer_json)
    name = tokenizer.id_to_token(ids[index]) or ""
    if text is None:
        parts = (ids[max(index - characters, 0) : index], ids[index : index + 1], ids[index + 1 :][:characters])
        before, token, after = (tokenizer.decode(part, skip_special_tokens=False) for part in parts)
        return Around(before[-characters:], token, after[:characters], name, False)
    encoding = tokenizer.encode(text, add_special_tokens=False)
    if encoding.ids != ids[bos:-1]:
        raise ValueError("its text encodes to other tokens than the shard holds")
    inner = index - bos
    if inner < 0:
        start = end = 0
    elif inner == len(encoding.ids):
        start = end = len(text)
    else:
        start, end = encoding.offsets[inner]
    token = text[start:end] if 0 <= inner < len(encoding.ids) else name
    return Around(text[max(start - characters, 0) : start], token, text[end : end + characters], name, True)
