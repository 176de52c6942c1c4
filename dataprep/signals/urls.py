"""URL lists: is the domain, the host or the URL of a document listed, and which listed words does the URL hold.

Source: datatrove 0.10 (url_filter.py), which follows RefinedWeb (Penedo et al. 2023, arXiv 2306.01116, section 3.1).

====================  ==================================================================================================
url.domain_listed     the registered domain (one label more than a public suffix, private ones not counted) is listed
url.host_listed       the whole host name is listed, among the same ``domains``
url.url_listed        the URL is listed, exactly as it is written (see ``ignore_scheme``)
url.hard_words        how many different hard words it has; a word is a run of ASCII letters and digits, as written
url.soft_words        how many different soft words it has
url.subwords          how many different sub-words the URL has when nothing but lower-case letters and digits is left
url.matched           all of these that matched, in this order, joined by spaces; null where nothing did
====================  ==================================================================================================

A document without a URL has null everywhere.

Decisions:
- Words of a list keep only their ASCII letters and digits, in lower case, but a URL is read as it is: ``/XXX/`` has not
  the word ``xxx``. Domains and URLs are compared as they are written, too.
- An address has no registered domain and counts as no host name, so only ``urls`` can list it.
- A kernel passes over a batch's different URLs; those in which something may be listed are then looked at in Python.
- The public suffixes are the snapshot bundled with tldextract, never a download.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tldextract
from pydantic import ValidationInfo, field_validator, model_validator

from dataprep.compiled import njit
from dataprep.signals.wordlists import Bools, entries, extend_back, fingerprint, hashes, isin, list_files
from dataprep.steps import Step, with_columns
from dataprep.text.trie import Trie
from dataprep.text.utf8 import Bytes, Hashes, Ints, Longs, Utf8, find_sorted

NOT_IN_WORDS = "[^a-zA-Z0-9]+"
_SPLIT = re.compile(NOT_IN_WORDS).split
SCHEME = "^https?://"
LISTS = ("domains", "urls", "hard_words", "soft_words", "subwords")

HTTP = np.frombuffer(b"http", np.uint8)
SPACE, HASH, DOT, SLASH, COLON, QUESTION, AT, BRACKET, LETTER_S = b" #./:?@[s"
# ASCII letters and digits in lower case, 0 for all else
_LOWER = np.zeros(256, np.uint8)
for _byte in b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ":
    _LOWER[_byte] = ord(chr(_byte).lower())

COLUMNS = pa.schema(
    [
        ("url.domain_listed", pa.bool_()),
        ("url.host_listed", pa.bool_()),
        ("url.url_listed", pa.bool_()),
        ("url.hard_words", pa.int32()),
        ("url.soft_words", pa.int32()),
        ("url.subwords", pa.int32()),
        ("url.matched", pa.string()),
    ]
)


class UrlLists(Step):
    """Adds the ``url.*`` columns. Every list is given as files, or folders that have files called like the parameter.

    ``ignore_scheme`` compares URLs without ``http://`` or ``https://``, as the lists of UT1 are written; datatrove does
    not.
    """

    name: ClassVar[str] = "urls"
    schema: ClassVar[pa.Schema] = COLUMNS
    domains: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    hard_words: tuple[str, ...] = ()
    soft_words: tuple[str, ...] = ()
    subwords: tuple[str, ...] = ()
    ignore_scheme: bool = True

    @field_validator(*LISTS)
    @classmethod
    def _exist(cls, paths: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        list_files(paths, str(info.field_name))
        return paths

    @model_validator(mode="after")
    def _some_list(self) -> "UrlLists":
        if not any(getattr(self, name) for name in LISTS):
            raise ValueError(f"needs a list; allowed: {', '.join(LISTS)}")
        return self

    def depends_on(self) -> dict[str, Any]:
        lists = {name: fingerprint(list_files(getattr(self, name), name)) for name in LISTS}
        return {"lists": lists, "tldextract": version("tldextract")}

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        lists = _load(self)
        found = batch.column("url").dictionary_encode()
        text = Utf8.of(found.dictionary)
        url_listed = isin(hashes(self._compared(found.dictionary)), lists.urls)
        has_subword = _has_subword(text.values, text.offsets, *lists.pieces.arrays)
        telling = (
            url_listed
            | has_subword
            | _may_be_listed(text.values, text.offsets, lists.domains)
            | _has_word(text.values, text.offsets, *lists.words.arrays)
        )
        values = _look(found.dictionary, np.flatnonzero(telling), url_listed, has_subword, lists)
        return with_columns(batch, COLUMNS, {name: column.take(found.indices) for name, column in values.items()})

    def _compared(self, urls: pa.Array) -> pa.Array:
        return pc.replace_substring_regex(urls, SCHEME, "") if self.ignore_scheme else urls


@dataclass(frozen=True)
class _Lists:
    domains: Hashes
    urls: Hashes
    hard_words: frozenset[str]
    soft_words: frozenset[str]
    subwords: tuple[str, ...]
    words: Trie  # the hard and the soft ones
    pieces: Trie  # the sub-words


@cache
def _load(step: UrlLists) -> _Lists:
    """Once per process; a million domains take about a second and 8 MB."""

    def read(name: str) -> Iterator[pa.Array]:
        return (block for file in list_files(getattr(step, name), name) for block in entries(file))

    def words(name: str) -> frozenset[str]:
        found = (_squeezed(block).to_pylist() for block in read(name))
        return frozenset(word for block in found for word in block if word)

    hard, soft, subwords = words("hard_words"), words("soft_words"), tuple(sorted(words("subwords")))
    return _Lists(
        domains=_ordered(hashes(block) for block in read("domains")),
        urls=_ordered(hashes(step._compared(block)) for block in read("urls")),
        hard_words=hard,
        soft_words=soft,
        subwords=subwords,
        words=Trie.of(sorted(hard | soft)),
        pieces=Trie.of(subwords),
    )


def _ordered(parts: Iterable[Hashes]) -> Hashes:
    return np.unique(np.concatenate([np.empty(0, np.uint64), *parts]))


def _squeezed(column: pa.Array) -> pa.Array:
    return pc.ascii_lower(pc.replace_substring_regex(column, NOT_IN_WORDS, ""))


def _look(urls: pa.Array, rows: Longs, url_listed: Bools, has_subword: Bools, lists: _Lists) -> dict[str, pa.Array]:
    """All columns for ``urls``, of which only those in ``rows`` can have a match."""
    shown = urls.take(pa.array(rows))
    hosts = [_suffixes()(url) for url in shown.to_pylist()]
    names = {
        "url.domain_listed": [host.top_domain_under_public_suffix for host in hosts],
        "url.host_listed": [host.fqdn for host in hosts],
        "url.url_listed": shown.to_pylist(),
    }
    flags = {
        "url.domain_listed": isin(hashes(pa.array(names["url.domain_listed"], pa.string())), lists.domains),
        "url.host_listed": isin(hashes(pa.array(names["url.host_listed"], pa.string())), lists.domains),
        "url.url_listed": url_listed[rows],
    }
    counts = {name: np.zeros(len(rows), np.int32) for name in ("url.hard_words", "url.soft_words", "url.subwords")}
    matched = np.full(len(urls), None, object)
    for k, (url, squeezed) in enumerate(zip(names["url.url_listed"], _squeezed(shown).to_pylist(), strict=True)):
        words = dict.fromkeys(_SPLIT(url))
        found = {
            "url.hard_words": [word for word in words if word in lists.hard_words],
            "url.soft_words": [word for word in words if word in lists.soft_words],
            "url.subwords": [word for word in lists.subwords if word in squeezed] if has_subword[rows[k]] else [],
        }
        shows = [names[name][k] for name in flags if flags[name][k]]
        for name, these in found.items():
            counts[name][k] = len(these)
            shows += these
        matched[rows[k]] = " ".join(dict.fromkeys(shows)) or None
    columns: dict[str, pa.Array] = {"url.matched": pa.array(matched, pa.string())}
    for name, values in {**flags, **counts}.items():
        whole = np.zeros(len(urls), values.dtype)
        whole[rows] = values
        columns[name] = pa.array(whole)
    return columns


@cache
def _suffixes() -> tldextract.TLDExtract:
    return tldextract.TLDExtract(cache_dir=None, suffix_list_urls=(), fallback_to_snapshot=True)


@njit(nogil=True, cache=True)
def _may_be_listed(values: Bytes, offsets: Longs, domains: Hashes) -> Bools:
    """Whether an end of the host name, cut at a dot, is listed; true, too, where the host is not simply to be seen."""
    result = np.zeros(len(offsets) - 1, np.bool_)
    for d in range(len(result) if len(domains) else 0):
        i = _after_scheme(values, offsets[d], offsets[d + 1])
        if i < 0:
            result[d] = True
            continue
        start = i
        stop = -1
        while i < offsets[d + 1]:
            byte = values[i]
            if byte in (SLASH, QUESTION, HASH):
                break
            if byte <= SPACE or byte >= 0x80 or byte in (AT, BRACKET):
                result[d] = True
                break
            if byte == COLON and stop < 0:
                stop = i
            i += 1
        if stop < 0:
            stop = i
        while stop > start and values[stop - 1] == DOT:
            stop -= 1
        hashed = np.uint64(0)
        for k in range(stop - 1, start - 1, -1):
            hashed = extend_back(hashed, values[k])
            if (k == start or values[k - 1] == DOT) and find_sorted(domains, hashed) >= 0:
                result[d] = True
                break
    return result


@njit(nogil=True, cache=True, inline="always")
def _after_scheme(values: Bytes, start: int, end: int) -> int:
    """Where the host begins in a URL that begins with http:// or https://; -1 in others."""
    for k in range(len(HTTP)):
        if start + k >= end or values[start + k] != HTTP[k]:
            return -1
    start += len(HTTP)
    start += start < end and values[start] == LETTER_S
    if start + 2 < end and values[start] == COLON and values[start + 1] == SLASH and values[start + 2] == SLASH:
        return start + 3
    return -1


