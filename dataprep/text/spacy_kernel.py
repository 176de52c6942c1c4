"""How spaCy's English tokenizer cuts one chunk, as a kernel. What it looks up comes from `spacy_rules`.

spaCy (3.8, ``spacy/tokenizer.pyx``) takes prefixes and suffixes off a chunk one by one; a special case ends that; the
middle is one token if it looks like a URL and is cut at infixes otherwise. At last, tokens that together spell a
special case (``:`` ``)``) are joined into it (``:)``).

Decisions:
- Every step takes time linear in the chunk, where the library's takes up to its square.
- spaCy looks for special cases to join across white space, too. It never finds one there, but what it looks at may
  hide one beside it: only then do its words depend on more than the chunk, and differ from these.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.text.utf8 import Bytes, Hashes, Ints, Longs, decode, extend_hash, find_sorted

Codes = NDArray[np.int32]
Classes = NDArray[np.uint16]

CHUNK_CODES = 1 << 16  # the longest chunk that can be cut
SPECIAL_CODES = 16  # no special case is longer
UNIT_CODES = 12  # no unit is longer

PREFIX = 1  # taken off at the front, alone
SUFFIX = 2  # taken off at the end, alone
CURRENCY = 4  # taken off behind a digit
ICON = 8  # an infix, too
LOWER = 16
UPPER = 32
LETTER = 64
BEFORE_STOP = 128  # a full stop behind it is a suffix
QUOTE = 256
HOST = 512  # in a host name of a URL
LABEL = 1024  # in a label of a host name, but not at its ends
SCHEME = 2048  # in the scheme of a URL
DECIMAL = 4096  # \d of a regular expression

STOP, PLUS, HYPHEN, DIGIT_0, DIGIT_9, DOLLAR, COMMA = 0x2E, 0x2B, 0x2D, 0x30, 0x39, 0x24, 0x2C
COLON, SLASH, AT, QUESTION, HASH, ASTERISK, CARET = 0x3A, 0x2F, 0x40, 0x3F, 0x23, 0x2A, 0x5E
ELLIPSIS, EN_DASH, EM_DASH, TILDE, DEGREE = 0x2026, 0x2013, 0x2014, 0x7E, 0xB0


def scratch() -> tuple[Codes, Longs, Ints, Ints]:
    """What ``tokenize`` writes to: code points, their places, the tokens' lengths, and a copy of those."""
    size = CHUNK_CODES + 1
    return np.empty(size, np.int32), np.empty(size, np.int64), np.empty(size, np.int32), np.empty(size, np.int32)


@njit(nogil=True, cache=True)
def _special(values: Bytes, places: Longs, lo: int, hi: int, keys: Hashes) -> Any:
    """The number of the special case that the codes ``lo`` to ``hi`` spell, or -1."""
    if hi - lo > SPECIAL_CODES:
        return -1
    key = extend_hash(np.uint64(0), values, places[lo], places[hi])
    return find_sorted(keys, key)


@njit(nogil=True, cache=True, inline="always")
def _digit(code: Any) -> bool:
    return DIGIT_0 <= code <= DIGIT_9


@njit(nogil=True, cache=True)
def _prefix(codes: Codes, lo: int, hi: int, classes: Classes) -> int:
    first = codes[lo]
    if classes[first] & PREFIX:
        return 1
    if first == PLUS:
        return 0 if lo + 1 < hi and _digit(codes[lo + 1]) else 1
    if first == STOP:
        end = lo
        while end < hi and codes[end] == STOP:
            end += 1
        return end - lo if end - lo > 1 else 0
    if lo + 1 < hi and codes[lo + 1] == DOLLAR and (first == 0x41 or first == 0x43):  # A$, C$
        return 2
    if lo + 2 < hi and first == 0x55 and codes[lo + 1] == 0x53 and codes[lo + 2] == DOLLAR:  # US$
        return 3
    return 0


