"""What JSON-LD says about the page: a tokenizer over bytes that follows depth and keys and never builds an object.

https://www.w3.org/TR/json-ld11/, https://schema.org/docs/full.html. Read are the objects that are the page's own: those
at the top, in ``@graph`` and in ``mainEntity``; what stands under other keys (parts, lists, comments) is about other
things. A property is taken from the first object of an article-like type that has it, and from the first web page.

Many blocks are broken, so nothing is an error: what is no string, bracket, colon or comma is passed over, a quote ends
a string only if what JSON allows follows, and objects still open at the end count as closed.
"""

import numpy as np

from dataprep.compiled import njit
from dataprep.html.dom.records import Records
from dataprep.html.metadata.claims import (
    AUTHOR,
    JSON,
    JSON_TYPE,
    KEPT,
    LANGUAGE,
    PUBLISHED,
    TITLE,
    Claims,
    Counts,
    claim,
    hash_of,
    integers,
    wide,
    word_at,
)
from dataprep.text.utf8 import Bytes, Longs

DEPTH = 64  # deeper objects are passed over
AUTHORS = 64

(TYPE, HEADLINE, NAME, DATE, CREATED, WRITER, SPEECH, ID, GRAPH, OTHER) = range(1, 11)  # keys
KEYS = {
    "@type": TYPE, "headline": HEADLINE, "name": NAME, "datepublished": DATE, "datecreated": CREATED,
    "uploaddate": CREATED, "author": WRITER, "inlanguage": SPEECH, "@id": ID, "@graph": GRAPH, "mainentity": GRAPH,
}  # fmt: skip
ARTICLE, PAGE, GROUP = integers(1, 4)  # types
WRITERS, PERSONS = integers(3, 5)  # places in ``count``, after those of the chosen by type

_SPAN = [("start", np.int32), ("end", np.int32)]
FRAME = np.dtype(
    [
        ("array", np.uint8),
        ("own", np.uint8),  # about the page
        ("key", np.uint8),  # it stands under
        ("type", np.uint8),
        ("owner", np.int32),  # the object whose property it is part of
        ("authors", np.int32),  # how many were known when it began
        ("spans", _SPAN, (10,)),  # by key
    ],
    align=True,
)
PERSON = np.dtype([("id", np.uint64), *_SPAN], align=True)


@njit(nogil=True, cache=True)
def read_json(
    b: Bytes, start: int, end: int, keys: Records, types: Records, claims: Claims, counts: Counts, ranks: Longs
) -> None:
    """Claims of the JSON-LD in ``b[start:end]``; ``ranks[type, field]`` is how much each is believed."""
    frames = np.zeros(DEPTH + 1, FRAME)
    authors = np.zeros(AUTHORS, PERSON)
    persons = np.zeros(AUTHORS, PERSON)
    chosen = np.zeros((3, KEPT), PERSON)
    count = np.zeros(5, np.int64)
    frames[0]["array"] = frames[0]["own"] = 1
    depth = over = key = 0
    i = start
    while i < end:
        byte = b[i]
        if byte == 34:
            stop, colon = _string_end(b, i + 1, end, not frames[depth]["array"] and key == 0 and over == 0)
            if over == 0:
                if colon:
                    key = _key(b, i + 1, stop, keys)
                else:
                    _value(b, i + 1, stop, frames, depth, key, authors, count, types)
            i = stop
        elif byte == 123 or byte == 91:
            if over or depth >= DEPTH:
                over += 1
            else:
                _open(frames, depth, key, byte == 91, count[WRITERS])
                depth += 1
                key = 0
        elif byte == 125 or byte == 93:
            if over:
                over -= 1
            elif depth:
                _close(b, frames, depth, authors, persons, chosen, count, claims, counts, ranks)
                depth -= 1
                key = 0
        elif byte == 44 and over == 0:
            key = 0
        i += 1
    while depth:
        _close(b, frames, depth, authors, persons, chosen, count, claims, counts, ranks)
        depth -= 1
    for kind in (ARTICLE, PAGE):
        for k in range(count[kind]):
            first, last = wide(chosen[kind, k]["start"]), wide(chosen[kind, k]["end"])
            for p in range(count[PERSONS]):
                if last == first and persons[p]["id"] == chosen[kind, k]["id"]:
                    first, last = wide(persons[p]["start"]), wide(persons[p]["end"])
            claim(claims, counts, AUTHOR, ranks[kind, AUTHOR], JSON, first, last)


