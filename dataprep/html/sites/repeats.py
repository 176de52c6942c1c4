"""Blocks that a site repeats: what a block is recognised by, and which of those that its site is known to repeat go.

See `memory` for how a site comes to be known.

Decisions:
- A hash is of the text as a template writes it: white space is one blank wherever it stands, entities stay as they are,
  a number is one digit ("12 comments", "Last modified on 2020-05-07"). A block without a letter has no hash.
- Headings, terms of a list of definitions and preformatted text always stay: they repeat because documentation has
  sections and code has imports. A heading whose section goes is dropped by the selection.
- A short cell stays too: "yes", "Default: unset" are what a table says.
"""

from typing import NamedTuple

import numpy as np

from dataprep.compiled import njit
from dataprep.dedup.hashing import mix_one
from dataprep.html.dom.attributes import is_space
from dataprep.html.dom.measure import is_blank_entity
from dataprep.html.dom.records import BLOCKS, BREAK, Dom
from dataprep.html.dom.tags import CELL, HEADING, PRE, TAG
from dataprep.html.selection.rules import ON_SITE
from dataprep.text.utf8 import BASE, ONE, SPACE_BYTE, Bytes, Hashes, Longs, extend_hash, find_sorted

NONE = np.uint64(0)  # no text to speak of; no host
_DIGIT = np.uint64(0x30 + 1)
_DT = TAG["dt"]


class Limits(NamedTuple):
    """What makes a text a repeated one; benchmarks/README.md has the measurements behind the numbers."""

    pages: int = 64  # of a host that are looked at
    blocks: int = 4096  # different ones on a page that is looked at; longer pages are lists
    least: int = 3  # pages that a text must be on
    share: float = 0.3  # of the pages, for a text of at least ``chars``
    chars: int = 40
    short: float = 0.9  # share for a shorter one
    own: float = 0.1  # share of a page's text that no other page has, for the page to count


LIMITS = Limits()


@njit(nogil=True, cache=True)
def hash_blocks(b: Bytes, dom: Dom) -> None:
    """Set the hash of every block, 0 for one without a letter."""
    segments, blocks = dom.segments, dom.blocks
    for k in range(dom.counts[BLOCKS]):
        hashed = NONE
        spaced = number = letters = False
        for s in range(blocks[k]["first"], blocks[k + 1]["first"]):
            spaced |= segments[s]["kind"] == BREAK
            i, end = segments[s]["start"], segments[s]["end"]
            while i < end:
                byte = b[i]
                i += 1
                if is_space(byte):
                    spaced = True
                    continue
                if byte == 0xC2 and i < end and b[i] == 0xA0:
                    i += 1
                    spaced = True
                    continue
                if byte == 38 and is_blank_entity(b, i, end):
                    while b[i - 1] != 59:
                        i += 1
                    spaced = True
                    continue
                if spaced:
                    spaced = number = False
                    if hashed != NONE:
                        hashed = hashed * BASE + SPACE_BYTE
                if 48 <= byte <= 57:
                    if not number:
                        hashed = hashed * BASE + _DIGIT
                    number = True
                elif not (number and (byte == 44 or byte == 46) and i < end and 48 <= b[i] <= 57):
                    hashed = hashed * BASE + (np.uint64(byte) + ONE)
                    number = False
                    letters |= byte >= 0x80 or 97 <= byte | np.uint8(32) <= 122
        blocks[k]["hash"] = hashed if letters else NONE


@njit(nogil=True, cache=True)
def mark_repeated(dom: Dom, repeated: Hashes, limits: Limits) -> None:
    """Set the verdict of blocks whose hash (`hash_blocks`) is among the sorted ``repeated`` of their site.

    To be called before the selection, so that what is no text of the page counts nowhere.
    """
    nodes, blocks = dom.nodes, dom.blocks
    for k in range(dom.counts[BLOCKS]):
        node = blocks[k]["node"]
        formats = nodes[node]["formats"]
        if formats & (HEADING | PRE) or nodes[node]["tag"] == _DT:
            continue
        if formats & CELL and blocks[k]["chars"] < limits.chars:
            continue
        if blocks[k]["hash"] != NONE and find_sorted(repeated, blocks[k]["hash"]) >= 0:
            blocks[k]["verdict"] = ON_SITE


@njit(nogil=True, cache=True)
def hash_urls(values: Bytes, offsets: Longs) -> tuple[Hashes, Hashes]:
    """For every URL a hash of its host, in lower case and without ``www.`` (0 if it has none), and one of itself."""
    documents = len(offsets) - 1
    hosts, pages = np.zeros(documents, np.uint64), np.zeros(documents, np.uint64)
    for d in range(documents):
        start, end = offsets[d], offsets[d + 1]
        pages[d] = mix_one(extend_hash(NONE, values, start, end))
        i = start
        while i + 2 < end and not (values[i] == 58 and values[i + 1] == 47 and values[i + 2] == 47):
            i += 1
        first = stop = i + 3
        while stop < end and not (values[stop] == 47 or values[stop] == 63 or values[stop] == 35):
            if values[stop] == 64:
                first = stop + 1  # a user's name came before
            stop += 1
        if first + 4 <= stop and values[first + 3] == 46:
            w = 119
            if values[first] | 32 == w and values[first + 1] | 32 == w and values[first + 2] | 32 == w:
                first += 4
        hashed = NONE
        bracket = False
        for i in range(first, stop):
            byte = values[i]
            bracket |= byte == 91
            if byte == 58 and not bracket:
                break
            if byte == 93:
                bracket = False
            if 65 <= byte <= 90:
                byte |= np.uint8(32)
            hashed = hashed * BASE + (np.uint64(byte) + ONE)
        hosts[d] = mix_one(hashed)
    return hosts, pages
