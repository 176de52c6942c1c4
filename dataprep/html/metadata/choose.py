"""From claims to fields: for each field the most believed claim that has its shape (see `metadata` for the order)."""

from typing import NamedTuple

import numpy as np

from dataprep.compiled import njit
from dataprep.html.dom.records import BLOCKS, Dom
from dataprep.html.metadata.claims import (
    AUTHOR,
    CANONICAL,
    CLAIM,
    FIELDS,
    FIRST,
    KEPT,
    LANGUAGE,
    PUBLISHED,
    RANKS,
    SITE,
    SPARE,
    TITLE,
    Claims,
    Counts,
    text_of,
    text_of_blocks,
    wide,
)  # fmt: skip
from dataprep.html.metadata.collect import (
    BYLINE,
    HEADING,
    ITEM,
    JSON_ARTICLE,
    JSON_PAGE,
    LINKED,
    META,
    SHOWN,
    TIME,
    TITLE_ELEMENT,
    Words,
)  # fmt: skip
from dataprep.html.metadata.dates import FIRST_DAY, FIRST_WEB_DAY, find_date, find_path_date
from dataprep.html.metadata.names import begins_title, clean_name, first_name, same, without_site
from dataprep.text.utf8 import Bytes, Longs

# bytes of the fields TITLE to BASE
LIMITS = np.array([500, 200, 25, 35, 2048, 64, 2048])
LINE = 512
AFTER, BEFORE = 8, 4  # blocks around a heading in which a date is looked for
SHORT = 100  # a longer block must begin with its date
BEGINNING = 20
SENTENCE_BLANKS = 3  # before the date in a line that ends like a sentence
LINKED_DATE = 30  # characters of a block that may be all link


class Found(NamedTuple):
    """The fields of a batch of pages as they are found, and what is used again for every page."""

    text: Bytes  # of all pages, field by field
    ends: Longs  # in it, by field and page
    claims: Claims
    counts: Counts
    headings: Bytes  # texts of the first of them
    lengths: Longs
    lines: Bytes


def room(pages: int) -> Found:
    """Arrays for the fields of so many pages."""
    ends = np.zeros((len(LIMITS), pages + 1), np.int64)
    ends[1:, 0] = np.cumsum(LIMITS * pages)[:-1]
    return Found(
        np.empty(LIMITS.sum() * pages, np.uint8),
        ends,
        np.zeros((FIELDS, RANKS, KEPT), CLAIM),
        np.zeros((FIELDS, RANKS), np.int64),
        np.zeros((KEPT, LINE), np.uint8),
        np.zeros(KEPT, np.int64),
        np.zeros((2, LINE), np.uint8),
    )


@njit(nogil=True, cache=True)
def _read(b: Bytes, dom: Dom, words: Words, found: Found, field: int, rank: int, k: int, out: Bytes) -> int:
    """Write the text of the ``k``-th claim of a rank to ``out``; its length."""
    one = found.claims[field, rank, k]
    return text_of(b, dom, wide(one["how"]), wide(one["start"]), wide(one["end"]), out)


@njit(nogil=True, cache=True)
def _keep(found: Found, field: int, page: int, text: Bytes, size: int) -> None:
    """``text[:size]`` is the field; a longer one than the limit ends where a character does."""
    if size > LIMITS[field]:
        size = LIMITS[field]
        while size and text[size] & 0xC0 == 0x80:
            size -= 1
    at = found.ends[field, page]
    found.text[at : at + size] = text[:size]
    found.ends[field, page + 1] = at + size


@njit(nogil=True, cache=True)
def choose_title(b: Bytes, dom: Dom, words: Words, found: Found, page: int) -> None:
    """A heading that a title begins with, or the most believed title, without the site's name."""
    counts, headings, lengths = found.counts, found.headings, found.lengths
    line, site = found.lines[0], found.lines[1]
    site_size = _site(b, dom, words, found, site)
    first = -1
    for k in range(counts[TITLE, HEADING]):
        lengths[k] = _read(b, dom, words, found, TITLE, HEADING, k, headings[k])
        if lengths[k] and first < 0:
            first = k
    for rank in (META, JSON_ARTICLE, META + 1, JSON_PAGE, TITLE_ELEMENT):
        if counts[TITLE, rank]:
            size = _read(b, dom, words, found, TITLE, rank, FIRST, line)
            for k in range(counts[TITLE, HEADING]):
                if begins_title(line, size, headings[k], lengths[k]) and not same(
                    headings[k], FIRST, lengths[k], site, site_size
                ):
                    _keep(found, TITLE, page, headings[k], lengths[k])
                    return
    for rank in (JSON_ARTICLE, META, META + 1, JSON_PAGE, TITLE_ELEMENT):
        if counts[TITLE, rank]:
            size = _read(b, dom, words, found, TITLE, rank, FIRST, line)
            start, end = without_site(line, size, site, site_size, rank == TITLE_ELEMENT)
            if end > start:
                _keep(found, TITLE, page, line[start:], end - start)
                return
    if first >= 0:
        _keep(found, TITLE, page, headings[first], lengths[first])
    else:
        found.ends[TITLE, page + 1] = found.ends[TITLE, page]