@njit(nogil=True, cache=True)
def _string_end(b: Bytes, i: int, end: int, is_key: bool) -> tuple[int, bool]:
    """Where the string that begins at byte ``i`` ends, and whether a colon follows."""
    while i < end:
        if b[i] == 92:
            i += 1
        elif b[i] == 34:
            j = i + 1
            while j < end and b[j] <= 32:
                j += 1
            if j >= end or b[j] == 44 or b[j] == 125 or b[j] == 93:
                return i, False
            if is_key and b[j] == 58:
                return i, True
        i += 1
    return end, False


@njit(nogil=True, cache=True)
def _key(b: Bytes, start: int, end: int, keys: Records) -> int:
    key, _ = word_at(keys, hash_of(b, start, end))
    return key if key else OTHER


@njit(nogil=True, cache=True)
def _open(frames: Records, depth: int, key: int, array: bool, authors: int) -> None:
    """An object or array begins, as the value of ``key`` or as an element."""
    within = frames[depth]["array"]
    if within:
        key = frames[depth]["key"]
    new = depth + 1
    frames[new]["array"] = array
    frames[new]["own"] = frames[depth]["own"] and (key == 0 or key == GRAPH)
    frames[new]["key"] = key
    frames[new]["type"] = 0
    frames[new]["owner"] = frames[depth]["owner"] if within else depth
    frames[new]["authors"] = authors
    for k in range(10):
        frames[new]["spans"][k]["start"] = 0
        frames[new]["spans"][k]["end"] = 0


@njit(nogil=True, cache=True)
def _value(
    b: Bytes,
    start: int,
    end: int,
    frames: Records,
    depth: int,
    key: int,
    authors: Records,
    count: Counts,
    types: Records,
) -> None:
    """A string that is the value of ``key`` or an element of an array."""
    owner = depth
    if frames[depth]["array"]:
        owner, key = frames[depth]["owner"], frames[depth]["key"]
    if key == 0 or key >= GRAPH or frames[owner]["array"]:
        return
    if key == WRITER:
        _add(authors, count, WRITERS, start, end, np.uint64(0))
    elif key == TYPE:
        first = start
        for i in range(start, end):
            if b[i] == 47 or b[i] == 58 or b[i] == 35:  # a full IRI, or with a prefix
                first = i + 1
        kind, _ = word_at(types, hash_of(b, first, end))
        if frames[owner]["spans"][TYPE]["end"] == 0 or (kind and not frames[owner]["type"]):
            frames[owner]["type"] = kind
            frames[owner]["spans"][TYPE]["start"] = first
            frames[owner]["spans"][TYPE]["end"] = end
    elif frames[owner]["spans"][key]["end"] == 0:
        frames[owner]["spans"][key]["start"] = start
        frames[owner]["spans"][key]["end"] = end


@njit(nogil=True, cache=True)
def _add(people: Records, count: Counts, which: int, start: int, end: int, identity: np.uint64) -> None:
    at = count[which]
    if at < len(people):
        people[at]["id"] = identity
        people[at]["start"] = start
        people[at]["end"] = end
        count[which] = at + 1


@njit(nogil=True, cache=True)
def _close(
    b: Bytes,
    frames: Records,
    depth: int,
    authors: Records,
    persons: Records,
    chosen: Records,
    count: Counts,
    claims: Claims,
    counts: Counts,
    ranks: Longs,
) -> None:
    """The object or array at this depth ends."""
    frame = frames[depth]
    if frame["array"]:
        return
    spans = frame["spans"]
    kind = wide(frame["type"])
    if frame["own"] and kind in (ARTICLE, PAGE):
        title = HEADLINE if spans[HEADLINE]["end"] else NAME
        date = DATE if spans[DATE]["end"] else CREATED
        for field, key in ((TITLE, title), (PUBLISHED, date), (LANGUAGE, SPEECH), (JSON_TYPE, TYPE)):
            claim(
                claims,
                counts,
                field,
                ranks[kind, field],
                JSON,
                wide(spans[key]["start"]),
                wide(spans[key]["end"]),
            )
        if count[kind] == 0:
            for k in range(frame["authors"], count[WRITERS]):
                _add(
                    chosen[kind],
                    count,
                    kind,
                    wide(authors[k]["start"]),
                    wide(authors[k]["end"]),
                    authors[k]["id"],
                )
    count[WRITERS] = frame["authors"]
    start, end = wide(spans[NAME]["start"]), wide(spans[NAME]["end"])
    if kind == GROUP:
        end = start
    identity = np.uint64(0)
    if spans[ID]["end"]:
        identity = hash_of(b, wide(spans[ID]["start"]), wide(spans[ID]["end"]))
    if end > start and identity:
        _add(persons, count, PERSONS, start, end, identity)
    if frame["key"] == WRITER and not frames[frame["owner"]]["array"] and (end > start or (identity and not kind)):
        _add(authors, count, WRITERS, start, end, identity)
