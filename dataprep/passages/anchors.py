"""Anchors: a few places of a text such that equal stretches of n words have an anchor with the same words in common.

An anchor is a run of ``anchor_words`` words whose hash is the smallest of all such runs within some stretch of n words:
a minimizer (winnowing: Schleimer, Wilkerson and Aiken 2003; Roberts et al. 2004). What lies outside a stretch has no
say in which run of it that is, so every copy of the stretch has the same one. A stretch whose anchor the corpus has
only once is there only once, and nothing about it has to travel. Of n - ``anchor_words`` + 2 words, 2 begin an anchor.

Hashes of runs come from hashes of their halves (naming by doubling, Karp, Miller and Rosenberg 1972), mixed at every
level, so that no arrangement of words cancels out.
"""

import numpy as np

from dataprep.compiled import njit
from dataprep.dedup.hashing import mix_one
from dataprep.text.utf8 import Hashes, Longs

_ODD = np.uint64(0xD6E8FEB86659FD93)


def anchor_words(n: int) -> int:
    """The words of an anchor of stretches of ``n``: a power of two, n/4 to n/2, so 16 of 50."""
    return 1 << (n.bit_length() - 2)


@njit(nogil=True, cache=True, inline="always")
def mixed(left, right):  # type: ignore[no-untyped-def]
    """The hash of a run from those of its two parts."""
    return mix_one(np.uint64(np.uint64(left * _ODD) + right))


@njit(nogil=True, cache=True)
def run_hashes(words: Hashes, n: int) -> Hashes:
    """The hash of every run of ``n`` words, given the hash of each word."""
    hashes = words.copy()
    size = 1
    while size < n:
        # two runs of `size` words cover one of up to twice as many; where they overlap does no harm
        step = min(size, n - size)
        for i in range(hashes.size - size - step + 1):
            hashes[i] = mixed(hashes[i], hashes[i + step])
        size += step
    return hashes[: max(words.size - n + 1, 0)]


@njit(nogil=True, cache=True)
def smallest_in_windows(hashes: Hashes, width: int) -> Longs:
    """For every window of ``width`` hashes the place of its smallest, the first of equal ones."""
    windows = max(hashes.size - width + 1, 0)
    found = np.empty(windows, np.int64)
    queue = np.empty(hashes.size, np.int64)  # places that may yet be the smallest: hashes rise from head to tail
    head = tail = 0
    for i in range(hashes.size):
        while tail > head and hashes[queue[tail - 1]] > hashes[i]:
            tail -= 1
        queue[tail] = i
        tail += 1
        if queue[head] <= i - width:
            head += 1
        if i >= width - 1:
            found[i - width + 1] = queue[head]
    return found


@njit(nogil=True, cache=True)
def anchors_of(words: Hashes, n: int, size: int) -> tuple[Longs, Hashes]:
    """For every stretch of ``n`` words the place of its anchor; and the hashes of all runs of ``size`` words."""
    hashes = run_hashes(words, size)
    return smallest_in_windows(hashes, n - size + 1), hashes


@njit(nogil=True, cache=True)
def anchor_hashes(words: Hashes, offsets: Longs, n: int, size: int) -> Hashes:
    """The hash of every anchor of every document, as often as it is one."""
    result = np.empty(words.size, np.uint64)
    count = 0
    for d in range(len(offsets) - 1):
        if offsets[d + 1] - offsets[d] < n:
            continue
        places, hashes = anchors_of(words[offsets[d] : offsets[d + 1]], n, size)
        last = -1
        for place in places:
            if place != last:
                result[count] = hashes[place]
                count += 1
                last = place
    return result[:count]