@njit(nogil=True, cache=True)
def _suffix(codes: Codes, lo: int, hi: int, classes: Classes, units: Codes, unit_offsets: Longs) -> Any:
    """The longest suffix: the pattern is searched for from the left and must reach the end."""
    if lo == hi:
        return 0
    last = codes[hi - 1]
    before = codes[hi - 2] if hi - lo > 1 else np.int32(0)
    longest = 1 if classes[last] & SUFFIX else 0
    if hi - lo > 1:
        if last == STOP:
            start = hi - 1
            while start > lo and codes[start - 1] == STOP:
                start -= 1
            if hi - start > 1:
                longest = hi - start
            elif classes[before] & BEFORE_STOP:
                longest = max(longest, 1)
            elif hi - lo > 2:
                twice = classes[before] & classes[codes[hi - 3]] & UPPER != 0
                temperature = codes[hi - 3] == DEGREE and (before | 0x20) in (0x63, 0x66, 0x6B)  # c, f, k
                if twice or temperature:
                    longest = max(longest, 1)
        if (last == 0x73 or last == 0x53) and (before == 0x27 or before == 0x2019):  # 's
            longest = max(longest, 2)
        if last == ELLIPSIS and before == ELLIPSIS:
            longest = max(longest, 2)
        if _digit(before) and (last == PLUS or classes[last] & CURRENCY):
            longest = max(longest, 1)
        if last == DOLLAR:
            if hi - lo > 2 and (before == 0x41 or before == 0x43) and _digit(codes[hi - 3]):
                longest = max(longest, 2)
            if hi - lo > 3 and before == 0x53 and codes[hi - 3] == 0x55 and _digit(codes[hi - 4]):
                longest = max(longest, 3)
        digit = hi - 2
        while digit > max(lo - 1, hi - UNIT_CODES - 2) and not _digit(codes[digit]):
            digit -= 1
        if digit < lo or not _digit(codes[digit]):
            return longest
        for u in range(len(unit_offsets) - 1):
            size = unit_offsets[u + 1] - unit_offsets[u]
            start = hi - size
            if size <= longest or start <= lo or not _digit(codes[start - 1]):
                continue
            k = 0
            while k < size and codes[start + k] == units[unit_offsets[u] + k]:
                k += 1
            if k == size:
                longest = size
    return longest


@njit(nogil=True, cache=True)
def _url(codes: Codes, lo: int, hi: int, classes: Classes) -> bool:
    """Whether the library's URL pattern matches.

    The pattern: a scheme and ``://``, or neither; anything and ``@``, or neither; a host; a port; a path.
    """
    stops = False
    for i in range(lo, hi):
        stops |= codes[i] == STOP
    if not stops:
        return False
    if _host(codes, lo, hi, classes):
        return True
    scheme = lo
    while scheme < hi and classes[codes[scheme]] & SCHEME:
        scheme += 1
    if (
        scheme - lo >= 2
        and scheme + 2 < hi
        and codes[scheme] == COLON
        and codes[scheme + 1] == SLASH
        and codes[scheme + 2] == SLASH
        and _host(codes, scheme + 3, hi, classes)
    ):
        return True
    # a scheme before the ``@`` is part of anything
    for i in range(lo + 1, hi):  # noqa: SIM110 (numba compiles no generators here)
        if codes[i] == AT and _host(codes, i + 1, hi, classes):
            return True
    return False


@njit(nogil=True, cache=True)
def _ends(codes: Codes, end: int, hi: int, classes: Classes) -> bool:
    """Whether behind a host's end come a port, a path, both or nothing."""
    if end + 2 < hi and codes[end] == COLON and classes[codes[end + 1]] & DECIMAL:
        port = end + 1
        while port < hi and port - end <= 5 and classes[codes[port]] & DECIMAL:
            port += 1
        if port - end > 2:
            end = port
    return end == hi or codes[end] == SLASH or codes[end] == QUESTION or codes[end] == HASH


@njit(nogil=True, cache=True)
def _address(codes: Codes, lo: int, hi: int, classes: Classes) -> bool:
    """Whether a numeric address of a public host begins at ``lo``, and what may follow it behind it.

    No address: private ones (10, 127, 169.254, 192.168, 172.16 to 172.31) and numbers that the pattern leaves out.
    """
    first = second = 0
    i = lo
    for octet in range(4):
        start = i
        while i < hi and i - start < 3 and classes[codes[i]] & DECIMAL:
            i += 1
        size = i - start
        if size == 0 or (octet < 3 and (i == hi or codes[i] != STOP)):
            return False
        a = codes[start] - DIGIT_0
        b = codes[start + 1] - DIGIT_0 if size > 1 else 0
        c = codes[start + 2] - DIGIT_0 if size > 2 else 0
        outer = octet == 0 or octet == 3
        if size < 3 and outer and not 1 <= a <= 9:
            return False
        if size == 3 and a != 1:
            most = 3 if octet == 0 else 4 if octet == 3 else 5
            if a != 2:
                return False
            if octet == 0:
                if not (b == 0 or b == 1 or (b == 2 and 0 <= c <= most)):
                    return False
            elif not (0 <= b <= 4 or (b == 5 and 0 <= c <= most)):
                return False
        value = a if size == 1 else 10 * a + b if size == 2 else 100 * a + 10 * b + c
        if octet == 0:
            first = value
        elif octet == 1:
            second = value
            private = first == 10 or first == 127 or (first == 169 and second == 254 and size == 3)
            private = private or (first == 192 and second == 168 and size == 3)
            if private or (first == 172 and size == 2 and 16 <= second <= 31):
                return False
        if octet < 3:
            i += 1
    return _ends(codes, i, hi, classes)


