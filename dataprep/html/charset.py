"""Bytes are decoded once, and never raise.

Order of belief: byte order mark, the transport's header, the page's own declaration in its first 1,024 bytes, then
detection (resiliparse's uchardet). Labels mean what the WHATWG Encoding Standard says (``iso-8859-1`` is windows-1252).
Two corrections, because declarations are often a server's default: a declaration that the bytes contradict is passed
over, and one of a single-byte encoding (which no bytes contradict) yields to bytes that are valid, non-ASCII UTF-8.
"""

import codecs
import re
from dataclasses import dataclass
from functools import cache

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

PRESCAN = 1024  # HTML standard, 13.2.3.2
TOLERATED = 0.01  # share of replaced characters that still counts as a page in the declared encoding
_META = re.compile(rb"""<meta\b[^>]*?\bcharset\s*=\s*["']?\s*([A-Za-z0-9_:.+-]{2,40})""", re.I)
_XML = re.compile(rb"""\s*<\?xml\b[^>]*?\bencoding\s*=\s*["']([A-Za-z0-9_:.+-]{2,40})["']""", re.I)
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs"}
_SINGLE_BYTE = re.compile(r"(cp125\d|cp8\d\d|cp437|iso8859-\d+|koi8-[ru]|mac-\w+|tis-620|ascii|latin-1)$")


@dataclass(frozen=True, slots=True)
class Decoded:
    """``text`` may still hold NUL; ``how`` is bom, header, meta, utf-8 or detected; ``replaced`` counts its U+FFFD."""

    text: str
    charset: str
    how: str
    replaced: int


def decode(data: bytes, header: str | None, html: bool) -> Decoded:
    """Decode a page (``html``) or a plain text; ``header`` is the charset a transport declared."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _replacing(data[len(mark) :], encoding, "bom")
    declared: list[tuple[str | None, str]] = [(codec_of(header), "header")]
    if html:
        declared.append((_declared_inside(data[:PRESCAN]), "meta"))
    utf8 = _strict(data, "utf-8")
    near: Decoded | None = None
    for name, how in declared:
        if name is None:
            continue
        if name == "utf-8" or (utf8 is not None and not utf8.isascii() and _SINGLE_BYTE.match(name)):
            if utf8 is not None:
                return Decoded(utf8, "utf-8", how if name == "utf-8" else "utf-8", 0)
        else:
            text = _strict(data, name)
            if text is not None:
                return Decoded(text, name, how, 0)
        near = near or _close(data, name, how)
    if near:
        return near
    if utf8 is not None and not _looks_stateful(data):
        return Decoded(utf8, "utf-8", "utf-8", 0)
    close = _close(data, "utf-8", "utf-8")
    if close and not close.text.replace("\ufffd", "").isascii():
        return close
    found = codec_of(detect_encoding(data)) or "utf-8"
    return _replacing(data, found, "detected")


@cache
def codec_of(label: str | None) -> str | None:
    """The Python codec for an encoding label, or None if nobody knows it."""
    if not label:
        return None
    label = label.strip().lower()
    name: str | None = map_encoding_to_html5(label)
    if name is None or (name == "utf-8" and label not in ("utf-8", "utf8", "unicode-1-1-utf-8", "x-unicode20utf8")):
        # also what is returned for labels it does not know
        try:
            name = codecs.lookup(label).name
            "".encode(name)
        except (LookupError, ValueError):
            return None
        if name == "utf-7":
            return None
    return _WIDER.get(name, name)


def _declared_inside(head: bytes) -> str | None:
    label = _XML.match(head) or _META.search(head)
    name = codec_of(label[1].decode("ascii")) if label else None
    # a declaration that could be read as ASCII is not UTF-16
    return "utf-8" if name and name.startswith("utf-16") else name


def _strict(data: bytes, name: str) -> str | None:
    try:
        return data.decode(name)
    except (UnicodeDecodeError, LookupError, ValueError):
        return None


def _replacing(data: bytes, name: str, how: str) -> Decoded:
    try:
        text = data.decode(name, "replace")
    except (LookupError, ValueError):
        text, name = data.decode("utf-8", "replace"), "utf-8"
    return Decoded(text, name, how, text.count("\ufffd"))


def _close(data: bytes, name: str, how: str) -> Decoded | None:
    """The page in this encoding if only a few bytes do not belong."""
    result = _replacing(data, name, how)
    return result if result.replaced <= max(TOLERATED * len(result.text), 1) else None


def _looks_stateful(data: bytes) -> bool:
    """ASCII bytes that are not ASCII text: ISO-2022 escapes, or UTF-16 without a mark."""
    return b"\x1b$" in data or b"\x1b(" in data or b"\0" in data[:64]
