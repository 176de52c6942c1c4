"""The elements and attributes the scanner knows, and what HTML says about each: tables the kernels read.

Names are looked up by a 64-bit hash of their lower-case bytes (`name_hash`) in an open-addressed table; what is not in
it is an unknown inline element (tag 0). Sources: HTML Standard 13.1.2 (void, raw text), 13.1.2.4 (optional tags),
13.2.6.5 (svg and math), 15.3 (what a browser's style sheet displays as a block).
"""

import numpy as np
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.text.utf8 import Hashes

VOID = 1  # has no content and no end tag
RAW = 2  # text up to its own end tag, in which nothing else is a tag
BLOCK = 4  # begins and ends a block of text
SKIP = 8  # its text is not part of the page's text
CLOSES_P = 16  # its start tag ends an open paragraph
SCOPE = 32  # end tags inside do not reach outside
LIST = 64  # holds items; an item's implied end stays inside
FOREIGN = 128  # svg and math: a slash closes the tag
HOLDS = 256  # in svg and math: what is inside is HTML again
LEAVES = 512  # its start tag ends svg and math
REACHES = 1024  # its end tag closes blocks inside, though it is none
IN_HEAD = 2048  # does not end the head

PRE, CODE, SUB, SUP, STRONG, EM = 1, 2, 4, 8, 16, 32  # formats, inherited by everything inside
DELETED, MATH, HEADING, CELL, ITEM, QUOTE = 64, 128, 256, 512, 1024, 2048

_VOID = "area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr"
_RAW = "iframe noembed plaintext script style textarea title xmp"
_CLOSES_P = (
    "address article aside blockquote center dd details dialog dir div dl dt fieldset figcaption figure footer form "
    "h1 h2 h3 h4 h5 h6 header hgroup hr li listing main menu nav ol p plaintext pre search section summary table ul xmp"
)
_BLOCK = "body caption frameset head html legend noframes noscript tbody td tfoot th thead tr document amp-sidebar"
_SKIP = (
    "annotation-xml audio button canvas head iframe noembed object optgroup option script select style svg template "
    "textarea title video"
)
_SCOPE = "caption html object table td template th document"
_LIST = "dir dl menu ol ul"
_FOREIGN = "math svg"
_HOLDS = "annotation-xml desc foreignobject mi mn mo ms mtext title"
_LEAVES = (
    "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu meta "
    "nobr ol p pre ruby s small span strike strong sub sup table tt u ul var"
)
_REACHES = "audio button canvas math object select svg template video"
_IN_HEAD = "base bgsound link meta noframes noscript script style template title"
_INLINE = (
    "a abbr annotation audio b canvas cite code data del dfn em font i ins kbd label mark picture q rp "
    "rt ruby s samp semantics small span strike strong sub sup time tt u var video "
    "mfenced mfrac mover mroot msqrt msub msubsup msup mtable mtr munder munderover"
)
_FORMATS = {
    PRE: "pre listing xmp plaintext", CODE: "code samp kbd tt", SUB: "sub", SUP: "sup", STRONG: "b strong",
    EM: "em i cite dfn var", DELETED: "del s strike", MATH: "math", HEADING: "h1 h2 h3 h4 h5 h6", CELL: "td th",
    ITEM: "li", QUOTE: "blockquote",
}  # fmt: skip

_FLAGS = {
    VOID: _VOID, RAW: _RAW, BLOCK: f"{_BLOCK} {_CLOSES_P}", SKIP: _SKIP, CLOSES_P: _CLOSES_P, SCOPE: _SCOPE,
    LIST: _LIST, FOREIGN: _FOREIGN, HOLDS: _HOLDS, LEAVES: _LEAVES, REACHES: _REACHES, IN_HEAD: _IN_HEAD,
}  # fmt: skip

TAGS: tuple[str, ...] = ("", *sorted({name for names in (*_FLAGS.values(), _INLINE) for name in names.split()}))
TAG = {name: code for code, name in enumerate(TAGS)}

ATTRIBUTES: tuple[str, ...] = (
    "", "alt", "alttext", "aria-hidden", "class", "encoding", "hidden", "href", "id", "itemprop", "role",
    "shadowrootmode", "style", "type",
)  # fmt: skip
ATTRIBUTE = {name: code for code, name in enumerate(ATTRIBUTES)}

_PRIME = np.uint64(0x100000001B3)
_OFFSET = np.uint64(0xCBF29CE484222325)
ROOM = 1024  # a power of two, several times the names


NAME = np.dtype([("hash", np.uint64), ("tag", np.uint8), ("attribute", np.uint8)], align=True)
TRAIT = np.dtype([("categories", np.uint64), ("formats", np.uint16), ("flags", np.uint16)], align=True)


@njit(nogil=True, cache=True)
def start_hash() -> np.uint64:
    return _OFFSET


@njit(nogil=True, cache=True)
def add_to_hash(hashed: np.uint64, byte: np.uint8) -> np.uint64:
    """FNV-1a, a byte at a time, upper-case ASCII letters taken as lower-case."""
    if np.uint8(65) <= byte <= np.uint8(90):
        byte |= np.uint8(32)
    return (hashed ^ np.uint64(byte)) * _PRIME


@njit(nogil=True, cache=True, inline="always")
def place_of(names: NDArray[np.void], hashed: np.uint64) -> np.uint64:
    """Where the name with this hash stands in the table, or a free place, whose codes are 0."""
    mask = np.uint64(len(names) - 1)
    place = (hashed ^ (hashed >> np.uint64(32))) & mask
    while names[place]["hash"] != hashed and names[place]["hash"] != np.uint64(0):
        place = (place + np.uint64(1)) & mask
    return place


def name_hash(name: str) -> int:
    hashed = int(_OFFSET)
    for byte in name.encode():
        hashed = ((hashed ^ byte) * int(_PRIME)) & 0xFFFF_FFFF_FFFF_FFFF
    return hashed


def _names() -> NDArray[np.void]:
    table = np.zeros(ROOM, NAME)
    for kind, names in (("tag", TAGS), ("attribute", ATTRIBUTES)):
        for code, name in enumerate(names[1:], 1):
            place = place_of(table, np.uint64(name_hash(name)))
            table[place]["hash"] = name_hash(name)
            table[place][kind] = code
    return table


def traits(categories: Hashes) -> NDArray[np.void]:
    """What is known of each tag, with the categories its name alone gives it."""
    table = np.zeros(len(TAGS), TRAIT)
    table["categories"] = categories
    for field, groups in (("flags", _FLAGS), ("formats", _FORMATS)):
        for bit, names in groups.items():
            table[field][[TAG[name] for name in names.split()]] |= bit
    return table


NAMES = _names()