@njit(nogil=True, cache=True)
def _host(codes: Codes, lo: int, hi: int, classes: Classes) -> bool:
    """Whether codes ``lo`` to ``hi`` are labels with stops, a last label of lower-case letters, and what may follow."""
    if lo < hi and _digit(codes[lo]) and _address(codes, lo, hi, classes):
        return True
    label = lo
    for i in range(lo, hi):
        if codes[i] != STOP:
            if not classes[codes[i]] & LABEL:
                return False
            continue
        if i == label or i - label > 64 or not classes[codes[label]] & HOST or not classes[codes[i - 1]] & HOST:
            return False
        label = i + 1
        end = label
        while end < hi and classes[codes[end]] & LOWER:
            end += 1
        if not 2 <= end - label <= 63:
            continue
        if _ends(codes, end, hi, classes):
            return True
    return False


@njit(nogil=True, cache=True)
def _infix(codes: Codes, i: int, lo: int, hi: int, classes: Classes) -> int:
    """The length of the infix that begins at code ``i``, 0 if none does."""
    code = codes[i]
    if code == STOP and i + 1 < hi and codes[i + 1] == STOP:
        end = i
        while end < hi and codes[end] == STOP:
            end += 1
        return end - i
    if code == ELLIPSIS or classes[code] & ICON:
        return 1
    if i == lo or i + 1 >= hi:
        return 0
    before, after = codes[i - 1], codes[i + 1]
    if code in (PLUS, HYPHEN, ASTERISK, CARET) and _digit(before) and (_digit(after) or after == HYPHEN):
        return 1
    if code == STOP:
        return 1 if classes[before] & (LOWER | QUOTE) and classes[after] & (UPPER | QUOTE) else 0
    if code == COMMA:
        return 1 if classes[before] & LETTER and classes[after] & LETTER else 0
    word = (classes[before] & LETTER) != 0 or _digit(before)
    if not word:
        return 0
    if code == HYPHEN:
        for size in range(1, 4):  # - -- ---
            if i + size < hi and classes[codes[i + size]] & LETTER:
                return size
            if i + size >= hi or codes[i + size] != HYPHEN:
                return 0
        return 0
    if code == EM_DASH and after == EM_DASH:
        return 2 if i + 2 < hi and classes[codes[i + 2]] & LETTER else 0
    if code in (EN_DASH, EM_DASH, TILDE, COLON, SLASH) or 0x3C <= code <= 0x3E:  # < = >
        return 1 if classes[after] & LETTER else 0
    return 0


