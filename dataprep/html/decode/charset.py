"""Bytes are decoded once, and never raise: the rules, for one page. `charset_batch` follows them for a batch.

1. A byte order mark says what follows.
2. Bytes that are valid UTF-8 and not ASCII are UTF-8 whatever was declared: declarations are often a server's default,
   and text in another encoding does not look like this by chance. So are bytes with a little damage (`DAMAGED`).
3. The transport's header, then the page's own declaration (`prescan`), if the bytes do not contradict it.
4. ASCII without a declaration is UTF-8, but for what hides in it (escape sequences, UTF-16).
5. Detection (chardet), which sees where the page is not ASCII. A few bytes fit dozens of encodings by chance, so then
   only those that pages are written in are asked about, only Latin ones where the bytes stand among ASCII letters or
   alone (``Café``, ``£20``). Signs alone are windows-1252, and so is one byte unless another is clearly likelier.

A page declares its encoding in its first 1,024 bytes. In pages that are neither ASCII nor UTF-8 later declarations
count, too, as in a browser that reaches one and begins anew: in 8 of 57 such pages the first was behind byte 1,024.
"""

import re
from dataclasses import dataclass, replace

import chardet

from dataprep.html.decode.encodings import codec_of, to_text
from dataprep.html.decode.prescan import labels

PRESCAN = 1024  # HTML standard, 13.2.3.2
LATE_PRESCAN = 1 << 16  # most heads are shorter
# Share of broken characters among those that are not ASCII, for UTF-8. A real page with damage had .15, texts in other
# encodings read as UTF-8 .60 at least (benchmarks/README.md); in between nothing was seen.
DAMAGED = 0.25
# The same for a declared encoding. Texts in it had .00; of readings in a wrong one 11 % had up to .01, 24 % up to .1.
TOLERATED = 0.01
DETECTED_BYTES = 1 << 15  # with 8 or 64 KB the same pages came out right

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_ERAS = chardet.EncodingEra.ALL & ~chardet.EncodingEra.MAINFRAME  # markup is not readable in EBCDIC
_COMMON = chardet.EncodingEra.MODERN_WEB | chardet.EncodingEra.LEGACY_ISO
_LATIN = frozenset(f"cp{number}" for number in (1250, 1252, 1254, 1257, 1258))
_LATIN |= {f"iso8859-{number}" for number in (1, 2, 3, 4, 9, 10, 13, 15, 16)}
# Bytes that are not ASCII: with fewer than 8 evidence is little. With 5 to 16 lines of 12 to 300 characters came out
# nearly the same (benchmarks.charset). With one, how much likelier another must be: with 1.5 more lines came out wrong.
LITTLE = 8
LIKELIER = 1.2
_RUN = re.compile(rb"[\x80-\xff]+")
_PIECE = re.compile(rb"[^<>\n]+")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A page's text, which may still hold NUL, its Python codec, and why that was chosen.

    ``how`` is bom, header, meta, utf-8 or detected; ``replaced`` counts the text's U+FFFD if any byte was replaced.
    """

    text: str
    charset: str
    how: str
    replaced: int


def decode(data: bytes, header: str | None, html: bool) -> Decoded:
    """Decode a page (``html``) or a plain text; ``header`` is the charset a transport declared."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], encoding, "bom")
    utf8 = _decoded(data, "utf-8", "utf-8")
    declared = [(codec_of(header), "header")]
    if html:
        declared.append((declared_inside(data, LATE_PRESCAN if utf8.replaced else PRESCAN), "meta"))
    if not data.isascii():
        how = next((how for name, how in declared if name == "utf-8"), None)
        # of a declared one only the end may be missing: a page that was cut off
        cut_off = how is not None and utf8.replaced == 1 and utf8.text.endswith("\ufffd")
        if cut_off or utf8.replaced <= DAMAGED * _not_ascii(utf8.text):
            return replace(utf8, how=how or "utf-8")
    near: Decoded | None = None
    for name, how in declared:
        if name is None or _contradicts(data, name):
            continue
        found = _decoded(data, name, how)
        if not found.replaced:
            return found
        if near is None and found.replaced <= max(TOLERATED * _not_ascii(found.text), 1):
            near = found
    if near:
        return near
    hidden = _hides_something(data)
    if data.isascii() and not hidden:
        return utf8
    return _decoded(data, _detect(data, hidden), "detected")


def declared_inside(page: bytes, limit: int) -> str | None:
    """The codec that the page names in its first ``limit`` bytes."""
    return next((name for label in labels(page[:limit]) if (name := codec_inside(label))), None)


def codec_inside(label: bytes) -> str | None:
    """The codec for a label found in a page. What could be read as ASCII is not UTF-16 (HTML standard)."""
    name = codec_of(label.decode("latin-1"))
    return "utf-8" if name and name.startswith(("utf-16", "utf-32")) else name


def _decoded(data: bytes, name: str, how: str) -> Decoded:
    try:
        return Decoded(to_text(data, name), name, how, 0)
    except UnicodeDecodeError:
        text = to_text(data, name, "replace")
        return Decoded(text, name, how, text.count("\ufffd"))


def _not_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _contradicts(data: bytes, name: str) -> bool:
    """UTF-8 was judged before; UTF-16 and UTF-32 have a NUL in every ASCII character, and no page is without those."""
    return not data.isascii() if name == "utf-8" else name.startswith("utf-") and b"\0" not in data


def _hides_something(data: bytes) -> bool:
    """ASCII bytes that are not ASCII text: ISO-2022 escapes, or UTF-16 without a mark."""
    return b"\x1b$" in data or b"\x1b(" in data or b"\0" in data[:64]


def _detect(data: bytes, hidden: bool) -> str:
    """The likeliest encoding, by chardet. Of what lies in or between tags only pieces that are not ASCII count."""
    if not hidden:
        pieces, size = [], 0
        for piece in _PIECE.finditer(data):
            if not piece[0].isascii():
                pieces.append(piece[0])
                size += len(piece[0])
                if size >= DETECTED_BYTES:
                    break
        data = b"\n".join(pieces)[:DETECTED_BYTES]
        high = sum(map(len, _RUN.findall(data)))
        if high < LITTLE:
            return _likeliest(data, high)
    return codec_of(chardet.detect(data, encoding_era=_ERAS, compat_names=False)["encoding"]) or "utf-8"


def _likeliest(data: bytes, high: int) -> str:
    """The likeliest encoding of a text with only ``high`` bytes that are not ASCII."""
    found = chardet.detect_all(data, encoding_era=_COMMON, compat_names=False)
    likely = {str(one["encoding"]): one["confidence"] for one in found if one["encoding"]}
    runs = list(_RUN.finditer(data))
    in_words = [_beside_letter(data, run.start(), run.end()) for run in runs]
    signs = [len(run[0]) == 1 and not inside for run, inside in zip(runs, in_words, strict=True)]
    if all(signs):
        return "cp1252"
    if 2 * (sum(in_words) + sum(signs)) > len(runs):
        likely = {name: confidence for name, confidence in likely.items() if name in _LATIN} or likely
        if high == 1 and LIKELIER * likely.get("cp1252", 0) >= max(likely.values(), default=0):
            return "cp1252"
    best = max(likely, key=lambda name: likely[name], default="cp1252")
    return codec_of(best) or "cp1252"


def _beside_letter(data: bytes, start: int, end: int) -> bool:
    return data[max(start - 1, 0) : start].isalpha() or data[end : end + 1].isalpha()
