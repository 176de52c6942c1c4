r"""DCLM's preparation of a text: URLs and IP addresses are deleted, and runs of newlines become two.

Source: Li et al. 2024, "DataComp-LM", arXiv 2406.11794; mlfoundations/dclm, baselines/mappers/modifiers.py
(``url_removal_modifier``, ``newline_removal_modifier``) as dclm_baseline_refinedweb.yaml calls them, in that order.

Decisions:
- What a URL is, is DCLM's regular expression: up to ten characters of white space, optionally ``http://``,
  ``https://`` or ``ftp://``, up to 256 of ``-a-zA-Z0-9@:%._+~#=``, the last possible ``.`` with a known top-level
  domain in lower case, and all that follows of ``-a-zA-Z0-9()@:%_+.~#?&/=``. Four numbers of up to three digits are an
  IP address.
- DCLM deletes URLs only where the text itself begins with a top-level domain, in either case (``match`` where
  ``search`` was meant). Half of English texts do (``Th``, ``In``, …); the others keep their URLs, there as here.
"""

from functools import cache
from typing import Annotated, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from dataprep.compiled import njit
from dataprep.edits.base import delete_spans
from dataprep.edits.tlds import TLDS
from dataprep.steps import Step, with_columns
from dataprep.text.classes import ALPHA, NUMBER, SPACE, classes
from dataprep.text.utf8 import BASE, ONE, Bytes, Hashes, Longs, Utf8, decode, extend_hash, find_sorted, last_character

SPACES = 10  # white space that goes with what follows it
BODY = 256  # characters before the last dot
LONGEST = max(map(len, TLDS))
NEWLINE, DOT, UNDERSCORE = 0x0A, 0x2E, 0x5F

LETTERS_AND_DIGITS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

COLUMNS = pa.schema([("dclm.urls", pa.int32())])


class DclmText(Step):
    """Deletes URLs and IP addresses and shortens runs of newlines to ``newlines``; ``dclm.urls`` counts the former."""

    name: ClassVar[str] = "dclm_text"
    edits: ClassVar[bool] = True
    schema: ClassVar[pa.Schema] = COLUMNS
    newlines: Annotated[int, Field(ge=1)] = 2

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        text = Utf8.of(batch.column("text"))
        urls, *spans = _urls(text.values, text.offsets, classes(), *_characters(), _known())
        batch = delete_spans(batch, np.stack(spans, axis=1))
        text = Utf8.of(batch.column("text"))
        addresses, *spans = _addresses(text.values, text.offsets, classes(), _characters()[1])
        batch = delete_spans(batch, np.stack(spans, axis=1))
        text = Utf8.of(batch.column("text"))
        batch = delete_spans(batch, np.stack(_newline_runs(text.values, text.offsets, self.newlines), axis=1))
        return with_columns(batch, COLUMNS, {"dclm.urls": urls + addresses})


@cache
def _characters() -> tuple[Bytes, Bytes]:
    """For each byte: whether it may stand before the last dot of a URL, and after its domain."""
    tables = []
    for others in ("@:%._+~#=-", "()@:%_+.~#?&/=-"):
        table = np.zeros(256, np.uint8)
        table[np.frombuffer((LETTERS_AND_DIGITS + others).encode(), np.uint8)] = 1
        tables.append(table)
    return tables[0], tables[1]


@cache
def _known() -> Hashes:
    """The hashes of all top-level domains, in order."""
    encoded = Utf8.of(pa.array(TLDS, pa.large_string()))
    hashes: Hashes = _hashes(encoded.values, encoded.offsets)
    return np.sort(hashes)


@njit(nogil=True, cache=True)
def _hashes(values: Bytes, offsets: Longs) -> Hashes:
    result = np.empty(len(offsets) - 1, np.uint64)
    for d in range(len(offsets) - 1):
        result[d] = extend_hash(np.uint64(0), values, offsets[d], offsets[d + 1])
    return result


@njit(nogil=True, cache=True)
def _begins_with_domain(values: Bytes, start: int, end: int, known: Hashes) -> bool:
    hashed = np.uint64(0)
    for i in range(start, min(end, start + LONGEST)):
        byte = values[i]
        hashed = hashed * BASE + (np.uint64(byte | 0x20 if 0x41 <= byte <= 0x5A else byte) + ONE)
        if find_sorted(known, hashed) >= 0:
            return True
    return False


@njit(nogil=True, cache=True)
def _is_word(code: int, table: Bytes) -> bool:
    """What ``\\w`` matches."""
    return (table[code] & (ALPHA | NUMBER)) != 0 or code == UNDERSCORE


@njit(nogil=True, cache=True)
def _domain_end(values: Bytes, dot: int, end: int, table: Bytes, known: Hashes) -> int:
    """The end of the top-level domain that follows the dot; -1 where none does."""
    i = dot + 1
    while i < end:
        code, size = decode(values, i, end)
        if not _is_word(code, table):
            break
        i += size
        if i - dot - 1 > LONGEST:
            return -1
    return i if find_sorted(known, extend_hash(np.uint64(0), values, dot + 1, i)) >= 0 else -1