@njit(nogil=True, cache=True)
def _site(b: Bytes, dom: Dom, words: Words, found: Found, out: Bytes) -> int:
    size = 0
    for rank in range(2):
        if size == 0 and found.counts[SITE, rank]:
            size = _read(b, dom, words, found, SITE, rank, FIRST, out)
    return size


@njit(nogil=True, cache=True)
def choose_author(b: Bytes, dom: Dom, words: Words, found: Found, page: int) -> None:
    """All the names of the most believed source that has any; the site's own name only if there is no other."""
    line, site = found.lines[0], found.lines[1]
    at = found.ends[AUTHOR, page]
    out = found.text[at : at + LIMITS[AUTHOR]]
    site_size = _site(b, dom, words, found, site)
    size = 0
    for as_site in (False, True):
        for rank in (JSON_ARTICLE, JSON_PAGE, META, LINKED, ITEM, BYLINE):
            byline = rank >= ITEM
            for k in range(found.counts[AUTHOR, rank]):
                length = _read(b, dom, words, found, AUTHOR, rank, k, line[: LIMITS[AUTHOR] + SPARE])
                start, end = clean_name(line, length, words.phrases, byline)
                if end > start and same(line, start, end, site, site_size) == as_site:
                    while byline and start < end:
                        stop, following = first_name(line, start, end, words.phrases)
                        size = _add_name(out, size, line, start, stop)
                        start = following
                    if byline:
                        break
                    size = _add_name(out, size, line, start, end)
            if size:
                break
        if size:
            break
    found.ends[AUTHOR, page + 1] = at + size


@njit(nogil=True, cache=True)
def _add_name(out: Bytes, size: int, line: Bytes, start: int, end: int) -> int:
    """Write a name behind the others unless it is one of them or there is no room for it; the size then."""
    first = 0
    for i in range(size + 1):
        if i == size or out[i] == 59:
            if same(line, start, end, out[first:i], i - first):
                return size
            first = i + 1
    if size + 2 + end - start > len(out):
        return size
    if size:
        out[size], out[size + 1] = 59, 32
        size += 2
    out[size : size + end - start] = line[start:end]
    return size + end - start


@njit(nogil=True, cache=True)
def choose_language(b: Bytes, dom: Dom, words: Words, found: Found, page: int) -> None:
    line, out = found.lines[0], found.lines[1]
    size = 0
    for rank in range(RANKS):
        for k in range(found.counts[LANGUAGE, rank]):
            if size == 0:
                length = _read(b, dom, words, found, LANGUAGE, rank, k, line)
                size = language_tag(line, length, out)
    _keep(found, LANGUAGE, page, out, size)


@njit(nogil=True, cache=True)
def language_tag(line: Bytes, size: int, out: Bytes) -> int:
    """Write the first language tag of a list, its parts in their usual case (RFC 5646, 2.1.1); 0 if it is none."""
    written = i = 0
    while i < size:
        start = i
        while i < size and (48 <= line[i] <= 57 or 97 <= line[i] | np.uint8(32) <= 122):
            i += 1
        length = i - start
        if length < 2 or length > 8 or written + 1 + length > LIMITS[LANGUAGE]:
            break
        if written == 0:
            if length > 3:
                break
            for k in range(start, i):
                if line[k] < 65:
                    return 0
        else:
            out[written] = 45
            written += 1
        for k in range(start, i):
            byte = line[k]
            if byte >= 65:
                capital = start > 0 and (length == 2 or (length == 4 and k == start))
                byte = byte & np.uint8(0xDF) if capital else byte | np.uint8(32)
            out[written] = byte
            written += 1
        if i < size and line[i] != 45 and line[i] != 95:
            break
        i += 1
    return written