@njit(nogil=True, cache=True)
def tokenize(
    values: Bytes,
    start: int,
    stop: int,
    codes: Codes,
    places: Longs,
    lengths: Ints,
    copy: Ints,
    classes: Classes,
    units: Codes,
    unit_offsets: Longs,
    special_keys: Hashes,
    special_offsets: Longs,
    special_lengths: Ints,
    joined_offsets: Longs,
    joined_lengths: Ints,
) -> int:
    """The tokens of the chunk ``values[start:stop]``: their number, their lengths in bytes in ``lengths``.

    The chunk has at most ``CHUNK_CODES`` code points; the arrays are those of `scratch`, then of `Rules`.
    """
    n = 0
    i = start
    while i < stop:
        code, size = decode(values, i, stop)
        codes[n] = code
        places[n] = i
        n += 1
        i += size
    places[n] = stop

    # lengths holds the prefixes from the front; suffixes are what is left behind `hi`, kept from the back of `lengths`
    count = 0
    suffixes = 0
    lo, hi = 0, n
    last = 0
    special = -1
    while lo < hi and hi - lo != last:
        special = _special(values, places, lo, hi, special_keys)
        if special >= 0:
            break
        last = hi - lo
        before = _prefix(codes, lo, hi, classes)
        if before and lo + before < hi and _special(values, places, lo + before, hi, special_keys) >= 0:
            lengths[count] = before
            count += 1
            lo += before
            break
        after = _suffix(codes, lo + before, hi, classes, units, unit_offsets)
        if after and hi - after > lo and _special(values, places, lo, hi - after, special_keys) >= 0:
            suffixes += 1
            lengths[CHUNK_CODES - suffixes] = after
            hi -= after
            break
        if before:
            lengths[count] = before
            count += 1
            lo += before
        if after:
            suffixes += 1
            lengths[CHUNK_CODES - suffixes] = after
            hi -= after
    if lo < hi:
        special = _special(values, places, lo, hi, special_keys)
        if special >= 0:
            for k in range(special_offsets[special], special_offsets[special + 1]):
                lengths[count] = special_lengths[k]
                count += 1
        else:
            begin = lo
            i = hi if _url(codes, lo, hi, classes) else lo
            while i < hi:
                size = _infix(codes, i, lo, hi, classes)
                if size == 0:
                    i += 1
                    continue
                if i > lo:
                    if i > begin:
                        lengths[count] = i - begin
                        count += 1
                    lengths[count] = size
                    count += 1
                    begin = i + size
                i += size
            if begin < hi:
                lengths[count] = hi - begin
                count += 1
    for k in range(suffixes):
        lengths[count + k] = lengths[CHUNK_CODES - suffixes + k]
    count += suffixes
    if count > 1 and _joins(values, places, lengths, count, special_keys, joined_offsets, joined_lengths):
        count = _join(
            *(values, places, lengths, count, copy),
            *(special_keys, special_offsets, special_lengths, joined_offsets, joined_lengths),
        )
    i = 0
    for k in range(count):
        end = i + lengths[k]
        lengths[k] = places[end] - places[i]
        i = end
    return count


@njit(nogil=True, cache=True)
def _joined_here(
    values: Bytes,
    places: Longs,
    lo: int,
    lengths: Ints,
    first: int,
    size: int,
    special_keys: Hashes,
    joined_offsets: Longs,
    joined_lengths: Ints,
) -> int:
    """The special case into which ``size`` tokens are joined, from ``first``, which begins at code ``lo``; or -1."""
    hi = lo
    for k in range(size):
        hi += lengths[first + k]
    special = _special(values, places, lo, hi, special_keys)
    if special < 0 or joined_offsets[special + 1] - joined_offsets[special] != size:
        return -1
    for k in range(size):
        if joined_lengths[joined_offsets[special] + k] != lengths[first + k]:
            return -1
    return special


@njit(nogil=True, cache=True)
def _joins(
    values: Bytes,
    places: Longs,
    lengths: Ints,
    count: int,
    special_keys: Hashes,
    joined_offsets: Longs,
    joined_lengths: Ints,
) -> bool:
    """Whether any neighbouring tokens are joined into a special case."""
    lo = 0
    for first in range(count):
        hi = lo
        for size in range(1, min(count - first, SPECIAL_CODES) + 1):
            hi += lengths[first + size - 1]
            if hi - lo > SPECIAL_CODES:
                break
            special = _joined_here(
                values, places, lo, lengths, first, size, special_keys, joined_offsets, joined_lengths
            )
            if special >= 0:
                return True
        lo += lengths[first]
    return False


@njit(nogil=True, cache=True)
def _join(
    values: Bytes,
    places: Longs,
    lengths: Ints,
    count: int,
    copy: Ints,
    special_keys: Hashes,
    special_offsets: Longs,
    special_lengths: Ints,
    joined_offsets: Longs,
    joined_lengths: Ints,
) -> int:
    """Join tokens into special cases; returns the new number of tokens.

    A token is in at most one, as the library chooses: the most tokens first, then the leftmost; one whose ends another
    has taken is left, yet hides what it overlaps.
    """
    chosen = np.full(count, -1, np.int32)
    sizes = np.zeros(count, np.int32)
    hidden = np.zeros(count, np.bool_)
    for size in range(min(count, SPECIAL_CODES), 0, -1):
        lo = 0
        for first in range(count - size + 1):
            special = _joined_here(
                values, places, lo, lengths, first, size, special_keys, joined_offsets, joined_lengths
            )
            if special >= 0:
                if not hidden[first] and not hidden[first + size - 1]:
                    chosen[first] = special
                    sizes[first] = size
                hidden[first : first + size] = True
            lo += lengths[first]
    copy[:count] = lengths[:count]
    out = 0
    i = 0
    while i < count:
        special = chosen[i]
        if special < 0:
            lengths[out] = copy[i]
            out += 1
            i += 1
            continue
        for k in range(special_offsets[special], special_offsets[special + 1]):
            lengths[out] = special_lengths[k]
            out += 1
        i += sizes[i]
    return out