@njit(nogil=True, cache=True)
def _has_word(values: Bytes, offsets: Longs, columns: Bytes, nodes: Ints, ends: Bytes) -> Bools:
    """Whether a run of ASCII letters and digits is an entry."""
    result = np.zeros(len(offsets) - 1, np.bool_)
    for d in range(len(result)):
        node = 0
        begins = True
        for i in range(offsets[d], offsets[d + 1]):
            if not _LOWER[values[i]]:
                result[d] |= ends[node] != 0
                node = 0
                begins = True
            elif begins or node:
                node = nodes[node, columns[values[i]]]
                begins = False
        result[d] |= ends[node] != 0
    return result


@njit(nogil=True, cache=True)
def _has_subword(values: Bytes, offsets: Longs, columns: Bytes, nodes: Ints, ends: Bytes) -> Bools:
    """Whether an entry is anywhere when all but lower-cased ASCII letters and digits is skipped."""
    result = np.zeros(len(offsets) - 1, np.bool_)
    for d in range(len(result)):
        for start in range(offsets[d], offsets[d + 1]):
            node = nodes[0, columns[_LOWER[values[start]]]]
            i = start + 1
            while node and not ends[node] and i < offsets[d + 1]:
                if _LOWER[values[i]]:
                    node = nodes[node, columns[_LOWER[values[i]]]]
                i += 1
            if ends[node]:
                result[d] = True
                break
    return result