@njit(nogil=True, cache=True)
def choose_published(b: Bytes, dom: Dom, url: Bytes, latest: int, words: Words, found: Found, page: int) -> None:
    """A day up to ``latest``. The language must be chosen before: it says how 8/2/2019 is read."""
    counts = found.counts
    line, out = found.lines[0], found.lines[1]
    language = found.text[found.ends[LANGUAGE, page] : found.ends[LANGUAGE, page + 1]]
    american = len(language) >= 2 and language[0] == 101 and language[1] == 110
    american &= len(language) < 5 or (language[3] == 85 and language[4] == 83)
    size = _date_of_address(b, dom, url, words, found, True, latest, line, out)
    for rank in (META, JSON_PAGE, JSON_ARTICLE, ITEM, TIME, SHOWN, META + 1):
        if size == 0 and rank == TIME:
            size = _date_of_address(b, dom, url, words, found, False, latest, line, out)
        earliest = FIRST_WEB_DAY if rank == SHOWN else FIRST_DAY
        for k in range(counts[PUBLISHED, rank]):
            if size == 0:
                length = _read(b, dom, words, found, PUBLISHED, rank, k, line[: SHORT + SPARE])
                size, _ = find_date(line, length, words.months, american, earliest, latest, out)
    if size == 0:
        size = _date_near_heading(b, dom, words, found, american, latest, line, out)
    _keep(found, PUBLISHED, page, out, size)


@njit(nogil=True, cache=True)
def _date_of_address(
    b: Bytes, dom: Dom, url: Bytes, words: Words, found: Found, divided: bool, latest: int, line: Bytes, out: Bytes
) -> int:
    """The date in the path of the page's URL, or else of an address that it says it has."""
    size = find_path_date(url, len(url), divided, latest, out)
    for rank in range(2):
        if size == 0 and found.counts[CANONICAL, rank]:
            length = _read(b, dom, words, found, CANONICAL, rank, FIRST, line)
            size = find_path_date(line, length, divided, latest, out)
    return size


@njit(nogil=True, cache=True)
def _date_near_heading(
    b: Bytes, dom: Dom, words: Words, found: Found, american: bool, latest: int, line: Bytes, out: Bytes
) -> int:
    """The first date in a short block after or else before a heading; without heading, in any short block."""
    total = dom.counts[BLOCKS]
    for k in range(found.counts[TITLE, HEADING]):
        heading = dom.nodes[found.claims[TITLE, HEADING, k]["start"]]
        last, first = wide(heading["last"]), wide(heading["first"])
        for block in range(last, min(last + AFTER, total)):
            size = _date_of_block(b, dom, words, block, american, latest, line, out)
            if size:
                return size
        for block in range(first - 1, max(first - 1 - BEFORE, -1), -1):
            size = _date_of_block(b, dom, words, block, american, latest, line, out)
            if size:
                return size
    if found.counts[TITLE, HEADING] == 0:
        for block in range(total):
            if dom.blocks[block]["chars"] <= SHORT and dom.blocks[block]["links"] == 0:
                size = _date_of_block(b, dom, words, block, american, latest, line, out)
                if size:
                    return size
    return 0


@njit(nogil=True, cache=True)
def _date_of_block(
    b: Bytes, dom: Dom, words: Words, block: int, american: bool, latest: int, line: Bytes, out: Bytes
) -> int:
    chars, links = dom.blocks[block]["chars"], dom.blocks[block]["links"]
    if chars == links and chars > LINKED_DATE:
        return 0
    length = text_of_blocks(b, dom, block, block + 1, FIRST, len(b), line[: SHORT + SPARE])
    read = length if chars <= SHORT else min(length, BEGINNING)
    size, start = find_date(line, read, words.months, american, FIRST_WEB_DAY, latest, out)
    return size if size and _is_byline(line, start, read) else 0


@njit(nogil=True, cache=True)
def _is_byline(line: Bytes, start: int, size: int) -> bool:
    """Whether the date at byte ``start`` can be that of a line like "By Ann Lee, 8 Feb 2019": no sentence, no aside."""
    blanks = open_ = 0
    for i in range(start):
        blanks += line[i] == 32
        open_ += (line[i] == 40) - (line[i] == 41)
    stopped = line[size - 1] == 33 or line[size - 1] == 46 or line[size - 1] == 63
    return open_ <= 0 and not (stopped and blanks >= SENTENCE_BLANKS)


@njit(nogil=True, cache=True)
def choose_first(b: Bytes, dom: Dom, words: Words, found: Found, page: int, field: int) -> None:
    """The most believed claim that is not empty."""
    at = found.ends[field, page]
    out = found.text[at : at + LIMITS[field]]
    size = 0
    for rank in range(RANKS):
        for k in range(found.counts[field, rank]):
            if size == 0:
                size = _read(b, dom, words, found, field, rank, k, out)
    found.ends[field, page + 1] = at + size
