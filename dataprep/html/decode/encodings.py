"""Encodings as the web means them: labels to Python codecs, and bytes to text where Python's codecs differ.

Labels mean what the WHATWG Encoding Standard says (``webencodings`` has its table): ``iso-8859-1`` is windows-1252.
Those it does not list (``cp855``, ``johab``) mean Python's codec of that name. Decoding follows the standard, too:

- bytes 0x80 to 0x9F that Python's single-byte codecs leave undefined are control characters, and three bytes differ;
- EUC-JP and ISO-2022-JP have the characters that NEC and IBM added (``①``, ``㈱``, ``㎡``), and full-width forms where
  Shift_JIS as Windows knows it has them, so that a text is the same in all three.

Three decisions differ from the standard: what it calls "replacement" (ISO-2022-KR, HZ) is decoded, which is unsafe in
browsers only; ``x-user-defined`` is windows-1252 wherever it is declared; UTF-32 is known. Python's tables of
Big5-HKSCS and GB 18030 are used as they are: some private-use characters differ, and a lone 0x80 is no euro sign.
"""

import codecs
import re
from functools import cache, lru_cache, partial

import webencodings

LOOKED_UP = 1 << 20  # bytes; in longer texts added characters are not looked up, each of which costs a call
_LABEL = re.compile(r"[a-z0-9][a-z0-9_.:+-]*", re.ASCII)
_STATEFUL = {"iso-2022-kr": "iso2022_kr", "csiso2022kr": "iso2022_kr", "hz-gb-2312": "hz"}
_WIDER = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "shift_jis_2004": "cp932",
    "shift_jisx0213": "cp932",
    "euc_jis_2004": "euc_jp",
    "euc_jisx0213": "euc_jp",
    "iso2022_jp": "iso2022_jp_ext",
    "iso2022_jp_1": "iso2022_jp_ext",
    "iso2022_jp_2": "iso2022_jp_ext",
    "iso2022_jp_3": "iso2022_jp_ext",
    "iso2022_jp_2004": "iso2022_jp_ext",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "ascii": "cp1252",
    "utf-8-sig": "utf-8",
}
_NO_CHARSETS = ("utf-7", "idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined")
_SINGLE_BYTE = ("cp125", "cp874", "cp866", "iso8859-", "koi8-", "mac-")
_DIFFERENT = {"cp1255": {0xCA: "\u05ba"}, "koi8-u": {0xAE: "\u045e", 0xBE: "\u040e"}}
_JIS = ("euc_jp", "iso2022_jp_ext")
_FULL_WIDTH = tuple(zip("\u301c\u2016\u2212\xa2\xa3\xac", "\uff5e\u2225\uff0d\uffe0\uffe1\uffe2", strict=True))


@lru_cache(4096)  # pages declare anything
def codec_of(label: str | None) -> str | None:
    """The Python codec for an encoding label, or None if nobody knows it."""
    label = (label or "").strip().lower()
    if not _LABEL.fullmatch(label):  # Python would make a label of nearly anything
        return None
    known = webencodings.lookup(label)
    if label in _STATEFUL:
        name = _STATEFUL[label]
    elif known is None:
        try:
            name = codecs.lookup(label).name
            "".encode(name)
        except (LookupError, ValueError):
            return None
        if name in _NO_CHARSETS:
            return None
    elif known.name == "x-user-defined":
        name = "cp1252"
    elif known.name == "replacement":
        return None
    else:
        name = known.codec_info.name
    return _WIDER.get(name, name)


@cache
def extends_ascii(name: str) -> bool:
    """ASCII bytes are ASCII text in this codec, whatever surrounds them."""
    if name.startswith(("iso2022", "hz")):  # escape sequences change what follows
        return False
    try:
        return bytes(range(128)).decode(name) == bytes(range(128)).decode("ascii")
    except UnicodeDecodeError:
        return False


def to_text(data: bytes, name: str, errors: str = "strict") -> str:
    """``data.decode(name, errors)`` for ``strict`` and ``replace``, by the standard's tables."""
    if name.startswith(_SINGLE_BYTE):
        return codecs.charmap_decode(data, errors, _table(name))[0]
    if name in _JIS:
        handler = f"{__name__}.{errors}" if len(data) <= LOOKED_UP else errors
        text = data.decode(name, handler)
        for character, full_width in _FULL_WIDTH:
            text = text.replace(character, full_width)
        return text
    return data.decode(name, errors)


@cache
def _table(name: str) -> str:
    """The character of each byte; U+FFFE where there is none."""
    table = []
    for byte in range(256):
        try:
            character = bytes([byte]).decode(name)
        except UnicodeDecodeError:
            character = chr(byte) if 0x80 <= byte < 0xA0 else "\ufffe"
        table.append(_DIFFERENT.get(name, {}).get(byte, character))
    return "".join(table)


def _added_characters(errors: str, error: UnicodeError) -> tuple[str, int]:
    """What Python's table of JIS X 0208 lacks, looked up in that of Shift_JIS: row and cell are the same."""
    assert isinstance(error, UnicodeDecodeError)
    pair = error.object[error.start : error.start + 2]
    if len(pair) == 2 and (pair[0] ^ pair[1]) < 0x80 and all(0x21 <= byte & 0x7F <= 0x7E for byte in pair):
        row, cell = (pair[0] & 0x7F) - 0x21, (pair[1] & 0x7F) - 0x20
        lead = row // 2 + (0x81 if row < 62 else 0xC1)
        trail = cell + (0x9E if row % 2 else 0x3F + (cell > 63))
        try:
            return bytes((lead, trail)).decode("cp932"), error.start + 2
        except UnicodeDecodeError:
            pass
    if errors == "strict":
        raise error
    return "\ufffd", error.end


for _errors in ("strict", "replace"):
    codecs.register_error(f"{__name__}.{_errors}", partial(_added_characters, _errors))