@njit(nogil=True, cache=True)
def _scheme_start(values: Bytes, start: int, behind: int) -> int:
    """Where ``http://``, ``https://`` or ``ftp://`` before ``start`` begins, or ``start`` itself."""
    for scheme in (b"https://", b"http://", b"ftp://"):
        first = start - len(scheme)
        if first >= behind:
            same = True
            for k in range(len(scheme)):
                same = same and values[first + k] == scheme[k]
            if same:
                return first
    return start


@njit(nogil=True, cache=True)
def _with_spaces(values: Bytes, start: int, behind: int, table: Bytes) -> int:
    """``start`` moved before the white space in front of it, by ``SPACES`` characters at most."""
    for _ in range(SPACES):
        if start == behind:
            break
        before = last_character(values, behind, start)
        if not table[decode(values, before, start)[0]] & SPACE:
            break
        start = before
    return start


@njit(nogil=True, cache=True)
def _no_spans(offsets: Longs) -> tuple[list[int], list[int]]:
    """Two empty lists; numba learns from an element that is never made what will be in them."""
    return [offsets[0] for _ in range(0)], [offsets[0] for _ in range(0)]


@njit(nogil=True, cache=True)
def _urls(
    values: Bytes, offsets: Longs, table: Bytes, body: Bytes, tail: Bytes, known: Hashes
) -> tuple[Longs, Longs, Longs]:
    """Per document: how many URLs; and the spans of all."""
    counts = np.zeros(len(offsets) - 1, np.int64)
    starts, ends = _no_spans(offsets)
    for d in range(len(offsets) - 1):
        i = behind = offsets[d]
        end = offsets[d + 1]
        if not _begins_with_domain(values, i, end, known):
            continue
        while i < end:
            if not body[values[i]]:
                i += 1
                continue
            # everything before the domain is inside one run of body characters: [i, stop)
            stop = i
            while stop < end and body[values[stop]]:
                stop += 1
            first = i
            last = -1
            for dot in range(i + 1, stop):
                if last >= 0 and dot > first + BODY:
                    break
                if values[dot] == DOT and _domain_end(values, dot, end, table, known) >= 0:
                    if last < 0:
                        first = max(i, dot - BODY)
                    last = dot
            if last < 0:
                i = stop
                continue
            start = _scheme_start(values, i, behind) if first == i else first
            start = _with_spaces(values, start, behind, table)
            stop = _domain_end(values, last, end, table, known)
            while stop < end and tail[values[stop]]:
                stop += 1
            counts[d] += 1
            starts.append(start)
            ends.append(stop)
            i = behind = stop
    return counts, np.array(starts), np.array(ends)


@njit(nogil=True, cache=True)
def _address_end(values: Bytes, i: int, end: int) -> int:
    """The end of three numbers with a dot each and one digit, from ``i`` on; -1 where there are none."""
    for _ in range(3):
        digits = 0
        while i + digits < end and digits < 4 and 0x30 <= values[i + digits] <= 0x39:
            digits += 1
        if digits not in (1, 2, 3) or (digits == 3 and values[i] > 0x32):
            return -1
        i += digits
        if i == end or values[i] != DOT:
            return -1
        i += 1
    return i + 1 if i < end and 0x30 <= values[i] <= 0x39 else -1


@njit(nogil=True, cache=True)
def _addresses(values: Bytes, offsets: Longs, table: Bytes, tail: Bytes) -> tuple[Longs, Longs, Longs]:
    """Per document: how many IP addresses; and the spans of all."""
    counts = np.zeros(len(offsets) - 1, np.int64)
    starts, ends = _no_spans(offsets)
    for d in range(len(offsets) - 1):
        i = behind = offsets[d]
        end = offsets[d + 1]
        while i < end:
            if not 0x30 <= values[i] <= 0x39 or not _at_boundary(values, i, offsets[d], table):
                i += 1
                continue
            stop = _address_end(values, i, end)
            if stop < 0:
                i += 1
                continue
            start = _scheme_start(values, i, behind)
            if not _at_boundary(values, start, offsets[d], table):
                start = i
            start = _with_spaces(values, start, behind, table)
            while stop < end and tail[values[stop]]:
                stop += 1
            counts[d] += 1
            starts.append(start)
            ends.append(stop)
            i = behind = stop
    return counts, np.array(starts), np.array(ends)


@njit(nogil=True, cache=True)
def _at_boundary(values: Bytes, i: int, first: int, table: Bytes) -> bool:
    """Whether no word character stands before ``i``."""
    return i == first or not _is_word(decode(values, last_character(values, first, i), i)[0], table)


@njit(nogil=True, cache=True)
def _newline_runs(values: Bytes, offsets: Longs, most: int) -> tuple[Longs, Longs]:
    """The spans of newlines beyond ``most`` in a run."""
    starts, ends = _no_spans(offsets)
    for d in range(len(offsets) - 1):
        run = 0
        for i in range(offsets[d], offsets[d + 1] + 1):
            if i < offsets[d + 1] and values[i] == NEWLINE:
                run += 1
                continue
            if run > most:
                starts.append(i - run + most)
                ends.append(i)
            run = 0
    return np.array(starts), np.array(ends)
