"""Locality-sensitive hashing (Indyk and Motwani 1998; *Mining of Massive Datasets*, section 3.4).

A signature is cut into bands of rows; two documents become candidates when they agree on every row of one band, which
happens with probability 1 - (1 - s^rows)^bands at similarity s. Exact duplicates are one more band: their key is the
fingerprint of the whole text, which documents shorter than a shingle have too. So are documents of one page.

Keys are 64-bit hashes that include the band's number and the scope. Two keys that collide join unrelated documents into
one component, where verification keeps them apart.
"""

import numpy as np

from dataprep.compiled import njit
from dataprep.dedup.hashing import I64, U64, mix, mix_one
from dataprep.dedup.minhash import U32
from dataprep.dedup.settings import DedupSettings
from dataprep.dedup.sidecar import Signatures

_EXACT, _PAGE = np.uint64(0x6578616374), np.uint64(0x70616765)  # apart from every band's number


def candidate_keys(documents: Signatures, references: U64, settings: DedupSettings) -> tuple[U64, U64]:
    """(keys, references), one pair for each band of each document that has a shingle, one exact pair for each, and one
    for each that has a page. ``references`` uint64[n]."""
    bands, rows = settings.shape()
    long = np.flatnonzero(documents.shingles)
    keys = band_keys(documents.values[long], bands, rows) ^ documents.scopes[long, None]
    paged = np.flatnonzero(documents.pages.any(axis=1))
    return (
        np.concatenate([exact_keys(documents), page_keys(documents)[paged], keys.ravel()]),
        np.concatenate([references, references[paged], np.repeat(references[long], bands)]),
    )


def exact_keys(documents: Signatures) -> U64:
    """uint64[n]: equal for equal texts."""
    return mix(documents.exact[:, 0] ^ documents.exact[:, 1] ^ _EXACT) ^ documents.scopes


def page_keys(documents: Signatures) -> U64:
    """uint64[n]: equal for documents of one page; those without one are no different here."""
    return mix(documents.pages[:, 0] ^ documents.pages[:, 1] ^ _PAGE) ^ documents.scopes


@njit(nogil=True, cache=True)
def band_keys(signatures: U32, bands: int, rows: int) -> U64:
    """uint64[n, bands]: the key of every band of every signature (uint32[n, ≥ bands × rows])."""
    n = signatures.shape[0]
    keys = np.empty((n, bands), np.uint64)
    for i in range(n):
        for band in range(bands):
            h = mix_one(np.uint64(band + 1))
            for row in range(band * rows, (band + 1) * rows):
                h = mix_one(np.uint64(h ^ np.uint64(signatures[i, row])))
            keys[i, band] = h
    return keys


def sorted_pairs(first: U64, second: U64) -> tuple[U64, U64]:
    """Pairs by the first, then the second value, each pair once."""
    order = np.lexsort((second, first))
    first, second = first[order], second[order]
    new = np.ones(first.size, np.bool_)
    new[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    return first[new], second[new]


def group_starts(sorted_values: U64) -> I64:
    """Where each run of equal values begins, and the length at the end: int64[groups + 1]."""
    if sorted_values.size == 0:
        return np.zeros(1, np.int64)
    changes = np.flatnonzero(sorted_values[1:] != sorted_values[:-1]) + 1
    return np.concatenate([[0], changes, [sorted_values.size]]).astype(np.int64)
